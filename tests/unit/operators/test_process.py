"""Keyed functions in Python: state of the current key, timers between rows, errors that name the user's line."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fluxcore as fx
from fluxcore.core.types import BIGINT, STRING, TimestampType
from fluxcore.operators.process.rows import ProcessOperator, ProcessOptions

TIME = TimestampType(precision=3)
SCHEMA = pa.schema([("ts", TIME.arrow()), ("k", pa.string()), ("v", pa.int64())])
TYPES = (TIME, STRING, BIGINT)
OUTPUT = pa.schema([("k", pa.string()), ("n", pa.int64()), ("what", pa.string()), ("at", pa.timestamp("us"))])
EVENTS = st.lists(
    st.one_of(st.tuples(st.integers(0, 30), st.sampled_from([None, "a", "b"]), st.integers(0, 5)), st.integers(0, 30)),
    max_size=25,
)
EPOCH = dt.datetime(1970, 1, 1)


class Quiet(fx.ProcessFunction):
    """Counts rows; when a key has been quiet for 5 ms it says so, forgets the key, and starts again."""

    seen = fx.value(pa.int64(), default=0)
    values = fx.list_state(pa.int64())
    by_value = fx.map_state(pa.int64(), pa.int64())
    until = fx.value(pa.timestamp("us"))

    def process(self, row):
        self.seen += 1
        self.values.append(row["v"])
        self.by_value[row["v"]] = self.by_value.get(row["v"], 0) + 1
        if self.until is not None:
            self.delete_timer(self.until)
        self.until = row["ts"] + dt.timedelta(milliseconds=5)
        self.set_timer(self.until)
        self.set_timer(self.until)
        most = max(self.by_value.values())
        yield {"k": self.key[0], "n": self.seen, "what": f"row {sum(self.values)} {most}", "at": row["ts"]}

    def on_timer(self, time):
        found = [{"k": self.key[0], "n": self.seen, "what": f"quiet {sorted(self.by_value.items())}", "at": time}]
        self.clear()
        return found


def model(events):
    """Do the same with plain dicts, one event after the other."""
    kept, out, watermark, order = {}, [], None, 0

    def fire(until):
        while True:
            due = [(each["until"], each["order"], key) for key, each in kept.items() if each["until"] <= until]
            if not due:
                return
            time, _, key = min(due)
            mine = kept.pop(key)
            counts = sorted((v, mine["rows"].count(v)) for v in set(mine["rows"]))
            out.append((key, len(mine["rows"]), f"quiet {counts}", time))

    for event in events:
        if isinstance(event, int):
            watermark = event
            continue
        if watermark is not None:
            fire(watermark)
        time, key, v = event
        mine = kept.setdefault(key, {"rows": []})
        mine["rows"].append(v)
        mine["until"], mine["order"] = time + 5, order
        order += 1
        most = max(mine["rows"].count(each) for each in mine["rows"])
        out.append((key, len(mine["rows"]), f"row {sum(mine['rows'])} {most}", time))
    fire(10**9)
    return out


def stamp(ms):
    return EPOCH + dt.timedelta(milliseconds=ms)


@given(events=EVENTS, cuts=st.sets(st.integers(0, 25), max_size=5), freeze_at=st.integers(0, 6))
def test_state_and_timers_as_if_rows_came_one_by_one(kit, events, cuts, freeze_at):
    highest, rising = -1, []
    for event in events:
        highest = max(highest, event) if isinstance(event, int) else highest
        rising.append(highest if isinstance(event, int) else event)
    options = ProcessOptions(Quiet(), TYPES, (1,), OUTPUT)
    stream = [(None, e) if isinstance(e, int) else (0, (stamp(e[0]), *e[1:])) for e in rising]
    found, _, _ = kit.drive(lambda: ProcessOperator(options), kit.Stream([SCHEMA], stream, cuts), freeze_at=freeze_at)
    assert found == [(key, n, what, stamp(at)) for key, n, what, at in model(rising)]


def test_a_cleared_key_is_forgotten(kit):
    operator = ProcessOperator(ProcessOptions(Quiet(), TYPES, (1,), OUTPUT))
    operator.open(kit.new_context([]))
    for first in range(0, 10_000, 100):
        rows = [(stamp(ms), f"k{ms}", 1) for ms in range(first, first + 100)]
        stream = kit.Stream([SCHEMA], [(0, row) for row in rows])
        for _, batch, _ in stream.pieces():
            operator.process(batch)
        operator.advance(first + 99)
        assert operator.state_rows <= 12


ROWS = pa.table(
    {
        "ts": pa.array([0, 1_000, 20_000, 90_000], pa.int64()).cast(pa.timestamp("ms")),
        "k": ["a", "b", "a", "b"],
        "v": pa.array([1, 2, 3, 4], pa.int64()),
    }
)


class Running(fx.ProcessFunction):
    total = fx.value(pa.int64(), default=0)

    def process(self, row):
        self.total += row["v"]
        return [{"k": row["k"], "total": self.total, "ts": row["ts"]}] if self.total != 3 else None


@pytest.mark.parametrize("parallelism", ["1", "2", "3"])
def test_a_stream_of_it(parallelism):
    session = fx.Session({"parallelism.default": parallelism})
    stream = session.from_arrow(ROWS, name="t", watermark=("ts", "0 s"))
    schema = {"k": pa.string(), "total": pa.int64(), "ts": pa.timestamp("ms")}
    found = stream.process(Running(), by="k", schema=schema, time="ts")
    assert sorted(row["total"] for row in found.to_arrow().to_pylist()) == [1, 2, 4, 6]
    windows = found.window(fx.tumble("ts", "1 minute")).group_by().agg(n=fx.count())
    assert [row["n"] for row in windows.to_arrow().to_pylist()] == [3, 1]
    alone = stream.process(Running(), schema=schema).to_arrow()
    assert sorted(alone["total"].to_pylist()) == [1, 6, 10]


class Failing(fx.ProcessFunction):
    def process(self, row):
        return [{"k": row["k"], "ratio": 1 / (row["v"] - 3)}]


class Strange(fx.ProcessFunction):
    def process(self, row):
        yield {"nope": row["v"]}


class Wrong(fx.ProcessFunction):
    def process(self, row):
        yield {"k": 5}


@pytest.mark.parametrize(
    ("function", "code", "words"),
    [
        (Failing(), "FX-RUN-0210", ["ZeroDivisionError", "Failing.process, line", "test_process.py", "'v': 3"]),
        (Strange(), "FX-RUN-0211", ["no column 'nope'", "ratio: double"]),
        (Wrong(), "FX-RUN-0211", ["Wrong", "k: string"]),
    ],
)
def test_a_mistake_names_the_function_and_the_row(function, code, words):
    stream = fx.Session().from_arrow(ROWS, name="t")
    with pytest.raises(fx.FluxError) as caught:
        stream.process(function, by="k", schema={"k": pa.string(), "ratio": pa.float64()}).to_arrow()
    assert caught.value.code == code
    for word in words:
        assert word in f"{caught.value.message} {caught.value.hint}"
