"""Ingestion time: the clock's time at the source, as the event time of all that follows."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

import fluxcore as fx
from fluxcore.connectors.collect import QueueSink
from fluxcore.core.time import ScriptedClock
from fluxcore.runtime.execute import EmbeddedTarget

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def run(clock, session, node):
    sink = QueueSink()
    job = EmbeddedTarget(clock).start([(node, sink)], session.settings)
    found = [tuple(row.values()) for batch in sink for row in batch.data.to_pylist()]
    job.result()
    return found


def live(clock, steps=(6_000, 6_000, -3_000, 12_000)):
    """Rows that come 6 s after the start, 6 s later, then at a clock that was set back, and later again."""
    for number, step in enumerate(steps):
        clock.advance(step)
        yield pa.RecordBatch.from_pydict({"v": [number, number]})


@pytest.mark.parametrize("parallelism", ["1", "2", "3"])
def test_rows_carry_the_time_at_which_they_came_in(parallelism):
    clock, session = ScriptedClock(), fx.Session({"parallelism.default": parallelism})
    reader = pa.RecordBatchReader.from_batches(pa.schema({"v": pa.int64()}), live(clock))
    stream = session.from_arrow(reader, watermark=fx.ingestion_time("at"))
    assert str(stream.schema.columns[-1].describe()) == "at TIMESTAMP_LTZ(3) NOT NULL *ROWTIME*"
    found = run(clock, session, stream.filter(fx.col("v") < 9).node)
    seconds = [(v, (at - EPOCH) // dt.timedelta(seconds=1)) for v, at in found]
    assert seconds == sorted(seconds), "it never falls"
    assert [v for v, _ in seconds] == [0, 0, 1, 1, 2, 2, 3, 3]
    if parallelism == "1":  # else the next batch may be taken, and the clock go on, before one is stamped
        assert seconds == [(0, 6), (0, 6), (1, 12), (1, 12), (2, 12), (2, 12), (3, 21), (3, 21)]


@pytest.mark.parametrize("parallelism", ["1", "2", "3"])
def test_windows_of_windows_go_by_the_same_time(parallelism):
    clock, session = ScriptedClock(), fx.Session({"parallelism.default": parallelism})
    reader = pa.RecordBatchReader.from_batches(pa.schema({"v": pa.int64()}), live(clock))
    small = session.from_arrow(reader, watermark=fx.ingestion_time()).window(fx.tumble("ingested", "5 s"))
    counted = small.group_by("v").agg(n=fx.count()).select("v", "n", at=fx.col("window_time"))
    large = counted.window(fx.tumble("at", "20 s")).group_by().agg(rows=fx.sum("n"), groups=fx.count())
    found = run(clock, session, large.select("rows", "groups").node)
    assert sum(rows for rows, _ in found) == 8, "nothing is late"
    if parallelism == "1":
        assert found == [(6, 3), (2, 1)]


DDL = """
CREATE TABLE t (v BIGINT, `at` AS CAST(PROCTIME() AS TIMESTAMP_LTZ(3)), WATERMARK FOR `at` AS {watermark})
WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'csv');
"""


def test_in_sql_it_is_a_computed_column(tmp_path):
    (tmp_path / "t.csv").write_text("1\n2\n3\n")
    session = fx.Session()
    session.execute(DDL.format(path=tmp_path / "t.csv", watermark="`at`"))
    query = """
    SELECT window_start, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(`at`), INTERVAL '1' HOUR))
    GROUP BY window_start, window_end
    """
    found = run(ScriptedClock(3_600_000 + 5), session, session.sql(query).node)
    assert found == [(dt.datetime(1970, 1, 1, 1), 3)]
    stamped = run(ScriptedClock(7), session, session.sql("SELECT v, `at` FROM t WHERE v > 1").node)
    assert stamped == [(v, EPOCH + dt.timedelta(milliseconds=7)) for v in (2, 3)]


def test_a_delay_makes_no_sense(tmp_path):
    (tmp_path / "t.csv").write_text("1\n")
    with pytest.raises(fx.ScriptError, match="never comes out of order") as error:
        fx.Session().execute(DDL.format(path=tmp_path / "t.csv", watermark="`at` - INTERVAL '5' SECOND"))
    assert error.value.code == "FX-SQL-0409"


def test_a_name_that_is_taken_is_refused():
    with pytest.raises(fx.ScriptError, match="already"):
        fx.Session().from_arrow(pa.table({"at": [1]}), watermark=fx.ingestion_time("at"))
