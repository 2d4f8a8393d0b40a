"""What can be chosen for topics and handlers."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from fluxcore.bus.batch_event import BatchEvent
from fluxcore.bus.errors import BusError
from fluxcore.bus.log.options import ACKS, COMPRESSIONS
from fluxcore.core.duration import duration_ms
from fluxcore.limits import (
    BUS_BATCH_EVENTS,
    BUS_KEPT_EVENTS,
    BUS_LAG_EVENTS_MAX,
    BUS_SEGMENT_BYTES,
    LOG_SEGMENT_BYTES_MIN,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from fluxcore.bus.event import Event
    from fluxcore.bus.subjects import Pattern
    from fluxcore.core.ports import Bound

    Duration = str | int | dt.timedelta

STARTS = ("new", "earliest")


def milliseconds(value: Duration, what: str) -> int:
    """Return a duration in milliseconds. Raises ``BusError`` FX-BUS-0103."""
    try:
        return duration_ms(value)
    except ValueError as error:
        raise BusError("FX-BUS-0103", f"{what}: {error}") from error


def check_acks(acks: str) -> None:
    """Raise ``BusError`` FX-BUS-0104 for an acknowledgement that does not exist."""
    if acks not in ACKS:
        raise BusError("FX-BUS-0104", f"acks is one of {', '.join(ACKS)}, not '{acks}'")


@dataclass(frozen=True, slots=True)
class TopicOptions:
    """A topic: the ``subjects`` that belong to it, and how its events are kept.

    ``keep`` events that all groups have passed stay for replay (in memory); ``max_lag``: a publisher waits while a group is so many
    events behind (in memory); ``when_full`` "wait", or "drop" the oldest for groups that are so far behind; ``priorities`` whether
    events of a higher priority overtake others; ``dedup_ms`` how long an id is remembered; ``versions`` whether a publisher may say
    what it expects the last event of a key to be.

    On the disk: ``acks`` what a receipt survives where ``publish`` says nothing, "memory", "os" or "disk"; ``schema`` the columns of
    payloads; ``compression`` "none", "lz4" or "zstd"; ``compact`` whether only the last event of each key need be kept;
    ``retain_ms``, ``retain_bytes``, ``retain_events`` how long events are kept, None for ever; ``segment_bytes`` of one file.
    """

    name: str
    subjects: tuple[Pattern, ...]
    keep: int = BUS_KEPT_EVENTS
    max_lag: int = BUS_LAG_EVENTS_MAX
    when_full: str = "wait"
    priorities: bool = False
    dedup_ms: int = 120_000
    versions: bool = False
    acks: str = "disk"
    schema: pa.Schema | None = None
    compression: str = "none"
    compact: bool = False
    retain_ms: int | None = None
    retain_bytes: int | None = None
    retain_events: int | None = None
    segment_bytes: int = BUS_SEGMENT_BYTES

    def __post_init__(self) -> None:
        check_acks(self.acks)
        if self.compression not in COMPRESSIONS:
            raise BusError("FX-BUS-0104", f"compression is one of {', '.join(COMPRESSIONS)}, not '{self.compression}'")
        if self.segment_bytes < LOG_SEGMENT_BYTES_MIN:
            raise BusError("FX-BUS-0104", f"segment_bytes is at least {LOG_SEGMENT_BYTES_MIN}")
        if any(each is not None and each < 0 for each in (self.keep, self.max_lag, self.dedup_ms, *self._retained())):
            raise BusError("FX-BUS-0104", "keep, max_lag, dedup and what is retained are not negative")
        if self.when_full not in ("wait", "drop"):
            raise BusError("FX-BUS-0104", f"when_full is 'wait' or 'drop', not '{self.when_full}'")

    def _retained(self) -> tuple[int | None, ...]:
        return self.retain_ms, self.retain_bytes, self.retain_events


@dataclass(frozen=True, slots=True)
class Retry:
    """How an event is delivered again whose handler failed: ``attempts`` in all, and pauses that grow by ``factor``.

    A pause is ``delay`` at first and ``max_delay`` at most, more or less by the share ``jitter``.
    """

    attempts: int = 5
    delay: Duration = "100 ms"
    max_delay: Duration = "30 s"
    factor: float = 2.0
    jitter: float = 0.1

    def pause_s(self, attempt: int) -> float:
        """Return the pause behind a failed attempt (1 for the first), in seconds."""
        longest = milliseconds(self.max_delay, "max_delay")
        try:
            pause = min(milliseconds(self.delay, "delay") * self.factor ** (attempt - 1), longest)
        except OverflowError:
            pause = longest
        return float(pause * random.uniform(1 - self.jitter, 1 + self.jitter)) / 1000  # noqa: S311  (no secret)


@dataclass(frozen=True, slots=True)
class HandlerOptions:
    """How a group gets its events.

    ``group`` None: the handler has them all, for as long as the program runs; handlers of one group share them. ``start`` where a
    new group begins: "new", "earliest", or an offset. ``max_in_flight`` events at once; those of one key stay in order and one at
    a time where ``ordered``. ``timeout_ms`` after which a call has failed. ``batch`` and ``linger_ms``: how many events a handler of
    lists or batches gets at most, and how long it waits for them; None: 256 single events, and Arrow batches as they were published. ``inline``: a plain function runs on the event loop, not on a thread.
    """

    group: str | None = None
    start: str | int = "new"
    max_in_flight: int = 1
    ordered: bool = True
    retry: Retry = field(default_factory=Retry)
    timeout_ms: int | None = None
    batch: int | None = None
    linger_ms: int = 0
    inline: bool = False

    def __post_init__(self) -> None:
        if self.max_in_flight < 1 or self.events < 1 or self.retry.attempts < 1:
            raise BusError("FX-BUS-0104", "max_in_flight, batch and the attempts of retry are at least 1")
        if self.group is not None and not self.group:
            raise BusError("FX-BUS-0104", "a group has a name", hint="leave it out: the handler then has all events")
        if isinstance(self.start, str) and self.start not in STARTS:
            raise BusError("FX-BUS-0104", f"start is 'new', 'earliest' or an offset, not '{self.start}'")

    @property
    def events(self) -> int:
        """How many single events a call gets at most."""
        return BUS_BATCH_EVENTS if self.batch is None else self.batch


class Condition(Protocol):
    """A condition on payloads. Where it can't be told for one, there is the reason instead of an answer."""

    def __call__(self, events: Sequence[Event]) -> Sequence[bool | Exception]:
        """Return for each event whether it holds."""

    def bounds(self, schema: pa.Schema) -> tuple[Bound, ...]:
        """Return simple comparisons, all of which a row of a schema meets where the condition holds."""

    def rows(self, batch: pa.RecordBatch) -> tuple[NDArray[np.bool_], list[tuple[int, int, Exception]]]:
        """Return for each row whether it holds, and for which ranges of rows (start, stop) that can't be told, and why."""


