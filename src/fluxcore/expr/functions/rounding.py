"""ROUND and TRUNCATE: half away from zero, of the digits that a number is written with."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, localcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import INT, DataType, DecimalType, FloatType, IntegerType, NullType, is_numeric
from fluxcore.expr.coercion import rounded_decimal
from fluxcore.expr.functions.arithmetic import narrowed, with_room
from fluxcore.expr.nodes import Literal
from fluxcore.expr.registry import Function, Inputs, register
from fluxcore.expr.rowwise import mapped
from fluxcore.expr.rules import any_null, to

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.expr.nodes import Expr

    Resolved = tuple[Sequence[Expr], DataType] | str

_EXACT_POWER = 22
_EXACT_WHOLE = float(2**50)
_DOUBT = 1e-4
_FARTHEST = 400
"""More digits than any DOUBLE has, before or behind the point."""
_KEPT = 18
"""The digits behind the point of the decimal in which Flink cuts a DOUBLE."""


def _rule(args: Sequence[Expr]) -> Resolved:
    digits_fit = all(isinstance(arg.type, IntegerType | NullType) for arg in args[1:])
    if not 1 <= len(args) <= 2 or not is_numeric(args[0].type) or not digits_fit:
        return "a number and, if wanted, how many digits"
    type_ = args[0].type
    if isinstance(type_, DecimalType) and (len(args) == 1 or isinstance(args[1], Literal)):
        digits = args[1].value if len(args) == 2 and isinstance(args[1], Literal) else 0
        type_ = type_ if digits is None else rounded_decimal(type_, int(digits))
    return [args[0], *(to(arg, INT) for arg in args[1:])], type_.with_nullable(any_null(args))


def _kernel(*, cut: bool) -> Callable[[Inputs], pa.Array]:
    def kernel(inputs: Inputs) -> pa.Array:
        value, type_ = inputs.array(0), inputs.types[0]
        if isinstance(type_, DecimalType):
            value = with_room(value, type_)
        digits = inputs.values[1] if len(inputs.values) == 2 else pa.scalar(0, pa.int32())
        if isinstance(digits, pa.Scalar):
            done = _rounded(value, digits.as_py(), type_, cut)
        else:
            done = pa.nulls(len(value), value.type)
            for each in pc.unique(digits).to_pylist():
                chosen = pc.fill_null(pc.equal(digits, pa.scalar(each, digits.type)), False)
                done = pc.if_else(chosen, _rounded(value, each, type_, cut), done)
        return narrowed(done, inputs.result) if isinstance(inputs.result, DecimalType) else done

    return kernel


def _rounded(value: pa.Array, digits: int | None, type_: DataType, cut: bool) -> pa.Array:
    if digits is None:
        return pa.nulls(len(value), value.type)
    if isinstance(type_, DecimalType):
        if digits < type_.scale - type_.precision:
            return pc.if_else(value.is_valid(), pa.scalar(Decimal(0)).cast(value.type), value)
        mode = "towards_zero" if cut else "half_towards_infinity"
        return pc.round(value, ndigits=min(digits, type_.scale), round_mode=mode)
    if isinstance(type_, FloatType):
        plain = np.asarray(value.fill_null(0.0)).astype(np.float64)
        mask = np.asarray(value.is_null()) if value.null_count else None
        return pa.array(_round_floats(plain, digits, cut), mask=mask).cast(value.type, safe=False)
    assert isinstance(type_, IntegerType)
    return value if digits >= 0 else _round_whole(value, -digits, type_.bits, cut)


def _round_whole(value: pa.Array, zeros: int, bits: int, cut: bool) -> pa.Array:
    """Return whole numbers with zeros at their end; what grows too large wraps, as in Java."""
    unit, half = 10 ** min(zeros, _FARTHEST), 1 << (bits - 1)

    def one(number: int) -> int:
        whole = (abs(number) + (0 if cut else unit // 2)) // unit * unit
        return ((whole if number >= 0 else -whole) + half) % (2 * half) - half

    return mapped(value, one, value.type)


def _round_floats(values: Any, digits: int, cut: bool) -> Any:
    """Return DOUBLEs rounded as the decimals that they are written as; only those near a bound are taken one by one."""
    digits = max(-_FARTHEST, min(digits, _FARTHEST))
    finite = np.isfinite(values)
    if abs(digits) > _EXACT_POWER:
        done, doubt = values.copy(), finite
    else:
        power = 10.0 ** abs(digits)
        with np.errstate(all="ignore"):
            scaled = np.abs(values * power if digits >= 0 else values / power)
            whole = np.floor(scaled)
            part = scaled - whole
            kept = whole if cut else whole + (part >= 0.5)
            done = np.copysign(kept / power if digits >= 0 else kept * power, values)
            near = ((part < _DOUBT) & (done != values)) | (part > 1 - _DOUBT) if cut else np.abs(part - 0.5) < _DOUBT
        doubt = finite & (near | (scaled >= _EXACT_WHOLE))
        done = np.where(finite, done, values)
    for place in np.flatnonzero(doubt):
        done[place] = _round_one(float(values[place]), digits, cut)
    return done + 0.0


def _round_one(value: float, digits: int, cut: bool) -> float:
    with localcontext() as context:
        context.prec = 800
        exact = Decimal(repr(value))
        if cut:
            exact = exact.quantize(Decimal(1).scaleb(-_KEPT), ROUND_HALF_UP)
        return float(exact.quantize(Decimal(1).scaleb(-digits), ROUND_DOWN if cut else ROUND_HALF_UP))


register(Function("ROUND", "Mathematics", _rule, _kernel(cut=False), "The nearest number of so many digits.",
                  ("ROUND(2.345, 2)", "2.35")))  # fmt: skip
register(Function("TRUNCATE", "Mathematics", _rule, _kernel(cut=True), "The number cut to so many digits.",
                  ("TRUNCATE(2.345, 2)", "2.34")))  # fmt: skip
