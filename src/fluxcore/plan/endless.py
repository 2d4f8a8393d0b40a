"""Which plans end, and what ORDER BY means in those that never do: the first rows as they change, or rows by event time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core import registry
from fluxcore.core.schema import TimeKind
from fluxcore.errors import ScriptError
from fluxcore.plan.graph import rewrite
from fluxcore.plan.nodes import Rank, Scan, Sort, TimeSort
from fluxcore.plan.requests import scan_request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node


def is_bounded(node: Node, settings: Settings) -> bool:
    """Return whether every source below a node ends by itself."""
    if isinstance(node, Scan):
        connector = registry.connector(node.table.options["connector"])
        return connector.source(scan_request(node, settings)).bounded
    return all(is_bounded(each, settings) for each in node.inputs)


def order_endless(roots: Sequence[Node], is_bounded: Callable[[Node], bool]) -> list[Node]:
    """Return the plans with every Sort of a node that does not end as a ranking or as a sort by time.

    Raises: ``ScriptError`` FX-SQL-0412 for an order that can't be told before the end.
    """

    def change(node: Node) -> Node:
        if not isinstance(node, Sort) or not node.keys or is_bounded(node.input):
            return node
        if node.limit is not None and node.limit > 0:
            return Rank(node.input, (), node.keys, node.offset + node.limit, node.offset + 1)
        first = node.keys[0]
        if node.limit is None and not first.descending and node.input.schema[first.column].time is TimeKind.EVENT:
            return TimeSort(node.input, node.keys)
        hint = "order by the column that the watermark is on, ascending, or bound the result: LIMIT 10"
        raise ScriptError("FX-SQL-0412", "an input that never ends has no such order", hint=hint)

    return rewrite(roots, change)
