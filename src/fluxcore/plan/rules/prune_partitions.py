"""Leaves partitions unread that a condition on their columns refuses."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING

from fluxcore.core.types import BOOLEAN
from fluxcore.expr.nodes import Call, Expr, columns_of, moved
from fluxcore.expr.pushdown import conjunction, conjuncts, deterministic
from fluxcore.plan.graph import rewrite
from fluxcore.plan.nodes import Scan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node


def prune_partitions(roots: Sequence[Node], settings: Settings | None = None) -> list[Node]:  # noqa: ARG001
    """Return the plans whose scans choose partitions before they open files, and no longer look at each row for that.

    A condition over columns of the partition alone goes to the choice. Of an OR that also looks at other columns, the choice
    gets what follows from it for the partition: ``(day = 1 AND v > 5) OR (day = 2 AND v < 3)`` reads the days 1 and 2.
    """
    return rewrite(roots, _change)


def _change(node: Node) -> Node:
    if not isinstance(node, Scan) or node.predicate is None or not node.table.partitioned_by:
        return node
    keys = node.table.partitioned_by
    places = {slot: keys.index(column) for slot, column in enumerate(node.columns) if column in keys}
    chosen = [] if node.partitions is None else conjuncts(node.partitions)
    rest = []
    for part in conjuncts(node.predicate):
        implied = _implied(part, places)
        if implied != part:
            rest.append(part)
        for each in [] if implied is None else conjuncts(moved(implied, places)):
            chosen += [each] if each not in chosen else []
    return replace(node, predicate=conjunction(rest), partitions=conjunction(chosen))


def _implied(expr: Expr, places: Mapping[int, int]) -> Expr | None:
    """Return a condition over the columns of the partition that is true where ``expr`` is; None where nothing is known."""
    read = columns_of(expr)
    if read and read <= places.keys() and deterministic(expr):
        return expr
    if not isinstance(expr, Call) or expr.function not in ("AND", "OR"):
        return None
    parts = [_implied(arg, places) for arg in expr.args]
    known = [part for part in parts if part is not None]
    if expr.function == "AND":
        return conjunction(known)
    return reduce(_either, known) if len(known) == len(parts) else None


def _either(left: Expr, right: Expr) -> Expr:
    if left == right:
        return left
    return Call(
        function="OR", args=(left, right), type=BOOLEAN.with_nullable(left.type.nullable or right.type.nullable)
    )
