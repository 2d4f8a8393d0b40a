"""CASE and its relatives. CASE is compiled branch by branch where a branch may fail."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import BOOLEAN, INT, BooleanType, NullType, TimestampType
from fluxcore.expr.coercion import common_type
from fluxcore.expr.functions.comparison import equality
from fluxcore.expr.registry import Function, Inputs, register, spread
from fluxcore.expr.rules import comparable_type, same_types, to

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.types import DataType
    from fluxcore.expr.nodes import Expr

    Resolved = tuple[Sequence[Expr], DataType] | str


def _result_type(types: Sequence[DataType]) -> DataType | None:
    """Return the type that values of several branches become: instants where any is one, unlike what comparisons do."""
    found = common_type(types)
    if isinstance(found, TimestampType):
        local = any(isinstance(type_, TimestampType) and type_.local for type_ in types)
        return replace(found, local=local)
    return found


def _case_rule(args: Sequence[Expr]) -> Resolved:
    conditions, values = args[0:-1:2], [*args[1::2], args[-1]]
    if len(args) < 3 or len(args) % 2 == 0:
        return "pairs of condition and value, and a last value"
    if not all(isinstance(each.type, BooleanType | NullType) for each in conditions):
        return "BOOLEAN conditions"
    found = _result_type([each.type for each in values])
    if found is None:
        return "values of types that go together"
    cast = [to(arg, BOOLEAN if index % 2 == 0 and index < len(args) - 1 else found) for index, arg in enumerate(args)]
    return cast, found


def _case(inputs: Inputs) -> pa.Array:
    wanted = inputs.result.arrow()
    result = inputs.array(len(inputs.values) - 1).cast(wanted)
    for index in reversed(range(0, len(inputs.values) - 1, 2)):
        chosen = pc.fill_null(inputs.array(index), False)
        value = inputs.values[index + 1]
        if isinstance(value, pa.Scalar):
            value = spread(value, inputs.rows)
        result = pc.if_else(chosen, value.cast(wanted), result)
    return result


def _if_rule(args: Sequence[Expr]) -> Resolved:
    return _case_rule(args) if len(args) == 3 else "a condition and two values"


def _coalesce_rule(args: Sequence[Expr]) -> Resolved:
    found = _result_type([arg.type for arg in args])
    if found is None:
        return "values of types that go together"
    nullable = all(arg.type.nullable for arg in args)
    return [to(arg, found) for arg in args], found.with_nullable(nullable)


def _coalesce(inputs: Inputs) -> pa.Array:
    return pc.coalesce(*[inputs.array(index) for index in range(len(inputs.values))])


def _nullif_rule(args: Sequence[Expr]) -> Resolved:
    if len(args) != 2 or comparable_type(args) is None:
        return "two values of types that go together"
    found = comparable_type(args)
    assert found is not None
    found = INT if isinstance(found, NullType) else found
    return [to(arg, found) for arg in args], found.with_nullable(True)


def _nullif(inputs: Inputs) -> pa.Array:
    left = inputs.array(0)
    equal = pc.fill_null(equality(inputs), False)
    return pc.if_else(equal, pa.scalar(None, left.type), left)


def _extreme(largest: bool) -> Function:
    name = "GREATEST" if largest else "LEAST"
    compute = pc.max_element_wise if largest else pc.min_element_wise

    def kernel(inputs: Inputs) -> pa.Array:
        return compute(*[inputs.array(index) for index in range(len(inputs.values))], skip_nulls=False)

    text = f"The {'largest' if largest else 'smallest'} value; NULL if any is NULL."
    example = (f"{name}(1, 3, 2)", "3" if largest else "1")
    return Function(name, "Conditional", same_types(1), kernel, text, example)


register(Function("CASE", "Conditional", _case_rule, _case, "The value behind the first condition that is true."))
register(Function("IF", "Conditional", _if_rule, _case, "The second value if the condition is true, else the third."))
register(
    Function(
        "COALESCE",
        "Conditional",
        _coalesce_rule,
        _coalesce,
        "The first value that is not NULL.",
        ("COALESCE(NULL, 5)", "5"),
    ),
    "IFNULL",
)
register(
    Function(
        "NULLIF", "Conditional", _nullif_rule, _nullif, "NULL if both are equal, else the first.", ("NULLIF(1, 2)", "1")
    )
)
register(_extreme(True))
register(_extreme(False))
