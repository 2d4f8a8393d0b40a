"""What a plan becomes where all input is there: no watermarks, no lifetimes, conditions of joins that stand alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.core import registry
from fluxcore.errors import ScriptError
from fluxcore.plan.changelog import is_append_only
from fluxcore.plan.changes import ToChangelog
from fluxcore.plan.current_watermark import CurrentWatermark
from fluxcore.plan.graph import in_order, rewrite
from fluxcore.plan.nodes import Aggregate, AssignWatermark, Filter, Join, JoinKind, Rank, Scan
from fluxcore.plan.optimizer import optimize
from fluxcore.plan.requests import scan_request
from fluxcore.targets.batch.sql.expressions import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.ports import TableDescription
    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node

_STREAMING = ("scan.watermark.idle-timeout", "scan.watermark.alignment.group", "scan.watermark.alignment.max-drift")


def prepared(roots: Sequence[Node], settings: Settings) -> tuple[list[Node], list[str]]:
    """Return the plans as they run in batch, and the optimiser's rules that changed something.

    1. Watermarks go: no row is late, and windows are done at the end of the input.
    2. Lifetimes of state go: nothing is forgotten, as in Flink's batch mode.
    3. The optimiser's rules are applied.
    4. The condition of an inner join that DuckDB reads otherwise becomes a filter over the join.
    """
    tables: dict[int, TableDescription] = {}

    def timeless(node: Node) -> Node:
        match node:
            case AssignWatermark():
                return node.input
            case Scan():
                return replace(node, table=tables.setdefault(id(node.table), _at_rest(node.table)))
            case Aggregate() if node.ttl_ms:
                return replace(node, ttl_ms=None)
            case Rank() if node.ttl_ms:
                return replace(node, ttl_ms=None)
            case Join() if any(node.ttl_ms):
                return replace(node, ttl_ms=(None, None))
        return node

    plans, fired = optimize(rewrite(roots, timeless), settings, without=("read_twice",))
    return rewrite(plans, _conditions_apart), fired


def endless_tables(roots: Sequence[Node], settings: Settings) -> list[TableDescription]:
    """Return the tables that the plans read and that never end."""
    found: dict[str, TableDescription] = {}
    for node in in_order(roots):
        if isinstance(node, Scan):
            connector = registry.connector(node.table.options["connector"])
            if not connector.source(scan_request(node, settings)).bounded:
                found.setdefault(node.table.name, node.table)
    return list(found.values())


def check(roots: Sequence[Node], settings: Settings) -> None:
    """Refuse what batch mode can't do.

    Raises: ``ScriptError`` FX-BAT-0101 for tables that never end, FX-BAT-0102 for changes as rows where none are made.
    """
    for table in endless_tables(roots, settings):
        hint = "bound it (a 'number-of-rows', an 'events.num'), or run in streaming mode"
        message = f"batch mode needs input that ends, and the table '{table.name}' never does"
        raise ScriptError("FX-BAT-0101", message, span=table.span, hint=hint)
    for node in _wanting_changes(roots):
        name = node.describe().partition("(")[0]
        wants = "watermarks" if isinstance(node, CurrentWatermark) else "the changes of rows that are updated"
        message = f"{name} wants {wants}, and batch mode has all rows at once"
        raise ScriptError("FX-BAT-0102", message, hint="run in streaming mode, which takes bounded input too")


def problems(roots: Sequence[Node], settings: Settings) -> list[str]:
    """Return why plans can't run in batch, a line for each reason."""
    endless = [f"the table '{table.name}' never ends" for table in endless_tables(roots, settings)]
    return endless + [f"{node.describe()} wants changes or watermarks" for node in _wanting_changes(roots)]


def _wanting_changes(roots: Sequence[Node]) -> list[Node]:
    found = (node for node in in_order(roots) if isinstance(node, ToChangelog | CurrentWatermark))
    return [node for node in found if isinstance(node, CurrentWatermark) or not is_append_only(node.input)]


def _at_rest(table: TableDescription) -> TableDescription:
    """Return a table without the options that only say how its watermarks travel."""
    if not any(option in table.options for option in _STREAMING):
        return table
    return replace(table, options={key: value for key, value in table.options.items() if key not in _STREAMING})


def _conditions_apart(node: Node) -> Node:
    if not isinstance(node, Join) or node.kind is not JoinKind.INNER or node.condition is None:
        return node
    if printable(node.condition):
        return node
    return Filter(replace(node, condition=None), node.condition)
