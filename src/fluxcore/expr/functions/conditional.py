"""CASE and its relatives. CASE is compiled branch by branch where a branch may fail."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import (
    BOOLEAN,
    DATE,
    INT,
    ArrayType,
    BooleanType,
    DateType,
    FloatType,
    MapType,
    NullType,
    RowType,
    StringType,
    TimestampType,
    VariantType,
    is_numeric,
)
from fluxcore.expr.coercion import common_type
from fluxcore.expr.functions.comparison import equal_rule
from fluxcore.expr.nodes import Call, Expr, Literal
from fluxcore.expr.registry import Function, Inputs, register, spread
from fluxcore.expr.rowwise import mapped
from fluxcore.expr.rules import any_null, same_types, to

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.core.types import DataType

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
    floats = [each.type for each in values if isinstance(each.type, FloatType)]
    if len(floats) == len(values):  # of FLOAT and DOUBLE the first decides
        found = floats[0].with_nullable(found.nullable)
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


def _if_rule(args: Sequence[Expr]) -> Resolved | Expr:
    found = _case_rule(args) if len(args) == 3 else "a condition and two values"
    if isinstance(found, str):
        return found
    return Call(function="CASE", args=tuple(found[0]), type=found[1].with_nullable(any_null(args)))


def _coalesce_rule(args: Sequence[Expr]) -> Resolved | Expr:
    found = _result_type([arg.type for arg in args])
    if found is None:
        return "values of types that go together"
    if isinstance(found, TimestampType) and any(isinstance(arg.type, DateType) for arg in args):
        found = DATE.with_nullable(found.nullable)  # unlike in CASE, a DATE makes dates of all
    known = next((place for place, arg in enumerate(args) if not arg.type.nullable), len(args) - 1)
    asked = [
        to(arg, found) for arg in args[: known + 1]
    ]  # what stands behind a value that is never NULL does not count
    nullable = all(arg.type.nullable for arg in args)
    return asked[0] if len(asked) == 1 else (asked, found.with_nullable(nullable))


def _ifnull_rule(args: Sequence[Expr]) -> Resolved | Expr:
    if len(args) != 2:
        return "a value and what stands for it where it is NULL"
    return args[0] if not args[0].type.nullable and isinstance(args[0].type, StringType) else _coalesce_rule(args)


def _coalesce(inputs: Inputs) -> pa.Array:
    return pc.coalesce(*[inputs.array(index) for index in range(len(inputs.values))])


def _nullif_rule(args: Sequence[Expr]) -> Resolved | Expr:
    """NULLIF is a CASE over an equality; its type is that of the first value."""
    wanted = "two values of types that go together"
    equal = equal_rule(args) if len(args) == 2 else wanted
    if isinstance(equal, str):
        return wanted
    condition = equal if isinstance(equal, Expr) else Call(function="=", args=tuple(equal[0]), type=equal[1])
    value = to(args[0], INT) if isinstance(args[0].type, NullType) else args[0]
    type_ = value.type.with_nullable(True)
    return Call(function="CASE", args=(condition, Literal(type=type_, value=None), value), type=type_)


def _extreme(largest: bool) -> Function:
    name = "GREATEST" if largest else "LEAST"
    compute = pc.max_element_wise if largest else pc.min_element_wise

    def kernel(inputs: Inputs) -> pa.Array:
        arrays = [inputs.array(index) for index in range(len(inputs.values))]
        if pa.types.is_boolean(arrays[0].type):
            return compute(*[array.cast(pa.int8()) for array in arrays], skip_nulls=False).cast(pa.bool_())
        if largest and pa.types.is_floating(arrays[0].type):  # NaN is the largest of all
            found = compute(*arrays, skip_nulls=False)
            for array in arrays:
                found = pc.if_else(pc.and_(found.is_valid(), pc.fill_null(pc.is_nan(array), False)), array, found)
            return found
        return compute(*arrays, skip_nulls=False)

    text = f"The {'largest' if largest else 'smallest'} value; NULL if any is NULL."
    example = (f"{name}(1, 3, 2)", "3" if largest else "1")

    def rule(args: Sequence[Expr]) -> Resolved | Expr:
        if any(isinstance(arg.type, ArrayType | MapType | RowType | VariantType) for arg in args):
            return "values that have an order"
        return same_types(1)(args)

    return Function(name, "Conditional", rule, kernel, text, example)


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
    )
)
register(Function("IFNULL", "Conditional", _ifnull_rule, _coalesce, "The second value where the first is NULL.",
                  ("IFNULL(CAST(NULL AS INT), 5)", "5")))  # fmt: skip
register(
    Function(
        "NULLIF", "Conditional", _nullif_rule, _case, "NULL if both are equal, else the first.", ("NULLIF(1, 2)", "1")
    )
)


def _letters(name: str, test: Callable[[str], bool], of_numbers: bool, text: str, example: tuple[str, str]) -> None:
    """Register a test of texts that is never NULL; of any number it gives ``of_numbers``."""

    def rule(args: Sequence[Expr]) -> Resolved:
        if len(args) != 1 or not (isinstance(args[0].type, StringType) or is_numeric(args[0].type)):
            return "a STRING or a number"
        return args, BOOLEAN.with_nullable(False)

    def kernel(inputs: Inputs) -> pa.Array:
        if not isinstance(inputs.types[0], StringType):
            return spread(pa.scalar(of_numbers), inputs.rows)
        return pc.fill_null(mapped(inputs.array(0), test, pa.bool_()), False)

    register(Function(name, "Conditional", rule, kernel, text, example))


_DOUBLE = re.compile(r"[+-]?(NaN|Infinity|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[dDfF]?)", re.ASCII)
_letters("IS_ALPHA", str.isalpha, False, "Whether text is letters and nothing else.", ("IS_ALPHA('ab')", "TRUE"))
_letters("IS_DIGIT", lambda text: bool(text) and all(unicodedata.category(letter) == "Nd" for letter in text), True,
         "Whether text is digits and nothing else.", ("IS_DIGIT('12')", "TRUE"))  # fmt: skip
_letters("IS_DECIMAL", lambda text: _DOUBLE.fullmatch(text.strip()) is not None, True, "Whether text is a number.",
         ("IS_DECIMAL('-1.5')", "TRUE"))  # fmt: skip
register(_extreme(True))
register(_extreme(False))