@dataclass(frozen=True, slots=True)
class Span:
    """What is read of a topic: offsets from ``start`` up to, not including, ``stop``.

    ``bounds`` gives comparisons for a schema: where no row of a frame can meet them all, its rows may be left out.
    """

    start: int
    stop: int
    bounds: Callable[[pa.Schema], tuple[Bound, ...]]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events of a topic a group or a reader wants: subjects, and a condition on their payloads."""

    patterns: tuple[Pattern, ...]
    condition: Condition | None = None

    def wants(self, subject: str) -> bool:
        """Return whether the subject is one of those."""
        return any(pattern.matches(subject) for pattern in self.patterns)

    def bounds(self, schema: pa.Schema) -> tuple[Bound, ...]:
        """Return simple comparisons, all of which a row meets that is wanted."""
        return () if self.condition is None else self.condition.bounds(schema)

    def held(self, events: Sequence[Event]) -> tuple[list[Event], list[tuple[Event, Exception]]]:
        """Return the events, and the parts of batches, for which the condition holds, and those for which it can't be told, and why."""
        if self.condition is None:
            return list(events), []
        kept: list[Event] = []
        unknown: list[tuple[Event, Exception]] = []
        single: list[Event] = []
        for event in (*events, None):
            if event is not None and not isinstance(event, BatchEvent):
                single.append(event)
                continue
            if single:
                for each, verdict in zip(single, self.condition(single), strict=True):
                    if verdict is True:
                        kept.append(each)
                    elif isinstance(verdict, Exception):
                        unknown.append((each, verdict))
                single = []
            if event is not None:
                mask, failed = self.condition.rows(event.data)
                unknown += [(event.slice(start, stop), error) for start, stop, error in failed]
                if mask.any():
                    kept.append(event if mask.all() else event.select(mask))
        return kept, unknown
