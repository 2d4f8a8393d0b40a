"""Joins with queries that see the rows before them, and joins whose conditions hold sub-queries."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.errors import not_supported
from fluxcore.expr import build
from fluxcore.expr.nodes import ColumnRef, Expr, columns_of, moved, transform, walk
from fluxcore.expr.pushdown import conjunction, conjuncts
from fluxcore.plan.columns import references, select
from fluxcore.plan.decorrelate import pull
from fluxcore.plan.domains import joined
from fluxcore.plan.joins import join
from fluxcore.plan.nodes import JoinKind, Node, Project
from fluxcore.plan.outer import with_outer
from fluxcore.sql.sub_queries import SubQueryValue, attach, beside, by_domain, conditions_of, has_sub_query, keep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.errors import Span


def lateral_join(node: Node, plan: Node, outer: Sequence[Expr], kind: JoinKind) -> Node:
    """Return each row of a node with what a plan that looks at it gives for it (INNER or LEFT)."""
    width, names = len(node.schema), (*node.schema.names, *plan.schema.names)
    pulled = pull(plan)
    if pulled is None:
        spread, pairs = by_domain(node, plan, outer)
        return select(joined(node, spread, kind, pairs), range(width + len(plan.schema)))
    if (
        pulled.always and kind is JoinKind.INNER
    ):  # as in Flink, a row for which there is nothing to aggregate is left out
        said = () if pulled.guard is None else (pulled.guard,)
        pulled = replace(pulled, always=False, guard=None, rest=(*pulled.rest, *said))
    if pulled.always:
        wide, outputs, guard = beside(node, plan, outer)
        if guard is not None:
            outputs = [build.call("CASE", [guard, each, build.literal(None)]) for each in outputs]
        return Project(wide, (*references(wide, range(width)), *outputs), names)
    marked = Project(
        pulled.node, (*references(pulled.node), build.literal(True)), (*pulled.node.schema.names, "$there")
    )
    pairs, rest = conditions_of(node, pulled, outer)
    wide = joined(node, marked, kind, pairs, rest)
    refs = references(wide)
    outputs = []
    for each in pulled.outputs:
        placed = transform(each, lambda part: refs[width + part.index] if isinstance(part, ColumnRef) else part)
        placed = with_outer(placed, outer)
        plain = isinstance(each, ColumnRef) or kind is JoinKind.INNER
        outputs.append(placed if plain else build.call("CASE", [refs[-1], placed, build.literal(None)]))
    return Project(wide, (*refs[:width], *outputs), names)


def join_on_sub_queries(sides: tuple[Node, Node], kind: JoinKind, condition: Expr, *, span: Span) -> Node:
    """Return a join whose condition holds sub-queries.

    An inner one has them as WHERE does. Of any other, each becomes a column of the side whose rows it looks at. Raises:
    ``ScriptError`` FX-SQL-0900 for one that looks at both sides.
    """
    left, right = sides
    parts = conjuncts(condition)
    if kind is JoinKind.INNER:
        node = join(left, right, kind, conjunction([each for each in parts if not has_sub_query(each)]))
        for each in parts:
            node = keep(node, each) if has_sub_query(each) else node
        return node
    width, narrow = len(left.schema), len(right.schema)
    values = list(dict.fromkeys(each for each in walk(condition) if isinstance(each, SubQueryValue)))
    own: tuple[list[Expr], list[Expr]] = ([], [])
    for value in values:
        columns = {index for child in value.children for index in columns_of(child)}
        if columns and min(columns) < width <= max(columns):
            raise not_supported(
                f"a sub-query that looks at both sides in ON of a {kind.value} join", span=value.span or span
            )
        on_left = max(columns) < width if columns else kind is JoinKind.RIGHT
        own[0 if on_left else 1].append(value)
    wide_left, on_left_exprs = attach(left, own[0])
    back = {width + index: index for index in range(narrow)}
    wide_right, on_right_exprs = attach(right, [moved(each, back) for each in own[1]])
    first = len(wide_left.schema)
    after = {index: index + first for index in range(len(wide_right.schema))}
    found = dict(zip(own[0], on_left_exprs, strict=True))
    found |= {value: moved(each, after) for value, each in zip(own[1], on_right_exprs, strict=True)}
    places = {index: index for index in range(width)} | {width + index: first + index for index in range(narrow)}
    node = join(wide_left, wide_right, kind, _with_values(condition, found, places))
    return select(node, [*range(width), *range(first, first + narrow)])


def _with_values(expr: Expr, found: Mapping[Expr, Expr], places: Mapping[int, int]) -> Expr:
    """Return an expression with what sub-queries became, and its own columns at other places."""
    if expr in found:
        return found[expr]
    if isinstance(expr, ColumnRef):
        return replace(expr, index=places[expr.index])
    children = expr.children
    return expr.with_children(tuple(_with_values(each, found, places) for each in children)) if children else expr
