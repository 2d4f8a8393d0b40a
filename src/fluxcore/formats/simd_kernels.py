"""Vector instructions for the text scanners, as Numba intrinsics.

Each works on 64 bytes of a ``uint8`` array at once and answers with a 64-bit mask, bit *i* for byte *i*; LLVM turns them
into AVX-512, AVX2, SSE2 or NEON. The array must have :data:`PADDING` readable bytes behind the last index used.
"""

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir
from numba import njit, types
from numba.core.cgutils import pointer_add
from numba.extending import intrinsic

PADDING: Final = 128
"""Bytes that every scanned buffer has behind its content."""

_BYTE = ir.IntType(8)
_WORD = ir.IntType(64)
_LANES = ir.VectorType(_BYTE, 64)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """Return the address of ``array[index]``."""
    data = context.make_array(kind)(context, builder, array).data
    return pointer_add(builder, data, index, return_type=ir.IntType(8).as_pointer())


def _load_lanes(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    pointer = builder.bitcast(_pointer(context, builder, kind, array, index), _LANES.as_pointer())
    return builder.load(pointer, align=1, typ=_LANES)


def _splat(builder: Any, value: Any) -> Any:
    one = builder.insert_element(ir.Constant(_LANES, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), 64), [0] * 64)
    return builder.shuffle_vector(one, ir.Constant(_LANES, ir.Undefined), zeros)


def _constant(value: int) -> Any:
    return ir.Constant(_LANES, [value] * 64)


@intrinsic
def equal_mask(typing: Any, array: Any, index: Any, byte: Any) -> Any:  # noqa: ARG001
    """Return which of 64 bytes from ``index`` on equal ``byte``."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lanes = _load_lanes(context, builder, signature.args[0], args[0], args[1])
        found = builder.icmp_unsigned("==", lanes, _splat(builder, builder.trunc(args[2], _BYTE)))
        return builder.bitcast(found, _WORD)

    return types.uint64(array, types.int64, types.int64), generate


@intrinsic
def below_mask(typing: Any, array: Any, index: Any, byte: Any) -> Any:  # noqa: ARG001
    """Return which of 64 bytes from ``index`` on are less than ``byte``, unsigned."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lanes = _load_lanes(context, builder, signature.args[0], args[0], args[1])
        found = builder.icmp_unsigned("<", lanes, _splat(builder, builder.trunc(args[2], _BYTE)))
        return builder.bitcast(found, _WORD)

    return types.uint64(array, types.int64, types.int64), generate


