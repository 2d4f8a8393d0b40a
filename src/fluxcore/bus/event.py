"""What travels on the bus: events, and the receipts of those that were published."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from fluxcore.bus.payloads import convert, decode

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_HEADERS: Mapping[str, str] = {}
TRACE_HEADERS = ("traceparent", "tracestate")


class Event:
    """One event as a handler sees it.

    ``subject`` its address; ``data`` the payload as it was published or read; ``key`` what events that stay in order share, or
    None; ``headers`` texts by name, among them W3C's ``traceparent``; ``topic`` and ``offset`` where it stands; ``time_ms`` when
    it was published, milliseconds since 1970; ``attempt`` 1 for the first delivery.
    """

    __slots__ = ("_id", "attempt", "data", "expires_ms", "headers", "key", "not_before_ms", "offset", "priority", "reply_to", "subject", "time_ms",
                 "topic")  # fmt: skip

    def __init__(
        self, subject: str, data: Any, key: str | None, headers: Mapping[str, str], id_: str | None, time_ms: int
    ) -> None:
        self.subject = subject
        self.data = data
        self.key = key
        self.headers = headers
        self._id = id_
        self.time_ms = time_ms
        self.topic = ""
        self.offset = -1
        self.attempt = 1
        self.priority = 0
        self.expires_ms: int | None = None
        self.not_before_ms: int | None = None
        self.reply_to: Any = None

    def copy(self) -> Event:
        """Return another event of the same content, which is delivered on its own."""
        found = Event(self.subject, self.data, self.key, self.headers, self._id, self.time_ms)
        found.topic, found.reply_to, found.expires_ms = self.topic, self.reply_to, self.expires_ms
        return found

    @property
    def id(self) -> str:
        """The id of CloudEvents: the one given at publishing, else topic and offset."""
        return self._id if self._id is not None else f"{self.topic}/{self.offset}"

    @property
    def given_id(self) -> str | None:
        """The id that the publisher gave, or None."""
        return self._id

    @property
    def time(self) -> dt.datetime:
        """When the event was published, UTC."""
        return dt.datetime.fromtimestamp(self.time_ms / 1000, dt.UTC)

    @property
    def source(self) -> str:
        """The source of CloudEvents."""
        return self.headers.get("source", f"/{self.topic}")

    @property
    def type(self) -> str:
        """The type of CloudEvents: the header of that name, else the name of the payload's type or the subject."""
        found = self.headers.get("type")
        if found is not None:
            return found
        kind = type(self.data)
        return self.subject if kind.__module__ == "builtins" else kind.__name__

    def data_as(self, wanted: Any) -> Any:
        """Return the payload as a type. Raises ``BusError`` FX-BUS-0201 when it isn't one."""
        return convert(self.data, wanted)

    def cloud_event(self) -> dict[str, Any]:
        """Return the attributes and the payload in CloudEvents' JSON form, version 1.0."""
        extra = {name: value for name, value in self.headers.items() if name not in ("source", "type")}
        found = {
            "specversion": "1.0", "id": self.id, "source": self.source, "type": self.type, "subject": self.subject,
            "time": self.time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }  # fmt: skip
        if self.key is not None:
            found["partitionkey"] = self.key
        return {**found, **extra, "data": self.data}

    def __repr__(self) -> str:
        return f"Event({self.subject!r}, {self.data!r}, key={self.key!r}, topic={self.topic!r}, offset={self.offset})"


class StoredEvent(Event):
    """An event that was read from a log: ``raw`` is its payload in JSON, which is decoded when someone asks for it."""

    __slots__ = ("raw",)

    def __init__(self, subject: str, raw: bytes, key: str | None, id_: str | None, time_ms: int) -> None:
        self.subject = subject
        self.raw = raw
        self.key = key
        self.headers = NO_HEADERS
        self._id = id_
        self.time_ms = time_ms
        self.topic = ""
        self.offset = -1
        self.attempt = 1
        self.priority = 0
        self.expires_ms = None
        self.not_before_ms = None
        self.reply_to = None

    def __getattr__(self, name: str) -> Any:
        if name != "data":  # the only one that isn't set at first
            raise AttributeError(name)
        self.data = self.data_as(None)
        return self.data

    def data_as(self, wanted: Any) -> Any:
        """Return the payload as a type, None for plain values. Raises ``BusError`` FX-BUS-0201 when it isn't one."""
        return self.raw if wanted is bytes else decode(self.raw, wanted)


class Receipt:
    """What a publisher gets: where the event stands, and what it ``survives``.

    ``memory``: as long as the process lives; ``os``: the end of the process; ``disk``: a failure of power; ``replicated``: the
    loss of a machine. ``duplicate`` is true where an event of the same id was there already, at that offset.
    """

    __slots__ = ("duplicate", "offset", "survives", "topic")

    def __init__(self, topic: str, offset: int, survives: str, duplicate: bool = False) -> None:
        self.topic = topic
        self.offset = offset
        self.survives = survives
        self.duplicate = duplicate

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Receipt):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __hash__(self) -> int:
        return hash((self.topic, self.offset))

    def __repr__(self) -> str:
        more = ", duplicate=True" if self.duplicate else ""
        return f"Receipt(topic={self.topic!r}, offset={self.offset}, survives={self.survives!r}{more})"
