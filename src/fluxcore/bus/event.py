"""What travels on the bus: events, and the receipts of those that were published."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping
from copy import copy
from typing import Any

import msgspec

from fluxcore.bus.errors import BusError
from fluxcore.bus.payloads import convert, decode

NO_HEADERS: Mapping[str, str] = {}
SUBJECT, KEY, ID, TIME = "$subject", "$key", "$id", "$time"
"""Columns of what each row of a batch may have of its own."""

TRACE_HEADERS = ("traceparent", "tracestate")


class Rare:
    """What few events have: another attempt than the first, a priority, times between which it may be handled, someone who waits for
    the answer; ``died`` attempts the process did not survive.
    """

    __slots__ = ("attempt", "died", "expires_ms", "not_before_ms", "priority", "reply_to")

    def __init__(self) -> None:
        self.attempt = 1
        self.died = 0
        self.priority = 0
        self.expires_ms: int | None = None
        self.not_before_ms: int | None = None
        self.reply_to: Any = None

    def copy(self) -> Rare:
        """Return the same, for another event."""
        found = Rare()
        found.attempt, found.died, found.priority, found.reply_to = (
            self.attempt,
            self.died,
            self.priority,
            self.reply_to,
        )
        found.expires_ms, found.not_before_ms = self.expires_ms, self.not_before_ms
        return found


class Event:
    """One event as a handler sees it.

    ``subject`` its address; ``data`` the payload as it was published or read; ``key`` what events that stay in order share, or
    None; ``headers`` texts by name, among them W3C's ``traceparent``; ``topic`` and ``offset`` where it stands; ``time_ms`` when
    it was published, milliseconds since 1970; ``attempt`` 1 for the first delivery.

    Cost: 104 bytes without its payload. What few events have stands in ``rare``, which is None for all others.
    """

    __slots__ = ("_id", "data", "headers", "key", "offset", "rare", "subject", "time_ms", "topic")

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
        self.rare: Rare | None = None

    def copy(self) -> Event:
        """Return another event of the same content and attempt, which is delivered on its own."""
        found = copy(self)
        found.rare = None if self.rare is None else self.rare.copy()
        return found

    def again(self, subject: str, headers: Mapping[str, str]) -> Event:
        """Return the same payload and key, to be published now under another subject."""
        return Event(subject, self.data, self.key, headers, None, time.time_ns() // 1_000_000)

    @property
    def attempt(self) -> int:
        """The number of this delivery, 1 for the first."""
        return 1 if self.rare is None else self.rare.attempt

    @attempt.setter
    def attempt(self, value: int) -> None:
        self._its_rare().attempt = value

    @property
    def died(self) -> int:
        """How many of the attempts before this one the process did not survive, since a handler has raised last."""
        return 0 if self.rare is None else self.rare.died

    @died.setter
    def died(self, value: int) -> None:
        self._its_rare().died = value

    @property
    def priority(self) -> int:
        """Events of a higher priority overtake others in topics that have priorities."""
        return 0 if self.rare is None else self.rare.priority

    @priority.setter
    def priority(self, value: int) -> None:
        self._its_rare().priority = value

    @property
    def expires_ms(self) -> int | None:
        """The time after which nobody gets the event, milliseconds since 1970."""
        return None if self.rare is None else self.rare.expires_ms

    @expires_ms.setter
    def expires_ms(self, value: int | None) -> None:
        self._its_rare().expires_ms = value

    @property
    def not_before_ms(self) -> int | None:
        """The time before which nobody gets the event, milliseconds since 1970."""
        return None if self.rare is None else self.rare.not_before_ms

    @not_before_ms.setter
    def not_before_ms(self, value: int | None) -> None:
        self._its_rare().not_before_ms = value

    @property
    def reply_to(self) -> Any:
        """The future that takes the answer to a request, None for an event that was published."""
        return None if self.rare is None else self.rare.reply_to

    @reply_to.setter
    def reply_to(self, value: Any) -> None:
        self._its_rare().reply_to = value

    def _its_rare(self) -> Rare:
        found = self.rare
        if found is None:
            found = self.rare = Rare()
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


def check_rest(event: Event) -> None:
    """Raise ``BusError`` FX-BUS-0204 for headers that are no texts by name, or a priority that is no whole number of 64 bits."""
    headers = event.headers
    if not isinstance(headers, Mapping):
        raise BusError("FX-BUS-0204", f"the headers are {headers!r}", hint="headers are texts by name")
    for name, value in headers.items():
        if not (isinstance(name, str) and isinstance(value, str)):
            raise BusError("FX-BUS-0204", f"the header {name!r} is {value!r}", hint="headers are texts by name")
    priority: Any = event.priority
    if not isinstance(priority, int) or not -(2**63) <= priority < 2**63:
        raise BusError("FX-BUS-0204", f"the priority is {priority!r}", hint="it is a whole number of 64 bits")


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
        self.rare = None

    def __getattr__(self, name: str) -> Any:
        if name != "data":  # the only one that isn't set at first
            raise AttributeError(name)
        self.data = self.data_as(None)
        return self.data

    def copy(self) -> Event:
        """Return another event of the same content and attempt; the payload is not decoded for that."""
        found = StoredEvent(self.subject, self.raw, self.key, self._id, self.time_ms)
        found.headers, found.topic, found.offset = self.headers, self.topic, self.offset
        found.rare = None if self.rare is None else self.rare.copy()
        return found

    def data_as(self, wanted: Any) -> Any:
        """Return the payload as a type, None for plain values. Raises ``BusError`` FX-BUS-0201 when it isn't one."""
        return self.raw if wanted is bytes else decode(self.raw, wanted)


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """What a publisher gets: where the event stands, and what it ``survives``.

    ``memory``: as long as the process lives; ``os``: the end of the process; ``disk``: a failure of power; ``replicated``: the
    loss of a machine. ``duplicate`` is true where an event of the same id was there already, at that offset.
    """

    topic: str
    offset: int
    survives: str
    duplicate: bool = False

    def __repr__(self) -> str:
        more = ", duplicate=True" if self.duplicate else ""
        return f"Receipt(topic={self.topic!r}, offset={self.offset}, survives={self.survives!r}{more})"
