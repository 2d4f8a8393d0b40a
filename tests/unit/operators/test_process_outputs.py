"""Side outputs of functions, and several streams of one job."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fluxcore as fx

SIDE = {"k": pa.string(), "why": pa.string(), "ts": pa.timestamp("ms")}


class Sorted(fx.ProcessFunction):
    """Gives rows on time, and late and odd ones to the side; a timer gives to the side too."""

    late = fx.output(SIDE, time="ts")
    odd = fx.output(pa.schema([("v", pa.int64())]))
    sums = fx.output({"k": pa.string(), "sum": pa.int64()})
    sum = fx.reducing_state(pa.int64(), lambda a, b: a + b)

    def process(self, row):
        if self.watermark is not None and row["ts"] <= self.watermark:
            self.late.give({"k": row["k"], "why": "late", "ts": row["ts"]})
            return
        if row["v"] % 2:
            self.odd.give({"v": row["v"]})
        self.sum.add(row["v"])
        self.set_timer(dt.datetime(2100, 1, 1))
        yield row

    def on_timer(self, time):
        self.sums.give({"k": self.key[0], "sum": self.sum.get()})


ROWS = st.lists(st.tuples(st.integers(0, 100), st.sampled_from(["a", "b", "c"]), st.integers(0, 9)), max_size=30)


def table(rows):
    times, keys, values = zip(*rows, strict=True) if rows else ((), (), ())
    stamps = pa.array(times, pa.int64()).cast(pa.timestamp("ms"))
    return pa.table({"ts": stamps, "k": pa.array(keys, pa.string()), "v": pa.array(values, pa.int64())})


def streams(session, rows, cut=1000):
    data = table(rows)
    batches = data.to_batches(max_chunksize=cut) or [pa.RecordBatch.from_pylist([], schema=data.schema)]
    source = session.from_arrow(batches, name="t", watermark=("ts", "10 ms"))
    own = source.process(Sorted(), by="k", schema=data.schema, time="ts")
    return own, own.side("late"), own.side("odd"), own.side("sums")


def values(data):
    return sorted(tuple(row.values()) for row in data.to_pylist())


@pytest.mark.parametrize("parallelism", ["1", "2", "3"])
@given(rows=ROWS, cut=st.integers(1, 30))
def test_rows_beside_the_own_ones(parallelism, rows, cut):
    session = fx.Session({"parallelism.default": parallelism})
    found = [values(each) for each in session.collect(*streams(session, rows, cut))]
    own, late, odd, sums, highest = [], [], [], {}, None
    for ts, k, v in rows:
        time = dt.datetime(1970, 1, 1) + dt.timedelta(milliseconds=ts)
        if highest is not None and ts <= highest - 10:
            late.append((k, "late", time))
        else:
            own.append((time, k, v))
            odd += [(v,)] if v % 2 else []
            sums[k] = sums.get(k, 0) + v
        highest = ts if highest is None else max(ts, highest)
    assert found == [sorted(own), sorted(late), sorted(odd), sorted(sums.items())]


def test_windows_over_a_side_output_do_not_depend_on_batches():
    rows = [(0, "a", 1), (100, "a", 2), (50, "a", 3), (200, "a", 4), (60, "a", 5), (85, "a", 6), (300, "a", 1)]
    for cut in range(1, 8):
        session = fx.Session({"parallelism.default": "1"})
        _, late, _, _ = streams(session, rows, cut)
        counts = late.window(fx.tumble("ts", "20 ms")).group_by().agg(n=fx.count())
        assert counts.to_arrow().num_rows == 0, "each of them is late for its window as well"


def test_a_side_output_alone_and_one_that_is_not_there():
    session = fx.Session()
    own, late, _, _ = streams(session, [(100, "a", 1), (5, "b", 2)])
    assert late.to_arrow()["k"].to_pylist() == ["b"]
    with pytest.raises(fx.ScriptError, match="no side output 'lat'") as caught:
        own.side("lat")
    assert caught.value.code == "FX-API-0020" and "'late'" in caught.value.hint
    with pytest.raises(fx.ScriptError, match="no side output"):
        own.filter(fx.col("v") > 1).side("late")


def test_streams_of_one_job_into_tables(tmp_path):
    session = fx.Session()
    own, late, _, sums = streams(session, [(100, "a", 1), (5, "b", 2), (101, "a", 5)])
    for name, columns in (("own", "k STRING, v BIGINT"), ("sums", "k STRING, s BIGINT"), ("late", "k STRING")):
        session.execute(
            f"CREATE TABLE {name} ({columns}) WITH ('connector'='filesystem', 'path'='{tmp_path}/{name}', 'format'='csv')"
        )
    session.run({"own": own.select("k", "v"), "sums": sums, "late": late.select("k")})
    written = {name: "".join(f.read_text() for f in (tmp_path / name).glob("*")) for name in ("own", "sums", "late")}
    assert {name: sorted(text.split()) for name, text in written.items()} == {
        "own": ["a,1", "a,5"],
        "sums": ["a,6"],
        "late": ["b"],
    }


def test_streams_together_from_the_module():
    rows = fx.from_arrow(pa.table({"v": [1, 2, 3]}), name="together")
    total, large = fx.collect(rows.group_by().agg(sum=fx.sum("v")), rows.filter(fx.col("v") > 1))
    assert (total.to_pylist(), large["v"].to_pylist()) == ([{"sum": 6}], [2, 3])
    assert fx.collect() == ()
    fx.run({})


class Odd(fx.ProcessFunction):
    strange = fx.output({"v": pa.int64()})
    total = fx.reducing_state(pa.int64(), lambda a, b: a + b)

    def __init__(self, what):
        self.what = what

    def process(self, row):
        if self.what == "side":
            self.strange.give({"w": 1})
        elif self.what == "set":
            self.total = 5
        elif self.what == "add":
            self.total.add(row["v"])
            self.total.add("text")


@pytest.mark.parametrize(
    ("what", "code", "words"),
    [
        ("side", "FX-RUN-0211", ["Odd.strange gave a row", "no column 'w'", "v: int64"]),
        ("set", "FX-RUN-0210", ["self.total.add(…)", "Odd.process, line", "test_process_outputs.py"]),
        ("add", "FX-RUN-0210", ["TypeError", "test_process_outputs.py", "'v': 7"]),
    ],
)
def test_mistakes_are_told(what, code, words):
    rows = fx.Session().from_arrow(pa.table({"v": [7]}), name="t")
    with pytest.raises(fx.DataError) as caught:
        rows.process(Odd(what), schema={"v": pa.int64()}).to_arrow()
    assert caught.value.code == code
    for word in words:
        assert word in f"{caught.value.message} {caught.value.hint}"
