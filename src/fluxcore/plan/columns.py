"""Small plan pieces that binders and rules share: computed columns in front of a node, attached windows, output names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.expr.nodes import ColumnRef, Expr
from fluxcore.plan.nodes import Attached, Node, Project
from fluxcore.plan.windows import window_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def with_columns(node: Node, exprs: Sequence[Expr]) -> tuple[Node, list[int]]:
    """Return the node with columns for these expressions over it, and where each is; plain columns stay where they are."""
    places: list[int] = []
    extra: list[Expr] = []
    width = len(node.schema)
    for expr in exprs:
        if isinstance(expr, ColumnRef):
            places.append(expr.index)
            continue
        if expr not in extra:
            extra.append(expr)
        places.append(width + extra.index(expr))
    if not extra:
        return node, places
    names = (*node.schema.names, *(f"$expr{index}" for index in range(len(extra))))
    return Project(node, (*references(node), *extra), names), places


def references(node: Node, columns: Sequence[int] | None = None) -> tuple[Expr, ...]:
    """Return plain references to a node's columns, all of them by default."""
    schema = node.schema
    wanted = range(len(schema)) if columns is None else columns
    return tuple(ColumnRef(index=index, name=schema[index].name, type=schema[index].type) for index in wanted)


def select(node: Node, columns: Sequence[int]) -> Project:
    """Return a projection to plain columns of a node, under their names."""
    return Project(node, references(node, columns), tuple(node.schema[index].name for index in columns))


def named_as(node: Node, names: Sequence[str]) -> Node:
    """Return the node with these names for its columns."""
    return node if node.schema.names == list(names) else Project(node, references(node), tuple(names))


def attached_window(node: Node) -> Attached | None:
    """Return where the rows of a node carry start and end of their window, or None."""
    found = window_of(node)
    if found is None or found.start is None or found.end is None:
        return None
    return Attached(found.start, found.end, found.spec)


def distinct_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names with Flink's numbers behind repeated ones: a, a0, a1."""
    used: set[str] = set()
    found = []
    for name in names:
        unique, number = name, 0
        while unique in used:
            unique, number = f"{name}{number}", number + 1
        used.add(unique)
        found.append(unique)
    return tuple(found)
