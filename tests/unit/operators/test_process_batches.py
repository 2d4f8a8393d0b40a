"""Functions over whole batches, beside a model that goes through the rows one by one."""

from __future__ import annotations

import datetime as dt
import threading

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fluxcore as fx
from fluxcore.core.types import DOUBLE, STRING, TimestampType
from fluxcore.operators.process.batches import BatchOperator, BatchOptions

TIME = TimestampType(precision=3)
SCHEMA = pa.schema([("ts", TIME.arrow()), ("k", pa.string()), ("x", pa.float64())])
OUTPUT = pa.schema([("k", pa.string()), ("n", pa.int64()), ("mean", pa.float64())])
ROW = st.tuples(st.integers(0, 30), st.sampled_from([None, "a", "b", "c"]), st.integers(-9, 9).map(float))
EVENTS = st.lists(st.one_of(st.tuples(st.just(0), ROW), st.tuples(st.none(), st.integers(0, 30))), max_size=30)
ALPHA = 0.25


class Smooth(fx.BatchFunction):
    """Gives each row's key with its number and the exponentially weighted mean; forgets a key that comes with 9."""

    mean = fx.column(pa.float64())
    seen = fx.column(pa.int64(), default=100)
    fresh = fx.column(pa.bool_(), default=True)

    def process(self, batch, slots):
        x, out, numbers = batch["x"].to_numpy(), np.empty(len(slots)), np.empty(len(slots), np.int64)
        for rows in self.rounds(slots):
            mine = slots[rows]
            self.mean[mine] = np.where(self.fresh[mine], x[rows], (1 - ALPHA) * self.mean[mine] + ALPHA * x[rows])
            self.fresh[mine] = False
            self.seen[mine] += 1
            out[rows], numbers[rows] = self.mean[mine], self.seen[mine]
        return {"k": batch["k"], "n": numbers, "mean": out}

    def finish(self):
        slots = self.slots
        return {"k": self.keys(slots)[0], "n": self.seen[slots], "mean": self.mean[slots]}


def model(events):
    means, seen, out = {}, {}, []
    for _, what in (event for event in events if event[0] is not None):
        _, key, x = what
        means[key] = (1 - ALPHA) * means[key] + ALPHA * x if key in means else x
        seen[key] = seen.get(key, 100) + 1
        out.append((key, seen[key], means[key]))
    return out, sorted(((key, seen[key], means[key]) for key in means), key=str)


def rising(events):
    highest, found = 0, []
    for port, what in events:
        highest = max(highest, what) if port is None else highest
        stamped = highest if port is None else (dt.datetime(1970, 1, 1) + dt.timedelta(milliseconds=what[0]), *what[1:])
        found.append((port, stamped))
    return found


@given(events=EVENTS.map(rising), cuts=st.sets(st.integers(0, 30), max_size=6), freeze_at=st.integers(0, 7))
def test_batches_as_if_rows_came_one_by_one(kit, events, cuts, freeze_at):
    options = BatchOptions(Smooth(), (TIME, STRING, DOUBLE), (1,), OUTPUT)
    found, _, _ = kit.drive(lambda: BatchOperator(options), kit.Stream([SCHEMA], events, cuts), freeze_at=freeze_at)
    rows, last = model(events)
    assert found[: len(rows)] == rows
    assert sorted(found[len(rows) :], key=str) == last


@given(st.lists(st.integers(0, 5), max_size=30))
def test_rounds_take_a_key_once_and_in_order(slots):
    rounds = [each.tolist() for each in fx.BatchFunction.rounds(np.array(slots, np.int64))]
    assert sorted(row for rows in rounds for row in rows) == list(range(len(slots)))
    for number, rows in enumerate(rounds):
        assert rows and all(slots[:row].count(slots[row]) == number for row in rows)


class Counts(fx.BatchFunction):
    """Counts rows with ``np.add.at``; every key is forgotten once it was seen three times in all."""

    seen = fx.column(pa.int32())

    def process(self, batch, slots):
        np.add.at(self.seen, slots, 1)
        done = np.unique(slots[self.seen[slots] >= 3])
        keys, counts = self.keys(done), self.seen[done]
        self.forget(done)
        return pa.RecordBatch.from_arrays([*keys, pa.array(counts).cast(pa.int64())], ["k", "n"])


def test_keys_are_forgotten_and_slots_start_anew(kit):
    options = BatchOptions(Counts(), (TIME, STRING, DOUBLE), (1,), pa.schema([("k", pa.string()), ("n", pa.int64())]))
    operator = BatchOperator(options)
    operator.open(kit.new_context([]))
    stamp = dt.datetime(1970, 1, 1)
    out = []
    for key in "ababacbcdc":
        (piece,) = kit.Stream([SCHEMA], [(0, (stamp, key, 1.0))]).pieces()
        out += operator.process(piece[1])
    assert kit.rows_of(out) == [("a", 3), ("b", 3), ("c", 3)]
    assert operator.state_rows == 1


