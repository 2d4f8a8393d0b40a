"""Async calls for rows: order, watermarks, capacity, time-outs, retries, frozen calls, the end of a job."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fluxcore as fx
from fluxcore.connectors.collect import QueueSink
from fluxcore.core.async_call import AsyncCall
from fluxcore.core.batch import Batch
from fluxcore.core.ports import OperatorContext
from fluxcore.core.time import MAX_TIME_MS, ScriptedClock, SystemClock
from fluxcore.errors import Cancelled
from fluxcore.operators.process.async_rows import AsyncOperator, AsyncOptions
from fluxcore.runtime.execute import EmbeddedTarget
from fluxcore.runtime.metrics import NodeMetrics
from fluxcore.runtime.nodes import OperatorNode, Receiver
from fluxcore.state.backend import MemoryStateBackend
from fluxcore.state.rescale import split

SCHEMA = pa.schema([("v", pa.int64())])
OUTPUT = pa.schema([("v", pa.int64()), ("w", pa.string())])


async def shown(row):
    """Answer after a few turns of the loop: with no row, one, or two."""
    for _ in range(row["v"] % 5):
        await asyncio.sleep(0)
    if row["v"] % 7 == 0:
        return None
    one = {"v": row["v"], "w": str(row["v"])}
    return [one, {"v": -row["v"]}] if row["v"] % 7 == 1 else one


def answers(v):
    return [] if v % 7 == 0 else [(v, str(v)), (-v, None)] if v % 7 == 1 else [(v, str(v))]


def opened(call, clock=None):
    operator = AsyncOperator(AsyncOptions(call, SCHEMA, OUTPUT))
    operator.open(OperatorContext("test", MemoryStateBackend(), clock or SystemClock(), lambda _: None))
    return operator


def events_of(batches):
    """Return rows (tuples) and watermarks (int) in the order in which they came out."""
    found = []
    for batch in batches:
        rows = [tuple(row.values()) for row in batch.data.to_pylist()]
        steps = [] if batch.steps is None else list(zip(batch.steps.rows, batch.steps.values, strict=True))
        for at in range(len(rows) + 1):
            found += [int(value) for place, value in steps if place == at]
            found += rows[at : at + 1]
    return found


def rows(*values):
    return Batch(pa.RecordBatch.from_pydict({"v": list(values)}, schema=SCHEMA))


EVENTS = st.lists(st.one_of(st.tuples(st.just(0), st.tuples(st.integers(1, 99))), st.integers(0, 30)), max_size=30)


def rising(events):
    highest, found = -1, []
    for event in events:
        if isinstance(event, tuple):
            found.append(event)
        elif event > highest:
            highest = event
            found.append((None, event))
    return found


@given(
    events=EVENTS.map(rising), cuts=st.sets(st.integers(0, 30), max_size=6), freeze_at=st.integers(0, 7),
    capacity=st.integers(1, 9), ordered=st.booleans(),
)  # fmt: skip
def test_rows_never_change_sides_with_a_watermark(kit, events, cuts, freeze_at, capacity, ordered):
    call = AsyncCall(shown, 60_000, capacity, ordered)
    operator, out = opened(call), []
    try:
        for number, (_, batch, watermark) in enumerate(kit.Stream([SCHEMA], events, cuts).pieces()):
            if number == freeze_at:
                (frozen,) = split([operator.freeze()], 1)
                operator.close()
                operator = opened(call)
                operator.restore(frozen)
            if batch is not None:
                out += operator.process(batch)
            if watermark is not None:
                out += operator.advance(watermark)
                assert operator.output_watermark(watermark) <= watermark
        out += operator.advance(MAX_TIME_MS)
        out += operator.finish()
    finally:
        operator.close()
    expected = [found for port, what in events for found in ([what] if port is None else answers(what[0]))]
    found = events_of(out)
    if ordered:
        assert [each for each in found if isinstance(each, tuple)] == [e for e in expected if isinstance(e, tuple)]
    assert segments(found) == segments([*expected, MAX_TIME_MS])
    assert operator.output_watermark(0) == MAX_TIME_MS


def segments(events):
    """Return the rows between watermarks; of watermarks with no row between them only the last counts."""
    found, rows_now = {}, Counter()
    for each in events:
        if isinstance(each, tuple):
            rows_now[each] += 1
        elif rows_now:
            found[each], rows_now = rows_now, Counter()
    return [*found.values(), rows_now]


class Desk:
    """Answers when the test says so."""

    def __init__(self):
        self.asked = []
        self.waiting = {}
        self.most = 0
        self.changed = threading.Condition()

    async def answer(self, row):
        event = asyncio.Event()
        with self.changed:
            self.asked.append(row["v"])
            self.waiting[row["v"]] = (asyncio.get_running_loop(), event)
            self.most = max(self.most, len(self.waiting))
            self.changed.notify_all()
        await event.wait()
        return {"v": row["v"], "w": "answered"}

    def let(self, v):
        with self.changed:
            while v not in self.waiting:
                self.changed.wait()
            loop, event = self.waiting.pop(v)
        loop.call_soon_threadsafe(event.set)


def taken(operator, count):
    """Return the rows that a tick gives, once there are so many."""
    found = []
    while len(found) < count:
        found += [row["v"] for batch in operator.tick(0) for row in batch.data.to_pylist()]
    return found


def test_ordered_and_unordered():
    for ordered, expected in ((True, [1, 2, 3]), (False, [2, 1, 3])):
        desk = Desk()
        operator = opened(AsyncCall(desk.answer, 60_000, 10, ordered))
        list(operator.process(rows(1, 2, 3)))
        list(operator.advance(7))
        assert operator.output_watermark(7) < 7
        desk.let(2)
        first = [] if ordered else taken(operator, 1)
        desk.let(1)
        found = first + taken(operator, 2 if ordered else 1)
        assert operator.output_watermark(7) < 7, "a row before the watermark is not answered"
        desk.let(3)
        assert found + taken(operator, 1) == expected
        while operator.output_watermark(7) < 7:
            operator.tick(0)
        operator.close()


def test_no_more_calls_than_the_capacity():
    desk = Desk()
    operator = opened(AsyncCall(desk.answer, 60_000, 3))
    found = []
    worker = threading.Thread(target=lambda: found.extend(events_of(operator.process(rows(*range(10))))))
    worker.start()
    for v in range(10):
        desk.let(v)
    worker.join()
    found += events_of(operator.finish())
    assert [v for v, _ in found] == list(range(10)) and desk.most <= 3
    operator.close()


def test_a_call_that_takes_too_long():
    clock, desk = ScriptedClock(), Desk()
    operator = opened(AsyncCall(desk.answer, 2_000, 10), clock)
    list(operator.process(rows(1, 2)))
    assert operator.next_tick == 2_000
    clock.advance(1_999)
    assert list(operator.tick(1_999)) == []
    clock.advance(1)
    with pytest.raises(fx.DataError, match="Desk.answer took longer than 2000 ms") as caught:
        operator.tick(2_000)
    assert caught.value.code == "FX-RUN-0230" and "'v': 1" in caught.value.hint
    operator.close()
    late = AsyncCall(desk.answer, 2_000, 10, on_timeout=lambda row: {"v": row["v"], "w": "late"})
    operator = opened(late, clock)
    list(operator.process(rows(1, 2)))
    clock.advance(2_000)
    assert events_of(operator.tick(4_000)) == [(1, "late"), (2, "late")]
    assert operator.context.counters == {"timeouts": 2} and operator.next_tick is None
    operator.close()


def test_retries():
    tries = Counter()

    async def flaky(row):
        tries[row["v"]] += 1
        if tries[row["v"]] < row["v"]:
            raise OSError("no answer")
        return {"v": row["v"], "w": "ok"}

    operator = opened(AsyncCall(flaky, 60_000, 10, retries=2))
    assert events_of([*operator.process(rows(1, 3)), *operator.finish()]) == [(1, "ok"), (3, "ok")]
    with pytest.raises(fx.DataError) as caught:
        list(operator.process(rows(4)))
        list(operator.finish())
    assert tries == {1: 1, 3: 3, 4: 3} and "OSError: no answer" in caught.value.message
    operator.close()


@pytest.mark.parametrize("parallelism", ["1", "2", "3"])
@pytest.mark.parametrize("ordered", [True, False])
def test_a_stream_of_it(parallelism, ordered):
    session = fx.Session({"parallelism.default": parallelism})
    stamps = pa.array(range(300), pa.int64()).cast(pa.timestamp("ms"))
    data = pa.table({"ts": stamps, "v": range(300)})
    stream = session.from_arrow(data.to_batches(max_chunksize=37), name="t", watermark=("ts", "0 s"))
    schema = {"ts": pa.timestamp("ms"), "n": pa.int64()}

    async def doubled(row):
        for _ in range(row["v"] % 3):
            await asyncio.sleep(0)
        return {"ts": row["ts"], "n": 2 * row["v"]}

    called = stream.map_async(doubled, schema=schema, time="ts", capacity=16, ordered=ordered)
    found = called.to_arrow()["n"].to_pylist()
    assert (found if ordered else sorted(found)) == [2 * v for v in range(300)]
    windows = called.window(fx.tumble("ts", "10 ms")).group_by().agg(n=fx.count()).to_arrow()
    assert windows["n"].to_pylist() == [10] * 30, "no row is late for its window"
    grouped = stream.process(Same(), by="v", schema={"v": pa.int64(), "ts": pa.timestamp("ms")})
    assert sorted(grouped.map_async(doubled, schema=schema).to_arrow()["n"].to_pylist()) == [2 * v for v in range(300)]
    assert f"doubled, capacity=16, {'ordered' if ordered else 'unordered'}, by=[]" in called.explain()


class Noted(Receiver):
    def __init__(self):
        self.what = []

    def connect(self, port=0):
        return 0

    def push(self, source, batch):
        self.what += batch.data["v"].to_pylist()

    def watermark(self, source, ms):
        self.what.append("watermark")

    def idle(self, source):
        self.what.append("idle")

    def end(self, source):
        self.what.append("end")


def test_nobody_is_idle_who_waits_for_answers():
    desk, noted = Desk(), Noted()
    operator = AsyncOperator(AsyncOptions(AsyncCall(desk.answer, 60_000, 10), SCHEMA, OUTPUT))
    context = OperatorContext("test", MemoryStateBackend(), SystemClock(), lambda _: None)
    node = OperatorNode(operator, context, NodeMetrics("test"))
    node.out.add(noted)
    source = node.connect()
    node.open()
    node.push(source, rows(1))
    node.idle(source)
    assert noted.what == []
    desk.let(1)
    while not noted.what:
        node.tick(0)
    assert noted.what == [1, "idle"]
    node.close()


class Same(fx.ProcessFunction):
    def process(self, row):
        return [{"v": row["v"], "ts": row["ts"]}]


@pytest.mark.parametrize("parallelism", ["1", "2"])
def test_answers_come_out_though_no_rows_come_in(parallelism):
    seen = threading.Event()

    def batches():
        yield rows(1, 2).data
        assert seen.wait(30)
        yield rows(3).data

    session = fx.Session({"parallelism.default": parallelism})
    reader = pa.RecordBatchReader.from_batches(SCHEMA, batches())
    stream = session.from_arrow(reader, name="t", endless=True)
    if parallelism == "2":
        stream = stream.process(Passed(), by="v", schema=SCHEMA)
    desk, found = Desk(), []
    result = stream.map_async(desk.answer, schema=OUTPUT, ordered=False).batches()
    helper = threading.Thread(target=lambda: [desk.let(v) for v in (2, 1, 3)])
    helper.start()
    for batch in result:
        found += batch["v"].to_pylist()
        if len(found) == 2:
            seen.set()
    helper.join()
    assert sorted(found) == [1, 2, 3]


class Passed(fx.ProcessFunction):
    def process(self, row):
        return [row]


def test_a_stopped_job_waits_for_no_answer():
    session, desk = fx.Session({"parallelism.default": "1"}), Desk()
    stream = session.from_arrow(pa.table({"v": range(9)}), name="t").map_async(desk.answer, schema=OUTPUT, capacity=3)
    job = EmbeddedTarget().start([(stream.node, QueueSink())], session.settings)
    desk.let(0)
    job.cancel()
    with pytest.raises(Cancelled):
        job.result()


async def broken(row):
    await asyncio.sleep(0)
    return {"v": 1 // (row["v"] - 2)}


async def strange(row):
    return [{"nope": 1}] if row["v"] else 5


@pytest.mark.parametrize(
    ("function", "value", "code", "words"),
    [
        (broken, 2, "FX-RUN-0210", ["ZeroDivisionError", "in broken, line", "test_map_async.py", "'v': 2"]),
        (strange, 1, "FX-RUN-0211", ["strange gave a row", "'nope'"]),
        (strange, 0, "FX-RUN-0210", ["TypeError", "'v': 0"]),
    ],
)
def test_mistakes_are_told(function, value, code, words):
    stream = fx.Session().from_arrow(pa.table({"v": [value]}), name="t")
    with pytest.raises(fx.DataError) as caught:
        stream.map_async(function, schema=OUTPUT).to_arrow()
    assert caught.value.code == code
    for word in words:
        assert word in f"{caught.value.message} {caught.value.hint}"


def test_what_can_not_be_called_is_told():
    stream = fx.Session().from_arrow(pa.table({"v": [1]}), name="t")
    with pytest.raises(fx.ScriptError, match="is no async function"):
        stream.map_async(lambda row: row, schema=OUTPUT)
    with pytest.raises(fx.ScriptError, match="capacity"):
        stream.map_async(shown, schema=OUTPUT, capacity=0)
    with pytest.raises(fx.ScriptError) as caught:
        stream.map_async(shown, schema=OUTPUT, timeout="soon")
    assert caught.value.code == "FX-API-0003"


class Failing(fx.Operator):
    def process(self, batch, port=0):
        return [batch.column(5)]


def test_an_error_in_an_operator_names_its_line():
    stream = fx.Session().from_arrow(pa.table({"v": [1]}), name="t")
    with pytest.raises(fx.JobError, match="IndexError") as caught:
        stream.transform(Failing, schema=SCHEMA).to_arrow()
    assert "test_map_async.py; run again" in caught.value.hint and "in line" in caught.value.hint


class Doubled(fx.Operator):
    """Gives twice each value, with the steps of its row, and odd ones to the side."""

    def process(self, batch, port=0):
        values = np.asarray(batch.column(0))
        odd = np.flatnonzero(values % 2)
        self.context.side("odd", batch.take(odd))
        return [batch.with_data(pa.RecordBatch.from_arrays([pa.array(2 * values)], ["v"]))]


@pytest.mark.parametrize("parallelism", ["1", "2", "3"])
def test_an_operator_of_the_program(parallelism):
    session = fx.Session({"parallelism.default": parallelism})
    stream = session.from_arrow(pa.table({"v": range(100)}), name="t")
    doubled = stream.transform(Doubled, by="v", schema=SCHEMA, sides={"odd": SCHEMA})
    found, odd = session.collect(doubled, doubled.side("odd"))
    assert sorted(found["v"].to_pylist()) == [2 * v for v in range(100)]
    assert sorted(odd["v"].to_pylist()) == list(range(1, 100, 2))
    assert "Process(Doubled, by=[v])" in doubled.explain()
