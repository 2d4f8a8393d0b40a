"""Processing time on a clock that the test drives."""

from __future__ import annotations

import threading
import time

import numpy as np
import pyarrow as pa
import pytest

from fluxcore.api.session import Session
from fluxcore.connectors.collect import QueueSink
from fluxcore.core.batch import Batch
from fluxcore.core.control import End
from fluxcore.core.ports import Operator, OperatorContext
from fluxcore.core.time import MAX_TIME_MS, ScriptedClock
from fluxcore.runtime.clock import ClockNode
from fluxcore.runtime.execute import EmbeddedTarget
from fluxcore.runtime.metrics import NodeMetrics
from fluxcore.runtime.nodes import OperatorNode, Receiver, SinkNode
from fluxcore.runtime.scans import source_of
from fluxcore.runtime.source_stage import SourceStage
from fluxcore.runtime.task import Task
from fluxcore.state.backend import MemoryStateBackend


class Seen(Receiver):
    def __init__(self):
        self.what = []

    def connect(self, port=0):
        return 0

    def push(self, source, batch):
        times = np.asarray(batch.column(1).view(pa.int64())) // 1000
        self.what.append((batch.column(0).to_pylist(), times.tolist(), batch.steps.last))

    def watermark(self, source, ms):
        self.what.append(ms)

    def end(self, source):
        self.what.append("end")


class Kept(QueueSink):
    def drained(self):
        """Return what was written since the last time."""
        with self._changed:
            found = list(self._queue)
            self._queue.clear()
            return found


def test_rows_are_stamped_and_time_never_falls():
    schema = pa.schema([("v", pa.int64()), ("at", pa.timestamp("us", "UTC"))])
    clock, seen = ScriptedClock(1000), Seen()
    node = ClockNode(1, schema, clock, NodeMetrics("clock"))
    node.out.add(seen)

    def rows(*values):
        return Batch(
            pa.RecordBatch.from_arrays(
                [pa.array(values), pa.array([0] * len(values), schema.field(1).type)], schema=schema
            )
        )

    node.push(0, rows(1, 2))
    clock.advance(-10)
    node.push(0, rows(3))
    node.watermark(0, 5)  # an event time means nothing here
    node.tick(clock.now_ms())
    assert node.next_tick() == 1010
    node.tick(1500)
    node.watermark(0, MAX_TIME_MS)
    node.end(0)
    assert seen.what == [([1, 2], [1000, 1000], 999), ([3], [1000], 999), 1499, MAX_TIME_MS, "end"]


QUERY = """
SELECT k, COUNT(*) AS n, TUMBLE_START(`at`, INTERVAL '10' SECOND) AS s
FROM (SELECT *, PROCTIME() AS `at` FROM t) GROUP BY k, TUMBLE(`at`, INTERVAL '10' SECOND)
"""


def start(clock, query, batches, parallelism="1"):
    """Start a query over batches as they come; return its sink and the job."""
    session = Session({"parallelism.default": parallelism})
    reader = pa.RecordBatchReader.from_batches(pa.schema({"k": pa.string(), "v": pa.int64()}), batches)
    session.from_arrow(reader, name="t")
    sink = QueueSink()
    job = EmbeddedTarget(clock).start([(session.sql(query).node, sink)], session.settings)
    return session, sink, job


def rows(*keys):
    return pa.RecordBatch.from_pydict({"k": list(keys), "v": list(range(len(keys)))})


def taken(batches):
    return [tuple(row.values()) for batch in batches for row in batch.data.to_pylist()]


def test_windows_follow_the_clock():
    clock = ScriptedClock()

    def batches():
        for keys in (("a", "a"), ("a",), ("b", "b", "b"), ("a",)):
            clock.advance(6_000)
            yield rows(*keys)

    _session, sink, job = start(clock, QUERY, batches())
    found = taken(sink)
    job.result()
    assert [(k, n, s.second) for k, n, s in found] == [("a", 2, 0), ("a", 1, 10), ("b", 3, 10), ("a", 1, 20)]


