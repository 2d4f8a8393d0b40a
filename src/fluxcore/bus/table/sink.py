"""Appends rows to a topic, each batch as it is."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.bus.errors import BusError
from fluxcore.bus.event import NO_HEADERS, Event
from fluxcore.bus.rows import batch_rows
from fluxcore.bus.subjects import Pattern, check_subject
from fluxcore.bus.transports.file import registry
from fluxcore.bus.transports.file.layout import Declaration, folder_of
from fluxcore.core.ports import ChangeMode, Sink
from fluxcore.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fluxcore.bus.log import Log
    from fluxcore.core.batch import Batch
    from fluxcore.core.ports import SinkRequest

_SUBJECT = "subject of the row"
_FIELD = re.compile(r"\{([^{}]+)\}")


def fields_of(subject: str) -> list[str]:
    """Return the columns that a subject with ``{column}`` in it names."""
    return _FIELD.findall(subject)


class TopicSink(Sink):
    """Publishes each batch as one, with the acknowledgement that the table asks for; waits for it before the job goes on."""

    modes: ClassVar[frozenset[ChangeMode]] = frozenset({ChangeMode.APPEND})

    def __init__(self, request: SinkRequest) -> None:
        table = request.table
        given = table.options
        self._folder = folder_of(given["bus"])
        self._topic = given["topic"]
        self._subject = given.get("sink.subject", self._topic)
        self._key = given.get("sink.key")
        self._acks = given.get("sink.acks", "disk")
        self._names = [column.name for column in table.schema]
        self._log: Log | None = None

    def open(self) -> None:
        """Open the topic's log, which is made where there is none. Raises ``JobError`` FX-LOG-0001 where another process writes it."""
        declaration = self._folder.declaration(self._topic)
        if declaration is None:
            declaration = Declaration.undeclared(self._topic)
            self._folder.declare(declaration)
        self._claims = tuple(Pattern(each) for each in declaration.subjects)
        self._declared = declaration.payload_schema()
        self._log = registry.acquire(self._folder.topic(self._topic), declaration.log_options())

    def write(self, batch: Batch) -> None:
        """Append rows, and wait until they are acknowledged.

        Raises: ``DataError`` FX-CON-0165 for a row whose subject is none of the topic's, FX-CON-0166 for a column that the topic's
        schema doesn't have.
        """
        if not batch.rows or self._log is None:
            return
        payload = self._fitting(batch.data.rename_columns(self._names))
        event = Event(self._subject, None, None, NO_HEADERS, None, time.time_ns() // 1_000_000)
        if not fields_of(self._subject):
            self._check([self._subject])
            rows = batch_rows(payload, event, key=self._key)
        else:
            subjects = self._subjects(payload)
            self._check(pc.unique(subjects).to_pylist())
            whole = payload.append_column(_SUBJECT, subjects)
            rows = batch_rows(whole, event, subject=_SUBJECT, key=self._key)
            rows = rows.drop_columns([_SUBJECT])
        self._log.append(rows, self._acks)

    def commit(self) -> None:
        """Make what was written with less than ``disk`` durable."""
        if self._log is not None:
            self._log.sync()

    def close(self) -> None:
        """Give the log back."""
        if self._log is not None:
            registry.release(self._log)
            self._log = None

    # -- inside -----------------------------------------------------------------------------------------------------

    def _fitting(self, payload: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows as the topic's schema has them."""
        if self._declared is None:
            return payload
        for name in payload.schema.names:
            if self._declared.get_field_index(name) < 0:
                hint = f"it has {', '.join(self._declared.names)}"
                raise DataError("FX-CON-0166", f"the topic '{self._topic}' has no column '{name}'", hint=hint)
        arrays = []
        for field in self._declared:
            number = payload.schema.get_field_index(field.name)
            try:
                array = pa.nulls(len(payload), field.type) if number < 0 else payload.column(number).cast(field.type)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                message = f"column '{field.name}' can't be written to topic '{self._topic}' as {field.type}: {error}"
                raise DataError("FX-CON-0166", message, hint="cast it in the query") from error
            if array.null_count and not field.nullable:
                raise DataError("FX-CON-0166", f"column '{field.name}' of topic '{self._topic}' takes no NULL")
            arrays.append(array)
        return pa.RecordBatch.from_arrays(arrays, schema=self._declared)

    def _subjects(self, payload: pa.RecordBatch) -> pa.Array:
        """Return the subject of each row."""
        parts: list[Any] = []
        at = 0
        for match in _FIELD.finditer(self._subject):
            parts += [self._subject[at : match.start()], payload.column(match[1]).cast(pa.string())]
            at = match.end()
        parts.append(self._subject[at:])
        return pc.binary_join_element_wise(*parts, "", null_handling="replace", null_replacement="")

    def _check(self, subjects: Iterable[str]) -> None:
        for subject in subjects:
            try:
                check_subject(subject)
            except BusError as error:
                hint = "a column in 'sink.subject' needs a value without dots, blanks and wildcards in each row"
                raise DataError("FX-CON-0165", f"a row has no subject: {error.message}", hint=hint) from error
            if not any(pattern.matches(subject) for pattern in self._claims):
                claimed = ", ".join(pattern.text for pattern in self._claims)
                raise DataError(
                    "FX-CON-0165", f"'{subject}' is no subject of topic '{self._topic}'", hint=f"it has {claimed}"
                )
