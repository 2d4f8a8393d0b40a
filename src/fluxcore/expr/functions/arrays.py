"""The ARRAY_… functions. Elements are equal as `=` says, a NULL element is equal to NULL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import (
    BOOLEAN,
    INT,
    STRING,
    ArrayType,
    BooleanType,
    DataType,
    IntegerType,
    MapType,
    NullType,
    RowType,
    StringType,
)
from fluxcore.expr.coercion import can_coerce, common_type
from fluxcore.expr.lists import Lists, codes_of, firsts, joined, list_array, lists_of, nulls_of, ranks_of
from fluxcore.expr.made_text import MadeText, check_batch
from fluxcore.expr.registry import Function, Inputs, register
from fluxcore.expr.rules import any_null, to

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.expr.nodes import Expr

    Resolved = tuple[Sequence[Expr], DataType] | str


def _array_rule(args: Sequence[Expr]) -> Resolved:
    if len(args) != 1 or not isinstance(args[0].type, ArrayType):
        return "an ARRAY"
    return args, args[0].type


def _ordered_rule(args: Sequence[Expr]) -> Resolved:
    if len(args) != 1 or not _has_order(args[0].type):
        return "an ARRAY of values that have an order"
    assert isinstance(args[0].type, ArrayType)
    return args, args[0].type.element.with_nullable(True)


def _has_order(type_: DataType) -> bool:
    unordered = (ArrayType, MapType, RowType, BooleanType)
    return isinstance(type_, ArrayType) and not isinstance(type_.element, unordered)


def _element_rule(result: Callable[[ArrayType, DataType], DataType]) -> Callable[[Sequence[Expr]], Resolved]:
    """Return the rule for an array and a value that becomes an element of it."""

    def rule(args: Sequence[Expr]) -> Resolved:
        if len(args) != 2 or not isinstance(args[0].type, ArrayType):
            return "an ARRAY and a value"
        array, type_ = args[0].type, args[1].type
        element = array.element.with_nullable(True)
        if not can_coerce(type_, element):
            return f"an ARRAY and a value of its elements' type, {array.element.name()}"
        return [args[0], to(args[1], element)], result(array, type_)

    return rule


def _longer(array: ArrayType, element: DataType) -> ArrayType:
    """Return the type of an array with one more element."""
    held = array.element.with_nullable(array.element.nullable or element.nullable)
    return ArrayType(element=held, nullable=array.nullable or element.nullable)


def _several_rule(least: int, most: int | None) -> Callable[[Sequence[Expr]], Resolved]:
    def rule(args: Sequence[Expr]) -> Resolved:
        found = common_type([arg.type for arg in args])
        count = len(args) >= least and (most is None or len(args) <= most)
        bare = any(isinstance(arg.type, NullType) for arg in args)
        if not count or bare or not isinstance(found, ArrayType):
            return f"{'two' if most else 'one or more'} arrays of one type"
        return [to(arg, found) for arg in args], found.with_nullable(any_null(args))

    return rule


def _contains(inputs: Inputs) -> pa.Array:
    lists, hits = _hits(inputs)
    found = np.bincount(lists.rows[hits], minlength=len(lists.nulls)) > 0
    return pa.array(found, mask=lists.nulls)


def _position(inputs: Inputs) -> pa.Array:
    lists, hits = _hits(inputs)
    found = np.zeros(len(lists.nulls), np.int32)
    chosen = np.flatnonzero(hits)[::-1]
    found[lists.rows[chosen]] = lists.places[chosen] + 1
    return pa.array(found, mask=nulls_of(inputs.array(0), inputs.array(1)))


def _remove(inputs: Inputs) -> pa.Array:
    lists, hits = _hits(inputs)
    return lists.keep(~hits)


def _hits(inputs: Inputs) -> tuple[Lists, np.ndarray]:
    """Return the arrays taken apart, and which elements are equal to the value of their row."""
    lists = lists_of(inputs.array(0))
    held, wanted = codes_of(lists.values, inputs.array(1).cast(lists.values.type))
    return lists, held == wanted[lists.rows]


def _append(inputs: Inputs) -> pa.Array:
    return _with_one(inputs, front=False)


def _prepend(inputs: Inputs) -> pa.Array:
    return _with_one(inputs, front=True)


def _with_one(inputs: Inputs, *, front: bool) -> pa.Array:
    lists, rows = lists_of(inputs.array(0)), inputs.rows
    one = Lists(np.arange(rows + 1), inputs.array(1).cast(lists.values.type), np.zeros(rows, np.bool_))
    done = joined([one, lists] if front else [lists, one])
    return list_array(done.values, done.counts, done.nulls)


def _concat(inputs: Inputs) -> pa.Array:
    done = _joined(inputs)
    return list_array(done.values, done.counts, done.nulls)


def _joined(inputs: Inputs) -> Lists:
    return joined([lists_of(inputs.array(index)) for index in range(len(inputs.values))])


def _distinct(inputs: Inputs) -> pa.Array:
    return _once(lists_of(inputs.array(0)))


def _union(inputs: Inputs) -> pa.Array:
    return _once(_joined(inputs))


def _once(lists: Lists) -> pa.Array:
    return lists.keep(firsts(lists.rows, codes_of(lists.values)[0]))


def _common(*, among: bool) -> Callable[[Inputs], pa.Array]:
    """Return the kernel of elements of the first array that are, or are not, ``among`` the second's, each once."""

    def kernel(inputs: Inputs) -> pa.Array:
        left, right = lists_of(inputs.array(0)), lists_of(inputs.array(1))
        nulls = left.nulls | right.nulls
        mine, others = codes_of(left.values, right.values)
        span = max(mine.max(initial=-1), others.max(initial=-1)) + 2
        held = np.isin(left.rows * span + mine, right.rows * span + others)
        rows = left.rows
        chosen = firsts(rows, mine) & (held == among) & ~nulls[rows]
        counts = np.bincount(rows[chosen], minlength=len(nulls))
        return left.take(np.flatnonzero(chosen), counts, nulls)

    return kernel