@pytest.mark.parametrize("parallelism", ["1", "2", "3"])
def test_a_stream_of_it(parallelism):
    session = fx.Session({"parallelism.default": parallelism})
    keys = ["abcdefg"[i % 7] for i in range(1000)]
    stamps = pa.array(range(1000), pa.int64()).cast(pa.timestamp("ms"))
    data = pa.table({"ts": stamps, "k": keys, "x": [float(i % 5) for i in range(1000)]})
    rows = session.from_arrow(data.to_batches(max_chunksize=130), name="t", watermark=("ts", "0 s"))
    found = rows.process(Smooth(), by="k", schema=OUTPUT).to_arrow().to_pylist()
    expected, last = model([(0, tuple(row.values())) for row in data.to_pylist()])
    assert sorted(map(str, (tuple(row.values()) for row in found))) == sorted(map(str, [*expected, *last]))


class Passing(fx.BatchFunction):
    def __init__(self, kept):
        self.kept = kept

    def process(self, batch, slots):
        if self.kept == "same":
            return batch
        rows = np.flatnonzero(batch["x"].to_numpy() > 0)
        taken = batch.take(pa.array(rows))
        return (taken, rows) if self.kept == "numbered" else taken


@pytest.mark.parametrize(("kept", "late"), [("same", 2), ("numbered", 1)])
def test_rows_are_as_late_as_the_rows_that_they_came_with(kept, late):
    times = [0, 50, 10, 100, 20]
    data = pa.table({"ts": pa.array(times, pa.int64()).cast(pa.timestamp("ms")), "x": [1.0, 1.0, 0.0, 1.0, 1.0]})
    for cut in (1, 2, 5):
        session = fx.Session({"parallelism.default": "1"})
        rows = session.from_arrow(data.to_batches(max_chunksize=cut), name="t", watermark=("ts", "0 s"))
        passed = rows.process(Passing(kept), schema=data.schema, time="ts")
        windows = passed.window(fx.tumble("ts", "10 ms")).group_by().agg(n=fx.count()).to_arrow()
        assert sum(windows["n"].to_pylist()) == (5 if kept == "same" else 4) - late


class Odd(fx.BatchFunction):
    total = fx.column(pa.float64())

    def __init__(self, what):
        self.what = what

    def process(self, batch, slots):
        if self.what == "raise":
            return batch["nope"]
        if self.what == "set":
            self.total = np.zeros(3)
        return {
            "missing": {},
            "strange": {"x": [1.0], "y": [2]},
            "type": {"x": ["a"]},
            "numbers": ({"x": [1.0, 2.0]}, np.array([0])),
            "object": 5,
        }[self.what]


@pytest.mark.parametrize(
    ("what", "code", "words"),
    [
        ("raise", "FX-RUN-0210", ["KeyError", "Odd.process, line", "test_process_batches.py", "1 rows, of ['x']"]),
        ("set", "FX-RUN-0210", ["self.total[slots] = …"]),
        ("missing", "FX-RUN-0211", ["column 'x' is missing", "x: double"]),
        ("strange", "FX-RUN-0211", ["no column 'y'"]),
        ("type", "FX-RUN-0211", ["Odd.process gave"]),
        ("numbers", "FX-RUN-0211", ["2 rows with 1 numbers"]),
        ("object", "FX-RUN-0211", ["Odd.process gave"]),
    ],
)
def test_mistakes_are_told(what, code, words):
    rows = fx.Session().from_arrow(pa.table({"x": [7.0]}), name="t")
    with pytest.raises(fx.DataError) as caught:
        rows.process(Odd(what), schema={"x": pa.float64()}).to_arrow()
    assert caught.value.code == code
    for word in words:
        assert word in f"{caught.value.message} {caught.value.hint}"


class Locked(fx.BatchFunction):
    def __init__(self):
        self.lock = threading.Lock()


def test_a_function_that_can_not_be_copied_is_told():
    rows = fx.Session().from_arrow(pa.table({"x": [7.0]}), name="t")
    with pytest.raises(fx.ScriptError, match="Locked can't be copied for each task") as caught:
        rows.process(Locked(), schema={"x": pa.float64()}).to_arrow()
    assert caught.value.code == "FX-API-0023"


def test_what_is_no_function_is_told():
    rows = fx.Session().from_arrow(pa.table({"x": [7.0]}), name="t")
    with pytest.raises(fx.ScriptError, match="not the class Smooth") as caught:
        rows.process(Smooth, schema={"x": pa.float64()})
    assert (caught.value.code, caught.value.hint) == ("FX-API-0021", "make one: Smooth()")
    with pytest.raises(fx.ScriptError, match="a state column can't be string"):
        fx.column(pa.string())
