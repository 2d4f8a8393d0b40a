"""A log against a model of it: any sequence of appends, syncs, rolls, retention, compaction, reads, kills and crashes."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fluxcore.bus.log import Log, LogOptions, ReadOptions, Retention
from fluxcore.testing.disk import SimulatedDisk
from fluxcore.testing.log_oracle import SCHEMA, payload, rows

OPTIONS = LogOptions(
    row_schema=SCHEMA,
    key_column="n",
    segment_bytes=16 * 1024,
    frame_bytes=1500,
    retention=Retention(rows=60),
    idle_sync_us=10**9,
)


class LogMachine(RuleBasedStateMachine):
    """The model: what each offset holds, how far it is durable, and where the log starts."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = SimulatedDisk(seed=1)
        self.held: dict[int, int] = {}
        self.durable = 0
        self.number = 0
        self.log: Log | None = None

    @initialize()
    def begin(self) -> None:
        self.open()

    def open(self) -> Log:
        self.log = Log.open("log", OPTIONS, self.disk)
        return self.log

    @rule(count=st.integers(1, 30), acks=st.sampled_from(["memory", "os", "disk"]), single=st.booleans())
    def append(self, count: int, acks: str, single: bool) -> None:
        assert self.log is not None
        numbers = range(self.number, self.number + count)
        self.number += count
        if single:
            offsets = [self.log.append_row((n, payload(n)), acks).first_offset for n in numbers]
            assert offsets == list(range(offsets[0], offsets[0] + count))
            first = offsets[0]
        else:
            first = self.log.append(rows(numbers), acks).first_offset
        assert first == max(self.held, default=first - 1) + 1, "offsets follow each other"
        self.held |= dict(zip(range(first, first + count), numbers, strict=True))
        if acks == "disk":
            self.durable = first + count

    @rule()
    def sync(self) -> None:
        assert self.log is not None
        self.durable = self.log.sync()
        assert self.durable == max(self.held, default=-1) + 1

    @rule()
    def roll(self) -> None:
        assert self.log is not None
        self.log.roll()
        self.durable = max(self.held, default=-1) + 1

    @rule()
    def retain(self) -> None:
        assert self.log is not None
        start = self.log.retain()
        self.durable = max(self.held, default=-1) + 1
        kept = {offset: n for offset, n in self.held.items() if offset >= start}
        assert len(kept) >= min(60, len(self.held))
        self.held = kept or self.held

    @rule()
    def compact(self) -> None:
        assert self.log is not None
        self.durable = self.log.sync()
        done = self.log.compact()
        assert done.rows_after == done.rows_before, "every key is there once"

    @rule(start=st.integers(0, 200), length=st.integers(0, 100))
    def read(self, start: int, length: int) -> None:
        assert self.log is not None
        options = ReadOptions(start, start + length, earliest=True)
        found = {o: n for f in self.log.read(options=options) for o, n in pairs(f)}
        stop = min(start + length, self.log.durable_end)
        assert found == {o: n for o, n in self.held.items() if start <= o < stop and o >= self.log.start}

    @rule()
    def close_and_open(self) -> None:
        assert self.log is not None
        self.log.close()
        self.durable = max(self.held, default=-1) + 1
        self.open()

    @rule()
    def kill(self) -> None:
        """The process is gone: what the system took is there."""
        assert self.log is not None
        written = self.log.end
        left = self.disk.copy()
        self.log.close()
        self.disk = left
        self.held = {offset: n for offset, n in self.held.items() if offset < written}
        self.after_opening(written)

    @rule(seed=st.integers(0, 2**32))
    def crash(self, seed: int) -> None:
        """The power is gone: what was durable is there, and of the rest the first events, if any."""
        assert self.log is not None
        left = self.disk.crash(random.Random(seed))
        self.log.close()
        self.disk = left
        self.after_opening(self.durable)

    def after_opening(self, least: int) -> None:
        log = self.open()
        assert log.statistics().lost == ()
        assert log.end >= min(least, max(self.held, default=-1) + 1)
        self.held = {offset: n for offset, n in self.held.items() if log.start <= offset < log.end}
        self.durable = log.end
        assert log.end == max(self.held, default=log.end - 1) + 1

    @invariant()
    def what_is_durable_is_there(self) -> None:
        if self.log is None:
            return
        assert self.log.durable_end >= self.durable
        found = {o: n for f in self.log.read(options=ReadOptions(earliest=True)) for o, n in pairs(f)}
        start, end = self.log.start, self.log.durable_end
        assert found == {offset: n for offset, n in self.held.items() if start <= offset < end}

    def teardown(self) -> None:
        if self.log is not None:
            self.log.close()


def pairs(frame: object) -> list[tuple[int, int]]:
    numbers, data = (frame.batch.column(name).to_pylist() for name in ("n", "data"))  # type: ignore[attr-defined]
    assert data == [payload(n) for n in numbers]
    return list(zip(frame.offsets.tolist(), numbers, strict=True))  # type: ignore[attr-defined]


TestLog = LogMachine.TestCase
TestLog.settings = settings(
    max_examples=settings().max_examples,
    stateful_step_count=30,
    suppress_health_check=list(HealthCheck),
)
