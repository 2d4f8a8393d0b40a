"""Runs the queries of a script here and on a Flink cluster, and compares their final tables."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fluxcore.api.session import Session
from fluxcore.connectors.collect import CollectSink
from fluxcore.errors import ScriptError
from fluxcore.targets.flink.script import ScriptOptions, ScriptRun
from fluxcore.targets.flink.settings import flink_properties
from fluxcore.targets.flink.statements import What

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fluxcore.core.batch import Batch
    from fluxcore.core.schema import Schema
    from fluxcore.sql.replies import Cell
    from fluxcore.targets.flink.address import Cluster

Row = tuple[Any, ...]
_SAME_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Comparison:
    """The final tables of one query as multisets: how many rows each side gave, and those that only one side gave."""

    rows_here: int
    rows_there: int
    only_here: Counter[Row]
    only_there: Counter[Row]

    @property
    def equal(self) -> bool:
        """Return whether both gave the same rows, in whatever order."""
        return not self.only_here and not self.only_there


def compare(
    text: str,
    file: str | None,
    cluster: Cluster,
    settings: Mapping[str, str],
    settings_there: Mapping[str, str] | None = None,
) -> list[Comparison]:
    """Return how the final tables of a script's queries compare, in order.

    ``settings`` hold on both sides, ``settings_there`` on the cluster only, such as ``execution.runtime-mode`` batch.
    Numbers of DOUBLE and FLOAT are compared to 9 digits. Lateness is judged row by row on both sides
    (``pipeline.auto-watermark-interval`` 0) unless ``settings`` say otherwise.
    Raises: what either side says is wrong; ``ScriptError`` FX-FLK-0204 for a script that inserts, or asks nothing.
    """
    there = _There()
    run = ScriptRun(text, file, there, ScriptOptions())
    whats = [each.what for each in run.statements]
    if What.INSERT in whats or What.QUERY not in whats:
        message = "only a script that has queries, and no INSERT, can be compared"
        raise ScriptError("FX-FLK-0204", message, hint="an INSERT would write twice; SELECT what it writes")
    run.run(cluster, {"pipeline.auto-watermark-interval": "0", **flink_properties(settings), **(settings_there or {})})
    here: list[CollectSink] = []

    def output(statement: object) -> CollectSink:  # noqa: ARG001
        here.append(CollectSink())
        return here[-1]

    Session(settings, target="embedded").execute_script(text, file=file, output=output)
    return [
        _compared(Counter(rows(a.batches)), Counter(rows(b.batches))) for a, b in zip(here, there.sinks, strict=True)
    ]


def rows(batches: list[Batch]) -> Iterator[Row]:
    """Yield the rows of batches as plain values that can be compared and counted."""
    for batch in batches:
        yield from zip(*(_values(column) for column in batch.data.columns), strict=True)


def _values(column: pa.Array) -> list[Any]:
    values = [plain(value) for value in column.to_pylist()]
    if pa.types.is_map(column.type):  # the order of a map's entries means nothing
        values = [None if each is None else tuple(sorted(each, key=repr)) for each in values]
    return values


def plain(value: Any) -> Any:
    """Return a value in the one form in which values of both sides are compared."""
    match value:
        case None | bool():
            return value
        case float():
            return "NaN" if math.isnan(value) else float(f"{value:.{_SAME_DIGITS}e}")
        case Decimal():
            return str(value.normalize())
        case dt.datetime():
            return value.replace(tzinfo=None).isoformat(timespec="microseconds")
        case dt.date() | dt.time():
            return value.isoformat()
        case dict():
            return tuple(plain(each) for each in value.values())
        case list() | tuple():
            return tuple(plain(each) for each in value)
        case _:
            return value


def _compared(here: Counter[Row], there: Counter[Row]) -> Comparison:
    return Comparison(here.total(), there.total(), here - there, there - here)


class _There:
    """Takes what a script gives on the cluster."""

    def __init__(self) -> None:
        self.sinks: list[CollectSink] = []

    def reply(
        self, message: str | None, columns: tuple[str, ...] = (), rows: tuple[tuple[Cell, ...], ...] = ()
    ) -> None:
        """Take no answer to a command."""

    def started(self, job: str) -> None:
        """Take no id."""

    def detached(self, job: str) -> None:
        """Take no id."""

    def seen(self, job: Mapping[str, Any]) -> None:
        """Take no progress."""

    def sink(self, schema: Schema, *, changes: bool) -> CollectSink:  # noqa: ARG002
        """Return what keeps the rows of a query."""
        self.sinks.append(CollectSink())
        return self.sinks[-1]
