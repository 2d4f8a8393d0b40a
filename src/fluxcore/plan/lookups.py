"""Finds joins that can ask a table outside by key, instead of reading it as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core import registry
from fluxcore.core.lookups import AskedTable
from fluxcore.expr import build
from fluxcore.expr.nodes import ColumnRef, columns_of, moved
from fluxcore.expr.pushdown import conjunction
from fluxcore.plan.columns import select, with_columns
from fluxcore.plan.lookup_join import LookupJoin
from fluxcore.plan.nodes import AssignWatermark, Project, Scan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.expr.nodes import Expr
    from fluxcore.plan.nodes import JoinKind, Node


def lookup_join(
    left: Node, right: Node, kind: JoinKind, pairs: Sequence[tuple[Expr, Expr]], rest: Sequence[Expr]
) -> Node | None:
    """Return the join that asks the right side by key; None where it is no table that can be asked so.

    In: ``pairs`` of equal expressions, each over its own side; ``rest`` other conditions over both.
    """
    found = _table(right)
    if found is None:
        return None
    table, columns = found
    asked = [(a, b.index) for a, b in pairs if isinstance(b, ColumnRef)]
    keys = tuple(columns[index] for _, index in asked)
    if not asked or len(set(keys)) < len(keys):
        return None
    width = len(left.schema)
    others = [
        build.call("=", [a, moved(b, {index: index + width for index in columns_of(b)})])
        for a, b in pairs
        if not isinstance(b, ColumnRef)
    ]
    wide, places = with_columns(left, [a for a, _ in asked])
    first = len(wide.schema)
    kept = (*range(width), *range(first, first + len(columns)))
    condition = conjunction([moved(each, dict(enumerate(kept))) for each in (*rest, *others)])
    source = AskedTable(table.table, keys, columns)
    node = LookupJoin(wide, kind, tuple(places), source, right.schema, condition)
    return node if wide is left else select(node, kept)


def _table(node: Node) -> tuple[Scan, tuple[int, ...]] | None:
    """Return the scan behind plain columns, where its connector finds rows by key, and the column that each one is."""
    if isinstance(node, AssignWatermark):
        return _table(node.input)
    if isinstance(node, Project):
        below = _table(node.input)
        if below is None:
            return None
        columns = [expr.index for expr in node.exprs if isinstance(expr, ColumnRef)]
        return (below[0], tuple(below[1][index] for index in columns)) if len(columns) == len(node.exprs) else None
    if not isinstance(node, Scan) or node.predicate is not None or node.partitions is not None:
        return None
    options = node.table.options
    whole = options.get("lookup.cache") == "FULL"
    if whole or not registry.connector(options["connector"]).searchable():
        return None
    return node, node.columns
