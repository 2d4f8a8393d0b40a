"""Joins with versions in event time, and with a table as it stands, beside naive models."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.core.batch import Batch
from fluxcore.core.types import BIGINT, STRING, TimestampType
from fluxcore.operators.joins.join_side import JoinInput
from fluxcore.operators.joins.lookup_join import LookupJoinOperator, LookupJoinOptions
from fluxcore.operators.joins.residuals import Residual
from fluxcore.operators.joins.temporal_join import TemporalJoinOperator, TemporalJoinOptions, TemporalSide
from fluxcore.state.rescale import split

TIME = TimestampType(precision=3)
SCHEMA = pa.schema([("ts", TIME.arrow()), ("k", pa.string()), ("v", pa.int64())])
TYPES = (TIME, STRING, BIGINT)
OUTPUT = pa.schema([*SCHEMA, *(pa.field(f"r_{f.name}", f.type) for f in SCHEMA)])
KEY = (STRING.with_nullable(False),)
LESS = Residual(lambda batch: pc.less(batch.column(0), batch.column(1)), (2, 5), 3)
ROW = st.tuples(st.integers(0, 12), st.sampled_from([None, "a", "b"]), st.sampled_from([None, 1, 2, 3]))
EVENTS = st.lists(st.one_of(st.tuples(st.sampled_from([0, 1]), ROW), st.integers(0, 12)), max_size=24)


def stamp(ms):
    return pa.scalar(ms * 1000, pa.timestamp("us")).as_py()


def shown(row):
    return (None,) * 3 if row is None else (stamp(row[0]), row[1], row[2])


def holds(left, right):
    return left[2] is not None and right[2] is not None and left[2] < right[2]


def versions_model(events, *, outer, residual):
    """Take events one after the other; a left row is answered when the watermark passes it."""
    waiting, versions, out, late, watermark = [], [], [], 0, -1
    for event in [*events, 100]:
        if not isinstance(event, int):
            port, row = event
            if port == 1:
                versions.append(row)
            elif row[0] <= watermark:
                late += 1
            else:
                waiting.append(row)
            continue
        watermark = max(watermark, event)
        for row in [each for each in waiting if each[0] <= watermark]:
            found = None
            for version in versions:
                same = row[1] is not None and version[1] == row[1] and version[0] <= row[0]
                if same and (found is None or version[0] >= found[0]):
                    found = version
            if found is not None and residual and not holds(row, found):
                found = None
            if found is not None or outer:
                out.append((*shown(row), *shown(found)))
        waiting = [each for each in waiting if each[0] > watermark]
    return out, late


@pytest.mark.parametrize("outer", [False, True])
@pytest.mark.parametrize("residual", [False, True], ids=["keys", "condition"])
@given(events=EVENTS, cuts=st.sets(st.integers(0, 24), max_size=5), freeze_at=st.integers(0, 8))
def test_versions(kit, outer, residual, events, cuts, freeze_at):
    side = TemporalSide(SCHEMA, (1,), 0)
    options = TemporalJoinOptions(outer, side, side, KEY, OUTPUT, LESS if residual else None)
    marks = accumulate((e if isinstance(e, int) else -1 for e in events), max)  # a gate lets no watermark fall
    events = [mark if isinstance(e, int) else e for e, mark in zip(events, marks, strict=True)]
    stream = kit.Stream(
        [SCHEMA, SCHEMA],
        [(None, e) if isinstance(e, int) else (e[0], (stamp(e[1][0]), *e[1][1:])) for e in events],
        cuts,
    )
    rows, late, counters = kit.drive(lambda: TemporalJoinOperator(options), stream, freeze_at=freeze_at)
    wanted, too_late = versions_model(events, outer=outer, residual=residual)
    assert sorted(rows, key=repr) == sorted(wanted, key=repr)
    assert len(late) == counters.get("late_rows", 0) == too_late


def changes_model(events, *, outer):
    """Each key has a stack of rows by time, of which the last counts; a row taken back ends it when the watermark rises."""
    waiting, stacks, gone, out, watermark = [], {}, {}, [], -1
    for event in [*events, 100]:
        if not isinstance(event, int):
            port, row, weight = event
            key, stack = row[1], stacks.setdefault(row[1], [])
            if port == 0:
                waiting += [row] if row[0] > watermark else []
            elif key is not None and weight < 0:
                if stack and stack[-1] == row:
                    gone.setdefault(key, watermark)
            elif key is not None:
                if gone.pop(key, watermark) < watermark:
                    stack.clear()
                while stack and stack[-1][0] > row[0]:
                    stack.pop()
                stack.append(row)
            continue
        watermark = max(watermark, event)
        for row in [each for each in waiting if each[0] <= watermark]:
            there = [] if row[1] is None or row[1] in gone else stacks.get(row[1], [])
            there = [each for each in there if each[0] <= row[0]]
            if there or outer:
                out.append((*shown(row), *shown(there[-1] if there else None)))
        waiting = [each for each in waiting if each[0] > watermark]
    return out


@st.composite
def table_changes(draw):
    """Return what happens: left rows, watermarks, and rows of keys that come, are replaced and go."""
    events, rows = [], {}
    for _ in range(draw(st.integers(0, 20))):
        row = draw(ROW)
        kind = draw(st.sampled_from(["left", "watermark", "new", "new", "taken back", "new first"]))
        if kind == "left":
            events.append((0, row, 1))
        elif kind == "watermark":
            events.append(row[0])
        else:
            old = rows.pop(row[1], None)
            come, go = [(1, row, 1)], [(1, old, -1)] if old is not None else []
            if kind != "taken back":
                rows[row[1]] = row
            events += go if kind == "taken back" else go + come if kind == "new" or old == row else come + go
    return events


@pytest.mark.parametrize("outer", [False, True])
@given(events=table_changes(), cuts=st.sets(st.integers(0, 40), max_size=6), freeze_at=st.integers(0, 8))
def test_versions_of_a_table_that_changes(kit, outer, events, cuts, freeze_at):
    side = TemporalSide(SCHEMA, (1,), 0)
    options = TemporalJoinOptions(outer, side, side, KEY, OUTPUT, updated=True)
    marks = accumulate((e if isinstance(e, int) else -1 for e in events), max)
    events = [mark if isinstance(e, int) else e for e, mark in zip(events, marks, strict=True)]
    told = []
    for event in events:
        if isinstance(event, int):
            told.append((None, event))
        else:
            port, row, weight = event
            told.append((port, (*shown(row), weight) if port else shown(row)))
    stream = kit.Stream([SCHEMA, SCHEMA], told, cuts, (1,))
    rows, _, _ = kit.drive(lambda: TemporalJoinOperator(options), stream, freeze_at=freeze_at)
    assert sorted(rows, key=repr) == sorted(changes_model(events, outer=outer), key=repr)


def test_of_a_table_that_changes_only_the_rows_that_count_are_kept(kit):
    side = TemporalSide(SCHEMA, (1,), 0)
    operator = TemporalJoinOperator(TemporalJoinOptions(False, side, side, KEY, OUTPUT, updated=True))
    operator.open(kit.new_context([]))
    for first in range(0, 1000, 100):
        rows = [(stamp(ms), "ab"[ms % 2], ms) for ms in range(first, first + 100)]
        operator.process(Batch(kit.Stream([SCHEMA]).batch(0, rows)), 1)
        operator.advance(first + 99)
        assert operator.state_rows == 2
    last = kit.Stream([SCHEMA]).batch(0, rows[-2:])
    operator.process(Batch(last, np.array([-1, -1], np.int8)), 1)
    operator.advance(2000)
    assert operator.state_rows == 0


def test_only_the_versions_that_count_are_kept(kit):
    side = TemporalSide(SCHEMA, (1,), 0)
    operator = TemporalJoinOperator(TemporalJoinOptions(False, side, side, KEY, OUTPUT))
    operator.open(kit.new_context([]))
    for first in range(0, 1000, 100):
        rows = [(stamp(ms), "ab"[ms % 2], ms) for ms in range(first, first + 100)]
        operator.process(Batch(kit.Stream([SCHEMA]).batch(0, rows)), 1)
        operator.advance(first + 99)
        assert operator.state_rows == 2


@pytest.mark.parametrize("outer", [False, True])
@pytest.mark.parametrize("residual", [False, True], ids=["keys", "condition"])
@pytest.mark.parametrize("right_ends", [False, True])
@given(events=st.lists(st.tuples(st.sampled_from([0, 1]), ROW), max_size=20), keyed=st.booleans())
def test_lookups(kit, outer, residual, right_ends, events, keyed):
    side = JoinInput(SCHEMA, TYPES, (1,))
    options = LookupJoinOptions(
        outer, side, side, KEY, OUTPUT, right_ends, (1, 2) if keyed else (), LESS if residual else None
    )
    operator = LookupJoinOperator(options)
    operator.open(kit.new_context([]))
    found = []
    for port, row in events:
        batch = Batch(kit.Stream([SCHEMA]).batch(0, [shown(row)]))
        found += operator.process(batch, port)
    found += operator.port_ended(1)

    def answer(row, table):
        if keyed:
            table = list({(each[1], each[2]): each for each in table}.values())
        partners = [each for each in table if row[1] is not None and each[1] == row[1]]
        partners = [each for each in partners if not residual or holds(row, each)]
        return [(*shown(row), *shown(each)) for each in partners or ([None] if outer else [])]

    wanted = []
    for number, (port, row) in enumerate(events):
        known = events if right_ends else events[:number]
        if port == 0:
            wanted += answer(row, [each for side_, each in known if side_ == 1])
    assert sorted(kit.rows_of(found), key=repr) == sorted(wanted, key=repr)


@pytest.mark.parametrize("outer", [False, True])
@pytest.mark.parametrize("right_ends", [False, True])
@given(events=table_changes(), freeze_at=st.integers(0, 20))
def test_lookups_in_a_table_that_changes(kit, outer, right_ends, events, freeze_at):
    left, right = JoinInput(SCHEMA, TYPES, (1,)), JoinInput(SCHEMA, TYPES, (1,), append_only=False)

    def opened():
        operator = LookupJoinOperator(LookupJoinOptions(outer, left, right, KEY, OUTPUT, right_ends))
        operator.open(kit.new_context([]))
        return operator

    operator, found, wanted, waiting, table = opened(), [], [], [], []

    def meet(row):
        partners = [each for each in table if row[1] is not None and each[1] == row[1]]
        return [(*shown(row), *shown(each)) for each in partners or ([None] if outer else [])]

    events = [each for each in events if not isinstance(each, int)]
    for number, (port, row, weight) in enumerate(events):
        if number == freeze_at:
            (frozen,), operator = split([operator.freeze()], 1), opened()
            operator.restore(frozen)
        batch = Batch(kit.Stream([SCHEMA]).batch(0, [shown(row)]), np.array([weight], np.int8) if port else None)
        found += operator.process(batch, port)
        if port and weight > 0:
            table.append(row)
        elif port:
            table.remove(row)
        elif right_ends:
            waiting.append(row)
        else:
            wanted += meet(row)
    found += operator.port_ended(1)
    wanted += [each for row in waiting for each in meet(row)]
    assert sorted(kit.rows_of(found), key=repr) == sorted(wanted, key=repr)
