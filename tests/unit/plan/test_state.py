"""EXPLAIN says what each node keeps, for how long, and how many tasks it gets."""

from __future__ import annotations

import pyarrow as pa
import pytest

import fluxcore as fx

ROWS = pa.table({"k": ["a"], "v": pa.array([1], pa.int64()), "ts": pa.array([0], pa.int64()).cast(pa.timestamp("ms"))})
SESSION = "TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '5' SECOND))"
NUMBERED = "SELECT k, v, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v) AS r FROM"
CASES = {
    "SELECT k, COUNT(*) FROM t GROUP BY k": "tasks=3 state=[a row per group, for ever]",
    "SELECT COUNT(*) FROM t": "tasks=1 state=[a row per group, for ever]",
    "SELECT a.v FROM t a JOIN t b ON a.k = b.k": "tasks=3 state=[all rows of both sides, for ever]",
    "SELECT a.v FROM t a JOIN t b ON a.k = b.k AND b.ts BETWEEN a.ts AND a.ts + INTERVAL '2' SECOND":
        "state=[left rows for 2000 ms, right rows for 0 ms of event time]",
    "SELECT a.v FROM t a JOIN t FOR SYSTEM_TIME AS OF a.ts AS b ON a.k = b.k": "state=[left rows that wait, versions by key]",
    f"SELECT k, COUNT(*) FROM {SESSION} GROUP BY k, window_start, window_end": "state=[a row per key and open session]",
    f"SELECT * FROM {SESSION}": "state=[rows of open sessions]",
    f"SELECT * FROM ({NUMBERED} t) WHERE r <= 1": "state=[the first row of each partition, for ever]",
    f"SELECT * FROM ({NUMBERED} (SELECT k, SUM(v) AS v FROM t GROUP BY k)) WHERE r <= 2":
        "state=[all rows of each partition, for ever]",
    "SELECT LAG(v) OVER (PARTITION BY k ORDER BY ts) FROM t": "state=[rows that wait, totals per partition]",
    "SELECT v FROM t ORDER BY v LIMIT 3": "tasks=1 state=[the first 3 rows]",
}  # fmt: skip


@pytest.mark.parametrize("query", CASES)
def test_what_is_kept(query):
    session = fx.Session({"parallelism.default": "3"})
    session.from_arrow(ROWS, name="t", watermark=("ts", "1 s"))
    assert CASES[query] in session.sql(query).explain()


def test_what_keeps_nothing_says_nothing():
    session = fx.Session()
    session.from_arrow(ROWS, name="t", watermark=("ts", "1 s"))
    assert "state=" not in session.sql("SELECT v + 1 FROM t WHERE v > 1").explain()
