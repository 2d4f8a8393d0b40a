"""Which queries of a stream give rows that Flink takes back later, and which of its sinks can't take that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.plan import nodes
from fluxcore.plan.nodes import JoinKind
from fluxcore.plan.triggered import TriggeredAggregate
from fluxcore.targets.flink.sql.sub_queries import distinct_input

if TYPE_CHECKING:
    from fluxcore.core.ports import TableDescription

_APPEND_ONLY = frozenset({"filesystem", "firehose", "kafka", "kinesis"})
_CHANGELOG_FORMATS = ("debezium", "canal", "maxwell", "ogg")
_NEVER_PADS = (JoinKind.INNER, JoinKind.SEMI)


def takes_appends_only(table: TableDescription) -> bool:
    """Return whether Flink's sink of a table refuses rows that replace others."""
    format_ = table.options.get("value.format", table.options.get("format", ""))
    return table.options["connector"] in _APPEND_ONLY and not format_.startswith(_CHANGELOG_FORMATS)


def takes_back(node: nodes.Node) -> bool:
    """Return whether Flink, reading streams, may take back rows of a node."""
    match node:
        case nodes.Aggregate():
            return True
        case TriggeredAggregate() if node.updates:
            return True
        case nodes.Rank() if node.window is None and not _keeps_first(node):
            return True
        case nodes.Sort() if node.keys and node.limit is not None:
            return True
        case nodes.Over() if node.at_end:
            return True
        case nodes.Join():
            regular = node.left_window is None and node.interval is None
            if regular and node.kind not in _NEVER_PADS:
                return True
            return takes_back(node.left) or takes_back(distinct_input(node.right) if _is_half(node) else node.right)
        case nodes.TemporalJoin():
            return takes_back(node.left)
    return any(takes_back(each) for each in node.inputs)


def _keeps_first(node: nodes.Rank) -> bool:
    """Return whether a ranking keeps the first row of each key by time, or by arrival, which no later one replaces."""
    one = node.first == node.last == 1
    if not node.order:
        return one and not node.later_first
    key = node.order[0]
    return one and len(node.order) == 1 and not key.descending and node.input.schema[key.column].time is not None


def _is_half(node: nodes.Join) -> bool:
    return node.kind is JoinKind.SEMI
