"""Rows, arrays and maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import (
    INT,
    ArrayType,
    DataType,
    IntegerType,
    MapType,
    NullType,
    RowType,
    StringType,
    VariantType,
)
from fluxcore.errors import DataError
from fluxcore.expr.coercion import common_type
from fluxcore.expr.functions import variants
from fluxcore.expr.lists import (
    Lists,
    codes_of,
    interleaved,
    list_array,
    lists_of,
    maps_of,
    nulls_of,
    offsets_of,
    unique_pairs,
)
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
    if len(args) == 2 and isinstance(args[0].type, ArrayType):
        if not isinstance(args[1].type, IntegerType) or args[1].type.bits > INT.bits:
            return "an ARRAY and a position, an INT"
        if isinstance(args[1], Literal) and args[1].value is not None and args[1].value < 1:
            return "a position that counts from 1"
        return args, args[0].type.element.with_nullable(True)
    if len(args) == 2 and isinstance(args[0].type, MapType) and _is_like(args[1].type, args[0].type.key):
        return [args[0], to(args[1], args[0].type.key)], args[0].type.value.with_nullable(True)
    if len(args) == 2 and isinstance(args[0].type, RowType) and isinstance(args[1], Literal):
        fields, place = args[0].type.fields, args[1].value
        if isinstance(place, int) and 1 <= place <= len(fields):
            name, type_ = fields[place - 1]
            field = Literal(type=StringType(length=max(1, len(name)), fixed=True, nullable=False), value=name)
            return [args[0], field], type_.with_nullable(type_.nullable or args[0].type.nullable)
    if len(args) == 2 and isinstance(args[0].type, VariantType):
        return variants.part_rule(args)
    return "an ARRAY and a position from 1, or a MAP and a key"


def _is_like(type_: DataType, key: DataType) -> bool:
    return not isinstance(type_, NullType) and common_type([type_, key]) is not None


def _item(inputs: Inputs) -> pa.Array:
    if isinstance(inputs.types[0], VariantType):
        return variants.part(inputs)
    array, key = inputs.array(0), inputs.array(1)
    if isinstance(inputs.types[0], MapType):
        return _value_of(array, key)
    if isinstance(inputs.types[0], RowType):
        return pc.struct_field(array, inputs.values[1].as_py())
    lists = lists_of(array)
    place = np.asarray(key.fill_null(0)).astype(np.int64)
    inside = (place >= 1) & (place <= lists.counts)
    return lists.values.take(pa.array(lists.offsets[:-1] + place - 1, mask=~inside))


def _value_of(array: pa.MapArray, key: pa.Array) -> pa.Array:
    keys, items = maps_of(array)
    held, wanted = codes_of(keys.values, key)
    rows = keys.rows
    found = np.flatnonzero((held == wanted[rows]) & (held >= 0))
    places = np.full(len(array), -1, np.int64)
    places[rows[found]] = found
    return items.take(pa.array(places, mask=places < 0))


def _cardinality_rule(args: Sequence[Expr]) -> Resolved:
    if len(args) != 1 or not isinstance(args[0].type, ArrayType | MapType):
        return "an ARRAY or a MAP"
    return args, INT.with_nullable(args[0].type.nullable)


def _cardinality(inputs: Inputs) -> pa.Array:
    array = inputs.array(0)
    if not pa.types.is_map(array.type):
        return pc.list_value_length(array)
    nulls = nulls_of(array)
    return pa.array(maps_of(array)[0].counts.astype(np.int32), mask=nulls if nulls.any() else None)


def _element_rule(args: Sequence[Expr]) -> Resolved:
    if len(args) != 1 or not isinstance(args[0].type, ArrayType):
        return "an ARRAY"
    return args, args[0].type.element.with_nullable(args[0].type.element.nullable or args[0].type.nullable)


def _element(inputs: Inputs) -> pa.Array:
    lists = lists_of(inputs.array(0))
    if len(lists.nulls) and lists.counts.max() > 1:
        raise DataError("FX-RUN-0106", "ELEMENT wants an array of one element", hint="a[1] takes the first of several")
    return lists.values.take(pa.array(lists.offsets[:-1], mask=lists.counts == 0))


def _array_rule(args: Sequence[Expr]) -> Resolved:
    found = common_type([arg.type for arg in args])
    if found is None or isinstance(found, NullType):
        return "values of types that go together"
    return [to(arg, found) for arg in args], ArrayType(element=found, nullable=False)


def _array(inputs: Inputs) -> pa.Array:
    arrays = [inputs.array(index) for index in range(len(inputs.values))]
    counts = np.full(inputs.rows, len(arrays), np.int64)
    return list_array(interleaved(arrays, inputs.rows), counts, np.zeros(inputs.rows, np.bool_))


def _map_rule(args: Sequence[Expr]) -> Resolved:
    key, value = common_type([arg.type for arg in args[0::2]]), common_type([arg.type for arg in args[1::2]])
    if not args or len(args) % 2 or key is None or value is None or NullType in map(type, (key, value)):
        return "pairs of keys and values, of types that go together"
    pairs = [to(arg, value if place % 2 else key) for place, arg in enumerate(args)]
    return pairs, MapType(key=key, value=value, nullable=False)


def _map(inputs: Inputs) -> pa.Array:
    """Return maps of pairs; of equal keys the last one counts, in the place of the first."""
    arrays = [inputs.array(index) for index in range(len(inputs.values))]
    keys, items = interleaved(arrays[0::2], inputs.rows), interleaved(arrays[1::2], inputs.rows)
    counts = np.full(inputs.rows, len(arrays) // 2, np.int64)
    return unique_pairs(Lists(offsets_of(counts), keys, np.zeros(inputs.rows, np.bool_)), items)


def _row_rule(args: Sequence[Expr]) -> Resolved:
    if not args:
        return "at least one value"
    fields = tuple((f"EXPR${index}", arg.type) for index, arg in enumerate(args))
    return args, RowType(fields=fields, nullable=False)


def _row(inputs: Inputs) -> pa.Array:
    arrays = [inputs.array(index) for index in range(len(inputs.values))]
    return pa.StructArray.from_arrays(arrays, fields=list(inputs.result.arrow()))


register(Function("FIELD", "Collections", _field_rule, _field, "A field of a row, written `row.field`."))
register(
    Function(
        "ITEM",
        "Collections",
        _item_rule,
        _item,
        "An element by position from 1, a map's value by key, or a part of a VARIANT by either: `a[1]`.",
    )
)
register(Function("CARDINALITY", "Collections", _cardinality_rule, _cardinality, "How many elements.",
                  ("CARDINALITY(ARRAY[1, 2])", "2")))  # fmt: skip
register(Function("ELEMENT", "Collections", _element_rule, _element, "The only element of an array; NULL of an empty one.",
                  ("ELEMENT(ARRAY[7])", "7"), total=False))  # fmt: skip
register(Function("MAP", "Collections", _map_rule, _map, "A map of keys and values: `MAP['a', 1, 'b', 2]`."))
register(Function("ARRAY", "Collections", _array_rule, _array, "An array of values: `ARRAY[1, 2]`."))
register(Function("ROW", "Collections", _row_rule, _row, "A row of values: `ROW(1, 'a')`."))
