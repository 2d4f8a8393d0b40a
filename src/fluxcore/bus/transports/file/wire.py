"""Requests and answers between two processes of a folder: MessagePack, each behind its length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import pyarrow as pa

from fluxcore.bus.batch_event import ARROW, BatchEvent, record_batch
from fluxcore.bus.errors import BusError
from fluxcore.bus.event import Event, StoredEvent
from fluxcore.bus.payloads import RAW, decode, encode
from fluxcore.limits import BUS_REQUEST_BYTES_MAX

if TYPE_CHECKING:
    import asyncio

Kind = TypeVar("Kind", bound=msgspec.Struct)
_LENGTH_BYTES = 4
_JSON, _BYTES, _ARROW = 0, 1, 2


class Payload(msgspec.Struct, array_like=True):
    """A payload: as JSON, as bytes, or as Arrow's stream of batches."""

    form: int
    data: bytes


class Hello(msgspec.Struct, array_like=True):
    """The first message of who asks: ``token`` shows that it may read the folder."""

    token: str


class Request(msgspec.Struct, array_like=True):
    """An event that is asked for an answer, and how long that is waited for."""

    number: int
    subject: str
    payload: Payload
    key: str | None
    headers: dict[str, str]
    time_ms: int
    timeout_ms: int


class Answer(msgspec.Struct, array_like=True):
    """What the handler returned, or the code and the message of the error."""

    number: int
    payload: Payload | None = None
    code: str = ""
    message: str = ""


def packed(value: Any) -> Payload:
    """Return a payload to be sent. Raises ``BusError`` FX-BUS-0202 for a value that has no form in JSON."""
    if value.__class__ in ARROW:
        batch = record_batch(value)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        return Payload(_ARROW, sink.getvalue().to_pybytes())
    return Payload(_BYTES if isinstance(value, RAW) else _JSON, encode(value))


def unpacked(payload: Payload, wanted: Any) -> Any:
    """Return a payload that was sent, as a type where it is JSON. Raises ``BusError`` FX-BUS-0201."""
    if payload.form == _ARROW:
        with pa.ipc.open_stream(payload.data) as reader:
            return record_batch(reader.read_all())
    return payload.data if payload.form == _BYTES else decode(payload.data, wanted)


def asked(event: Event, number: int, timeout_ms: int) -> bytes:
    """Return a request as a message. Raises ``BusError`` FX-BUS-0202."""
    headers = dict(event.headers)
    request = Request(number, event.subject, packed(event.data), event.key, headers, event.time_ms, timeout_ms)
    return message(request)


def event_of(request: Request) -> Event:
    """Return the event of a request."""
    payload = request.payload
    found: Event
    if payload.form == _JSON:
        found = StoredEvent(request.subject, payload.data, request.key, None, request.time_ms)
        found.headers = request.headers
        return found
    kind = BatchEvent if payload.form == _ARROW else Event
    return kind(request.subject, unpacked(payload, None), request.key, request.headers, None, request.time_ms)


def message(content: msgspec.Struct) -> bytes:
    """Return a message with its length before it. Raises ``BusError`` FX-BUS-0308 for one that is too large."""
    data = msgspec.msgpack.encode(content)
    if len(data) > BUS_REQUEST_BYTES_MAX:
        text = f"a request or an answer of {len(data)} bytes; at most {BUS_REQUEST_BYTES_MAX} go to another process"
        raise BusError("FX-BUS-0308", text, hint="publish it, and send where it stands")
    return len(data).to_bytes(_LENGTH_BYTES, "big") + data


async def receive(reader: asyncio.StreamReader, kind: type[Kind]) -> Kind:
    """Return the next message. Raises ``EOFError`` at the end, ``ValueError`` for what is no message, ``OSError``."""
    length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES), "big")
    if length > BUS_REQUEST_BYTES_MAX:
        raise ValueError(f"{length} bytes are no message")
    return msgspec.msgpack.decode(await reader.readexactly(length), type=kind)
