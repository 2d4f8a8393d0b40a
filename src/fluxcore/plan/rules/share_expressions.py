"""Computes once what both a filter and the projection above it ask for, where it is dear."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fluxcore.expr.nodes import Call, Cast, ColumnRef, Expr, columns_of, walk
from fluxcore.expr.pushdown import conjunction, conjuncts, deterministic
from fluxcore.expr.registry import REGISTRY
from fluxcore.plan.columns import references
from fluxcore.plan.graph import rewrite, shared_nodes
from fluxcore.plan.nodes import Filter, Project, Scan
from fluxcore.plan.sizes import share_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node

_CHEAP_CATEGORIES = ("Arithmetic", "Comparison", "Logic", "Conditional")
_LAZY = ("CASE", "IF", "COALESCE")
_SHARE_MIN = 0.3
"""Where fewer rows than this are guessed to pass a reader's filter, the reader decodes little else for the others."""


def share_expressions(roots: Sequence[Node], settings: Settings | None = None) -> list[Node]:  # noqa: ARG001
    """Return the plans with calls that stand in a filter and in the projection above it as columns below both.

    Only calls that the filter computes for every row, so that none is computed for a row that did not meet it before. The
    filter may be a reader's, which then keeps its other conditions, unless few rows pass it. Arithmetic and comparisons are
    cheaper than a column more.
    """
    shared = shared_nodes(roots)
    return rewrite(roots, partial(_change, shared), shared)


def _change(shared: set[Node], node: Node) -> Node:
    if not isinstance(node, Project) or node.input in shared:
        return node
    below = node.input
    if isinstance(below, Filter):
        condition = below.condition
    elif isinstance(below, Scan) and below.predicate is not None and below.limit is None:
        condition = below.predicate
    else:
        return node
    above = {each for expr in node.exprs for each in walk(expr)}
    parts = conjuncts(condition)
    common = list(dict.fromkeys(each for part in parts for each in _dear(part) if each in above))
    if not common:
        return node
    late = [part for part in parts if any(each in common for each in walk(part))]
    if isinstance(below, Scan) and share_of(condition) < _SHARE_MIN:
        return node
    early = conjunction([part for part in parts if part not in late])
    source: Node
    if isinstance(below, Scan):
        source = replace(below, predicate=early)
    else:
        source = below.input if early is None else Filter(below.input, early)
    return _built(node, source, late, common)


def _dear(expr: Expr) -> Iterator[Expr]:
    """Yield the outermost dear calls that an expression computes for every row."""
    if isinstance(expr, Call) and expr.function in _LAZY:
        return
    dear = isinstance(expr, Call) and REGISTRY[expr.function].category not in _CHEAP_CATEGORIES
    if dear and columns_of(expr) and deterministic(expr):
        yield expr
        return
    for child in expr.children:
        yield from _dear(child)


def _built(node: Project, source: Node, late: Sequence[Expr], common: Sequence[Expr]) -> Node:
    width = len(source.schema)
    places = {expr: width + number for number, expr in enumerate(common)}
    condition = conjunction([_with_columns(part, places) for part in late])
    assert condition is not None, "a filter shares something"
    exprs = [_with_columns(expr, places) for expr in node.exprs]
    used = sorted({index for expr in (*exprs, condition) for index in columns_of(expr) if index < width})
    moved = {index: number for number, index in enumerate([*used, *places.values()])}
    names = (*(source.schema[index].name for index in used), *(f"$shared{number}" for number in range(len(common))))
    inner = Project(source, (*references(source, used), *common), names)
    filtered = Filter(inner, _at(condition, moved))
    return replace(node, input=filtered, exprs=tuple(_at(expr, moved) for expr in exprs))


def _with_columns(expr: Expr, places: Mapping[Expr, int]) -> Expr:
    """Return an expression with columns for these sub-expressions."""
    if isinstance(expr, Call | Cast) and expr in places:
        number = places[expr]
        return ColumnRef(index=number, name=f"$shared{number}", type=expr.type, span=expr.span)
    children = tuple(_with_columns(child, places) for child in expr.children)
    return expr.with_children(children) if children else expr


def _at(expr: Expr, places: Mapping[int, int]) -> Expr:
    if isinstance(expr, ColumnRef):
        return replace(expr, index=places[expr.index])
    children = tuple(_at(child, places) for child in expr.children)
    return expr.with_children(children) if children else expr
