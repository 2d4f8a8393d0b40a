"""Comparisons. Text compares by code point; NaN equals nothing, as for Java's primitives."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import (
    BOOLEAN,
    DOUBLE,
    INT,
    ArrayType,
    DecimalType,
    FloatType,
    MapType,
    NullType,
    RowType,
    TimestampType,
    VariantType,
)
from fluxcore.expr.casts import cast_values
from fluxcore.expr.lists import codes_of, nulls_of
from fluxcore.expr.nodes import Call
from fluxcore.expr.registry import Function, Inputs, register
from fluxcore.expr.rules import boolean_of, comparable_type, compared, to

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.core.types import DataType
    from fluxcore.expr.nodes import Expr

    Resolved = tuple[Sequence[Expr], DataType] | Expr | str

_NOT_NULL = BOOLEAN.with_nullable(False)
_NESTED = (RowType, ArrayType, MapType)
_WANTED = "two values of types that go together"


def equal_rule(args: Sequence[Expr]) -> Resolved:
    """Two values of one type. Rows as they are written compare field by field, so that a NULL in them is not known."""
    if len(args) != 2:
        return _WANTED
    fields = _fields_of(args)
    if fields is not None:
        pairs = [equal_rule(pair) for pair in fields]
        return _all_of(pairs)
    return _two(args)


def _fields_of(args: Sequence[Expr]) -> list[tuple[Expr, Expr]] | None:
    left, right = args
    written = all(isinstance(arg, Call) and arg.function == "ROW" for arg in args)
    if not written or len(left.children) != len(right.children) or not left.children:
        return None
    return list(zip(left.children, right.children, strict=True))


def _all_of(pairs: list[Resolved]) -> Resolved:
    if any(isinstance(pair, str) for pair in pairs):
        return _WANTED
    calls = [
        pair if not isinstance(pair, tuple) else Call(function="=", args=tuple(pair[0]), type=pair[1])
        for pair in pairs
        if not isinstance(pair, str)
    ]
    return calls[0] if len(calls) == 1 else Call(function="AND", args=tuple(calls), type=boolean_of(calls))


def _two(args: Sequence[Expr]) -> tuple[Sequence[Expr], DataType] | str:
    if len(args) != 2:
        return _WANTED
    if all(isinstance(arg.type, NullType) for arg in args):
        args = [to(arg, INT) for arg in args]
    if {type(arg.type) for arg in args} == {DecimalType, FloatType}:
        return args, boolean_of(args)
    found = comparable_type(args)
    if found is None:
        return _WANTED
    cast = compared(args, found)
    return cast, boolean_of(cast)


def _ordered(args: Sequence[Expr]) -> tuple[Sequence[Expr], DataType] | str:
    """Two values of one type; a TIMESTAMP meets a TIMESTAMP_LTZ as an instant, whereas ``=`` compares what clocks show."""
    types = [arg.type for arg in args if isinstance(arg.type, TimestampType)]
    if len(args) == len(types) == 2 and types[0].local != types[1].local:
        common = TimestampType(precision=max(type_.precision for type_ in types), local=True)
        return [to(arg, common) for arg in args], boolean_of(args)
    if any(isinstance(arg.type, (*_NESTED, VariantType)) for arg in args):
        return "two values that have an order"
    return _two(args)


def _two_not_null(args: Sequence[Expr]) -> tuple[Sequence[Expr], DataType] | str:
    found = _two(args)
    return found if isinstance(found, str) else (found[0], _NOT_NULL)


def _compare(compute: Callable[..., pa.Array]) -> Callable[[Inputs], pa.Array]:
    def kernel(inputs: Inputs) -> pa.Array:
        left, right = inputs.types
        if type(left) is not type(right) and {type(left), type(right)} == {DecimalType, FloatType}:
            return compute(*(_places(inputs, index) for index in (0, 1)))
        if isinstance(left, _NESTED):
            return _compare_nested(inputs, compute)
        return compute(inputs.values[0], inputs.values[1])

    return kernel


def _places(inputs: Inputs, index: int) -> pa.Array:
    """Return numbers that have the order of DOUBLEs where NaN is the largest and -0.0 less than 0.0: a decimal meets them so."""
    values = cast_values(inputs.array(index), inputs.types[index], DOUBLE, lenient=False, settings=inputs.settings)
    plain = np.asarray(values.fill_null(0.0)).astype(np.float64)
    bits = np.where(np.isnan(plain), np.nan, plain).view(np.int64) & np.int64(2**63 - 1)
    return pa.array(np.where(np.signbit(plain) & ~np.isnan(plain), -bits - 1, bits), mask=np.asarray(values.is_null()))


def _compare_nested(inputs: Inputs, compute: Callable[..., pa.Array]) -> pa.Array:
    left, right = codes_of(inputs.array(0), inputs.array(1))
    nulls = nulls_of(inputs.array(0), inputs.array(1))
    return pc.if_else(pa.array(nulls), pa.scalar(None, pa.bool_()), compute(pa.array(left), pa.array(right)))


equality = _compare(pc.equal)
"""The kernel of `=`."""


def _distinct(inputs: Inputs) -> pa.Array:
    left, right = inputs.array(0), inputs.array(1)
    if isinstance(inputs.types[0], _NESTED):
        codes = codes_of(left, right)
        return pa.array(codes[0] != codes[1])
    differ = pc.fill_null(_compare(pc.not_equal)(inputs), True)
    both_null = pc.and_(left.is_null(), right.is_null())
    return pc.and_(differ, pc.invert(both_null))


def _in_rule(args: Sequence[Expr]) -> Resolved:
    if all(isinstance(arg.type, NullType) for arg in args):
        args = [to(arg, INT) for arg in args]
    wanted = "a value and a list of values of types that go together"
    if len(args) < 2:
        return wanted
    if any(isinstance(arg.type, _NESTED) for arg in args):
        pairs = [equal_rule([args[0], arg]) for arg in args[1:]]
        if any(isinstance(pair, str) for pair in pairs):
            return wanted
        calls = [_all_of([pair]) for pair in pairs]
        found_any = [call for call in calls if not isinstance(call, str | tuple)]
        return (
            found_any[0]
            if len(found_any) == 1
            else Call(function="OR", args=tuple(found_any), type=boolean_of(found_any))
        )
    found = comparable_type(args)
    if found is None:
        return wanted
    cast = compared(args, found)
    return cast, boolean_of(cast)


def _in(inputs: Inputs) -> pa.Array:
    value = inputs.array(0)
    if all(isinstance(each, pa.Scalar) for each in inputs.values[1:]):
        known = [each for each in inputs.values[1:] if each.is_valid]
        if pa.types.is_floating(value.type):
            known = [each for each in known if each.as_py() == each.as_py()]  # NaN equals nothing
        found = pc.is_in(value, value_set=pa.array([each.as_py() for each in known], value.type))
        if any(not each.is_valid for each in inputs.values[1:]):
            found = pc.if_else(found, found, pa.scalar(None, pa.bool_()))
        return pc.if_else(value.is_null(), pa.scalar(None, pa.bool_()), found) if value.null_count else found
    return reduce(pc.or_kleene, [pc.equal(value, each) for each in inputs.values[1:]])


for _name, _kernel, _text in (
    ("=", pc.equal, "Whether two values are equal."),
    ("<>", pc.not_equal, "Whether two values differ."),
    ("<", pc.less, "Whether the first is smaller."),
    ("<=", pc.less_equal, "Whether the first is not larger."),
    (">", pc.greater, "Whether the first is larger."),
    (">=", pc.greater_equal, "Whether the first is not smaller."),
):
    _rule = equal_rule if _name == "=" else _two if _name == "<>" else _ordered
    register(Function(_name, "Comparison", _rule, _compare(_kernel), _text))
register(
    Function(
        "IS DISTINCT FROM",
        "Comparison",
        _two_not_null,
        _distinct,
        "Whether two values differ, NULL being equal to NULL.",
    )
)
register(
    Function(
        "IS NOT DISTINCT FROM",
        "Comparison",
        _two_not_null,
        lambda inputs: pc.invert(_distinct(inputs)),
        "Whether two values are equal, NULL being equal to NULL.",
    )
)
register(Function("IN", "Comparison", _in_rule, _in, "Whether a value is in a list; NULL where that can't be told."))
