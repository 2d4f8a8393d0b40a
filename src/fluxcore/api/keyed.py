"""A stream by key: what functions in Python do with the rows of each key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fluxcore.api.processing import row_function
from fluxcore.core.keyed_state import value
from fluxcore.core.process import ProcessFunction
from fluxcore.core.row_function import Takes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fluxcore.api.processing import RowSchema
    from fluxcore.api.stream import Stream
    from fluxcore.core.batch_function import BatchFunction

    Row = dict[str, Any]


class Keyed:
    """A stream by key."""

    def __init__(self, stream: Stream, keys: tuple[str, ...]) -> None:
        self._stream = stream
        self._keys = keys

    def process(
        self, function: ProcessFunction | BatchFunction, *, schema: RowSchema, time: str | None = None
    ) -> Stream:
        """Hand the rows of each key to a function with state and timers, as :meth:`fluxcore.api.stream.Stream.process`."""
        return self._stream.process(function, by=self._keys, schema=schema, time=time)

    def reduce(self, function: Callable[[Row, Row], Row]) -> Stream:
        """Put the rows of each key together, two at a time; return for each row what its key has come to.

        The function takes what there is and the next row, both as dicts with the stream's columns, and returns the like; the
        first row of a key is what there is at first. What comes out is never taken back: ``deduplicate(…, keep="last")``
        keeps the last row of each key. Raises ``ScriptError`` FX-API-0021 for what can't be called.
        """
        stream = self._stream
        schema = pa.schema([pa.field(column.name, column.type.arrow()) for column in stream.schema])
        return stream.process(
            _reducer(row_function(function, Takes.ROW).function, schema), by=self._keys, schema=schema
        )


def _reducer(function: Callable[[Row, Row], Row], schema: pa.Schema) -> ProcessFunction:
    """Return a process function that keeps what a key has come to."""

    class Reduce(ProcessFunction):
        kept = value(pa.struct(list(schema)))

        def process(self, row: Row) -> Iterable[Row]:
            kept = self.kept
            self.kept = row if kept is None else function(dict(kept), row)
            return (dict(self.kept),)

    name = getattr(function, "__qualname__", type(function).__name__)
    Reduce.__name__ = Reduce.__qualname__ = name
    return Reduce()
