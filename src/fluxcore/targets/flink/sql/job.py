"""Plans of one job as the statements that Flink's SQL gateway takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fluxcore.core.quotes import quoted, text
from fluxcore.core.schema import TimeKind
from fluxcore.core.types import TimestampType
from fluxcore.plan.columns import distinct_names
from fluxcore.plan.graph import shared_nodes
from fluxcore.plan.nodes import Insert
from fluxcore.targets.flink.settings import flink_settings
from fluxcore.targets.flink.sql import aggregates, correlate, joins, over, ranking, windows
from fluxcore.targets.flink.sql.blocks import Item
from fluxcore.targets.flink.sql.changes import takes_appends_only, takes_back
from fluxcore.targets.flink.sql.identifiers import indented
from fluxcore.targets.flink.sql.queries import Printer
from fluxcore.targets.flink.sql.type_names import type_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.schema import Schema
    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node
    from fluxcore.targets.flink.portability import Unportable
    from fluxcore.targets.flink.python.shipment import Shipment
    from fluxcore.targets.flink.sql.blocks import Block

_FAMILIES = (aggregates, correlate, joins, over, ranking, windows)
"""The modules whose import lets the printer know their nodes."""


@dataclass(frozen=True)
class PrintedJob:
    """A job in Flink SQL, and all that Flink can't do of it.

    ``definitions`` make tables and views; ``insert`` is one INSERT, or a statement set of several; ``queries`` has a SELECT for
    each query that is no INSERT, in order. ``notes`` tell what runs and is not quite the same on Flink. ``shipment`` holds the
    functions in Python that go along.
    """

    definitions: tuple[str, ...]
    insert: str | None
    queries: tuple[str, ...]
    unportable: tuple[Unportable, ...]
    notes: tuple[str, ...]
    shipment: Shipment

    @property
    def statements(self) -> tuple[str, ...]:
        """Return all statements in the order in which they are sent."""
        files = (f"SET 'python.files' = {text(self.shipment.paths)}",) if self.shipment else ()
        return (*files, *self.definitions, *((self.insert,) if self.insert is not None else ()), *self.queries)


def print_job(roots: Sequence[Node], settings: Settings) -> PrintedJob:
    """Return plans, as the API or the binder made them, as Flink SQL.

    Rows that several nodes take are a view. What Flink SQL has nothing like is named in ``unportable``, all of it, and stands
    in the statements as NULLs with a note, so that the rest can be read.
    """
    printer = Printer(settings, shared_nodes(roots))
    inserts, queries = [], []
    for root in roots:
        if isinstance(root, Insert):
            _check_changes(root, printer)
            rows = _one_time(printer.block(root.input), root.input.schema).text()
            verb = "OVERWRITE" if root.overwrite else "INTO"
            inserts.append(f"INSERT {verb} {quoted(printer.tables.name(root.table))}\n{rows}")
        else:
            queries.append(printer.block(root).text(distinct_names(root.schema.names)))
    printer.report.extend(flink_settings(settings.values)[1])
    declared = (*printer.functions.statements, *printer.tables.statements, *printer.views)
    shipment = printer.functions.shipment
    report = printer.report
    return PrintedJob(declared, _together(inserts), tuple(queries), report.found, report.notes, shipment)


def _check_changes(insert: Insert, printer: Printer) -> None:
    """Report rows that are taken back where a table's sink takes none such."""
    table = insert.table
    if printer.streaming and takes_appends_only(table) and takes_back(insert.input):
        why = (
            f"Flink's sink '{table.options['connector']}' takes rows that nothing replaces; "
            "execution.runtime-mode=batch writes the last ones of input that ends"
        )
        printer.report.add("rows that are updated", why, f"table '{table.name}'")


def _one_time(block: Block, schema: Schema) -> Block:
    """Return the rows with one event time at the most: a sink of Flink takes no more, so that other times are plain ones."""
    times = [place for place, column in enumerate(schema) if isinstance(column.type, TimestampType)]
    if len(times) <= 1:
        return block
    kept = next((place for place in times if schema[place].time is TimeKind.EVENT), times[0])
    items = list(block.items)
    for place in times:
        if place != kept:
            items[place] = Item(f"CAST({items[place].sql} AS {type_name(schema[place].type)})", plain=False)
    return replace(block, items=tuple(items), whole=False)


def _together(inserts: Sequence[str]) -> str | None:
    if len(inserts) < 2:
        return inserts[0] if inserts else None
    body = "".join(f"{indented(each)};\n" for each in inserts)
    return f"EXECUTE STATEMENT SET\nBEGIN\n{body}END"
