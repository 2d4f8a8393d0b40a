"""IN and EXISTS: joins that keep rows of the left side, as conditions of WHERE."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fluxcore.expr import build
from fluxcore.expr.nodes import ColumnRef
from fluxcore.plan.columns import references
from fluxcore.plan.nodes import Aggregate, Filter, Join, JoinKind, Project
from fluxcore.targets.flink.sql.identifiers import indented

if TYPE_CHECKING:
    from fluxcore.expr.nodes import Expr
    from fluxcore.plan.nodes import Node
    from fluxcore.targets.flink.sql.blocks import Block
    from fluxcore.targets.flink.sql.queries import Printer


@dataclass(frozen=True)
class NotIn:
    """The rows of ``left`` whose column ``key`` is none of ``values``, the only column of a node; null-aware."""

    left: Node
    key: int
    values: Node


def not_in(node: Join) -> NotIn | None:
    """Return what NOT IN was bound as: a join, and others behind it where NULLs may be looked for or among the values."""
    found = _stripped(node)
    if found is None:
        return None
    asked, join = found
    values = join.right
    if not isinstance(values, Aggregate) or values.calls or len(values.schema) != 1:
        return None
    key = _key(join)
    among, sought = values.schema[0].type.nullable, key.type.nullable
    if [each is not None for each in asked] != [among, sought]:
        return None
    (there,) = references(values)
    wanted = (
        _any_row(Filter(values, build.call("IS NULL", [there]))),
        (_any_row(values), build.call("IS NULL", [key])),
    )
    if asked[0] not in (None, wanted[0]) or asked[1] not in (None, wanted[1]):
        return None
    return NotIn(join.left, join.left_keys[0], values.input)


def _stripped(node: Join) -> tuple[tuple[Node | None, tuple[Node, Expr] | None], Join] | None:
    """Return what is asked for NULLs among the values and for a NULL sought, and the join on the value itself."""
    sought: tuple[Node, Expr] | None = None
    among: Node | None = None
    below: Node = node
    if (asked := _keyless(below)) and asked.condition is not None:
        below, sought = asked.left, (asked.right, asked.condition)
    if (asked := _keyless(below)) and asked.condition is None:
        below, among = asked.left, asked.right
    if isinstance(below, Project) and all(isinstance(expr, ColumnRef) for expr in below.exprs):
        below = below.input
    if not isinstance(below, Join) or below.kind is not JoinKind.ANTI or below.condition is not None:
        return None
    return ((among, sought), below) if len(below.left_keys) == 1 else None


def _keyless(node: Node) -> Join | None:
    """Return a join that keeps all rows or none, or all for which its condition doesn't hold."""
    return node if isinstance(node, Join) and node.kind is JoinKind.ANTI and not node.left_keys else None


def _key(join: Join) -> Expr:
    """Return the value that is looked for, over the columns of the left side before it got one of its own."""
    place = join.left_keys[0]
    if isinstance(join.left, Project) and place >= len(join.left.input.schema):
        return join.left.exprs[place]
    return references(join.left)[place]


def _any_row(node: Node) -> Node:
    return Aggregate(Project(node, (build.literal(1),), ("one",)), (0,), (), ())


def distinct_input(node: Node) -> Node:
    """Return the rows that a node makes distinct, which no IN needs; any other node as it is."""
    whole = isinstance(node, Aggregate) and not node.calls and node.keys == tuple(range(len(node.input.schema)))
    return node.input if whole and isinstance(node, Aggregate) else node


def in_condition(key: str, word: str, values: Block, column: int) -> str:
    """Return that a value is, or is not, among the values of a query's column."""
    single = (
        values
        if len(values.items) == 1
        else replace(values, items=(values.items[column],), names=(values.names[column],), whole=False, body="")
    )
    return f"{key} {word} {brackets(single)}"


def brackets(block: Block) -> str:
    """Return a query that stands as an operand."""
    return f"(\n{indented(block.text())}\n)"


def print_not_in(found: NotIn, width: int, printer: Printer) -> Block:
    """Return the rows that NOT IN keeps: the first ``width`` columns."""
    left = printer.block(found.left).ready((found.key,), open_=True)
    kept = left.filtered(in_condition(left.items[found.key].sql, "NOT IN", printer.block(found.values), 0))
    if width == len(kept.items):
        return kept
    return replace(kept, items=kept.items[:width], names=kept.names[:width], whole=False)
