"""Events as rows of a log, and back: the columns of the envelope, then the payload.

The envelope's columns begin with ``$``. The payload of an event of its own stands in ``$data``, as JSON or as bytes (``$form``);
that of a topic with a schema, or of a batch, has columns of its own. A log may hold rows of both kinds, and of several schemas.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.bus.batch_event import BatchEvent, plain_rows
from fluxcore.bus.errors import BusError
from fluxcore.bus.event import ID, KEY, NO_HEADERS, SUBJECT, TIME, Event, StoredEvent, check_rest
from fluxcore.bus.payloads import RAW, encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

MORE, FORM, DATA = "$more", "$form", "$data"
ENVELOPE = (
    pa.field(SUBJECT, pa.string(), nullable=False),
    pa.field(KEY, pa.string()),
    pa.field(ID, pa.string()),
    pa.field(TIME, pa.timestamp("ms", "UTC"), nullable=False),
    pa.field(MORE, pa.binary()),
)
PLAIN = pa.schema([*ENVELOPE, pa.field(FORM, pa.uint8(), nullable=False), pa.field(DATA, pa.binary(), nullable=False)])
"""The schema of events of their own in topics without a schema."""

JSON, BYTES = 0, 1
"""What ``$form`` says of ``$data``."""

PLAIN_BYTES = 64
"""What a row of :data:`PLAIN` takes beside its subject and its payload, about."""
_FEW = 8


class More(msgspec.Struct, omit_defaults=True, rename={"headers": "h", "priority": "p", "not_before_ms": "n", "expires_ms": "x"}):  # fmt: skip
    """What few events have, as MessagePack in ``$more``: headers, priority, and milliseconds since 1970."""

    headers: dict[str, str] = {}
    priority: int = 0
    not_before_ms: int | None = None
    expires_ms: int | None = None


_encode_more = msgspec.msgpack.Encoder().encode
_decode_more = msgspec.msgpack.Decoder(More).decode


# -- events to rows -------------------------------------------------------------------------------------------------


def plain_row(event: Event) -> tuple[Any, ...]:
    """Return an event as a row of :data:`PLAIN`.

    Raises: ``BusError`` FX-BUS-0202 for a payload without a form in JSON, FX-BUS-0204 for a header that is no text.
    """
    data = event.data
    form = BYTES if isinstance(data, RAW) else JSON
    return (event.subject, event.key, event._id, event.time_ms, more_of(event), form, encode(data))


def envelope(event: Event) -> tuple[Any, ...]:
    """Return the envelope's part of an event's row. Raises ``BusError`` FX-BUS-0204."""
    return (event.subject, event.key, event._id, event.time_ms, more_of(event))


def row_bytes(row: tuple[Any, ...]) -> int:
    """Return about how many bytes a row of :data:`PLAIN` takes."""
    more = row[4]
    return PLAIN_BYTES + len(row[0]) + len(row[6]) + (0 if more is None else len(more))


def more_of(event: Event) -> bytes | None:
    """Return what stands in ``$more``, None where there is nothing to say. Raises ``BusError`` FX-BUS-0204."""
    headers = event.headers
    if not headers and not event.priority and event.not_before_ms is None and event.expires_ms is None:
        return None
    check_rest(event)
    try:
        return _encode_more(More(dict(headers), event.priority, event.not_before_ms, event.expires_ms))
    except UnicodeEncodeError as error:
        raise BusError("FX-BUS-0204", f"a header is no text that can be stored: {error}") from error


def batch_rows(
    payload: pa.RecordBatch,
    event: Event,
    *,
    subject: str | None = None,
    key: str | None = None,
    id: str | None = None,
) -> pa.RecordBatch:
    """Return the rows of a batch of payloads, whose columns are not copied.

    In: ``event`` says what all rows share: subject, key, time, headers and the like. ``subject``, ``key`` and ``id`` name columns
    that say it for each row instead; they are cast to text.

    Raises: ``BusError`` FX-BUS-0205 for a payload's column that begins with ``$``, FX-BUS-0206 for a column that isn't there or is no text.
    """
    check_columns(payload.schema)
    count = payload.num_rows
    columns = [
        _shared(event.subject, pa.string(), count) if subject is None else _column(payload, subject, null=False),
        _shared(event.key, pa.string(), count) if key is None else _column(payload, key),
        _shared(event._id, pa.string(), count) if id is None else _column(payload, id),
        _shared(event.time_ms, pa.int64(), count).cast(pa.timestamp("ms", "UTC")),
        _shared(more_of(event), pa.binary(), count),
    ]
    return pa.RecordBatch.from_arrays([*columns, *payload.columns], schema=columnar(payload.schema))


def rows_of_batch(event: BatchEvent, payload: pa.RecordBatch) -> pa.RecordBatch:
    """Return the rows of a batch that was published, with what each of them has of its own; ``payload`` are its columns.

    An id that they share is made one of each row, so that a second batch of that id is a duplicate, and its rows are not.
    """
    shared = batch_rows(payload, event)
    if event._id is not None and payload.num_rows > 1:
        ids = pa.array([f"{event._id}/{number}" for number in range(payload.num_rows)])
        shared = shared.set_column(2, ENVELOPE[2], ids)
    for number, field in enumerate(ENVELOPE[:4]):
        if event.envelope is not None and field.name in event.envelope.schema.names:
            shared = shared.set_column(number, field, event.envelope.column(field.name).cast(field.type))
    return shared


def columnar(payload: pa.Schema) -> pa.Schema:
    """Return the schema of rows whose payload has these columns. Raises ``BusError`` FX-BUS-0205."""
    check_columns(payload)
    return pa.schema([*ENVELOPE, *payload], payload.metadata)


def check_columns(payload: pa.Schema) -> None:
    """Raise ``BusError`` FX-BUS-0205 where a column has a name of the envelope's kind, or two have one."""
    names = payload.names
    for name in names:
        if name.startswith("$"):
            raise BusError("FX-BUS-0205", f"the column '{name}' begins with $", hint="names with $ are the envelope's")
        if names.count(name) > 1:
            raise BusError("FX-BUS-0205", f"two columns are named '{name}'", hint="give one of them another name")


