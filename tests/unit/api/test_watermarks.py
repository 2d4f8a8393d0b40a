"""Watermark strategies from Python: which rows are late is the same as row by row, however they are cut into batches."""

from __future__ import annotations

import datetime as dt
import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fluxcore as fx

EPOCH = dt.datetime(1970, 1, 1)
SIZE = 10
SCHEMA = pa.schema([("ts", pa.timestamp("ms")), ("v", pa.int64())])
ROWS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 5)), max_size=25)


def vectorised(times, batch):
    marked = np.asarray(batch.column("v")) == 0
    return pa.array(times, mask=~marked)


class Every(fx.WatermarkGenerator):
    """Each third row of a split says the largest time so far."""

    def __init__(self):
        self.count, self.largest = 0, EPOCH

    def on_event(self, time, row):
        self.count += 1
        self.largest = max(self.largest, time)
        return self.largest if self.count % 3 == 0 else None


class EveryBatch(Every):
    def on_batch(self, times, batch):
        assert batch.schema.names == ["ts", "v"]
        return super().on_batch(times, batch).astype("datetime64[ms]")


def every():
    seen = []

    def candidate(time, v):
        seen.append(time)
        return max(seen) if len(seen) % 3 == 0 else None

    return candidate


STRATEGIES = {
    "text": ("5 ms", lambda: lambda time, v: time - 5),
    "bounded": (fx.bounded("5 ms"), lambda: lambda time, v: time - 5),
    "monotonous": (fx.monotonous(), lambda: lambda time, v: time - 1),
    "term": (fx.col("ts") - dt.timedelta(milliseconds=7), lambda: lambda time, v: time - 7),
    "punctuated": (
        fx.punctuated(fx.call("NULLIF", fx.col("ts"), fx.call("IF", fx.col("v") == 0, fx.lit(dt.datetime(1, 1, 1)), fx.col("ts")))),
        lambda: lambda time, v: time if v == 0 else None,
    ),
    "function": (vectorised, lambda: lambda time, v: time if v == 0 else None),
    "generator": (Every(), every),
    "generator of batches": (EveryBatch(), every),
}  # fmt: skip


@pytest.mark.parametrize("name", STRATEGIES)
@given(rows=ROWS, cuts=st.sets(st.integers(0, 25)), workers=st.integers(1, 3))
def test_late_rows_are_those_of_the_model(name, rows, cuts, workers):
    strategy, model = STRATEGIES[name]
    candidate, mark, wanted = model(), None, {}
    for time, v in rows:
        end = time // SIZE * SIZE + SIZE
        if mark is None or mark < end - 1:
            wanted[end - SIZE] = wanted.get(end - SIZE, 0) + 1
        found = candidate(time, v)
        mark = mark if found is None else found if mark is None else max(mark, found)
    bounds = [0, *sorted(cut for cut in cuts if cut < len(rows)), len(rows)]
    batches = []
    for a, b in itertools.pairwise(bounds):
        times = pa.array([time for time, _ in rows[a:b]], pa.timestamp("ms"))
        batches.append(
            pa.RecordBatch.from_arrays([times, pa.array([v for _, v in rows[a:b]], pa.int64())], schema=SCHEMA)
        )
    session = fx.Session({"parallelism.default": str(workers)})
    stream = session.from_arrow(batches, watermark=("ts", strategy))
    counted = stream.window(fx.tumble("ts", SIZE)).group_by().agg(n=fx.count()).to_arrow().to_pylist()
    assert {(row["window_start"] - EPOCH) // dt.timedelta(milliseconds=1): row["n"] for row in counted} == wanted


def test_each_split_has_a_generator_of_its_own(tmp_path):
    for number in range(3):
        rows = "".join(f"1970-01-01 00:00:00.{ms:03},{number}\n" for ms in (1, 2, 3, 100, 4, 5, 6))
        (tmp_path / f"{number}.csv").write_text(rows)
    session = fx.Session({"parallelism.default": "3"})
    stream = session.read(tmp_path, schema=SCHEMA, format="csv", watermark=("ts", Every()))
    counted = stream.window(fx.tumble("ts", SIZE)).group_by("v").agg(n=fx.count()).to_arrow().to_pylist()
    # the sixth row of each file says 100 ms: only the seventh could be late, and isn't while another file holds back
    assert sum(row["n"] for row in counted) >= 3 * 6


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (lambda times, batch: times[:1], "1 candidates for 2 rows"),
        (lambda times, batch: times / 2, "whole milliseconds"),
        (lambda times, batch: batch["nope"], "nope"),
    ],
)
def test_what_a_function_does_wrong_is_told(strategy, message):
    data = pa.table({"ts": pa.array([1, 2], pa.timestamp("ms")), "v": [1, 2]})
    stream = fx.Session().from_arrow(data, watermark=("ts", strategy)).window(fx.tumble("ts", SIZE))
    with pytest.raises(fx.DataError, match=message) as error:
        stream.group_by().agg(n=fx.count()).to_arrow()
    assert error.value.code == "FX-RUN-0231"


@pytest.mark.parametrize("watermark", [("nope", "5 s"), ("v", "5 s"), ("ts", "soon"), ("ts", fx.col("v") + 1)])
def test_wrong_strategies_are_refused(watermark):
    data = pa.table({"ts": pa.array([1, 2], pa.timestamp("ms")), "v": [1, 2]})
    with pytest.raises(fx.ScriptError) as error:
        fx.Session().from_arrow(data, watermark=watermark)
    assert error.value.code.startswith("FX-API-00")
