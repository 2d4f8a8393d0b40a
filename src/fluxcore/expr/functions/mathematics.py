"""Mathematics of DOUBLE, numbers as digits, and chance."""

from __future__ import annotations

import math
import random
import uuid
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.types import (
    BYTES,
    DOUBLE,
    INT,
    STRING,
    DataType,
    IntegerType,
    NullType,
    StringType,
    is_numeric,
)
from fluxcore.expr.registry import Function, Inputs, register, spread
from fluxcore.expr.rowwise import constant, each, mapped
from fluxcore.expr.rules import any_null, to

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.expr.nodes import Expr

    Resolved = tuple[Sequence[Expr], DataType] | str

_C = "Mathematics"


def _double_rule(least: int, most: int) -> Callable[[Sequence[Expr]], Resolved]:
    wanted = "one number" if most == 1 else "two numbers" if least == 2 else "one or two numbers"

    def rule(args: Sequence[Expr]) -> Resolved:
        if not least <= len(args) <= most or not all(is_numeric(arg.type) for arg in args):
            return wanted
        return [to(arg, DOUBLE) for arg in args], DOUBLE.with_nullable(any_null(args))

    return rule


def _doubles(
    name: str, compute: Callable[..., Any], text: str, example: tuple[str, str], counts: tuple[int, int] = (1, 1)
) -> None:
    def kernel(inputs: Inputs) -> pa.Array:
        arrays = [inputs.array(index) for index in range(len(inputs.values))]
        with np.errstate(all="ignore"):
            done = compute(*(np.asarray(array.fill_null(1.0), np.float64) for array in arrays))
        nulls = np.logical_or.reduce([np.asarray(array.is_null()) for array in arrays])
        return pa.array(done, pa.float64(), mask=nulls if nulls.any() else None)

    register(Function(name, _C, _double_rule(*counts), kernel, text, example))


def _log(first: Any, second: Any = None) -> Any:
    return np.log(first) if second is None else np.log(second) / np.log(first)


def _root(value: Any) -> Any:
    """Return the power of one half, as Flink does: of minus infinity it is infinity, of -0.0 it is 0.0."""
    return np.where(np.isneginf(value), np.inf, np.sqrt(value)) + 0.0


def _power(base: Any, exponent: Any) -> Any:
    """Return Java's power: of 1 to NaN, and of -1 or 1 to an infinity, it is NaN."""
    done = np.power(base, exponent)
    return np.where(np.isnan(exponent) | (np.isinf(exponent) & (np.abs(base) == 1)), np.nan, done)


def _number(value: float) -> Callable[[Inputs], pa.Array]:
    return lambda inputs: spread(pa.scalar(value, pa.float64()), inputs.rows)


def _none(result: DataType) -> Callable[[Sequence[Expr]], Resolved]:
    return lambda args: "no arguments" if args else (args, result.with_nullable(False))


def _whole_rule(args: Sequence[Expr]) -> Resolved:
    if len(args) != 1 or not isinstance(args[0].type, IntegerType):
        return "a whole number"
    return args, STRING.with_nullable(args[0].type.nullable)


def _unsigned(value: int, bits: int) -> int:
    return value if value >= 0 else value + (1 << bits)


def _bin(inputs: Inputs) -> pa.Array:
    return mapped(inputs.array(0), lambda value: f"{_unsigned(value, 64):b}", pa.string())


def _hex_rule(args: Sequence[Expr]) -> Resolved:
    if len(args) != 1 or not isinstance(args[0].type, IntegerType | StringType):
        return "a whole number or a STRING"
    return args, STRING.with_nullable(args[0].type.nullable)


def _hex(inputs: Inputs) -> pa.Array:
    if isinstance(inputs.types[0], StringType):
        return mapped(inputs.array(0), lambda value: value.encode().hex().upper(), pa.string())
    return mapped(inputs.array(0), lambda value: f"{_unsigned(value, 64):X}", pa.string())


def _unhex_rule(args: Sequence[Expr]) -> Resolved:
    if len(args) != 1 or not isinstance(args[0].type, StringType | NullType):
        return "a STRING of hexadecimal digits"
    return [to(args[0], STRING) if isinstance(args[0].type, NullType) else args[0]], BYTES


_HEX = frozenset("0123456789abcdefABCDEF")


def _unhex(text: str) -> bytes | None:
    """Return the bytes; a digit too many at the start is a byte of zeros, whatever it is, as in Flink."""
    odd = len(text) % 2
    if not _HEX.issuperset(text):
        return None
    return b"\0" * odd + bytes.fromhex(text[odd:])


def _rand_rule(args: Sequence[Expr]) -> Resolved:
    if len(args) > 1 or not all(isinstance(arg.type, IntegerType) for arg in args):
        return "a whole number as a seed, or nothing"
    return [to(arg, INT) for arg in args], DOUBLE.with_nullable(any_null(args))


class JavaRandom:
    """The generator of ``java.util.Random``, so that a seed gives the numbers that it gives in Flink."""

    def __init__(self, seed: int) -> None:
        self._state = (seed ^ 0x5DEECE66D) & ((1 << 48) - 1)

    def _next(self, bits: int) -> int:
        self._state = (self._state * 0x5DEECE66D + 0xB) & ((1 << 48) - 1)
        value = self._state >> (48 - bits)
        return value - (1 << bits) if value >> (bits - 1) and bits == 32 else value

    def next_double(self) -> float:
        """Return the next DOUBLE from 0 to below 1."""
        return ((self._next(26) << 27) + self._next(27)) / (1 << 53)

    def next_int(self, bound: int) -> int:
        """Return the next whole number from 0 to below ``bound``."""
        if bound & -bound == bound:
            return (bound * self._next(31)) >> 31
        while True:
            bits = self._next(31)
            value = bits % bound
            if bits - value + bound - 1 < 1 << 31:
                return value