# -- rows to events -------------------------------------------------------------------------------------------------


def is_plain(schema: pa.Schema) -> bool:
    """Return whether rows of a schema hold payloads in one column, and not in columns of their own."""
    return schema.get_field_index(DATA) >= 0


def payload_schema(schema: pa.Schema) -> pa.Schema:
    """Return the payload's columns of a schema of rows."""
    return pa.schema([field for field in schema if not field.name.startswith("$")], schema.metadata)


def payload_of(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Return the payload's columns of rows that have them; nothing is copied."""
    return rows.select([name for name in rows.schema.names if not name.startswith("$")])


def events_of(rows: pa.RecordBatch, offsets: Sequence[int], topic: str) -> list[Event]:
    """Return rows as events. Payloads with columns of their own become dicts; those in JSON are decoded when asked for.

    Cost: about a microsecond a row.
    """
    subjects, keys, ids = (rows.column(name).to_pylist() for name in (SUBJECT, KEY, ID))
    times = rows.column(TIME).cast(pa.int64()).to_pylist()
    events: list[Event]
    if is_plain(rows.schema):
        data, forms = rows.column(DATA).to_pylist(), rows.column(FORM).to_pylist()
        events = [
            StoredEvent(subject, raw, key, id_, time)
            if form == JSON
            else Event(subject, raw, key, NO_HEADERS, id_, time)
            for subject, raw, form, key, id_, time in zip(subjects, data, forms, keys, ids, times, strict=True)
        ]
    else:
        payloads = plain_rows(payload_of(rows))
        events = [
            Event(subject, value, key, NO_HEADERS, id_, time)
            for subject, value, key, id_, time in zip(subjects, payloads, keys, ids, times, strict=True)
        ]
    for event, offset in zip(events, offsets, strict=True):
        event.topic = topic
        event.offset = offset
    more = rows.column(MORE)
    if more.null_count < len(more):
        _fill(events, more.to_pylist())
    return events


def headers_of(more: pa.Array) -> pa.Array:
    """Return the headers in ``$more`` as maps of texts; empty ones where there is nothing."""
    maps = [() if content is None else list(_decode_more(content).headers.items()) for content in more.to_pylist()]
    return pa.array(maps, pa.map_(pa.string(), pa.string()))


def items_of(rows: pa.RecordBatch, offsets: NDArray[np.int64], topic: str, end: int) -> list[Event]:
    """Return rows as groups have them: single events, and batches where payloads have columns of their own. ``end`` is behind the last.

    A batch has one subject and one set of headers; where most rows have others than the one before, all become single events.
    """
    if is_plain(rows.schema):
        return events_of(rows, offsets.tolist(), topic)
    places = _changes(rows)
    if len(places) * _FEW > rows.num_rows > _FEW:
        return events_of(rows, offsets.tolist(), topic)
    found: list[Event] = []
    for start, stop in pairwise([*places, rows.num_rows]):
        behind = int(offsets[stop]) if stop < rows.num_rows else end
        found.append(_batch_event(rows.slice(start, stop - start), offsets[start:stop], topic, behind))
    return found


def _changes(rows: pa.RecordBatch) -> list[int]:
    """Return the places of rows that have another subject or other headers than the row before, the first one among them."""
    changed = np.zeros(rows.num_rows, np.bool_)
    changed[:1] = True
    for name in (SUBJECT, MORE):
        column = rows.column(name).dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
        changed[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changed).tolist()


def _batch_event(rows: pa.RecordBatch, offsets: NDArray[np.int64], topic: str, end: int) -> BatchEvent:
    times = rows.column(TIME).cast(pa.int64())
    event = BatchEvent(rows.column(SUBJECT)[0].as_py(), payload_of(rows), None, NO_HEADERS, None, times[0].as_py())
    own = {name: rows.column(name) for name in (KEY, ID) if rows.column(name).null_count < rows.num_rows}
    if len(pc.unique(times)) > 1:
        own[TIME] = times
    if own:
        event.envelope = pa.RecordBatch.from_arrays(list(own.values()), names=list(own))
    event.stand_at(topic, int(offsets[0]), end)
    if int(offsets[-1]) - int(offsets[0]) >= rows.num_rows:
        event.places = offsets
    _fill([event], rows.column(MORE)[:1].to_pylist())
    return event


def _fill(events: Iterable[Event], more: Iterable[bytes | None]) -> None:
    for event, content in zip(events, more, strict=True):
        if content is not None:
            found = _decode_more(content)
            event.headers = found.headers
            event.priority = found.priority
            event.not_before_ms = found.not_before_ms
            event.expires_ms = found.expires_ms


def _shared(value: Any, type_: pa.DataType, count: int) -> pa.Array:
    return pa.nulls(count, type_) if value is None else pa.repeat(pa.scalar(value, type_), count)


def _column(payload: pa.RecordBatch, name: str, *, null: bool = True) -> pa.Array:
    number = payload.schema.get_field_index(name)
    if number < 0:
        hint = f"it has {', '.join(payload.schema.names)}"
        raise BusError("FX-BUS-0206", f"the batch has no column '{name}'", hint=hint)
    array = payload.column(number)
    try:
        found = array.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise BusError(
            "FX-BUS-0206", f"the column '{name}' is {array.type}, which is no text", hint="cast it"
        ) from error
    if found.null_count and not null:
        raise BusError("FX-BUS-0206", f"the column '{name}' has nulls, and each event needs a subject")
    return found
