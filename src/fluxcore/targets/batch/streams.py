"""Rows on their way between the operators of the embedded target and DuckDB, as Arrow streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from fluxcore.connectors.collect import QueueSink
from fluxcore.core.batch import Batch
from fluxcore.core.ports import ChangeMode, Sink
from fluxcore.errors import FluxError
from fluxcore.targets.batch.carriers import carrier_schema, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fluxcore.api.target import RunningJob
    from fluxcore.core.schema import Schema


class OperatorStream:
    """The rows of a job as DuckDB reads them; the job starts when the first are wanted, and stops when nobody wants more.

    In: ``start`` starts the job with a sink; ``failed`` learns of its error, since DuckDB only passes on a text.
    """

    def __init__(
        self, schema: Schema, start: Callable[[Sink], RunningJob], failed: Callable[[FluxError], None]
    ) -> None:
        self._schema = carrier_schema(schema)
        self._start = start
        self._failed = failed

    def __arrow_c_schema__(self) -> object:
        """Return the columns."""
        return self._schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the rows as a stream. ``requested_schema`` is what the protocol allows us to leave aside."""
        reader = pa.RecordBatchReader.from_batches(self._schema, self._batches())
        return reader.__arrow_c_stream__()

    def _batches(self) -> Iterator[pa.RecordBatch]:
        queue = QueueSink()
        try:
            job = self._start(queue)
            try:
                for batch in queue:
                    yield encode(batch.data, self._schema)
                job.result()
            except BaseException:
                job.stop()
                raise
        except FluxError as error:
            self._failed(error)
            raise


class Forward(Sink):
    """Hands rows to a sink that several jobs write one after the other: it is opened, committed and closed by others."""

    modes: ClassVar[frozenset[ChangeMode]] = frozenset(ChangeMode)

    def __init__(self, sink: Sink) -> None:
        self.rows = 0
        self._sink = sink

    def write(self, batch: Batch) -> None:
        """Hand rows on."""
        self.rows += batch.rows
        self._sink.write(batch)

    def flush(self) -> None:
        """Make them visible."""
        self._sink.flush()

    def commit(self) -> None:
        """Do nothing: the whole job commits."""

    def cancel(self) -> None:
        """Wake a sink that waits."""
        wake = getattr(self._sink, "cancel", None)
        if wake is not None:
            wake()
