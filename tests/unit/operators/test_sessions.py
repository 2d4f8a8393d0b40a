"""Sessions beside a naive model that takes one row after the other."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.core.types import BIGINT, STRING, TimestampType
from fluxcore.expr.aggregates import aggregate_type
from fluxcore.expr.nodes import AggCall
from fluxcore.operators.windows.session_aggregate import SessionAggregateOperator, SessionOptions
from fluxcore.operators.windows.session_assign import SessionAssignOperator, SessionAssignOptions

TIME = TimestampType(precision=3)
TYPES = (TIME, STRING, BIGINT)
SCHEMA = pa.schema([("ts", TIME.arrow()), ("k", pa.string()), ("v", pa.int64())])
WINDOW = [(name, pa.timestamp("us")) for name in ("window_start", "window_end", "window_time")]
GAP = 5
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 40), st.sampled_from([None, "a", "b"]), st.sampled_from([None, -2, 1, 5])),
        st.integers(0, 45),
    ),
    max_size=30,
)


def call(function, *args, distinct=False):
    type_ = aggregate_type(function, [TYPES[a] for a in args], distinct=distinct)
    return AggCall(function=function, type=type_, args=args, distinct=distinct)


CALLS = (call("COUNT"), call("SUM", 2), call("MAX", 2), call("FIRST_VALUE", 2), call("COUNT", 2, distinct=True))


def model(events, *, keyed):
    """Return (closed sessions as (key, start, end, rows in order), late rows)."""
    open_, closed, late, watermark = [], [], [], -1
    for number, event in enumerate([*events, 10**6]):
        if isinstance(event, int):
            watermark = max(watermark, event)
            closed += [each for each in open_ if each[2] - 1 <= watermark]
            open_ = [each for each in open_ if each[2] - 1 > watermark]
            continue
        key = event[1] if keyed else None
        start, end = event[0], event[0] + GAP
        met = [each for each in open_ if each[0] == key and each[1] <= end and each[2] >= start]
        if not met and end - 1 <= watermark:
            late.append(event)
            continue
        for each in met:
            open_.remove(each)
        rows = [row for each in met for row in each[3]] + [(number, event)]
        open_.append((key, min([start, *(e[1] for e in met)]), max([end, *(e[2] for e in met)]), rows))
    return [(k, s, e, [row for _, row in sorted(rows, key=lambda row: row[0])]) for k, s, e, rows in closed], late


def stamp(ms):
    return pa.scalar(ms * 1000, pa.timestamp("us")).as_py()


def as_stream(kit, events, cuts):
    rows = [(stamp(e[0]), e[1], e[2]) if isinstance(e, tuple) else e for e in events]
    return kit.Stream([SCHEMA], [(None, e) if isinstance(e, int) else (0, e) for e in rows], cuts)


def results(key, start, end, rows, *, keyed):
    values = [row[2] for row in rows if row[2] is not None]
    found = (len(rows), sum(values) if values else None, max(values, default=None), values[0] if values else None)
    return ((key,) if keyed else ()) + (*found, len(set(values)), stamp(start), stamp(end), stamp(end - 1))


@pytest.mark.parametrize("keyed", [True, False])
@given(events=EVENTS, cuts=st.sets(st.integers(0, 30), max_size=5), freeze_at=st.integers(0, 6))
def test_aggregates_of_sessions(kit, keyed, events, cuts, freeze_at):
    names = [("k", pa.string())] if keyed else []
    output = pa.schema([*names, *((f"a{i}", c.type.arrow()) for i, c in enumerate(CALLS)), *WINDOW])
    options = SessionOptions(TYPES, 0, (1,) if keyed else (), CALLS, GAP, output)
    rows, late, counters = kit.drive(
        lambda: SessionAggregateOperator(options), as_stream(kit, events, cuts), freeze_at=freeze_at
    )
    closed, too_late = model(events, keyed=keyed)
    key = repr
    assert sorted(rows, key=key) == sorted((results(*each, keyed=keyed) for each in closed), key=key)
    assert sorted(late, key=key) == sorted(((stamp(e[0]), e[1], e[2]) for e in too_late), key=key)
    assert counters.get("late_rows", 0) == len(too_late)
    ends = [row[-2] for row in rows]
    assert keyed or ends == sorted(ends)


@pytest.mark.parametrize("keyed", [True, False])
@given(events=EVENTS, cuts=st.sets(st.integers(0, 30), max_size=5), freeze_at=st.integers(0, 6))
def test_rows_with_their_session(kit, keyed, events, cuts, freeze_at):
    output = pa.schema([*SCHEMA, *WINDOW])
    options = SessionAssignOptions(SCHEMA, TYPES, 0, (1,) if keyed else (), GAP, output)
    rows, late, _ = kit.drive(lambda: SessionAssignOperator(options), as_stream(kit, events, cuts), freeze_at=freeze_at)
    closed, too_late = model(events, keyed=keyed)
    wanted = [
        (stamp(row[0]), row[1], row[2], stamp(start), stamp(end), stamp(end - 1))
        for _, start, end, members in closed
        for row in members
    ]
    assert sorted(rows, key=repr) == sorted(wanted, key=repr)
    assert len(late) == len(too_late)
