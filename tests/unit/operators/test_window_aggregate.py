"""Window aggregates beside a naive model that judges each row against the watermark before it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.core.batch import Batch, Steps
from fluxcore.core.ports import OperatorContext
from fluxcore.core.time import MAX_TIME_MS, SystemClock
from fluxcore.core.types import BIGINT, STRING, TimestampType
from fluxcore.expr.aggregates import aggregate_type
from fluxcore.expr.nodes import AggCall
from fluxcore.operators.windows.slicing import Slicing
from fluxcore.operators.windows.window_aggregate import WindowAggregateOperator, WindowAggregateOptions
from fluxcore.operators.windows.window_partial import WindowPartials
from fluxcore.state.backend import MemoryStateBackend

TIME = TimestampType(precision=3)
TYPES = (TIME, STRING, BIGINT)
SCHEMA = pa.schema([("ts", TIME.arrow()), ("k", pa.string()), ("v", pa.int64())])
WINDOWS = {
    "TUMBLE": Slicing("TUMBLE", 10, 10),
    "TUMBLE with an offset": Slicing("TUMBLE", 10, 10, 3),
    "HOP": Slicing("HOP", 10, 4),
    "HOP with an offset": Slicing("HOP", 12, 4, 1),
    "HOP with gaps": Slicing("HOP", 4, 10),
    "CUMULATE": Slicing("CUMULATE", 12, 4),
}
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 60), st.sampled_from([None, "a", "b", ""]), st.sampled_from([None, -2, 1, 5])),
        st.integers(0, 60),
    ),
    max_size=30,
)


def call(function, *args, distinct=False):
    type_ = aggregate_type(function, [TYPES[a] for a in args], distinct=distinct)
    return AggCall(function=function, type=type_, args=args, distinct=distinct)


SIMPLE = (call("COUNT"), call("SUM", 2), call("MIN", 2), call("MAX", 2), call("AVG", 2))
KEPT = (*SIMPLE, call("COUNT", 2, distinct=True), call("MAX", 1), call("LISTAGG", 1), call("FIRST_VALUE", 2))


def options(window, calls, *, keyed=True):
    names = [("k", pa.string())] if keyed else []
    names += [(f"a{i}", each.type.arrow()) for i, each in enumerate(calls)]
    names += [(name, pa.timestamp("us")) for name in ("window_start", "window_end", "window_time")]
    return WindowAggregateOptions(TYPES, 0, (1,) if keyed else (), calls, window, pa.schema(names))


def windows_of(shape, time):
    """Return (start, end) of all windows that a time falls in, by their definition."""
    if shape.kind == "CUMULATE":
        start = (time - shape.offset) // shape.size * shape.size + shape.offset
        return [(start, end) for end in range(start + shape.slide, start + shape.size + 1, shape.slide) if time < end]
    starts = range(-200 + shape.offset, 200, shape.slide)
    return [(s, s + shape.size) for s in starts if s <= time < s + shape.size]


def model(shape, events, *, keyed):
    """Return ({(key, start, end): rows}, late rows, rows x windows that were too late)."""
    open_, late, drops, watermark = {}, [], 0, None
    for event in events:
        if isinstance(event, int):
            watermark = event if watermark is None else max(watermark, event)
            continue
        found = windows_of(shape, event[0])
        missed = [w for w in found if watermark is not None and watermark >= w[1] - 1]
        drops += len(missed)
        if missed:
            late.append(event)
        for window in found:
            if window not in missed:
                open_.setdefault((event[1] if keyed else None, *window), []).append(event)
    return open_, late, drops


def answers(rows, calls):
    values = [v for _, _, v in rows if v is not None]
    total = sum(values) if values else None
    found = [
        len(rows), total, min(values, default=None), max(values, default=None),
        None if total is None else int(total / len(values)),
    ]  # fmt: skip
    if len(calls) > len(SIMPLE):
        texts = [k for _, k, _ in rows if k is not None]
        found += [len(set(values)), max(texts, default=None), ",".join(texts) if texts else None]
        found.append(values[0] if values else None)
    return tuple(found)


def pieces(events, cuts):
    """Yield (rows, steps, watermark after): batches with the watermarks among their rows, cut at random."""
    rows, steps, watermark = [], [], None
    for number, event in enumerate(events):
        if number in cuts and (rows or steps):
            yield rows, steps, watermark
            rows, steps = [], []
        if isinstance(event, int):
            if watermark is None or event > watermark:
                watermark = event
                steps.append((len(rows), event))
        else:
            rows.append(event)
    yield rows, steps, watermark


def batch_of(rows, steps):
    columns = list(zip(*rows, strict=True)) if rows else [(), (), ()]
    times = pa.array(np.array(columns[0], np.int64) * 1000).view(pa.timestamp("us"))
    data = pa.RecordBatch.from_arrays(
        [times, pa.array(columns[1], pa.string()), pa.array(columns[2], pa.int64())], schema=SCHEMA
    )
    if not steps:
        return Batch(data)
    return Batch(data, None, Steps(np.array([r for r, _ in steps]), np.array([v for _, v in steps])))


def drive(made, events, cuts, *, partial, freeze_at=None):
    late, counters = [], {}

    def opened():
        operator = WindowAggregateOperator(made)
        operator.open(OperatorContext("test", MemoryStateBackend(), SystemClock(), late.append, counters))
        return operator

    operator = opened()
    halves = WindowPartials(made, MemoryStateBackend) if partial else None
    out = []
    for number, (rows, steps, watermark) in enumerate(pieces(events, cuts)):
        if number == freeze_at:
            frozen, operator = operator.freeze(), opened()
            operator.restore(frozen)
        if rows:
            batch = batch_of(rows, steps)
            sent = halves(batch) if halves else None
            out += operator.process(batch) if sent is None else operator.process_partial(sent)
        if watermark is not None:
            out += operator.advance(watermark)
    out += operator.advance(MAX_TIME_MS)
    out += operator.finish()
    rows = [row for batch in out for row in zip(*(c.to_pylist() for c in batch.data.columns), strict=True)]
    gone = [row for batch in late for row in zip(*(c.to_pylist() for c in batch.data.columns), strict=True)]
    assert operator.state_rows == 0, "all windows have fired"
    return rows, gone, counters


def milliseconds(value):
    return round((value - np.datetime64(0, "ms").astype(object)).total_seconds() * 1000)


@pytest.mark.parametrize("way", ["rows", "partial", "kept values", "no keys"])
@pytest.mark.parametrize("name", WINDOWS)
@given(events=EVENTS, cuts=st.sets(st.integers(0, 30)), freeze_at=st.integers(0, 6))
def test_windows_hold_what_the_model_says(name, way, events, cuts, freeze_at):
    shape, keyed = WINDOWS[name], way != "no keys"
    made = options(shape, KEPT if way == "kept values" else SIMPLE, keyed=keyed)
    rows, late, counters = drive(made, events, cuts, partial=way == "partial", freeze_at=freeze_at)
    wanted, late_wanted, drops = model(shape, events, keyed=keyed)
    found = {}
    for row in rows:
        key, values, times = row[0] if keyed else None, row[keyed:-3], [milliseconds(t) for t in row[-3:]]
        assert times[2] == times[1] - 1
        assert (key, times[0], times[1]) not in found, "a window has one row a key"
        found[key, times[0], times[1]] = values
    assert found == {window: answers(members, made.calls) for window, members in wanted.items()}
    ends = [milliseconds(row[-2]) for row in rows]
    assert way == "kept values" or ends == sorted(ends) or len(cuts) > 0
    assert Counter((milliseconds(t), k, v) for t, k, v in late) == Counter(late_wanted)
    assert counters.get("late_rows", 0) == len(late_wanted)
    assert counters.get("late_drops", 0) == drops


@given(events=EVENTS, cuts=st.sets(st.integers(0, 30)))
def test_rows_that_carry_their_window_are_aggregated_by_its_end(events, cuts):
    made = options(replace(WINDOWS["TUMBLE"], attached=True), SIMPLE)
    ended = [event if isinstance(event, int) else (event[0] // 10 * 10 + 10, *event[1:]) for event in events]
    rows, late, _ = drive(made, ended, cuts, partial=False)
    wanted, late_wanted, _ = model(WINDOWS["TUMBLE"], [e if isinstance(e, int) else (e[0] - 1, *e[1:]) for e in ended],
                                   keyed=True)  # fmt: skip
    assert {(row[0], milliseconds(row[-2])): row[1:-3] for row in rows} == {
        (key, end): answers(members, SIMPLE) for (key, _, end), members in wanted.items()
    }
    assert len(late) == len(late_wanted)
