"""Decides which nodes of a plan DuckDB carries out: those that keep much and mean the same there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core import registry
from fluxcore.core.ports import ScanRequest
from fluxcore.plan.graph import in_order
from fluxcore.plan.nodes import (
    Aggregate,
    Attached,
    Filter,
    Join,
    JoinKind,
    Project,
    Rank,
    Scan,
    Sort,
    Union,
    Values,
    WindowAggregate,
    WindowKind,
)
from fluxcore.targets.batch.carriers import carried
from fluxcore.targets.batch.sql.calls import printable_call
from fluxcore.targets.batch.sql.expressions import printable
from fluxcore.targets.batch.stages import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node

_KEPT_BY_FILTER = 0.5
_KEPT_BY_GROUPS = 0.1
_UNKNOWN_BYTES = 1e9
_VALUE_BYTES = 16


def places(roots: Sequence[Node], settings: Settings) -> dict[Node, bool]:
    """Return of each node whether DuckDB carries it out.

    Filters and projections go with their input, so that rows don't change sides for them.
    """
    found: dict[Node, bool] = {}
    for node in in_order(roots):
        found[node] = _carries(node, settings) and (
            not isinstance(node, Filter | Project | Union) or any(found[each] for each in node.inputs)
        )
    return found


def _carries(node: Node, settings: Settings) -> bool:
    if not carried(node.schema) or not all(carried(each.schema) for each in node.inputs):
        return False
    types = node.inputs[0].schema.types if node.inputs else []
    match node:
        case Filter():
            return printable(node.condition)
        case Project():
            return all(printable(expr) for expr in node.exprs)
        case Union() | Sort():
            return True
        case Aggregate():
            return all(printable_call(call, types) for call in node.calls)
        case WindowAggregate():
            own_windows = not isinstance(node.window, Attached)
            apart = (own_windows and node.spec.kind is WindowKind.SESSION) or _in_a_zone(node, settings)
            return not apart and all(printable_call(call, types) for call in node.calls)
        case Join():
            return node.condition is None or printable(node.condition)
    return False


def _in_a_zone(node: WindowAggregate, settings: Settings) -> bool:
    return node.spec.local and not settings.zone.is_utc


def weigher(settings: Settings, weights: dict[int, float]) -> Callable[[Node], float]:
    """Return the function that says about how many bytes a node gives. In: ``weights`` those of other stages, by number."""
    known: dict[Node, float] = {}

    def weigh(node: Node) -> float:
        if node not in known:
            known[node] = _weight(node, settings, [weigh(each) for each in node.inputs], weights)
        return known[node]

    return weigh


def _weight(node: Node, settings: Settings, inputs: Sequence[float], weights: dict[int, float]) -> float:
    match node:
        case Rows():
            return weights[node.stage]
        case Scan():
            size = _size(node, settings) * len(node.columns) / max(len(node.table.schema), 1)
            return size * (_KEPT_BY_FILTER if node.predicate is not None else 1)
        case Values():
            return len(node.rows) * len(node.schema) * _VALUE_BYTES
        case Filter():
            return inputs[0] * _KEPT_BY_FILTER
        case Aggregate() | WindowAggregate() | Rank():
            return inputs[0] * (_KEPT_BY_GROUPS if not isinstance(node, Rank) or node.window else _KEPT_BY_FILTER)
        case Join() if node.kind not in (JoinKind.SEMI, JoinKind.ANTI):
            return max(inputs)
        case Union():
            return sum(inputs)
    return inputs[0] if inputs else _UNKNOWN_BYTES


def _size(scan: Scan, settings: Settings) -> float:
    source = registry.connector(scan.table.options["connector"]).source(
        ScanRequest(scan.table, scan.columns, None, settings.values)
    )
    source.splits()
    return source.size() or _UNKNOWN_BYTES
