"""The MAP_… functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.types import ArrayType, DataType, MapType, NullType, RowType
from fluxcore.errors import DataError
from fluxcore.expr.coercion import common_type
from fluxcore.expr.lists import Lists, joined, list_array, lists_of, map_array, maps_of, unique_pairs
from fluxcore.expr.registry import Function, Inputs, register
from fluxcore.expr.rules import any_null, to

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.expr.nodes import Expr

    Resolved = tuple[Sequence[Expr], DataType] | str


def _map_rule(element: Callable[[MapType], DataType]) -> Callable[[Sequence[Expr]], Resolved]:
    def rule(args: Sequence[Expr]) -> Resolved:
        if len(args) != 1 or not isinstance(args[0].type, MapType):
            return "a MAP"
        return args, ArrayType(element=element(args[0].type), nullable=args[0].type.nullable)

    return rule


def _keys(inputs: Inputs) -> pa.Array:
    keys, _ = maps_of(inputs.array(0))
    return list_array(keys.values, keys.counts, keys.nulls)


def _values(inputs: Inputs) -> pa.Array:
    keys, items = maps_of(inputs.array(0))
    return list_array(items, keys.counts, keys.nulls)


def _entry(type_: MapType) -> RowType:
    return RowType(fields=(("key", type_.key), ("value", type_.value)))


def _entries(inputs: Inputs) -> pa.Array:
    keys, items = maps_of(inputs.array(0))
    assert isinstance(inputs.result, ArrayType)
    pairs = pa.StructArray.from_arrays([keys.values, items], fields=list(inputs.result.element.arrow()))
    return list_array(pairs, keys.counts, keys.nulls)


def _from_arrays_rule(args: Sequence[Expr]) -> Resolved:
    types = [arg.type for arg in args]
    if len(types) != 2 or not isinstance(types[0], ArrayType) or not isinstance(types[1], ArrayType):
        return "an ARRAY of keys and one of values"
    return args, MapType(key=types[0].element, value=types[1].element, nullable=any_null(args))


def _from_arrays(inputs: Inputs) -> pa.Array:
    keys, items = lists_of(inputs.array(0)), lists_of(inputs.array(1))
    nulls = keys.nulls | items.nulls
    if ((keys.counts != items.counts) & ~nulls).any():
        raise DataError("FX-RUN-0106", "MAP_FROM_ARRAYS wants as many values as keys")
    if keys.values.null_count:
        raise DataError("FX-RUN-0106", "NULL can't be a key of a MAP")
    counts = np.where(nulls, 0, keys.counts)
    held, given = (each.values.take(pa.array(np.flatnonzero(~nulls[each.rows]))) for each in (keys, items))
    return map_array(held, given, counts, nulls)


def _union_rule(args: Sequence[Expr]) -> Resolved:
    found = common_type([arg.type for arg in args])
    if not isinstance(found, MapType) or any(isinstance(arg.type, NullType) for arg in args):
        return "maps of one type"
    return [to(arg, found) for arg in args], found.with_nullable(any_null(args))


def _union(inputs: Inputs) -> pa.Array:
    apart = [maps_of(inputs.array(index)) for index in range(len(inputs.values))]
    keys = joined([key for key, _ in apart])
    items = joined([Lists(key.offsets, item, key.nulls) for key, item in apart]).values
    return unique_pairs(keys, items)


_C = "Collections"
register(Function("MAP_KEYS", _C, _map_rule(lambda type_: type_.key), _keys, "The keys of a map.",
                  ("ARRAY_JOIN(MAP_KEYS(MAP['a', 1]), ' ')", "a")))  # fmt: skip
register(Function("MAP_VALUES", _C, _map_rule(lambda type_: type_.value), _values, "The values of a map.",
                  ("ARRAY_MAX(MAP_VALUES(MAP['a', 1, 'b', 2]))", "2")))  # fmt: skip
register(Function("MAP_ENTRIES", _C, _map_rule(_entry), _entries, "The pairs of a map as rows of `key` and `value`.",
                  ("MAP_ENTRIES(MAP['a', 1])[1].`value`", "1")))  # fmt: skip
register(Function("MAP_FROM_ARRAYS", _C, _from_arrays_rule, _from_arrays, "A map of an array of keys and one of values.",
                  ("MAP_FROM_ARRAYS(ARRAY['a', 'b'], ARRAY[1, 2])['b']", "2"), total=False))  # fmt: skip
register(Function("MAP_UNION", _C, _union_rule, _union, "The pairs of several maps; a later map's values win.",
                  ("MAP_UNION(MAP['a', 1], MAP['a', 2])['a']", "2")))  # fmt: skip
