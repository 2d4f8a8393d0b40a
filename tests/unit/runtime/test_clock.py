"""Processing time on a clock that the test drives."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from fluxcore.api.session import Session
from fluxcore.connectors.collect import CollectSink
from fluxcore.core.batch import Batch
from fluxcore.core.time import MAX_TIME_MS
from fluxcore.runtime.clock import ClockNode
from fluxcore.runtime.execute import EmbeddedTarget
from fluxcore.runtime.metrics import NodeMetrics
from fluxcore.runtime.nodes import Receiver


class Hand:
    """A clock whose time is what it was told last, or goes on by ``step`` at each look."""

    def __init__(self, now, step=0):
        self.now, self.step = now, step

    def now_ms(self):
        self.now += self.step
        return self.now

    def monotonic_s(self):
        return self.now / 1000


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


def test_rows_are_stamped_and_time_never_falls():
    schema = pa.schema([("v", pa.int64()), ("at", pa.timestamp("us", "UTC"))])
    clock, seen = Hand(1000), Seen()
    node = ClockNode(1, schema, clock, NodeMetrics("clock"))
    node.out.add(seen)

    def rows(*values):
        return Batch(
            pa.RecordBatch.from_arrays(
                [pa.array(values), pa.array([0] * len(values), schema.field(1).type)], schema=schema
            )
        )

    node.push(0, rows(1, 2))
    clock.now = 990
    node.push(0, rows(3))
    node.watermark(0, 5)  # an event time means nothing here
    node.tick(0)
    clock.now = 1500
    node.tick(0)
    node.watermark(0, MAX_TIME_MS)
    node.end(0)
    assert seen.what == [([1, 2], [1000, 1000], 999), ([3], [1000], 999), 1499, MAX_TIME_MS, "end"]


QUERY = """
SELECT k, COUNT(*) AS n, TUMBLE_START(at, INTERVAL '10' SECOND) AS s
FROM (SELECT *, PROCTIME() AS at FROM t) GROUP BY k, TUMBLE(at, INTERVAL '10' SECOND)
"""


def test_windows_follow_the_clock():
    session = Session({"parallelism.default": "1"})
    # each batch is stamped 6 s after the one before: 6, 12, 18, 24 s
    batches = [pa.RecordBatch.from_pydict({"k": [k] * n}) for k, n in (("a", 2), ("a", 1), ("b", 3), ("a", 1))]
    session.from_arrow(batches, name="t")
    target, sink = EmbeddedTarget(Hand(0, 6_000)), CollectSink()
    target.start([(session.sql(QUERY).node, sink)], session.settings).result()
    rows = [tuple(row.values()) for batch in sink.batches for row in batch.data.to_pylist()]
    assert [(k, n, s.second) for k, n, s in rows] == [("a", 2, 0), ("a", 1, 10), ("b", 3, 10), ("a", 1, 20)]


def test_rows_of_one_moment_are_no_peers():
    session = Session({"parallelism.default": "1"})
    session.from_arrow(pa.table({"v": [1, 2, 3]}), name="t")
    query = "SELECT v, SUM(v) OVER (ORDER BY at) AS s FROM (SELECT *, PROCTIME() AS at FROM t)"
    assert session.sql(query).to_arrow()["s"].to_pylist() == [1, 3, 6]


def test_the_last_row_of_each_key_by_processing_time():
    session = Session({"parallelism.default": "1"})
    session.from_arrow(pa.table({"k": ["a", "b", "a"], "v": [1, 2, 3]}), name="t")
    query = """
    SELECT k, v FROM (
      SELECT k, v, ROW_NUMBER() OVER (PARTITION BY k ORDER BY at DESC) AS r FROM (SELECT *, PROCTIME() AS at FROM t)
    ) WHERE r = 1
    """
    assert sorted(map(tuple, (row.values() for row in session.sql(query).to_arrow().to_pylist()))) == [
        ("a", 3),
        ("b", 2),
    ]
