"""Decides which nodes of a plan DuckDB carries out: those that keep much and mean the same there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fluxcore.core import registry
from fluxcore.plan.graph import consumers, in_order
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
from fluxcore.plan.requests import scan_request
from fluxcore.targets.batch.carriers import carried
from fluxcore.targets.batch.sql.calls import printable_call
from fluxcore.targets.batch.sql.expressions import printable
from fluxcore.targets.batch.sql.parquet import print_scan
from fluxcore.targets.batch.stages import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node

_KEPT_BY_FILTER = 0.5
_KEPT_BY_GROUPS = 0.1
_UNKNOWN_BYTES = 1e9
_VALUE_BYTES = 16


@dataclass(frozen=True)
class Places:
    """Where the nodes of a plan are carried out.

    ``duckdb`` whether DuckDB does; ``scans`` the SQL of the files that it reads itself; ``repeated`` what only reads those, and
    is read again by each part of the plan that wants it.
    """

    duckdb: dict[Node, bool] = field(default_factory=dict)
    scans: dict[Node, str] = field(default_factory=dict)
    repeated: set[Node] = field(default_factory=set)


def places(roots: Sequence[Node], settings: Settings) -> Places:
    """Return where nodes are carried out.

    1. Filters, projections and unions go with their input, so that rows don't change sides for them.
    2. Files that DuckDB could read are read by operators all the same where operators take their rows.
    3. So are joins: where operators rank rows or go on with them otherwise, they join them too, and copy only those that stay.
    """
    found = Places()
    order = in_order(roots)
    for node in order:
        if isinstance(node, Scan):
            text = print_scan(node)
            if text is not None:
                found.scans[node] = text
                found.repeated.add(node)
        elif isinstance(node, Filter | Project) and node.input in found.repeated and _carries(node, settings):
            found.repeated.add(node)
        follows = isinstance(node, Filter | Project | Union)
        found.duckdb[node] = node in found.scans or (
            _carries(node, settings) and (not follows or any(found.duckdb[each] for each in node.inputs))
        )
    takers = consumers(roots)
    for node in reversed(order):
        if (node in found.repeated and _meets_operators(node, roots, takers, found)) or (
            isinstance(node, Join) and _is_taken_by_operators(node, takers, found)
        ):
            found.duckdb[node] = False
            found.repeated.discard(node)
    for node in order:
        if isinstance(node, Filter | Project | Union) and not any(found.duckdb[each] for each in node.inputs):
            found.duckdb[node] = False
    return found


def _meets_operators(node: Node, roots: Sequence[Node], takers: Mapping[Node, list[Node]], found: Places) -> bool:
    return node in roots or not all(found.duckdb[each] for each in takers[node])


def _is_taken_by_operators(node: Node, takers: Mapping[Node, list[Node]], found: Places) -> bool:
    """Return whether all that goes on with a node's rows, behind filters and projections, are operators with state."""
    if not takers[node]:
        return False
    return all(
        _is_taken_by_operators(each, takers, found) if isinstance(each, Filter | Project) else not found.duckdb[each]
        for each in takers[node]
    )


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
        case Aggregate():  # tables of distinct values are quicker here, where they don't outgrow the memory
            return not any(call.distinct for call in node.calls) and all(
                printable_call(call, types) for call in node.calls
            )
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
    source = registry.connector(scan.table.options["connector"]).source(scan_request(scan, settings))
    source.splits()
    return source.size() or _UNKNOWN_BYTES