@pytest.mark.parametrize("parallelism", ["1", "2", "3"])
def test_windows_fire_though_no_rows_come(parallelism):
    """The reader gives its last batch only when the window's rows have been seen."""
    clock, seen, jobs = ScriptedClock(1_000), threading.Event(), []

    def stamped():
        return sum(each.rows_in for job in jobs for each in job.metrics().operators if each.name == "StampTime")

    def batches():
        yield rows("a", "b", "a", "c")
        while stamped() < 4:
            time.sleep(0)
        clock.advance(9_000)
        assert seen.wait(30)
        yield rows("a")

    _session, sink, job = start(clock, QUERY, batches(), parallelism)
    jobs.append(job)
    found = []
    for batch in sink:
        found += taken([batch])
        if len(found) == 3:
            seen.set()
    job.result()
    assert sorted((k, n, s.second) for k, n, s in found[:3]) == [("a", 2, 0), ("b", 1, 0), ("c", 1, 0)]
    assert [(k, n, s.second) for k, n, s in found[3:]] == [("a", 1, 10)]


class Later(Operator):
    """Gives each row back 100 ms after it came."""

    def __init__(self):
        self.held = []

    def process(self, batch, port=0):
        self.held.append((self.context.clock.now_ms() + 100, batch))
        return ()

    @property
    def next_tick(self):
        return self.held[0][0] if self.held else None

    def tick(self, now):
        due = [batch for at, batch in self.held if at <= now]
        self.held = self.held[len(due) :]
        return due


def held_back(clock, sink, *, tasks):
    """Return an operator node, where it writes to, and the task in front of it if it has one."""
    metrics = NodeMetrics("later")
    node = OperatorNode(Later(), OperatorContext("later", MemoryStateBackend(), clock, lambda _: None), metrics)
    node.open()
    node.out.add(sink)
    return Task("later", node, clock) if tasks else node


def numbers(values):
    return Batch(pa.RecordBatch.from_pydict({"v": values}))


def test_a_task_wakes_when_an_operator_wants_it():
    clock, sink = ScriptedClock(5), Kept()
    task = held_back(clock, SinkNode("sink", sink, NodeMetrics("sink")), tasks=True)
    source = task.add_input(0)
    worker = threading.Thread(target=task.run)
    worker.start()
    task.inbox.put(source, numbers([1]))
    clock.settle(1)
    clock.advance(50)
    task.inbox.put(source, numbers([2]))
    clock.settle(1)
    clock.advance(49)
    assert sink.drained() == []
    clock.advance(1)
    assert taken(sink.drained()) == [(1,)]
    clock.advance(10_000)
    assert taken(sink.drained()) == [(2,)]
    task.inbox.put(source, numbers([3]))
    task.inbox.put(source, End())
    worker.join()
    assert taken(sink.drained()) == [(3,)], "what is held at the end is given"


def test_an_operator_behind_a_source_wakes_although_its_reader_waits():
    clock, seen = ScriptedClock(), threading.Event()

    def batches():
        yield pa.RecordBatch.from_pydict({"v": [1, 2]})
        clock.advance(100)
        assert seen.wait(30)
        yield pa.RecordBatch.from_pydict({"v": [3]})

    session = Session()
    reader = pa.RecordBatchReader.from_batches(pa.schema({"v": pa.int64()}), batches())
    node = session.from_arrow(reader, name="t").node
    stage = SourceStage("t", source_of(node, session.settings), 1, NodeMetrics("t"), clock)
    sink = Kept()
    stage.out.add(held_back(clock, SinkNode("sink", sink, NodeMetrics("sink")), tasks=False))
    threads = [threading.Thread(target=work) for work in stage.start()]
    for thread in threads:
        thread.start()
    assert taken([next(iter(sink))]) == [(1,), (2,)]
    seen.set()
    for thread in threads:
        thread.join()
    assert taken(sink.drained()) == [(3,)]


def test_rows_of_one_moment_are_no_peers():
    session = Session({"parallelism.default": "1"})
    session.from_arrow(pa.table({"v": [1, 2, 3]}), name="t")
    query = "SELECT v, SUM(v) OVER (ORDER BY `at`) AS s FROM (SELECT *, PROCTIME() AS `at` FROM t)"
    assert session.sql(query).to_arrow()["s"].to_pylist() == [1, 3, 6]


def test_the_last_row_of_each_key_by_processing_time():
    session = Session({"parallelism.default": "1"})
    session.from_arrow(pa.table({"k": ["a", "b", "a"], "v": [1, 2, 3]}), name="t")
    query = """
    SELECT k, v FROM (
      SELECT k, v, ROW_NUMBER() OVER (PARTITION BY k ORDER BY `at` DESC) AS r FROM (SELECT *, PROCTIME() AS `at` FROM t)
    ) WHERE r = 1
    """
    assert sorted(map(tuple, (row.values() for row in session.sql(query).to_arrow().to_pylist()))) == [
        ("a", 3),
        ("b", 2),
    ]
