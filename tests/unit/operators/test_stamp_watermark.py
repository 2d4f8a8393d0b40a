"""CURRENT_WATERMARK: each row has the watermark of the rows before it, however they are cut into batches."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from fluxcore.api.session import Session
from fluxcore.core.batch import Batch, Steps
from fluxcore.errors import ScriptError
from fluxcore.operators.stamp_watermark import StampWatermarkOperator

START = dt.datetime(2024, 1, 1)
SECONDS = [0, 5, 3, 9, 1, 12]
MET = [None, -2, 3, 3, 7, 7]  # the largest time before the row, less two seconds


def at(second: int | None, zone: dt.tzinfo | None = None) -> dt.datetime | None:
    return None if second is None else (START + dt.timedelta(seconds=second)).replace(tzinfo=zone)


@pytest.mark.parametrize("size", [1, 2, 4, 6])
@pytest.mark.parametrize("zone", [None, dt.UTC])
def test_rows_meet_the_watermark_of_those_before_them(size: int, zone: dt.tzinfo | None) -> None:
    session = Session({"parallelism.default": "2"})
    times = pa.array([at(second, zone) for second in SECONDS], pa.timestamp("ms", "UTC" if zone else None))
    table = pa.table({"id": range(len(SECONDS)), "ts": times})
    session.from_arrow(table.to_batches(max_chunksize=size), name="t", watermark=("ts", "2 s"))
    rows = session.sql("SELECT id, CURRENT_WATERMARK(ts) AS w FROM t").to_arrow().sort_by("id")
    assert rows["w"].to_pylist() == [at(second, zone) for second in MET]
    late = session.sql("SELECT id FROM t WHERE ts < CURRENT_WATERMARK(ts)").to_arrow()["id"].to_pylist()
    assert late == [4]
    both = session.sql("SELECT id, ts FROM t WHERE ts < CURRENT_WATERMARK(ts) OR CURRENT_WATERMARK(ts) IS NULL")
    assert both.schema.names == ["id", "ts"]
    assert sorted(both.to_arrow()["id"].to_pylist()) == [0, 4]


def test_the_time_stays_one_and_views_may_have_it() -> None:
    session = Session({"parallelism.default": "1"})
    table = pa.table({"id": range(len(SECONDS)), "ts": pa.array([at(each) for each in SECONDS], pa.timestamp("ms"))})
    session.from_arrow(table, name="t", watermark=("ts", "2 s"))
    session.execute(
        "CREATE VIEW v AS SELECT id, ts, CURRENT_WATERMARK(ts) AS w FROM t WHERE CURRENT_WATERMARK(ts) IS NOT NULL"
    )
    query = "SELECT COUNT(*) AS c, COUNT(w) AS w FROM TABLE(TUMBLE(TABLE v, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end"
    assert session.sql(query).to_arrow().to_pylist() == [{"c": 4, "w": 4}, {"c": 1, "w": 1}]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT CURRENT_WATERMARK(id) FROM t", "FX-SQL-0310"),
        ("SELECT CURRENT_WATERMARK() FROM t", "FX-SQL-0310"),
        ("SELECT CURRENT_WATERMARK(ts + INTERVAL '1' SECOND) FROM t", "FX-SQL-0403"),
        ("SELECT CURRENT_WATERMARK(x) FROM (SELECT MAX(ts) AS x FROM t)", "FX-SQL-0403"),
        ("SELECT t.id FROM t JOIN t AS u ON t.id = u.id AND t.ts > CURRENT_WATERMARK(u.ts)", "FX-SQL-0900"),
    ],
)
def test_what_is_refused(query: str, code: str) -> None:
    session = Session()
    table = pa.table({"id": [1], "ts": pa.array([START], pa.timestamp("ms"))})
    session.from_arrow(table, name="t", watermark=("ts", "2 s"))
    with pytest.raises(ScriptError) as caught:
        session.sql(query)
    assert caught.value.code == code
    assert caught.value.place is not None


def test_a_frozen_one_goes_on_with_its_watermark() -> None:
    output = pa.schema([("id", pa.int64()), ("w", pa.timestamp("us"))])
    rows = Batch(pa.RecordBatch.from_pydict({"id": [1, 2]}), None, Steps.at(1, 5_000))
    first, second = StampWatermarkOperator(output), StampWatermarkOperator(output)
    first.process(rows)
    first.advance(5_000)
    second.restore(first.freeze())
    (found,) = second.process(Batch(rows.data))
    assert found.column(1).to_pylist() == [dt.datetime(1970, 1, 1, 0, 0, 5)] * 2
