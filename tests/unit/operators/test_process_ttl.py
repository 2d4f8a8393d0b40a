"""Lifetimes of the state of keyed functions beside plain dicts, on a clock that the test drives."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fluxcore as fx
from fluxcore.core.batch import Batch
from fluxcore.core.ports import OperatorContext
from fluxcore.core.types import BIGINT, STRING
from fluxcore.operators.process.rows import ProcessOperator, ProcessOptions
from fluxcore.state.backend import MemoryStateBackend

SCHEMA = pa.schema([("k", pa.string()), ("v", pa.int64())])
OUTPUT = pa.schema([(name, pa.int64()) for name in ("counted", "read", "listed", "by_event")])
TTL, EVENT_TTL = 10, 7
ROWS = st.lists(st.tuples(st.sampled_from([None, "a", "b"]), st.integers(0, 9)), max_size=4)
MOMENTS = st.lists(st.tuples(st.integers(0, 12), ROWS, st.integers(0, 6)), max_size=12)


class Hand:
    def __init__(self):
        self.now = 0

    def now_ms(self):
        return self.now

    def monotonic_s(self):
        return self.now / 1000


class Aging(fx.ProcessFunction):
    counted = fx.value(pa.int64(), default=0, ttl=TTL)
    read = fx.value(pa.int64(), default=0, ttl=TTL, ttl_reads=True)
    listed = fx.list_state(pa.int64(), ttl=TTL)
    by_event = fx.value(pa.int64(), default=0, ttl=EVENT_TTL, ttl_time="event")

    def process(self, row):
        if row["v"] % 3:
            self.counted += 1
            self.by_event += 1
        if self.read == 0:
            self.read = row["v"]
        self.listed.append(row["v"])
        yield {"counted": self.counted, "read": self.read, "listed": sum(self.listed), "by_event": self.by_event}


def model(moments):
    """Keep (value, last touch) per key and name; the event time of a row is the watermark before it."""
    kept, out, now, watermark, first = {}, [], 0, None, None

    def get(key, name, fresh, *, reads=False):
        event = name == "by_event"
        at, ttl = (watermark, EVENT_TTL) if event else (now, TTL)
        found = kept.get((key, name))
        if found is not None:
            touched = first if found[1] is None else found[1]
            if touched is not None and at >= touched + ttl:
                found = None
        if found is None:
            found = kept[key, name] = [fresh, at]
        elif reads:
            found[1] = at
        return found

    for passed, rows, risen in moments:
        now += passed
        for key, v in rows:
            if v % 3:
                for name in ("counted", "by_event"):
                    found = get(key, name, 0)
                    kept[key, name] = [found[0] + 1, watermark if name == "by_event" else now]
            if get(key, "read", 0, reads=True)[0] == 0:
                kept[key, "read"] = [v, now]
            found = get(key, "listed", (), reads=True)
            found[0] += (v,)
            values = [get(key, "counted", 0)[0], get(key, "read", 0, reads=True)[0]]
            out.append((*values, sum(get(key, "listed", ())[0]), get(key, "by_event", 0)[0]))
        if risen:
            watermark = (watermark or 0) + risen
            first = watermark if first is None else first
    return out


def opened(clock):
    operator = ProcessOperator(ProcessOptions(Aging(), (STRING, BIGINT), (0,), OUTPUT))
    operator.open(OperatorContext("test", MemoryStateBackend(), clock, lambda _: None))
    return operator


@given(MOMENTS, st.integers(1, 4), st.integers(0, 12))
def test_values_are_gone_when_their_lifetime_is_over(kit, moments, size, freeze_at):
    clock, out, watermark = Hand(), [], 0
    operator = opened(clock)
    for number, (passed, rows, risen) in enumerate(moments):
        if number == freeze_at:
            frozen = operator.freeze()
            operator = opened(clock)
            operator.restore(frozen)
        clock.now += passed
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            data = pa.RecordBatch.from_arrays([pa.array(each) for each in zip(*part, strict=True)], schema=SCHEMA)
            out += operator.process(Batch(data))
        if risen:
            watermark += risen
            out += operator.advance(watermark)
    assert kit.rows_of(out) == model(moments)


def test_what_nobody_asks_for_goes_in_the_background():
    clock = Hand()
    operator = opened(clock)
    keys = [f"k{number}" for number in range(1000)]
    operator.process(Batch(pa.RecordBatch.from_arrays([pa.array(keys), pa.array([1] * 1000)], schema=SCHEMA)))
    operator.advance(1)
    assert operator.state_rows == 1000
    clock.now = TTL
    one = Batch(pa.RecordBatch.from_arrays([pa.array(["new"]), pa.array([1])], schema=SCHEMA))
    for _ in range(40):  # each batch looks at some of the keys, and each watermark
        operator.process(one)
    operator.advance(1 + EVENT_TTL)
    for number in range(40):
        operator.advance(2 + EVENT_TTL + number)
    assert operator.state_rows <= 1


def test_a_wrong_lifetime_is_told_where_it_stands():
    with pytest.raises(fx.ScriptError, match="no duration") as error:
        fx.value(pa.int64(), ttl="soon")
    assert error.value.code == "FX-API-0003"
    with pytest.raises(fx.ScriptError, match="ttl_time"):
        fx.list_state(pa.int64(), ttl=5, ttl_time="wall")
