"""Arithmetic and mathematics. Integers wrap as in Java; decimals that don't fit give NULL; x / 0 of integers fails."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import (
    INT,
    DataType,
    DateType,
    DecimalType,
    FloatType,
    IntegerType,
    IntervalType,
    NullType,
    TimestampType,
    TimeType,
    is_numeric,
)
from fluxcore.errors import DataError
from fluxcore.expr.coercion import as_decimal, common_type, decimal_result
from fluxcore.expr.registry import Function, Inputs, register, spread
from fluxcore.expr.rules import any_null, to

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.expr.nodes import Expr

    Resolved = tuple[Sequence[Expr], DataType] | str

_DIGITS_MAX = 38
_ARROW = {"+": pc.add, "-": pc.subtract, "*": pc.multiply}


def _rule(operator: str) -> Callable[[Sequence[Expr]], Resolved]:
    def rule(args: Sequence[Expr]) -> Resolved:
        if len(args) != 2:
            return "two numbers"
        left, right = args[0].type, args[1].type
        timed = _time_rule(operator, args)
        if timed is not None:
            return timed
        if not all(is_numeric(each) or isinstance(each, NullType) for each in (left, right)):
            return "two numbers" + (", or a time and an interval" if operator in "+-" else "")
        nullable = any_null(args)
        both = common_type([left, right])
        assert both is not None
        if isinstance(both, DecimalType) and is_numeric(left) and is_numeric(right):
            decimal = decimal_result(operator, as_decimal(left), as_decimal(right)).with_nullable(nullable)
            return [to(args[0], as_decimal(left)), to(args[1], as_decimal(right))], decimal
        if isinstance(both, NullType):
            both = INT
        if isinstance(left, FloatType) and isinstance(right, FloatType):
            both = left  # FLOAT + DOUBLE is a FLOAT, DOUBLE + FLOAT a DOUBLE
        result = right if operator == "%" and isinstance(both, IntegerType) and isinstance(right, IntegerType) else both
        return [to(arg, both) for arg in args], result.with_nullable(nullable)

    return rule


def _time_rule(operator: str, args: Sequence[Expr]) -> Resolved | None:
    left, right = args[0].type, args[1].type
    times = (TimestampType, DateType, TimeType)
    nullable = any_null(args)
    if isinstance(left, IntegerType) and isinstance(right, IntervalType) and operator == "*":
        return _time_rule(operator, [args[1], args[0]])
    if isinstance(left, IntervalType) and isinstance(right, times) and operator == "+":
        return _time_rule(operator, [args[1], args[0]])
    if isinstance(left, times) and isinstance(right, IntervalType) and operator in "+-":
        if isinstance(left, TimeType) and right.months:
            return "a TIME and a day-time interval"
        return args, left.with_nullable(nullable)
    if isinstance(left, IntegerType) and isinstance(right, IntervalType) and operator == "*":
        return [args[1], args[0]], right.with_nullable(nullable)
    if isinstance(left, IntervalType) and isinstance(right, IntervalType) and operator in "+-":
        return (args, left.with_nullable(nullable)) if left.months == right.months else "intervals of one kind"
    if isinstance(left, IntervalType) and isinstance(right, IntegerType) and operator in "*/":
        return args, left.with_nullable(nullable)
    return None


def _operate(operator: str) -> Callable[[Inputs], Any]:
    def kernel(inputs: Inputs) -> Any:
        left, right = inputs.types[0], inputs.types[1]
        if isinstance(left, TimestampType | DateType | TimeType):
            return _move_time(inputs, 1 if operator == "+" else -1)
        if isinstance(left, IntervalType):
            wide = [value.cast(pa.int64()) for value in inputs.values]
            done = pc.divide(*wide) if operator == "/" else _ARROW[operator](*wide)
            return done.cast(left.arrow())
        if isinstance(inputs.result, DecimalType):
            return _decimal(operator, inputs, inputs.result)
        if isinstance(inputs.result, FloatType):
            return _float(operator, inputs)
        if operator in _ARROW:
            return _ARROW[operator](inputs.values[0], inputs.values[1])
        assert isinstance(right, IntegerType)
        return _divide(inputs, remainder=operator == "%").cast(inputs.result.arrow())

    return kernel


def _divide(inputs: Inputs, *, remainder: bool) -> pa.Array:
    """Divide integers, truncating towards zero; the remainder has the dividend's sign."""
    left = inputs.array(0)
    divisor = inputs.values[1]
    constant = isinstance(divisor, pa.Scalar)
    if constant and divisor.is_valid and divisor.as_py() > 0:
        number = divisor.as_py()
        values = np.asarray(left.fill_null(0) if left.null_count else left)
        if remainder:
            done = np.fmod(values, values.dtype.type(number))
        else:
            done = values // number
            done += ((values < 0) & (done * number != values)).astype(values.dtype)
        return pa.array(done, left.type, mask=np.asarray(left.is_null()) if left.null_count else None)
    right = inputs.array(1)
    zero = pc.fill_null(pc.and_(pc.equal(right, pa.scalar(0, right.type)), left.is_valid()), False)
    if pc.any(zero).as_py():
        raise DataError(
            "FX-RUN-0101", "division by zero", hint="guard it: CASE WHEN b <> 0 THEN a / b END, or NULLIF(b, 0)"
        )
    safe = pc.if_else(pc.equal(right, pa.scalar(0, right.type)), pa.scalar(1, right.type), right)
    minus_one = pc.equal(safe, pa.scalar(-1, right.type))
    quotient = pc.divide(left, pc.if_else(minus_one, pa.scalar(1, right.type), safe))
    quotient = pc.if_else(minus_one, pc.negate(left), quotient)
    return pc.subtract(left, pc.multiply(quotient, safe)) if remainder else quotient


