"""Plans of one job as the statements that Flink's SQL gateway takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.plan.columns import distinct_names
from fluxcore.plan.graph import shared_nodes
from fluxcore.plan.nodes import Insert
from fluxcore.targets.flink.sql import aggregates, joins, over, ranking, windows
from fluxcore.targets.flink.sql.identifiers import indented, quoted
from fluxcore.targets.flink.sql.queries import Printer
from fluxcore.targets.flink.sql.settings import flink_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node
    from fluxcore.targets.flink.sql.portability import Unportable

_FAMILIES = (aggregates, joins, over, ranking, windows)
"""The modules whose import lets the printer know their nodes."""


@dataclass(frozen=True)
class FlinkJob:
    """A job in Flink SQL: tables and views first, then what runs; and all that Flink can't do of it.

    Several INSERTs are one statement set; each query that is no INSERT is a SELECT of its own.
    """

    statements: tuple[str, ...]
    unportable: tuple[Unportable, ...]


def print_job(roots: Sequence[Node], settings: Settings) -> FlinkJob:
    """Return plans, as the API or the binder made them, as Flink SQL.

    Rows that several nodes take are a view. What Flink SQL has nothing like is named in ``unportable``, all of it, and stands
    in the statements as NULLs with a note, so that the rest can be read.
    """
    printer = Printer(settings, shared_nodes(roots))
    inserts, queries = [], []
    for root in roots:
        if isinstance(root, Insert):
            rows = printer.block(root.input).text()
            inserts.append(f"INSERT INTO {quoted(printer.tables.name(root.table))}\n{rows}")
        else:
            queries.append(printer.block(root).text(distinct_names(root.schema.names)))
    printer.report.extend(flink_settings(settings)[1])
    declared = (*printer.tables.statements, *printer.views)
    return FlinkJob((*declared, *_together(inserts), *queries), printer.report.found)


def _together(inserts: Sequence[str]) -> list[str]:
    if len(inserts) < 2:
        return list(inserts)
    body = "".join(f"{indented(each)};\n" for each in inserts)
    return [f"EXECUTE STATEMENT SET\nBEGIN\n{body}END"]