def _rand(inputs: Inputs) -> pa.Array:
    if not inputs.values:
        return pa.array(np.random.default_rng().random(inputs.rows))
    if isinstance(inputs.values[0], pa.Scalar):
        seed = constant(inputs, 0)
        if seed is None:
            return pa.nulls(inputs.rows, pa.float64())
        generator = JavaRandom(seed)
        return pa.array([generator.next_double() for _ in range(inputs.rows)], pa.float64())
    return each(inputs, lambda seed: JavaRandom(seed).next_double(), pa.float64())


def _rand_integer_rule(args: Sequence[Expr]) -> Resolved:
    if not 1 <= len(args) <= 2 or not all(isinstance(arg.type, IntegerType) for arg in args):
        return "a bound, or a seed and a bound"
    return [to(arg, INT) for arg in args], INT.with_nullable(any_null(args))


def _rand_integer(inputs: Inputs) -> pa.Array:
    if len(inputs.values) == 2:
        return each(inputs, lambda seed, bound: JavaRandom(seed).next_int(bound), pa.int32())
    generator = random.SystemRandom()
    return pa.array(
        [None if bound is None else generator.randrange(bound) for bound in inputs.array(0).to_pylist()], pa.int32()
    )


def _uuid(inputs: Inputs) -> pa.Array:
    return pa.array([str(uuid.uuid4()) for _ in range(inputs.rows)], pa.string())


_doubles("SQRT", _root, "The square root.", ("SQRT(9)", "3.0"))
_doubles("EXP", np.exp, "e to a power.", ("EXP(0)", "1.0"))
_doubles("LN", np.log, "The natural logarithm.", ("LN(1)", "0.0"))
_doubles(
    "LOG",
    _log,
    "The natural logarithm of a number, or the second's to the base of the first.",
    ("LOG(2, 8)", "3.0"),
    (1, 2),
)
_doubles("LOG10", np.log10, "The logarithm to base 10.", ("LOG10(100)", "2.0"))
_doubles("LOG2", np.log2, "The logarithm to base 2.", ("LOG2(8)", "3.0"))
_doubles("SIN", np.sin, "The sine.", ("SIN(0)", "0.0"))
_doubles("COS", np.cos, "The cosine.", ("COS(0)", "1.0"))
_doubles("TAN", np.tan, "The tangent.", ("TAN(0)", "0.0"))
_doubles("COT", lambda x: 1.0 / np.tan(x), "The cotangent.", ("COT(0.5)", "1.830487721712452"))
_doubles("SINH", np.sinh, "The hyperbolic sine.", ("SINH(0)", "0.0"))
_doubles("COSH", np.cosh, "The hyperbolic cosine.", ("COSH(0)", "1.0"))
_doubles("TANH", np.tanh, "The hyperbolic tangent.", ("TANH(0)", "0.0"))
_doubles("ASIN", np.arcsin, "The arc sine.", ("ASIN(0)", "0.0"))
_doubles("ACOS", np.arccos, "The arc cosine.", ("ACOS(1)", "0.0"))
_doubles("ATAN", np.arctan, "The arc tangent.", ("ATAN(0)", "0.0"))
_doubles("DEGREES", np.degrees, "Radians as degrees.", ("DEGREES(0)", "0.0"))
_doubles("RADIANS", np.radians, "Degrees as radians.", ("RADIANS(0)", "0.0"))
_doubles("POWER", _power, "A number to a power.", ("POWER(2, 3)", "8.0"), (2, 2))
_doubles("ATAN2", np.arctan2, "The angle of a point.", ("ATAN2(0, 1)", "0.0"), (2, 2))
register(Function("E", _C, _none(DOUBLE), _number(math.e), "Euler's number.", ("E()", "2.718281828459045")))
register(Function("PI", _C, _none(DOUBLE), _number(math.pi), "The number pi.", ("PI()", "3.141592653589793")))
register(Function("BIN", _C, _whole_rule, _bin, "A whole number in binary digits.", ("BIN(5)", "101")))
register(
    Function(
        "HEX", _C, _hex_rule, _hex, "A whole number, or the bytes of text, in hexadecimal digits.", ("HEX(255)", "FF")
    )
)
register(Function("UNHEX", _C, _unhex_rule, lambda i: each(i, _unhex, pa.binary()),
                  "The bytes of hexadecimal digits, NULL if there are others.", ("CAST(UNHEX('6162') AS STRING)", "ab")))  # fmt: skip
register(
    Function(
        "RAND",
        _C,
        _rand_rule,
        _rand,
        "A number from 0 to below 1 by chance; a seed gives the same ones again.",
        pure=False,
    )
)
register(Function("RAND_INTEGER", _C, _rand_integer_rule, _rand_integer,
                  "A whole number from 0 to below the bound by chance; in front of it may stand a seed.", pure=False, total=False))  # fmt: skip
register(Function("UUID", _C, _none(STRING), _uuid, "A new random UUID.", pure=False))
