"""First the files, then what comes: a bounded history holds the watermark of a union until it has ended."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from fluxcore.api.session import Session

START = dt.datetime(2024, 5, 1)
WINDOWS = """
  SELECT window_start, COUNT(*) AS n
  FROM TABLE(TUMBLE(TABLE everything, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end
"""


def rows(first: int, count: int) -> pa.Table:
    times = [START + dt.timedelta(seconds=second) for second in range(first, first + count)]
    return pa.table({"ts": pa.array(times, pa.timestamp("us"))})


@pytest.mark.parametrize("parallelism", ["1", "2"])
def test_no_row_of_the_history_is_late_for_the_live_rows(parallelism):
    history, live = rows(0, 6_000), rows(6_000, 600)
    for _ in range(10):  # which source is quicker is chance
        session = Session({"parallelism.default": parallelism})
        session.from_arrow(history.to_batches(max_chunksize=100), name="history", watermark=("ts", "1 s"))
        reader = pa.RecordBatchReader.from_batches(live.schema, live.to_batches())
        session.from_arrow(reader, name="live", watermark=("ts", "1 s"))
        session.execute("CREATE VIEW everything AS SELECT * FROM history UNION ALL SELECT * FROM live")
        found = session.sql(WINDOWS).to_arrow()
        assert found["n"].to_pylist() == [60] * 110


def test_windows_fire_by_the_live_watermark_once_the_history_has_ended():
    def live():
        schema = rows(0, 1).schema
        for first in range(120, 100_000, 60):
            yield from rows(first, 60).cast(schema).to_batches()

    session = Session({"parallelism.default": "1"})
    session.from_arrow(rows(0, 120), name="history", watermark=("ts", "1 s"))
    reader = pa.RecordBatchReader.from_batches(rows(0, 1).schema, live())
    session.from_arrow(reader, name="live", watermark=("ts", "1 s"), endless=True)
    session.execute("CREATE VIEW everything AS SELECT * FROM history UNION ALL SELECT * FROM live")
    seen = []
    for batch in session.sql(WINDOWS).batches():
        seen += batch.column("n").to_pylist()
        if len(seen) > 5:
            break
    assert seen[:5] == [60] * 5
