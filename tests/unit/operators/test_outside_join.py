"""Joins with what a function finds for a key, beside a loop over the rows; what is kept, for how long, and what is asked."""

from __future__ import annotations

import asyncio
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fluxcore as fx
from fluxcore.core.batch import Batch, Steps
from fluxcore.core.lookups import AskedFunction, LookupOptions
from fluxcore.core.ports import OperatorContext
from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import BIGINT, DOUBLE
from fluxcore.operators.joins.outside_join import OutsideJoinOperator, OutsideJoinOptions
from fluxcore.state.backend import MemoryStateBackend

INPUT = pa.schema([("id", pa.int64()), ("k", pa.float64())])
FOUND = pa.schema([("n", pa.int64())])
KEYS = st.sampled_from([None, 0.0, -0.0, float("nan"), 1.0, 2.0, 3.0, 4.0])


class Clock:
    def __init__(self):
        self.ms = 0

    def now_ms(self):
        return self.ms

    def monotonic_s(self):
        return self.ms / 1000


class Asked:
    """Finds as many rows as the key says, and remembers what it was asked."""

    def __init__(self, *, later=False):
        self.calls = Counter()
        self.later = later

    def __call__(self, key):
        self.calls[repr(key + 0.0)] += 1
        return self.answer(key)

    def answer(self, key):
        if key != key:
            return {"n": -1}
        return [{"n": number} for number in range(int(key))]


def opened(asked, options, *, outer=True, clock=None):
    function = AskedFunction(asked, Schema.of([Column("k", DOUBLE)]), Schema.of([Column("n", BIGINT)]), options)
    output = pa.schema([*INPUT, *FOUND])
    operator = OutsideJoinOperator(
        OutsideJoinOptions(outer, (1,), (DOUBLE,), FOUND, output, lambda: function.source({}), options, "asked")
    )
    context = OperatorContext("test", MemoryStateBackend(), clock or Clock(), lambda _: None)
    operator.open(context)
    return operator, context


def batch_of(keys, steps=None):
    data = pa.RecordBatch.from_arrays([pa.array(range(len(keys))), pa.array(keys, pa.float64())], schema=INPUT)
    return Batch(data, None, steps)


def rows_of(batches):
    return [tuple(map(repr, row.values())) for batch in batches for row in batch.data.to_pylist()]


def wanted(keys, *, outer):
    out = []
    for number, key in enumerate(keys):
        found = [] if key is None else Asked().answer(key)
        found = [found] if isinstance(found, dict) else found
        out += [(repr(number), repr(key), repr(row["n"])) for row in found]
        if outer and not found:
            out.append((repr(number), repr(key), "None"))
    return out


@pytest.mark.parametrize("capacity", [1, 3])
@pytest.mark.parametrize("outer", [False, True])
@given(
    batches=st.lists(st.lists(KEYS, max_size=8), max_size=5),
    cached=st.booleans(),
    rows_max=st.sampled_from([None, 1, 3]),
    missing=st.booleans(),
    lasts=st.sampled_from([None, 1, 5]),
)
def test_each_row_meets_what_is_found_for_its_key(capacity, outer, batches, cached, rows_max, missing, lasts):
    asked, clock = Asked(), Clock()
    options = LookupOptions(cached, rows_max, lasts, lasts, missing, capacity=capacity)
    operator, _ = opened(asked, options, outer=outer, clock=clock)
    for keys in batches:
        clock.ms += 2
        before = Counter(asked.calls)
        assert rows_of(operator.process(batch_of(keys))) == wanted(keys, outer=outer)
        assert all(count <= 1 for count in (asked.calls - before).values()), "a key is asked for once in a batch"
        if not cached:
            assert operator.state_rows == 0
        if rows_max is not None:
            assert operator._found._keys.count <= rows_max
    operator.close()


