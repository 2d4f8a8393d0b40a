"""What a job tells about itself while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fluxcore.core.time import MIN_TIME_MS

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class NodeMetrics:
    """Counters of one running instance of an operator; written by one thread at a time.

    Rows and batches are counted; ``busy_s`` is wall time inside the operator in seconds; ``watermark_ms`` is the combined
    watermark; ``state_rows`` and ``state_bytes`` are what the operator keeps.
    """

    name: str
    rows_in: int = 0
    rows_out: int = 0
    batches_in: int = 0
    busy_s: float = 0.0
    watermark_ms: int = MIN_TIME_MS
    state_rows: int = 0
    state_bytes: int = 0
    counters: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OperatorMetrics:
    """The counters of all instances of one operator together; the watermark is their minimum, None before the first."""

    name: str
    parallelism: int
    rows_in: int
    rows_out: int
    batches_in: int
    busy_s: float
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
    return OperatorMetrics(
        name=instances[0].name,
        parallelism=len(instances),
        rows_in=sum(each.rows_in for each in instances),
        rows_out=sum(each.rows_out for each in instances),
        batches_in=sum(each.batches_in for each in instances),
        busy_s=sum(each.busy_s for each in instances),
        watermark_ms=None if watermark == MIN_TIME_MS else watermark,
        late_rows=counters.get("late_rows", 0),
        late_drops=counters.get("late_drops", 0),
        state_rows=sum(each.state_rows for each in instances),
        state_bytes=sum(each.state_bytes for each in instances),
        counters=counters,
    )