@intrinsic
def bracket_mask(typing: Any, array: Any, index: Any) -> Any:  # noqa: ARG001
    """Return which of 64 bytes from ``index`` on are one of ``{ } [ ] : ,``."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lanes = _load_lanes(context, builder, signature.args[0], args[0], args[1])
        lower = builder.or_(lanes, _constant(0x20))  # folds [ on { and ] on }
        found = builder.icmp_unsigned("==", lower, _constant(ord("{")))
        found = builder.or_(found, builder.icmp_unsigned("==", lower, _constant(ord("}"))))
        found = builder.or_(found, builder.icmp_unsigned("==", lanes, _constant(ord(":"))))
        found = builder.or_(found, builder.icmp_unsigned("==", lanes, _constant(ord(","))))
        return builder.bitcast(found, _WORD)

    return types.uint64(array, types.int64), generate


@intrinsic
def copy64(typing: Any, target: Any, at: Any, source: Any, index: Any) -> Any:  # noqa: ARG001
    """Copy 64 bytes from ``source[index:]`` to ``target[at:]``."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lanes = _load_lanes(context, builder, signature.args[2], args[2], args[3])
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1])
        builder.store(lanes, builder.bitcast(pointer, _LANES.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(target, types.int64, source, types.int64), generate


@intrinsic
def load8(typing: Any, array: Any, index: Any) -> Any:  # noqa: ARG001
    """Return the 8 bytes from ``index`` on as one word, the first byte lowest."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1])
        return builder.load(builder.bitcast(pointer, _WORD.as_pointer()), align=1, typ=_WORD)

    return types.uint64(array, types.int64), generate


@intrinsic
def trailing_zeros(typing: Any, word: Any) -> Any:  # noqa: ARG001
    """Return the number of zero bits below the lowest one (64 for zero)."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), generate


@intrinsic
def leading_zeros(typing: Any, word: Any) -> Any:  # noqa: ARG001
    """Return the number of zero bits above the highest one (64 for zero)."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), generate


@intrinsic
def count_ones(typing: Any, word: Any) -> Any:  # noqa: ARG001
    """Return the number of bits that are set."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.ctpop(args[0])

    return types.int64(types.uint64), generate


@intrinsic
def high_product(typing: Any, left: Any, right: Any) -> Any:  # noqa: ARG001
    """Return the upper 64 bits of the product of two words."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), _WORD)

    return types.uint64(types.uint64, types.uint64), generate


@intrinsic
def double_of_bits(typing: Any, word: Any) -> Any:  # noqa: ARG001
    """Return the float64 with these bits."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.uint64), generate


@intrinsic
def bits_of_double(typing: Any, value: Any) -> Any:  # noqa: ARG001
    """Return the bits of a float64."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.bitcast(args[0], _WORD)

    return types.uint64(types.float64), generate


@intrinsic
def prefix_xor(typing: Any, word: Any) -> Any:  # noqa: ARG001
    """Return for each bit the parity of the bits up to and with it."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        value = args[0]
        for shift in (1, 2, 4, 8, 16, 32):
            value = builder.xor(value, builder.shl(value, ir.Constant(_WORD, shift)))
        return value

    return types.uint64(types.uint64), generate


@intrinsic
def without_lowest(typing: Any, word: Any) -> Any:  # noqa: ARG001
    """Return the word with its lowest set bit cleared."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.and_(args[0], builder.sub(args[0], ir.Constant(_WORD, 1)))

    return types.uint64(types.uint64), generate


@njit(cache=True, nogil=True, inline="always")
def low_bits(count):  # type: ignore[no-untyped-def]
    """Return a word with the lowest ``count`` bits set (0 to 64)."""
    if count >= 64:
        return ~types.uint64(0)
    return (types.uint64(1) << types.uint64(count)) - types.uint64(1)


@njit(cache=True, nogil=True)
def same_bytes(left, at, right, index, count):  # type: ignore[no-untyped-def]
    """Return whether ``count`` bytes are equal; both arrays need padding."""
    done = 0
    while count - done >= 8:
        if load8(left, at + done) != load8(right, index + done):
            return False
        done += 8
    rest = count - done
    if rest == 0:
        return True
    difference = load8(left, at + done) ^ load8(right, index + done)
    return (difference << types.uint64(64 - 8 * rest)) == types.uint64(0)


@njit(cache=True, nogil=True)
def find_byte(array, index, count, byte):  # type: ignore[no-untyped-def]
    """Return where ``byte`` stands first in ``count`` bytes from ``index`` on, or -1."""
    done = 0
    while done < count:
        found = equal_mask(array, index + done, byte)
        if found:
            at = done + trailing_zeros(found)
            return index + at if at < count else -1
        done += 64
    return -1


@njit(cache=True, nogil=True)
def copy_bytes(target, at, source, index, count):  # type: ignore[no-untyped-def]
    """Copy ``count`` bytes, and up to 63 more behind them; both arrays need padding."""
    done = 0
    while done < count:
        copy64(target, at + done, source, index + done)
        done += 64


@njit(cache=True, nogil=True, inline="always")
def escaped_mask(escapes, carry):  # type: ignore[no-untyped-def]
    """Return which bytes are escaped, and whether the next 64 begin with an escaped one (0 or 1).

    In: ``escapes`` where the escape character stands; ``carry`` 1 when the first byte is escaped.
    """
    if not escapes:
        return carry, types.uint64(0)
    even = types.uint64(0x5555555555555555)
    one = types.uint64(1)
    escapes &= ~carry
    follows = (escapes << one) | carry
    odd_starts = escapes & ~even & ~follows
    total = odd_starts + escapes
    overflow = one if total < escapes else types.uint64(0)
    return (even ^ (total << one)) & follows, overflow


@njit(cache=True, nogil=True)
def count_byte(array, start, end, byte):  # type: ignore[no-untyped-def]
    """Return how often ``byte`` stands in ``array[start:end]``."""
    total = 0
    for index in range(start, end, 64):
        total += count_ones(equal_mask(array, index, byte) & low_bits(end - index))
    return total


@njit(cache=True, nogil=True)
def last_byte(array, end, byte):  # type: ignore[no-untyped-def]
    """Return where ``byte`` stands last before ``end``, or -1."""
    for index in range(end - 1, -1, -1):
        if array[index] == byte:
            return index
    return -1
