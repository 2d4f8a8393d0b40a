"""Functions over two streams: shared state and timers of a key, and broadcast state, beside plain dicts."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fluxcore as fx
from fluxcore.core.types import STRING
from fluxcore.operators.process.connected import BroadcastOperator, ConnectedOptions, TwoInputOperator

EPOCH = dt.datetime(1970, 1, 1)
LEFT = pa.schema([("ts", pa.timestamp("ms")), ("k", pa.string()), ("v", pa.int64())])
RIGHT = pa.schema([("name", pa.string()), ("limit", pa.int64())])
OUTPUT = pa.schema([("k", pa.string()), ("n", pa.int64()), ("what", pa.string())])
NAMES = st.sampled_from([None, "a", "b"])
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just(0), st.tuples(st.integers(0, 30), NAMES, st.integers(0, 9))),
        st.tuples(st.just(1), st.tuples(NAMES, st.integers(0, 9))),
        st.tuples(st.none(), st.integers(0, 30)),
    ),
    max_size=25,
)


class Limited(fx.TwoInputFunction):
    """Gives rows over the last limit of their key; 5 ms after a row, its key's sum."""

    limit = fx.value(pa.int64(), default=5)
    total = fx.reducing_state(pa.int64(), lambda a, b: a + b)

    def process_left(self, row):
        self.total.add(row["v"])
        self.set_timer(row["ts"] + dt.timedelta(milliseconds=5))
        if row["v"] > self.limit:
            yield {"k": row["k"], "n": row["v"], "what": "over"}

    def process_right(self, row):
        self.limit = row["limit"]

    def on_timer(self, time):
        yield {"k": self.key[0], "n": self.total.get(), "what": str(time)}


def stamp(ms):
    return EPOCH + dt.timedelta(milliseconds=ms)


def rising(events):
    """Let watermarks never fall, and give times to rows."""
    highest, found = 0, []
    for port, what in events:
        if port is None:
            highest = max(highest, what)
            found.append((None, highest))
        else:
            found.append((port, (stamp(what[0]), *what[1:]) if port == 0 else what))
    return found


def limited_model(events):
    limits, totals, timers, out, watermark = {}, {}, [], [], None

    def fire(until):
        for each in sorted((each for each in timers if each[0] <= until), key=lambda each: each[0]):
            out.append((each[1], totals[each[1]], str(each[0])))
            timers.remove(each)

    for port, what in events:
        if port is None:
            watermark = stamp(what)
            continue
        if watermark is not None:
            fire(watermark)
        if port == 1:
            limits[what[0]] = what[1]
            continue
        time, key, v = what
        totals[key] = totals.get(key, 0) + v
        if (time + dt.timedelta(milliseconds=5), key) not in timers:
            timers.append((time + dt.timedelta(milliseconds=5), key))
        if v > limits.get(key, 5):
            out.append((key, v, "over"))
    fire(dt.datetime.max)
    return out


@given(events=EVENTS, cuts=st.sets(st.integers(0, 25), max_size=5), freeze_at=st.integers(0, 6))
def test_both_inputs_share_state_and_timers(kit, events, cuts, freeze_at):
    events = rising(events)
    options = ConnectedOptions(Limited(), (STRING,), ((1,), (0,)), OUTPUT)
    stream = kit.Stream([LEFT, RIGHT], events, cuts)
    found, _, _ = kit.drive(lambda: TwoInputOperator(options), stream, freeze_at=freeze_at)
    assert found == limited_model(events)


class Ruled(fx.BroadcastFunction):
    limits = fx.broadcast_state(pa.string(), pa.int64())
    over = fx.value(pa.int64(), default=0)

    def process(self, row):
        if row["v"] > self.limits.get(row["k"], 5):
            self.over += 1
            self.set_timer(row["ts"] + dt.timedelta(milliseconds=5))
            return [{"k": row["k"], "n": self.over, "what": str(len(self.limits))}]
        return None

    def process_broadcast(self, row):
        if row["limit"] == 0:
            self.limits.pop(row["name"], None)
        else:
            self.limits[row["name"]] = row["limit"]

    def on_timer(self, time):
        yield {"k": self.key[0], "n": self.over, "what": str(time)}


def ruled_model(events):
    limits, over, timers, out, watermark = {}, {}, [], [], None

    def fire(until):
        for each in sorted((each for each in timers if each[0] <= until), key=lambda each: each[0]):
            out.append((each[1], over[each[1]], str(each[0])))
            timers.remove(each)

    for port, what in events:
        if port is None:
            watermark = stamp(what)
            continue
        if watermark is not None:
            fire(watermark)
        if port == 1:
            limits.pop(what[0], None) if what[1] == 0 else limits.update({what[0]: what[1]})
            continue
        time, key, v = what
        if v > limits.get(key, 5):
            over[key] = over.get(key, 0) + 1
            if (time + dt.timedelta(milliseconds=5), key) not in timers:
                timers.append((time + dt.timedelta(milliseconds=5), key))
            out.append((key, over[key], str(len(limits))))
    fire(dt.datetime.max)
    return out


@given(events=EVENTS.map(rising), cuts=st.sets(st.integers(0, 25), max_size=5), freeze_at=st.integers(0, 6))
def test_broadcast_rows_change_what_all_keys_see(kit, events, cuts, freeze_at):
    # Arrow's maps have no NULL keys
    events = [(port, ("c", *what[1:]) if port == 1 and what[0] is None else what) for port, what in events]
    options = ConnectedOptions(Ruled(), (STRING,), ((1,), ()), OUTPUT)
    stream = kit.Stream([LEFT, RIGHT], events, cuts)
    found, _, _ = kit.drive(lambda: BroadcastOperator(options), stream, freeze_at=freeze_at)
    assert found == ruled_model(events)


