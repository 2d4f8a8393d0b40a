"""Timers of keyed functions by the clock, beside a list of what is due, on a clock that the test drives."""

from __future__ import annotations

import datetime as dt
import threading

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fluxcore as fx
from fluxcore.connectors.collect import QueueSink
from fluxcore.core.batch import Batch
from fluxcore.core.ports import OperatorContext
from fluxcore.core.time import MAX_TIME_MS, ScriptedClock
from fluxcore.core.types import BIGINT, STRING
from fluxcore.operators.process.rows import ProcessOperator, ProcessOptions
from fluxcore.runtime.execute import EmbeddedTarget
from fluxcore.state.backend import MemoryStateBackend
from fluxcore.state.rescale import split

EPOCH = dt.datetime(1970, 1, 1)
SCHEMA = pa.schema([("k", pa.string()), ("v", pa.int64())])
OUTPUT = pa.schema([("k", pa.string()), ("n", pa.int64()), ("at", pa.timestamp("ms"))])
MOMENTS = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.lists(st.tuples(st.sampled_from([None, "a", "b", "c"]), st.integers(0, 9)), max_size=4),
    ),
    max_size=12,
)


def after(ms):
    return dt.timedelta(milliseconds=ms)


class Reminding(fx.ProcessFunction):
    """Reminds of a row ``v`` ms after it came, and once more 3 ms later; a row with 0 takes the key's last timer back."""

    seen = fx.value(pa.int64(), default=0)
    last = fx.value(pa.timestamp("ms"))

    def process(self, row):
        self.seen += 1
        if row["v"] == 0 and self.last is not None:
            self.delete_processing_timer(self.last)
        elif row["v"]:
            self.last = self.processing_time + after(row["v"])
            self.set_processing_timer(self.last)

    def on_processing_timer(self, time):
        yield {"k": self.key[0], "n": self.seen, "at": time}
        if self.seen % 2:
            self.seen += 1
            self.set_processing_timer(time + after(3))


def model(moments):
    """Go through the milliseconds one by one, and fire what is due at the next look at the clock."""
    seen, last, timers, out, now = {}, {}, [], [], 0

    def fire(until):
        for time, key in sorted((each for each in timers if each[0] <= until), key=lambda each: each[0]):
            timers.remove((time, key))
            out.append((key, seen[key], EPOCH + after(time)))
            if seen[key] % 2:
                seen[key] += 1
                if (time + 3, key) not in timers:
                    timers.append((time + 3, key))

    for passed, rows in moments:
        now += passed
        while any(time <= now for time, _ in timers):
            fire(now)
        for key, v in rows:
            seen[key] = seen.get(key, 0) + 1
            if v == 0 and key in last:
                timers[:] = [each for each in timers if each != (last[key], key)]
            elif v:
                last[key] = now + v
                if (now + v, key) not in timers:
                    timers.append((now + v, key))
    fire(10**9)
    return out


def opened(clock):
    operator = ProcessOperator(ProcessOptions(Reminding(), (STRING, BIGINT), (0,), OUTPUT))
    operator.open(OperatorContext("test", MemoryStateBackend(), clock, lambda _: None))
    return operator


@given(MOMENTS, st.integers(1, 4), st.integers(0, 12))
def test_timers_come_up_when_the_clock_reaches_them(kit, moments, size, freeze_at):
    clock, out = ScriptedClock(), []
    operator = opened(clock)
    for number, (passed, rows) in enumerate(moments):
        if number == freeze_at:
            (frozen,) = split([operator.freeze()], 1)
            operator = opened(clock)
            operator.restore(frozen)
        clock.advance(passed)
        while operator.next_tick is not None and operator.next_tick <= clock.now_ms():
            out += operator.tick(clock.now_ms())
        for start in range(0, len(rows), size):
            columns = [pa.array(each) for each in zip(*rows[start : start + size], strict=True)]
            out += operator.process(Batch(pa.RecordBatch.from_arrays(columns, schema=SCHEMA)))
    out += operator.advance(MAX_TIME_MS)
    out += operator.tick(MAX_TIME_MS)
    assert kit.rows_of(out) == model(moments)


class Quiet(fx.ProcessFunction):
    """Tells of keys without a row for a second."""

    until = fx.value(pa.timestamp("ms"))

    def process(self, row):
        if self.until is not None:
            self.delete_processing_timer(self.until)
        self.until = self.processing_time + dt.timedelta(seconds=1)
        self.set_processing_timer(self.until)

    def on_processing_timer(self, time):
        yield {"k": self.key[0], "n": 0, "at": time}
        self.clear()


@pytest.mark.parametrize("parallelism", ["1", "2", "3"])
def test_a_job_wakes_for_its_timers_though_no_rows_come(parallelism):
    clock, seen, jobs = ScriptedClock(), threading.Event(), []

    def handed_over():
        return sum(each.rows_in for job in jobs for each in job.metrics().operators if each.name.startswith("Process"))

    def batches():
        yield pa.RecordBatch.from_pydict({"k": ["a", "b", "c", "a"], "v": [1, 2, 3, 4]}, schema=SCHEMA)
        while handed_over() < 4:
            clock.settle()
        clock.advance(999, int(parallelism))  # when all tasks have done their work and wait
        clock.advance(1)
        assert seen.wait(30)
        yield pa.RecordBatch.from_pydict({"k": ["d"], "v": [5]}, schema=SCHEMA)

    session = fx.Session({"parallelism.default": parallelism})
    rows = session.from_arrow(pa.RecordBatchReader.from_batches(SCHEMA, batches()), name="t", endless=True)
    stream, sink = rows.process(Quiet(), by="k", schema=OUTPUT), QueueSink()
    job = EmbeddedTarget(clock).start([(stream.node, sink)], session.settings)
    jobs.append(job)
    found = []
    for batch in sink:
        found += [tuple(row.values()) for row in batch.data.to_pylist()]
        if len(found) == 3:
            seen.set()
    job.result()
    second = EPOCH + dt.timedelta(seconds=1)
    assert sorted(found[:3]) == [("a", 0, second), ("b", 0, second), ("c", 0, second)]
    assert found[3:] == [("d", 0, EPOCH + dt.timedelta(seconds=2))], "a timer that is open at the end is called"
