"""Reads of memory by address inside compiled loops: the buffers of many Arrow arrays, as one kernel sees them.

Who calls must hold the arrays whose buffers these are, and give places inside them.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


def _load(bits: int, result):  # type: ignore[no-untyped-def]
    def peek(typing_context, address):  # type: ignore[no-untyped-def]  # noqa: ARG001
        signature = result(types.int64)

        def code(context, builder, signature, args):  # type: ignore[no-untyped-def]  # noqa: ARG001
            pointer = builder.inttoptr(args[0], ir.IntType(bits).as_pointer())
            return builder.load(pointer, align=1)

        return signature, code

    return peek


peek_u8 = intrinsic(_load(8, types.uint8))
"""Return the byte at an address."""
peek_i32 = intrinsic(_load(32, types.int32))
"""Return the 32-bit integer at an address."""


@intrinsic
def copy_from(typing_context, out, at, address, count):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """Copy ``count`` bytes from an address to the uint8 array ``out`` at ``at``."""
    signature = types.void(out, types.int64, types.int64, types.int64)

    def code(context, builder, signature, args):  # type: ignore[no-untyped-def]
        to = context.make_array(signature.args[0])(context, builder, args[0]).data
        of = builder.inttoptr(args[2], ir.IntType(8).as_pointer())
        cgutils.raw_memcpy(builder, builder.gep(to, [args[1]]), of, args[3], 1)
        return context.get_dummy_value()

    return signature, code
