"""Prints rows as Flink's print connector does: ``+I[1, abc]``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, ClassVar, TextIO

from fluxcore.core.ports import ChangeMode, Connector, Option, Sink
from fluxcore.expr.texts import double_text

if TYPE_CHECKING:
    from fluxcore.core.batch import Batch
    from fluxcore.core.ports import SinkRequest


class PrintConnector(Connector):
    """Prints each row with its kind of change in front."""

    name = "print"
    takes_partitions = True
    options = (
        Option("print-identifier", help="A text in front of each row."),
        Option("standard-error", "boolean", "false", help="Print to standard error."),
        Option("sink.parallelism", "integer", help="Accepted for Flink's sake; rows are printed by one thread."),
    )

    def sink(self, request: SinkRequest) -> Sink:
        """Return the sink."""
        given = request.table.options
        stream = sys.stderr if given.get("standard-error", "false").lower() == "true" else sys.stdout
        return PrintSink(stream, given.get("print-identifier", ""))


class PrintSink(Sink):
    """Writes a line per row to a stream."""

    modes: ClassVar[frozenset[ChangeMode]] = frozenset(ChangeMode)

    def __init__(self, stream: TextIO, identifier: str = "") -> None:
        self._stream = stream
        self._prefix = f"{identifier}> " if identifier else ""

    def write(self, batch: Batch) -> None:
        """Print rows."""
        columns = [column.to_pylist() for column in batch.data.columns]
        weights = [1] * batch.rows if batch.weights is None else batch.weights.tolist()
        lines = [
            f"{self._prefix}{'+I' if weight > 0 else '-D'}[{', '.join(map(_shown, row))}]\n"
            for weight, row in zip(weights, zip(*columns, strict=True), strict=True)
        ]
        self._stream.write("".join(lines))
        self._stream.flush()

    def commit(self) -> None:
        """Nothing to do: rows are printed as they come."""


def _shown(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return double_text(value)
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return str(value)