class Sums(fx.TwoInputFunction):
    left = fx.reducing_state(pa.int64(), lambda a, b: a + b)
    right = fx.aggregating_state(pa.list_(pa.int64()), list, lambda kept, v: [*kept, v], lambda kept: sum(kept, 0))

    def process_left(self, row):
        self.left.add(row["v"])
        self.set_timer(dt.datetime(2100, 1, 1))

    def process_right(self, row):
        self.right.add(row["w"])
        self.set_timer(dt.datetime(2100, 1, 1))

    def on_timer(self, time):
        yield {"k": self.key[0], "left": self.left.get() or 0, "right": self.right.get()}


@pytest.mark.parametrize("parallelism", ["1", "2", "3"])
def test_connected_streams(parallelism):
    session = fx.Session({"parallelism.default": parallelism})
    a = session.from_arrow(pa.table({"k": [i % 11 for i in range(500)], "v": range(500)}), name="a")
    b = session.from_arrow(pa.table({"key": [i % 7 for i in range(500)], "w": range(500)}), name="b")
    schema = {"k": pa.int64(), "left": pa.int64(), "right": pa.int64()}
    found = a.connect(b).process(Sums(), by={"k": "key"}, schema=schema).to_arrow().to_pylist()
    expected = [(k, sum(range(k, 500, 11)), sum(range(k, 500, 7)) if k < 7 else 0) for k in range(11)]
    assert sorted(tuple(row.values()) for row in found) == expected


class Waiting(fx.BroadcastFunction):
    """Keeps rows until the end of the input, when all rules are there."""

    rules = fx.broadcast_state(pa.int64(), pa.string())
    rows = fx.list_state(pa.int64())

    def process(self, row):
        self.rows.append(row["v"])
        self.set_timer(dt.datetime(2100, 1, 1))

    def on_timer(self, time):
        yield {"k": self.key[0], "n": len(self.rows), "rule": self.rules.get(self.key[0])}

    def process_broadcast(self, row):
        self.rules[row["k"]] = row["rule"]


@pytest.mark.parametrize("parallelism", ["1", "2", "3"])
def test_a_broadcast_stream_reaches_all_tasks(parallelism):
    session = fx.Session({"parallelism.default": parallelism})
    rows = session.from_arrow(pa.table({"k": [i % 11 for i in range(500)], "v": range(500)}), name="a")
    rules = session.from_arrow(pa.table({"k": range(10), "rule": [f"rule {k}" for k in range(10)]}), name="b")
    schema = {"k": pa.int64(), "n": pa.int64(), "rule": pa.string()}
    stream = rows.connect(rules.broadcast()).process(Waiting(), by="k", schema=schema)
    found = sorted(tuple(row.values()) for row in stream.to_arrow().to_pylist())
    assert found == [(k, len(range(k, 500, 11)), f"rule {k}" if k < 10 else None) for k in range(11)]
    assert "Broadcast(Waiting, by=[k])" in stream.explain()


class Wrong(fx.BroadcastFunction):
    rules = fx.broadcast_state(pa.int64(), pa.string())
    seen = fx.value(pa.int64(), default=0)

    def __init__(self, what):
        self.what = what

    def process(self, row):
        if self.what == "write":
            self.rules[1] = "one"

    def process_broadcast(self, row):
        if self.what == "read":
            self.seen += 1
        elif self.what == "key":
            return self.key
        return [row] if self.what == "give" else None


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("write", ["mappingproxy", "Wrong.process, line", "test_connected.py", "'v': 0"]),
        ("read", ["has no key", "Wrong.process_broadcast, line", "'rule': 'a'"]),
        ("key", ["has no key"]),
        ("give", ["gives no rows"]),
    ],
)
def test_what_a_broadcast_function_must_not_do(what, words):
    session = fx.Session()
    rows = session.from_arrow(pa.table({"k": [0], "v": [0]}), name="a")
    rules = session.from_arrow(pa.table({"k": [0], "rule": ["a"]}), name="b")
    with pytest.raises(fx.DataError) as caught:
        rows.connect(rules.broadcast()).process(Wrong(what), by="k", schema={"k": pa.int64()}).to_arrow()
    assert caught.value.code == "FX-RUN-0210"
    for word in words:
        assert word in f"{caught.value.message} {caught.value.hint}"


def test_wrong_functions_and_keys_are_told():
    session = fx.Session()
    a = session.from_arrow(pa.table({"k": [0], "v": [0]}), name="a")
    b = session.from_arrow(pa.table({"k": ["x"]}), name="b")
    schema = {"k": pa.int64()}
    with pytest.raises(fx.ScriptError, match=r"takes a fx.TwoInputFunction, not Wrong"):
        a.connect(b).process(Wrong(""), by="k", schema=schema)
    with pytest.raises(fx.ScriptError, match="takes a fx.BroadcastFunction, not Sums"):
        a.connect(b.broadcast()).process(Sums(), by="k", schema=schema)
    with pytest.raises(fx.ScriptError, match=r"k \(BIGINT\) and k \(STRING\) differ in type"):
        a.connect(b).process(Sums(), by="k", schema=schema)