def test_what_is_kept_is_not_asked_for_again_until_it_is_old():
    asked, clock = Asked(), Clock()
    operator, context = opened(asked, LookupOptions(True, None, 10, 100, missing=False), clock=clock)
    operator.process(batch_of([1.0, 0.0]))
    for clock.ms in (5, 14, 23):
        operator.process(batch_of([1.0, 0.0]))
    assert asked.calls == {"1.0": 1, "0.0": 4}, "that there is no row for 0 is not kept"
    clock.ms = 33
    operator.process(batch_of([1.0]))
    assert asked.calls["1.0"] == 2, "not used for 10 ms"
    for clock.ms in range(40, 133, 5):
        operator.process(batch_of([1.0]))
    assert asked.calls["1.0"] == 2
    clock.ms = 133
    operator.process(batch_of([1.0]))
    assert asked.calls["1.0"] == 3, "found 100 ms ago"
    assert context.counters["lookups"] == sum(asked.calls.values())
    operator.close()


def test_rows_keep_the_steps_of_the_watermark():
    operator, _ = opened(Asked(), LookupOptions(), outer=False)
    (out,) = operator.process(batch_of([2.0, 0.0, 1.0], Steps.at(2, 7)))
    assert (out.rows, out.steps.rows.tolist(), out.steps.values.tolist()) == (3, [2], [7])
    operator.close()


def ids(stream):
    return sorted((row["id"], row["name"]) for row in stream.to_arrow().to_pylist())


@pytest.fixture(params=["1", "2", "3"])
def stream(request):
    session = fx.Session({"parallelism.default": request.param})
    return session.from_arrow(pa.table({"id": range(6), "k": ["a", "b", None, "a", "c", "b"], "m": [1, 2, 3, 1, 2, 3]}))


def test_functions_in_python(stream):
    names = {"a": "Ann", "b": "Bob"}
    schema = {"name": pa.string()}
    found = stream.lookup(lambda key: {"name": names[key]} if key in names else None, on="k", schema=schema)
    assert ids(found) == [(0, "Ann"), (1, "Bob"), (3, "Ann"), (5, "Bob")]

    async def later(key, number):
        await asyncio.sleep(0)
        return [{"name": f"{key}{each}"} for each in range(number)]

    both = stream.lookup(
        later, on=["k", "m"], schema=schema, how="left", cache=fx.cache(100), calls=fx.calls(at_once=4)
    )
    wanted = [
        (0, "a0"),
        (1, "b0"),
        (1, "b1"),
        (2, None),
        (3, "a0"),
        (4, "c0"),
        (4, "c1"),
        (5, "b0"),
        (5, "b1"),
        (5, "b2"),
    ]
    assert ids(both) == sorted(wanted, key=lambda row: (row[0], row[1] or ""))
    assert "LookupJoin(later, LEFT, on=[k = k, m = m])" in both.explain()


@pytest.mark.parametrize("later", [False, True])
def test_a_lost_connection_is_tried_again(stream, later):
    failures = Counter()

    def find(key):
        failures[key] += 1
        if failures[key] <= 2:
            raise ConnectionError("lost")
        return {"name": key}

    async def find_later(key):
        return find(key)

    function = find_later if later else find
    schema = {"name": pa.string()}
    assert len(ids(stream.lookup(function, on="k", schema=schema, calls=fx.calls(retries=2)))) == 5
    failures.clear()
    with pytest.raises(fx.DataError) as caught:
        stream.lookup(function, on="k", schema=schema, calls=fx.calls(retries=1)).to_arrow()
    assert caught.value.code == "FX-RUN-0240"
    assert "ConnectionError: lost" in str(caught.value)


def test_what_is_wrong_is_said(stream):
    schema = {"name": pa.string()}
    for function in (lambda key: {"name": 7}, lambda key: 7):
        with pytest.raises(fx.DataError) as caught:
            stream.lookup(function, on="k", schema=schema).to_arrow()
        assert caught.value.code == "FX-RUN-0241"

    async def never(key):
        await asyncio.Event().wait()

    with pytest.raises(fx.DataError, match="TimeoutError"):
        stream.lookup(never, on="k", schema=schema, calls=fx.calls(timeout="1 ms")).to_arrow()
    for wrong in ({"how": "full"}, {"on": []}, {"schema": {}}):
        with pytest.raises(fx.ScriptError):
            stream.lookup(never, **{"on": "k", "schema": schema, **wrong})
    for make in (lambda: fx.cache(after_write="soon"), lambda: fx.calls(timeout="soon"), lambda: fx.calls(at_once=0)):
        with pytest.raises(fx.ScriptError) as caught:
            make()
        assert caught.value.code == "FX-API-0003"