def _extreme(sign: int) -> Callable[[Inputs], pa.Array]:
    def kernel(inputs: Inputs) -> pa.Array:
        lists = lists_of(inputs.array(0))
        rank = ranks_of(lists.values)
        known = np.flatnonzero(rank >= 0)
        order = known[np.argsort(-sign * rank[known], kind="stable")]  # the best of a row is written last
        best = np.full(len(lists.nulls), -1, np.int64)
        best[lists.rows[order]] = order
        return lists.values.take(pa.array(best, mask=best < 0))

    return kernel


def _sort_rule(args: Sequence[Expr]) -> Resolved:
    if not 1 <= len(args) <= 3 or not _has_order(args[0].type):
        return "an ARRAY of values that have an order and, if wanted, whether it rises and whether NULLs come first"
    if not all(isinstance(arg.type, BooleanType | NullType) for arg in args[1:]):
        return "BOOLEAN values behind the array"
    return [args[0], *(to(arg, BOOLEAN) for arg in args[1:])], args[0].type.with_nullable(any_null(args))


def _sort(inputs: Inputs) -> pa.Array:
    lists = lists_of(inputs.array(0))
    nulls = nulls_of(*(inputs.array(index) for index in range(len(inputs.values))))
    flags = [np.asarray(inputs.array(index).fill_null(True)) for index in range(1, len(inputs.values))]
    rising = flags[0] if flags else np.ones(len(nulls), np.bool_)
    nulls_first = flags[1] if len(flags) > 1 else rising
    rank, rows = ranks_of(lists.values), lists.rows
    known = rank >= 0
    by_value = np.where(rising[rows], rank, -rank)
    order = np.lexsort((by_value, known == nulls_first[rows], rows))
    kept = order[~nulls[rows[order]]]
    return lists.take(kept, np.where(nulls, 0, lists.counts), nulls)


def _reverse(inputs: Inputs) -> pa.Array:
    lists = lists_of(inputs.array(0))
    ends = np.repeat(lists.offsets[1:], lists.counts)
    return lists.take(ends - 1 - lists.places, lists.counts)


def _slice_rule(args: Sequence[Expr]) -> Resolved:
    whole = all(isinstance(arg.type, IntegerType | NullType) and can_coerce(arg.type, INT) for arg in args[1:])
    if not 2 <= len(args) <= 3 or not isinstance(args[0].type, ArrayType) or not whole:
        return "an ARRAY, the place of the first element and, if wanted, that of the last (INT)"
    return [args[0], *(to(arg, INT) for arg in args[1:])], args[0].type.with_nullable(any_null(args))


