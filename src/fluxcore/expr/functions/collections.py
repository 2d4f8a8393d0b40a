"""Rows, arrays and maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import INT, ArrayType, DataType, IntegerType, MapType, RowType
from fluxcore.expr.coercion import common_type
from fluxcore.expr.nodes import Literal
from fluxcore.expr.registry import Function, Inputs, register
from fluxcore.expr.rules import to

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.expr.nodes import Expr

    Resolved = tuple[Sequence[Expr], DataType] | str


def _field_rule(args: Sequence[Expr]) -> Resolved:
    if len(args) != 2 or not isinstance(args[0].type, RowType) or not isinstance(args[1], Literal):
        return "a ROW and the name of a field"
    found = dict(args[0].type.fields).get(args[1].value)
    if found is None:
        return f"one of the fields {', '.join(name for name, _ in args[0].type.fields)}"
    return args, found.with_nullable(found.nullable or args[0].type.nullable)


def _field(inputs: Inputs) -> pa.Array:
    return pc.struct_field(inputs.array(0), inputs.values[1].as_py())


def _item_rule(args: Sequence[Expr]) -> Resolved:
    if len(args) == 2 and isinstance(args[0].type, ArrayType) and isinstance(args[1].type, IntegerType):
        return args, args[0].type.element.with_nullable(True)
    if len(args) == 2 and isinstance(args[0].type, MapType):
        return [args[0], to(args[1], args[0].type.key)], args[0].type.value.with_nullable(True)
    return "an ARRAY and a position from 1, or a MAP and a key"


def _item(inputs: Inputs) -> pa.Array:
    wanted = inputs.result.arrow()
    keys = inputs.array(1).to_pylist()
    rows = inputs.array(0).to_pylist()
    if isinstance(inputs.types[0], MapType):
        return pa.array(
            [None if row is None else dict(row).get(key) for row, key in zip(rows, keys, strict=True)], wanted
        )
    return pa.array([_at(row, key) for row, key in zip(rows, keys, strict=True)], wanted)


def _at(row: list[Any] | None, position: int | None) -> Any:
    return row[position - 1] if row is not None and position is not None and 1 <= position <= len(row) else None


def _cardinality_rule(args: Sequence[Expr]) -> Resolved:
    if len(args) != 1 or not isinstance(args[0].type, ArrayType | MapType):
        return "an ARRAY or a MAP"
    return args, INT.with_nullable(args[0].type.nullable)


def _cardinality(inputs: Inputs) -> pa.Array:
    array = inputs.array(0)
    if pa.types.is_map(array.type):
        return pa.array([None if row is None else len(row) for row in array.to_pylist()], pa.int32())
    return pc.list_value_length(array)


def _array_rule(args: Sequence[Expr]) -> Resolved:
    found = common_type([arg.type for arg in args])
    if found is None:
        return "values of types that go together"
    return [to(arg, found) for arg in args], ArrayType(element=found, nullable=False)


def _array(inputs: Inputs) -> pa.Array:
    assert isinstance(inputs.result, ArrayType)
    count = len(inputs.values)
    columns = [inputs.array(index) for index in range(count)]
    joined = pa.concat_arrays(columns)
    order = np.arange(count * inputs.rows).reshape(count, inputs.rows).T.reshape(-1)
    offsets = pa.array(np.arange(inputs.rows + 1, dtype=np.int32) * count)
    return pa.ListArray.from_arrays(offsets, joined.take(pa.array(order)))


def _row_rule(args: Sequence[Expr]) -> Resolved:
    fields = tuple((f"EXPR${index}", arg.type) for index, arg in enumerate(args))
    return args, RowType(fields=fields, nullable=False)


def _row(inputs: Inputs) -> pa.Array:
    arrays = [inputs.array(index) for index in range(len(inputs.values))]
    return pa.StructArray.from_arrays(arrays, fields=list(inputs.result.arrow()))


register(Function("FIELD", "Collections", _field_rule, _field, "A field of a row, written `row.field`."))
register(
    Function(
        "ITEM", "Collections", _item_rule, _item, "An element by position from 1, or a map's value by key: `a[1]`."
    )
)
register(Function("CARDINALITY", "Collections", _cardinality_rule, _cardinality, "How many elements.",
                  ("CARDINALITY(ARRAY[1, 2])", "2")))  # fmt: skip
register(Function("ARRAY", "Collections", _array_rule, _array, "An array of values: `ARRAY[1, 2]`."))
register(Function("ROW", "Collections", _row_rule, _row, "A row of values: `ROW(1, 'a')`."))
