"""ORDER BY where the input never ends."""

from __future__ import annotations

import pyarrow as pa
import pytest

import fluxcore as fx

ROWS = pa.table(
    {
        "ts": pa.array([3_000, 1_000, 2_000, 9_000, 7_000, 8_000], pa.int64()).cast(pa.timestamp("ms")),
        "v": pa.array([1, 2, 3, 4, 5, 6], pa.int64()),
    }
)


def stream():
    """Return a session whose table says that it never ends, and ends all the same."""
    session = fx.Session({"parallelism.default": "1"})
    reader = pa.RecordBatchReader.from_batches(ROWS.schema, iter(ROWS.to_batches(max_chunksize=2)))
    session.from_arrow(reader, name="t", watermark=("ts", "3 s"), endless=True)
    return session


def test_by_time_rows_come_as_the_watermark_passes_them():
    batches = [b.column(0).to_pylist() for b in stream().sql("SELECT v FROM t ORDER BY ts").batches() if b.num_rows]
    assert [v for batch in batches for v in batch] == [2, 3, 1, 5, 6, 4]
    assert len(batches) > 1


def test_with_a_limit_it_is_a_ranking_that_changes():
    changes = stream().sql("SELECT v FROM t ORDER BY v DESC LIMIT 2").batches(changelog=True)
    table = []
    for batch in changes:
        for row in batch.to_pylist():
            (table.append if row["op"] in ("+I", "+U") else table.remove)(row["v"])
    assert sorted(table) == [5, 6]


@pytest.mark.parametrize("order", ["v", "ts DESC", "v, ts"])
def test_any_other_order_is_refused(order):
    with pytest.raises(fx.ScriptError, match="no such order") as caught:
        list(stream().sql(f"SELECT v, ts FROM t ORDER BY {order}").batches())
    assert caught.value.code == "FX-SQL-0412"
    assert "LIMIT" in caught.value.hint
