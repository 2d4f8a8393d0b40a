"""What it takes to run a plan node's operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from fluxcore.plan.graph import in_order
from fluxcore.plan.nodes import Join, Rank, Scan, WindowAggregate
from fluxcore.plan.triggered import TriggeredAggregate

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.core.batch import Batch
    from fluxcore.core.partial import Partial
    from fluxcore.core.ports import Operator
    from fluxcore.core.schema import Schema
    from fluxcore.core.settings import Settings
    from fluxcore.core.zones import Zone
    from fluxcore.plan.nodes import Node, WindowSpec


@dataclass(frozen=True)
class Recipe:
    """How to make a node's operator: ``keys`` the positions by which each input is spread, empty for a single task.

    ``partials`` aggregates rows before they are sent, where that is possible. The rows of the inputs in ``broadcast`` are sent
    to all tasks. With ``one_by_one`` each row is processed by itself, so that each change of its results can be seen.
    """

    name: str
    make: Callable[[], Operator]
    keys: tuple[tuple[int, ...], ...]
    partials: Callable[[Batch], Partial | None] | None = None
    broadcast: frozenset[int] = frozenset()
    one_by_one: bool = False


def operator_name(node: Node) -> str:
    """Return what metrics and messages call a node: its kind and the tables whose rows reach it."""
    tables = ", ".join(dict.fromkeys(each.table.name for each in in_order([node]) if isinstance(each, Scan)))
    kind = type(node).__name__
    if isinstance(node, WindowAggregate | TriggeredAggregate):
        spec = node.spec if isinstance(node, WindowAggregate) else node.window
        return f"{kind}({spec.kind.value}, {tables})"
    if isinstance(node, Join | Rank) and (node.left_window if isinstance(node, Join) else node.window):
        kind = f"Window{kind}"
    return f"{kind}({tables})"


def plain(schema: Schema) -> pa.Schema:
    """Return the Arrow schema with all fields nullable: outer joins and coercions must never trip over a flag."""
    return pa.schema([pa.field(column.name, column.type.arrow()) for column in schema])


def zone_of_windows(spec: WindowSpec, settings: Settings) -> Zone | None:
    """Return the zone in whose local time windows lie; None where local times are the times themselves."""
    zone = settings.zone if spec.local else None
    return None if zone is None or zone.is_utc else zone