def _slice(inputs: Inputs) -> pa.Array:
    lists = lists_of(inputs.array(0))
    nulls = nulls_of(*(inputs.array(index) for index in range(len(inputs.values))))
    size = lists.counts
    start = np.asarray(inputs.array(1).fill_null(0)).astype(np.int64)
    end = np.asarray(inputs.array(2).fill_null(0)).astype(np.int64) if len(inputs.values) == 3 else size
    start = np.where(start < 0, start + size + 1, start)
    end = np.where(end < 0, end + size + 1, np.where(end == 0, 1, end))
    first, last = np.maximum(start, 1), np.minimum(end, size)
    counts = np.where(nulls | (end < 1), 0, np.maximum(last - first + 1, 0))
    begin = np.repeat(lists.offsets[:-1] + first - 1, counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return lists.take(begin + within, counts, nulls)


def _join_rule(args: Sequence[Expr]) -> Resolved:
    texts = all(isinstance(arg.type, StringType | NullType) for arg in args[1:])
    if not 2 <= len(args) <= 3 or not texts or not isinstance(args[0].type, ArrayType):
        return "an ARRAY<STRING>, a separator and, if wanted, a text for NULL"
    if not isinstance(args[0].type.element, StringType):
        return "an ARRAY<STRING>"
    return [args[0], *(to(arg, STRING) for arg in args[1:])], STRING.with_nullable(any_null(args))


def _join(inputs: Inputs) -> pa.Array:
    lists = lists_of(inputs.array(0))
    nulls = nulls_of(*(inputs.array(index) for index in range(len(inputs.values))))
    for index in range(1, len(inputs.values)):
        lengths = np.asarray(pc.fill_null(pc.binary_length(inputs.array(index)), 0)) * lists.counts
        MadeText("ARRAY_JOIN").add(int(lengths.max(initial=0)))
        check_batch("ARRAY_JOIN", int(lengths.sum()))
    if len(inputs.values) == 3:
        instead = inputs.array(2).take(pa.array(lists.rows))
        texts = list_array(pc.coalesce(lists.values, instead), lists.counts, nulls & False)
    else:
        texts = lists.keep(np.asarray(lists.values.is_valid()))
    found = pc.binary_join(texts, inputs.array(1))
    return pc.if_else(pa.array(nulls), pa.scalar(None, pa.string()), found) if nulls.any() else found


_C = "Collections"
_ONE: tuple[tuple[str, Callable[[Sequence[Expr]], Resolved], Callable[[Inputs], pa.Array], str, tuple[str, str]], ...] = (
    ("ARRAY_DISTINCT", _array_rule, _distinct, "The array with each value once.",
     ("ARRAY_JOIN(ARRAY_DISTINCT(ARRAY['a', 'b', 'a']), ' ')", "a b")),
    ("ARRAY_REVERSE", _array_rule, _reverse, "The array from its end to its start.",
     ("ARRAY_JOIN(ARRAY_REVERSE(ARRAY['a', 'b']), ' ')", "b a")),
    ("ARRAY_MAX", _ordered_rule, _extreme(-1), "The largest element.", ("ARRAY_MAX(ARRAY[1, 3, 2])", "3")),
    ("ARRAY_MIN", _ordered_rule, _extreme(1), "The smallest element.", ("ARRAY_MIN(ARRAY[1, 3, 2])", "1")),
    ("ARRAY_SORT", _sort_rule, _sort, "The array in order: (array[, rising[, NULLs first]]).",
     ("ARRAY_JOIN(ARRAY_SORT(ARRAY['b', 'c', 'a'], FALSE), '')", "cba")),
    ("ARRAY_SLICE", _slice_rule, _slice, "Elements from one place to another, negative ones from the end.",
     ("ARRAY_JOIN(ARRAY_SLICE(ARRAY['a', 'b', 'c'], -2), ' ')", "b c")),
    ("ARRAY_JOIN", _join_rule, _join, "The texts with a separator between them: (array, separator[, text for NULL]).",
     ("ARRAY_JOIN(ARRAY['a', 'b'], '-')", "a-b")),
    ("ARRAY_CONTAINS", _element_rule(lambda array, _: BOOLEAN.with_nullable(array.nullable)), _contains,
     "Whether a value is an element.", ("ARRAY_CONTAINS(ARRAY[1, 2], 2)", "TRUE")),
    ("ARRAY_POSITION", _element_rule(lambda array, type_: INT.with_nullable(array.nullable or type_.nullable)), _position,
     "The place of the first element equal to a value, 0 where there is none.", ("ARRAY_POSITION(ARRAY['a', 'b'], 'b')", "2")),
    ("ARRAY_REMOVE", _element_rule(lambda array, _: array), _remove, "The array without elements equal to a value.",
     ("CARDINALITY(ARRAY_REMOVE(ARRAY[1, 2, 1], 1))", "1")),
    ("ARRAY_APPEND", _element_rule(_longer), _append, "The array with one more element at its end.",
     ("ARRAY_JOIN(ARRAY_APPEND(ARRAY['a'], 'b'), ' ')", "a b")),
    ("ARRAY_PREPEND", _element_rule(_longer), _prepend, "The array with one more element at its start.",
     ("ARRAY_JOIN(ARRAY_PREPEND(ARRAY['a'], 'b'), ' ')", "b a")),
    ("ARRAY_CONCAT", _several_rule(1, None), _concat, "The elements of several arrays.",
     ("CARDINALITY(ARRAY_CONCAT(ARRAY[1], ARRAY[2, 3]))", "3")),
    ("ARRAY_UNION", _several_rule(2, 2), _union, "The elements of both arrays, each once.",
     ("CARDINALITY(ARRAY_UNION(ARRAY[1, 2], ARRAY[2, 3]))", "3")),
    ("ARRAY_INTERSECT", _several_rule(2, 2), _common(among=True), "The elements that both arrays have, each once.",
     ("CARDINALITY(ARRAY_INTERSECT(ARRAY[1, 2], ARRAY[2, 3]))", "1")),
    ("ARRAY_EXCEPT", _several_rule(2, 2), _common(among=False), "The elements that only the first array has, each once.",
     ("CARDINALITY(ARRAY_EXCEPT(ARRAY[1, 2], ARRAY[2, 3]))", "1")),
)  # fmt: skip
for _name, _rule, _kernel, _text, _example in _ONE:
    register(Function(_name, _C, _rule, _kernel, _text, _example))
