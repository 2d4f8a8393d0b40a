"""Comparisons. Text compares by code point; NaN equals nothing, as for Java's primitives."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import BOOLEAN, INT, ArrayType, MapType, NullType, RowType, TimestampType
from fluxcore.expr.lists import codes_of, nulls_of
from fluxcore.expr.registry import Function, Inputs, register
from fluxcore.expr.rules import boolean_of, comparable_type, same_types, to

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.core.types import DataType
    from fluxcore.expr.nodes import Expr

_NOT_NULL = BOOLEAN.with_nullable(False)


_NESTED = (ArrayType, MapType, RowType)


def _compare(compute: Callable[..., pa.Array]) -> Callable[[Inputs], pa.Array]:
    def kernel(inputs: Inputs) -> pa.Array:
        if isinstance(inputs.types[0], _NESTED):
            left, right = codes_of(inputs.array(0), inputs.array(1))
            same = compute(pa.array(left), pa.array(right))
            nulls = nulls_of(inputs.array(0), inputs.array(1))
            return pc.if_else(pa.array(nulls), pa.scalar(None, pa.bool_()), same)
        return compute(inputs.values[0], inputs.values[1])

    return kernel


equality = _compare(pc.equal)
"""The kernel of `=`."""


def _two(args: Sequence[Expr]) -> tuple[Sequence[Expr], DataType] | str:
    if len(args) != 2:
        return "two values of types that go together"
    if all(isinstance(arg.type, NullType) for arg in args):
        args = [to(arg, INT) for arg in args]
    return same_types(2, lambda type_: BOOLEAN.with_nullable(type_.nullable))(args)


def _ordered(args: Sequence[Expr]) -> tuple[Sequence[Expr], DataType] | str:
    """Two values of one type; a TIMESTAMP meets a TIMESTAMP_LTZ as an instant, whereas ``=`` compares what clocks show."""
    types = [arg.type for arg in args if isinstance(arg.type, TimestampType)]
    if len(args) == len(types) == 2 and types[0].local != types[1].local:
        common = TimestampType(precision=max(type_.precision for type_ in types), local=True)
        return [to(arg, common) for arg in args], boolean_of(args)
    if any(isinstance(arg.type, _NESTED) for arg in args):
        return "two values of a type that has an order"
    return _two(args)


def _two_not_null(args: Sequence[Expr]) -> tuple[Sequence[Expr], DataType] | str:
    found = _two(args)
    return found if isinstance(found, str) else (found[0], _NOT_NULL)


def _distinct(inputs: Inputs) -> pa.Array:
    left, right = inputs.array(0), inputs.array(1)
    if isinstance(inputs.types[0], _NESTED):
        codes = codes_of(left, right)
        return pa.array(codes[0] != codes[1])
    differ = pc.fill_null(pc.not_equal(left, right), True)
    both_null = pc.and_(left.is_null(), right.is_null())
    return pc.and_(differ, pc.invert(both_null))


def _in_rule(args: Sequence[Expr]) -> tuple[Sequence[Expr], DataType] | str:
    if all(isinstance(arg.type, NullType) for arg in args):
        args = [to(arg, INT) for arg in args]
    found = comparable_type(args)
    if len(args) < 2 or found is None:
        return "a value and a list of values of types that go together"
    return [to(arg, found) for arg in args], boolean_of(args)


def _in(inputs: Inputs) -> pa.Array:
    value = inputs.array(0)
    if isinstance(inputs.types[0], _NESTED):
        same = [equality(replace(inputs, values=[value, each])) for each in inputs.values[1:]]
        return functools.reduce(pc.or_kleene, same)
    if all(isinstance(each, pa.Scalar) for each in inputs.values[1:]):
        known = [each for each in inputs.values[1:] if each.is_valid]
        found = pc.is_in(value, value_set=pa.array([each.as_py() for each in known], value.type))
        if len(known) < len(inputs.values) - 1:
            found = pc.if_else(found, found, pa.scalar(None, pa.bool_()))
        return pc.if_else(value.is_null(), pa.scalar(None, pa.bool_()), found) if value.null_count else found
    found = pc.equal(value, inputs.values[1])
    for each in inputs.values[2:]:
        found = pc.or_kleene(found, pc.equal(value, each))
    return found


for _name, _kernel, _text in (
    ("=", pc.equal, "Whether two values are equal."),
    ("<>", pc.not_equal, "Whether two values differ."),
    ("<", pc.less, "Whether the first is smaller."),
    ("<=", pc.less_equal, "Whether the first is not larger."),
    (">", pc.greater, "Whether the first is larger."),
    (">=", pc.greater_equal, "Whether the first is not smaller."),
):
    _rule = _two if _name in ("=", "<>") else _ordered
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
