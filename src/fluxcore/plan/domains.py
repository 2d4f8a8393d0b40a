"""Computes a sub-query for all different values that outer rows give it, where its conditions can't be moved to its top."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from fluxcore.core import types as t
from fluxcore.errors import not_supported
from fluxcore.expr import build
from fluxcore.expr.nodes import Literal, moved, transform
from fluxcore.expr.pushdown import conjunction
from fluxcore.plan.columns import references, select
from fluxcore.plan.correlate import Correlate
from fluxcore.plan.joins import condition_of, join
from fluxcore.plan.nodes import Aggregate, Filter, Join, JoinKind, Over, Project, Rank, Sort, SortKey, Union
from fluxcore.plan.outer import OuterRef, is_correlated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.types import DataType
    from fluxcore.errors import Span
    from fluxcore.expr.nodes import Expr
    from fluxcore.plan.nodes import Node


@dataclass(frozen=True)
class Domain:
    """All different rows of values that outer rows give: value ``args[i]`` is column ``i`` of ``node``."""

    node: Node
    args: tuple[int, ...]
    span: Span | None = None

    def spread(self, node: Node) -> Node:
        """Return the rows of a sub-query for each row of the domain, whose columns follow the sub-query's.

        Raises: ``ScriptError`` FX-SQL-0900 for a part that can't look at the rows around the sub-query.
        """
        return _spread(node, self)


def equal_or_null(left: Expr, right: Expr) -> list[tuple[Expr, Expr]]:
    """Return pairs that are all equal where both values are, or where both are NULL."""
    if not left.type.nullable and not right.type.nullable:
        return [(left, right)]
    type_ = left.type.with_nullable(False)
    if isinstance(type_, t.ArrayType | t.MapType | t.RowType):
        raise not_supported(f"a correlated value of type {type_.name()}")
    nothing = Literal(type=type_, value=_some(type_))
    sides = (left, right)
    known = [each if not each.type.nullable else build.call("COALESCE", [each, nothing]) for each in sides]
    null = [build.call("IS NULL", [each]) for each in sides]
    return [(known[0], known[1]), (null[0], null[1])]


def _some(type_: DataType) -> Any:
    """Return any value of a type."""
    match type_:
        case t.BooleanType():
            return False
        case t.StringType():
            return ""
        case t.BytesType():
            return b""
        case t.DateType():
            return dt.date(1970, 1, 1)
        case t.TimeType():
            return dt.time()
        case t.TimestampType():
            return dt.datetime(1970, 1, 1, tzinfo=dt.UTC if type_.local else None)
        case t.FloatType():
            return 0.0
        case t.DecimalType():
            return Decimal(0)
    return 0


def _spread(node: Node, domain: Domain) -> Node:
    if not is_correlated(node):
        return Join(node, domain.node, JoinKind.INNER, (), ())
    count = len(domain.args)
    match node:
        case Filter():
            below = _spread(node.input, domain)
            return Filter(below, _filled(node.condition, below, domain))
        case Project():
            below = _spread(node.input, domain)
            exprs = [_filled(each, below, domain) for each in node.exprs]
            tail = _tail(below, count)
            return Project(below, (*exprs, *tail), (*node.names, *(f"$outer{index}" for index in range(count))))
        case Aggregate():
            return _aggregate(node, domain)
        case Join():
            return _join(node, domain)
        case Union():
            branches = tuple(_spread(each, domain) for each in node.branches)
            columns = (*node.columns.columns, *domain.node.schema.columns)
            return Union(branches, type(node.columns).of(columns))
        case Sort():
            below = _spread(node.input, domain)
            if node.limit is None:
                if node.offset:
                    raise not_supported("OFFSET without LIMIT in a correlated sub-query", span=domain.span)
                return below
            own = tuple(range(len(node.schema), len(below.schema)))
            order = node.keys or (SortKey(own[0]),)
            return Rank(below, own, order, node.offset + node.limit, node.offset + 1)
        case Rank() if node.window is None:
            below = _spread(node.input, domain)
            first = len(node.input.schema)
            ranked = replace(node, input=below, partition=(*node.partition, *range(first, first + count)))
            return _own_first(ranked, first, count)
        case Correlate():
            below = _spread(node.input, domain)
            call = replace(node.call, args=tuple(_filled(each, below, domain) for each in node.call.args))
            first = len(node.input.schema)
            places = {index: index + (count if index >= first else 0) for index in range(len(node.schema))}
            condition = node.condition and _filled(moved(node.condition, places), below, domain)
            return _own_first(replace(node, input=below, call=call, condition=condition), first, count)
        case Over() if node.at_end:
            below = _spread(node.input, domain)
            first = len(node.input.schema)
            over = replace(node, input=below, partition=(*node.partition, *range(first, first + count)))
            return _own_first(over, first, count)
    what = type(node).__name__
    raise not_supported(f"a sub-query that looks at the rows around it through {what}", span=domain.span)


def _filled(expr: Expr, below: Node, domain: Domain) -> Expr:
    """Return an expression with the values of the domain in place of those of the outer row."""
    tail = _tail(below, len(domain.args))
    places = {value: tail[index] for index, value in enumerate(domain.args)}
    return transform(expr, lambda node: places[node.index] if isinstance(node, OuterRef) else node)


def _tail(node: Node, count: int) -> tuple[Expr, ...]:
    width = len(node.schema)
    return references(node, range(width - count, width))


def _own_first(node: Node, tail: int, count: int) -> Node:
    """Return a node that appends columns to its input's with the domain's columns at the end."""
    width = len(node.schema)
    return select(node, [*range(tail), *range(tail + count, width), *range(tail, tail + count)])


def _aggregate(node: Aggregate, domain: Domain) -> Node:
    below = _spread(node.input, domain)
    count, first = len(domain.args), len(node.input.schema)
    keys = (*node.keys, *range(first, first + count))
    found = Aggregate(below, keys, node.calls, node.names, node.ttl_ms)
    own = len(node.keys)
    sorted_out = [*range(own), *range(own + count, len(found.schema)), *range(own, own + count)]
    if own:
        return select(found, sorted_out)
    pairs = [
        pair
        for a, b in zip(references(domain.node), references(found, range(count)), strict=True)
        for pair in equal_or_null(a, b)
    ]
    whole = joined(domain.node, found, JoinKind.LEFT, pairs)
    refs = references(whole)
    calls = [
        refs[2 * count + place]
        if call.type.nullable
        else build.call("COALESCE", [refs[2 * count + place], build.cast(build.literal(0), call.type)])
        for place, call in enumerate(node.calls)
    ]
    names = (*node.names, *(f"$outer{index}" for index in range(count)))
    return Project(whole, (*calls, *refs[:count]), names)


def joined(
    left: Node, right: Node, kind: JoinKind, pairs: Sequence[tuple[Expr, Expr]], rest: Sequence[Expr] = ()
) -> Node:
    """Return the join where each of ``pairs`` (over left's, over right's columns) is equal, and ``rest`` over both holds."""
    width = len(left.schema)
    after = {index: index + width for index in range(len(right.schema))}
    equal = [build.call("=", [a, moved(b, after)]) for a, b in pairs]
    return join(left, right, kind, conjunction([*equal, *rest]))


def _join(node: Join, domain: Domain) -> Node:
    if node.kind in (JoinKind.RIGHT, JoinKind.FULL) or node.left_window is not None:
        raise not_supported("a correlated sub-query with such a join", span=domain.span)
    count, width = len(domain.args), len(node.left.schema)
    left = _spread(node.left, domain)
    narrow = len(node.right.schema)
    after = len(left.schema)
    places = {index: index for index in range(width)} | {width + index: after + index for index in range(narrow)}
    conditions = [_filled(moved(each, places), left, domain) for each in condition_of(node)]
    right, pairs = node.right, []
    if is_correlated(node.right):
        right = _spread(node.right, domain)
        own = zip(_tail(left, count), _tail(right, count), strict=True)
        pairs = [pair for a, b in own for pair in equal_or_null(a, b)]
    found = joined(left, right, node.kind, pairs, conditions)
    if node.kind in (JoinKind.SEMI, JoinKind.ANTI):
        return found
    return select(found, [*range(width), *range(after, after + narrow), *range(width, after)])