def _float(operator: str, inputs: Inputs) -> Any:
    left, right = inputs.values
    if operator in _ARROW:
        return _ARROW[operator](left, right)
    a, b = inputs.array(0), inputs.array(1)
    with np.errstate(all="ignore"):
        x, y = np.asarray(a.fill_null(0.0)), np.asarray(b.fill_null(1.0))
        done = np.fmod(x, y) if operator == "%" else x / y
    nulls = np.asarray(pc.or_(a.is_null(), b.is_null()))
    return pa.array(done, a.type, mask=nulls if nulls.any() else None)


def _decimal(operator: str, inputs: Inputs, result: DecimalType) -> Any:
    left, right = inputs.types
    assert isinstance(left, DecimalType)
    assert isinstance(right, DecimalType)
    wanted = result.arrow()
    if operator == "*" and left.precision + right.precision < 38:
        return pc.multiply(inputs.values[0], inputs.values[1]).cast(wanted)
    if operator in "+-" and max(left.precision, right.precision) + max(left.scale, right.scale) < 37:
        return _ARROW[operator](inputs.values[0], inputs.values[1]).cast(wanted)
    if operator == "/":
        zero = pc.fill_null(pc.equal(inputs.array(1), pa.scalar(Decimal(0)).cast(inputs.array(1).type)), False)
        if pc.any(pc.and_(zero, inputs.array(0).is_valid())).as_py():
            raise DataError("FX-RUN-0101", "division by zero", hint="guard it: CASE WHEN b <> 0 THEN a / b END")
    pairs = zip(inputs.array(0).to_pylist(), inputs.array(1).to_pylist(), strict=True)
    return pa.array([_exact(operator, a, b, result) for a, b in pairs], wanted)


def _exact(operator: str, a: Decimal | None, b: Decimal | None, result: DecimalType) -> Decimal | None:
    if a is None or b is None:
        return None
    with localcontext() as context:
        context.prec = 90
        if operator == "%":
            value = a % b if b else None
        else:
            value = {"+": a.__add__, "-": a.__sub__, "*": a.__mul__, "/": a.__truediv__}[operator](b)
        if value is None:
            raise DataError("FX-RUN-0101", "division by zero", hint="guard it: CASE WHEN b <> 0 THEN a % b END")
        rounded = value.quantize(Decimal(1).scaleb(-result.scale), ROUND_HALF_UP)
    return rounded if abs(rounded) < Decimal(10) ** (result.precision - result.scale) else None


