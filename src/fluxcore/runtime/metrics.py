"""What a job tells about itself while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from fluxcore.core.time import MIN_TIME_MS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fluxcore.core.batch import Batch
    from fluxcore.core.partial import Partial

_MEASURED_FIRST = 4
_MEASURED_EACH = 16


class Meter:
    """Counts the bytes of batches: some are measured, and those between are taken to have rows as wide.

    Measuring costs as much as a small batch's work; so all batches are counted and every sixteenth is measured.
    """

    __slots__ = ("_seen", "_width", "total")

    def __init__(self) -> None:
        self.total = 0
        self._seen = 0
        self._width = 0.0

    def add(self, batch: Batch | Partial) -> None:
        """Count a batch."""
        rows = batch.rows
        if not rows:
            return
        if self._seen < _MEASURED_FIRST or self._seen % _MEASURED_EACH == 0:
            nbytes = batch.nbytes
            self._width = nbytes / rows
            self.total += nbytes
        else:
            self.total += int(rows * self._width)
        self._seen += 1


class Queue(Protocol):
    """What metrics ask of the queue in front of a task."""

    def statistics(self) -> Mapping[str, float]:
        """Return rows, bytes, the share of its bounds that is used, and seconds that its reader waited."""
        ...


@dataclass(slots=True)
class NodeMetrics:
    """Counters of one running instance of an operator; written by one thread at a time.

    Rows and batches are counted, bytes are measured now and then. Seconds: ``busy_s`` inside the operator, ``idle_s``
    without anything to do, ``backpressured_s`` while what follows did not take its rows. ``watermark_ms`` is the combined
    watermark; ``state_rows`` and ``state_bytes`` are what the operator keeps; ``queue`` stands in front of it.
    """

    name: str
    rows_in: int = 0
    rows_out: int = 0
    batches_in: int = 0
    busy_s: float = 0.0
    idle_s: float = 0.0
    backpressured_s: float = 0.0
    watermark_ms: int = MIN_TIME_MS
    state_rows: int = 0
    state_bytes: int = 0
    counters: dict[str, int] = field(default_factory=dict)
    bytes_in: Meter = field(default_factory=Meter)
    bytes_out: Meter = field(default_factory=Meter)
    queue: Queue | None = None

    def take(self, batch: Batch | Partial) -> None:
        """Count rows that come in."""
        self.batches_in += 1
        self.rows_in += batch.rows
        self.bytes_in.add(batch)

    def give(self, batch: Batch) -> None:
        """Count rows that go out."""
        self.rows_out += batch.rows
        self.bytes_out.add(batch)


@dataclass(frozen=True, slots=True)
class OperatorMetrics:
    """The counters of all instances of one operator together; the watermark is their minimum, None before the first.

    Seconds are sums over its threads; ``queue_fill`` is the fullest queue's share of its bounds (1 is full, and more where
    the last batch was large); ``queue_peak_bytes`` the most bytes that ever waited in one queue.
    """

    name: str
    parallelism: int
    rows_in: int
    rows_out: int
    batches_in: int
    bytes_in: int
    bytes_out: int
    busy_s: float
    idle_s: float
    backpressured_s: float
    queue_rows: int
    queue_bytes: int
    queue_fill: float
    queue_peak_bytes: int
    watermark_ms: int | None
    late_rows: int
    late_drops: int
    state_rows: int
    state_bytes: int
    counters: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class JobMetrics:
    """A snapshot of a job: seconds since its start, rows read by its sources, and each operator in plan order."""

    elapsed_s: float
    source_rows: int
    source_bytes: int
    skipped_rows: int
    dead_letter_rows: int
    operators: tuple[OperatorMetrics, ...]

    @property
    def late_rows(self) -> int:
        """Return the rows that came too late for at least one window, over all operators."""
        return sum(each.late_rows for each in self.operators)

    @property
    def state_bytes(self) -> int:
        """Return the bytes of state of all operators."""
        return sum(each.state_bytes for each in self.operators)


def combine(instances: list[NodeMetrics]) -> OperatorMetrics:
    """Return the metrics of one operator from those of its instances."""
    counters: dict[str, int] = {}
    for each in instances:
        for name, amount in list(each.counters.items()):
            counters[name] = counters.get(name, 0) + amount
    watermark = min(each.watermark_ms for each in instances)
    queues = [each.queue.statistics() for each in instances if each.queue is not None]
    return OperatorMetrics(
        name=instances[0].name,
        parallelism=len(instances),
        rows_in=sum(each.rows_in for each in instances),
        rows_out=sum(each.rows_out for each in instances),
        batches_in=sum(each.batches_in for each in instances),
        bytes_in=sum(each.bytes_in.total for each in instances),
        bytes_out=sum(each.bytes_out.total for each in instances),
        busy_s=sum(each.busy_s for each in instances),
        idle_s=sum(each.idle_s for each in instances) + sum(each["idle_s"] for each in queues),
        backpressured_s=sum(each.backpressured_s for each in instances),
        queue_rows=int(sum(each["rows"] for each in queues)),
        queue_bytes=int(sum(each["bytes"] for each in queues)),
        queue_fill=max((each["fill"] for each in queues), default=0.0),
        queue_peak_bytes=int(max((each["peak_bytes"] for each in queues), default=0)),
        watermark_ms=None if watermark == MIN_TIME_MS else watermark,
        late_rows=counters.get("late_rows", 0),
        late_drops=counters.get("late_drops", 0),
        state_rows=sum(each.state_rows for each in instances),
        state_bytes=sum(each.state_bytes for each in instances),
        counters=counters,
    )
