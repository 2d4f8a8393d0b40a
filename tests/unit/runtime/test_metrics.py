"""What operators say about themselves; and a slow sink slows the source down, with memory flat."""

from __future__ import annotations

import threading
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest

import fluxcore as fx
from fluxcore.core.batch import Batch
from fluxcore.core.ports import ChangeMode, Sink
from fluxcore.runtime import inbox
from fluxcore.runtime.execute import EmbeddedTarget
from fluxcore.runtime.inbox import Inbox
from fluxcore.runtime.metrics import Meter
from fluxcore.runtime.metrics_text import metrics_lines
from fluxcore.runtime.waits import WAITS

ROWS, BATCHES, QUEUE_BYTES = 1_000, 400, 64_000
SCHEMA = pa.schema([("k", pa.int64()), ("v", pa.int64())])
QUERY = "SELECT k, COUNT(*) AS n, SUM(v) AS total FROM t GROUP BY k"


class Held(Sink):
    """Writes nothing before it is released, and counts rows."""

    modes: ClassVar[frozenset[ChangeMode]] = frozenset(ChangeMode)

    def __init__(self) -> None:
        self.release = threading.Event()
        self.rows = 0

    def write(self, batch: Batch) -> None:
        self.release.wait()
        self.rows += batch.rows

    def commit(self) -> None:
        pass


def batches(taken: list[int]):
    for number in range(BATCHES):
        taken.append(number)
        keys = np.arange(ROWS) + number * ROWS
        yield pa.RecordBatch.from_arrays([pa.array(keys), pa.array(keys % 7)], schema=SCHEMA)


@pytest.mark.parametrize("parallelism", ["1", "2", "3"])
def test_a_slow_sink_holds_the_source_back(monkeypatch, parallelism):
    monkeypatch.setattr(inbox, "CHANNEL_BYTES_MAX", QUEUE_BYTES)
    session, sink, taken = fx.Session({"parallelism.default": parallelism}), Held(), []
    session.from_arrow(pa.RecordBatchReader.from_batches(SCHEMA, batches(taken)), name="t")
    joined = f"SELECT a.k, a.v FROM t AS a JOIN ({QUERY}) AS b ON a.k = b.k"
    query = joined if parallelism == "1" else QUERY  # a single task would be the source's own thread
    job = EmbeddedTarget().start([(session.sql(query).node, sink)], session.settings, changelog=True)
    poll = threading.Event()
    while not any(each.queue_fill >= 1 for each in job.metrics().operators):
        assert not job.wait(0), "the job must wait for its sink"
        poll.wait(0.001)
    for _ in range(20):
        poll.wait(0.005)
        found = job.metrics()
    widest = ROWS * 16 * 4
    queues = [each for each in found.operators if each.queue_peak_bytes]
    assert len(taken) < BATCHES // 4, "the source goes no further than the queues hold"
    assert all(each.queue_bytes <= (QUEUE_BYTES + widest) * each.parallelism for each in queues)
    sink.release.set()
    job.result()
    found = job.metrics()
    source, result = found.operators[0], found.operators[-1]
    assert source.rows_out == ROWS * BATCHES
    assert source.bytes_out == 16 * ROWS * BATCHES > 50 * QUEUE_BYTES
    assert max(each.queue_peak_bytes for each in found.operators) <= QUEUE_BYTES + widest
    assert result.rows_in == sink.rows
    assert result.busy_s > 0
    before_sink = found.operators[-2]
    assert before_sink.backpressured_s > 0
    assert source.backpressured_s > 0
    assert all(each.queue_bytes == 0 for each in found.operators)


def test_rows_bytes_and_state_of_each_operator():
    session = fx.Session({"parallelism.default": "2"})
    session.from_arrow(pa.RecordBatchReader.from_batches(SCHEMA, batches([])), name="t")
    sink = Held()
    sink.release.set()
    job = EmbeddedTarget().start([(session.sql(QUERY).node, sink)], session.settings)
    job.result()
    found = {each.name.split("(")[0]: each for each in job.metrics().operators}
    total = ROWS * BATCHES
    group = found["Aggregate"]
    assert (group.parallelism, group.rows_in, group.rows_out) == (2, total, total)
    assert abs(group.bytes_in - 16 * total) < total
    assert group.bytes_out == 24 * total
    assert (group.state_rows, found["Result"].rows_in) == (total, total)
    assert group.state_bytes >= 24 * total
    assert group.busy_s > 0
    lines = metrics_lines(job.metrics())
    assert lines[0].startswith(f"{total:,} rows read")
    assert len(lines) == 2 + len(job.metrics().operators)


def test_bytes_between_measured_batches_are_estimated():
    class Counted(Batch):
        measured: ClassVar[list[int]] = []

        @property
        def nbytes(self):
            self.measured.append(self.rows)
            return super().nbytes

    meter, keys = Meter(), pa.array(range(100), pa.int64())
    for number in range(100):
        meter.add(Counted(pa.RecordBatch.from_arrays([keys.slice(0, number)], ["k"])))
    assert len(Counted.measured) < 12, "measuring all would cost too much"
    assert meter.total == 8 * sum(range(100))


def test_writers_and_readers_say_how_long_they_waited():
    queue = Inbox(rows=1)
    batch = Batch(pa.RecordBatch.from_arrays([pa.array([1, 2])], ["k"]))
    waited = []

    def write():
        for _ in range(2):
            queue.put(0, batch)
        waited.append(WAITS.seconds)

    writer = threading.Thread(target=write)
    writer.start()
    while not queue.statistics()["blocked"]:
        threading.Event().wait(0.001)
    assert queue.statistics()["fill"] == 2.0
    queue.get()
    writer.join()
    queue.get()
    assert waited[0] == queue.statistics()["blocked_s"] > 0
    assert queue.statistics()["peak_bytes"] == batch.nbytes
    reader = threading.Thread(target=queue.get)
    reader.start()
    while not queue.statistics()["idle_s"]:
        threading.Event().wait(0.001)
    queue.put(0, batch)
    reader.join()