def _move_time(inputs: Inputs, sign: int) -> Any:
    value, interval = inputs.values
    type_, by = inputs.types
    assert isinstance(by, IntervalType)
    if by.months:
        return add_months(inputs.array(0), inputs.array(1), sign)
    if isinstance(type_, TimestampType):
        units = pc.multiply(interval, pa.scalar(sign * type_.units_per_ms, pa.int64()))
        moved = pc.add(value.cast(pa.int64()), units)
        return moved.cast(type_.arrow())
    milliseconds = pc.multiply(interval, pa.scalar(sign, pa.int64()))
    if isinstance(type_, DateType):
        days = np.asarray(inputs.array(0).cast(pa.int32()).fill_null(0)).astype(np.int64)
        by_ms = np.asarray(spread(milliseconds, inputs.rows).fill_null(0))
        nulls = np.asarray(pc.or_(inputs.array(0).is_null(), inputs.array(1).is_null()))
        return pa.array((days + by_ms // 86_400_000).astype(np.int32), mask=nulls).cast(pa.date32())
    clock = pc.add(value.cast(pa.int32()).cast(pa.int64()), milliseconds)
    array = clock if isinstance(clock, pa.Array) else pa.array([clock.as_py()], pa.int64())
    wrapped = (np.asarray(array.fill_null(0)) % 86_400_000).astype(np.int32)
    moved = pa.array(wrapped, mask=np.asarray(array.is_null())).cast(pa.time32("ms"))
    return moved if isinstance(clock, pa.Array) else moved[0]


def add_months(array: pa.Array, months: pa.Array, sign: int) -> pa.Array:
    """Return times moved by whole months; a day that the month doesn't have becomes its last."""
    stamps = array.cast(pa.timestamp("us")) if pa.types.is_date(array.type) else array
    values = np.asarray(stamps.cast(pa.timestamp(stamps.type.unit)).fill_null(0)).astype(
        f"datetime64[{stamps.type.unit}]"
    )
    days = values.astype("datetime64[D]")
    clock = values - days
    first = days.astype("datetime64[M]")
    day = (days - first.astype("datetime64[D]")).astype(np.int64)
    target = first + sign * np.asarray(months.fill_null(0)).astype("timedelta64[M]")
    last = ((target + 1).astype("datetime64[D]") - target.astype("datetime64[D]")).astype(np.int64) - 1
    moved = target.astype("datetime64[D]") + np.minimum(day, last).astype("timedelta64[D]") + clock
    nulls = np.asarray(pc.or_(array.is_null(), months.is_null()))
    return pa.array(moved, mask=nulls).cast(pa.timestamp(stamps.type.unit)).cast(array.type)


def _number(args: Sequence[Expr]) -> Resolved:
    if len(args) != 1 or not (is_numeric(args[0].type) or isinstance(args[0].type, NullType | IntervalType)):
        return "one number"
    return args, args[0].type


def _mod_rule(args: Sequence[Expr]) -> Resolved:
    return _rule("%")(args)


def with_room(array: pa.Array, type_: DecimalType) -> pa.Array:
    """Return decimals with one more digit, which rounding up may need."""
    wider = pa.decimal128 if type_.precision < _DIGITS_MAX else pa.decimal256
    return array.cast(wider(type_.precision + 1, type_.scale))


def narrowed(value: pa.Array, result: DecimalType) -> pa.Array:
    """Return rounded decimals as the result's type, NULL where they have too many digits."""
    try:
        return value.cast(result.arrow())
    except pa.ArrowInvalid:
        limit = Decimal(10) ** (result.precision - result.scale)
        return pa.array(
            [each if each is None or abs(each) < limit else None for each in value.to_pylist()], result.arrow()
        )


def _sign_rule(args: Sequence[Expr]) -> Resolved:
    if len(args) != 1 or not is_numeric(args[0].type):
        return "one number"
    return args, args[0].type


def _sign(inputs: Inputs) -> pa.Array:
    signs, result = pc.sign(inputs.array(0)), inputs.result
    if not isinstance(result, DecimalType):
        return signs.cast(result.arrow())
    return narrowed(signs.cast(pa.int64()).cast(pa.decimal128(19, 0)), result)


def _whole(compute: Callable[[pa.Array], pa.Array]) -> Callable[[Inputs], pa.Array]:
    return lambda inputs: compute(inputs.array(0)).cast(inputs.result.arrow())


for _name, _text, _example in (
    ("+", "The sum; also a time moved by an interval.", ("1 + 2", "3")),
    ("-", "The difference; also a time moved back by an interval.", ("5 - 2", "3")),
    ("*", "The product.", ("2 * 3", "6")),
    ("/", "The quotient; of integers without the rest.", ("7 / 2", "3")),
    ("%", "The rest, with the sign of the first number.", ("-7 % 3", "-1")),
):
    register(Function(_name, "Arithmetic", _rule(_name), _operate(_name), _text, _example, total=_name not in "/%"))
register(Function("MOD", "Arithmetic", _mod_rule, _operate("%"), "The rest, with the sign of the first number.",
                  ("MOD(7, 3)", "1"), total=False))  # fmt: skip
register(Function("NEG", "Arithmetic", _number, lambda i: pc.negate(i.array(0)), "The number with the other sign."))
register(
    Function(
        "ABS", "Mathematics", _number, lambda i: pc.abs(i.array(0)), "The number without its sign.", ("ABS(-3)", "3")
    )
)
register(Function("SIGN", "Mathematics", _sign_rule, _sign,
                  "-1, 0 or 1.", ("SIGN(-3)", "-1")))  # fmt: skip
