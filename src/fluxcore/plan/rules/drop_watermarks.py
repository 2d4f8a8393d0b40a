"""Removes watermarks that no operator downstream looks at, so that their column need not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.plan.changes import FromChangelog, ToChangelog
from fluxcore.plan.correlate import Correlate
from fluxcore.plan.graph import in_order, rewrite
from fluxcore.plan.lookup_join import LookupJoin
from fluxcore.plan.nodes import (
    Aggregate,
    AssignWatermark,
    AssignWindow,
    Filter,
    Insert,
    Join,
    Map,
    Over,
    Project,
    Rank,
    Scan,
    SideOutput,
    Sort,
    StampTime,
    TemporalJoin,
    Union,
    Values,
    WindowKind,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node


def drop_watermarks(roots: Sequence[Node], settings: Settings | None = None) -> list[Node]:  # noqa: ARG001
    """Return the plans without the watermarks above which no node in any of them works in event time.

    A watermark that one consumer of a shared scan needs stays for all, so that the scan stays shared. Those of sources that
    wait for each other stay too.
    """
    needed: set[Node] = set()
    for node in in_order(roots):
        if isinstance(node, AssignWatermark) and _is_aligned(node):
            needed.add(node)
        if _works_in_event_time(node):
            needed.update(each for each in in_order([node]) if isinstance(each, AssignWatermark))

    def change(node: Node) -> Node:
        return node.input if isinstance(node, AssignWatermark) and node not in needed else node

    return rewrite(roots, change)


_TIMELESS = (
    Aggregate,
    AssignWatermark,
    Correlate,
    Filter,
    FromChangelog,
    Insert,
    LookupJoin,
    Map,
    Project,
    Scan,
    SideOutput,
    Sort,
    StampTime,
    ToChangelog,
    Union,
    Values,
)
"""Nodes that give the same rows whatever the watermark is; of a node that isn't known it is not assumed."""


def _is_aligned(node: Node) -> bool:
    options = (each.table.options for each in in_order([node]) if isinstance(each, Scan))
    return any("scan.watermark.alignment.group" in each for each in options)


def _works_in_event_time(node: Node) -> bool:
    if isinstance(node, Over):
        return node.time is not None
    if isinstance(node, AssignWindow):
        return node.window.kind is WindowKind.SESSION
    if isinstance(node, TemporalJoin):
        return node.times is not None
    if isinstance(node, Rank):
        return node.window is not None
    if isinstance(node, Join):
        return node.left_window is not None or node.interval is not None
    return not isinstance(node, _TIMELESS)
