"""Joins within an interval of event time, beside a naive model that takes one row after the other."""

from __future__ import annotations

from itertools import accumulate

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.core.batch import Batch
from fluxcore.core.types import BIGINT, STRING, TimestampType
from fluxcore.operators.joins.join import JoinOperator, JoinOptions
from fluxcore.operators.joins.join_side import JoinInput
from fluxcore.operators.joins.residuals import Residual
from fluxcore.operators.joins.window_join import JoinRows

TIME = TimestampType(precision=3)
SCHEMA = pa.schema([("ts", TIME.arrow()), ("k", pa.string()), ("v", pa.int64())])
TYPES = (TIME, STRING, BIGINT)
OUTPUT = pa.schema([*SCHEMA, *(pa.field(f"r_{f.name}", f.type) for f in SCHEMA)])
LOW, HIGH = -2, 3
ROW = st.tuples(st.integers(0, 15), st.sampled_from([None, "a", "b"]), st.integers(0, 3))
EVENTS = st.lists(st.one_of(st.tuples(st.sampled_from([0, 1]), ROW), st.integers(0, 15)), max_size=24)


def apart(batch):
    left, right = (column.view(pa.int64()) for column in batch.columns)
    distance = pc.subtract(right, left)
    return pc.and_(pc.greater_equal(distance, LOW * 1000), pc.less_equal(distance, HIGH * 1000))


def stamp(ms):
    return pa.scalar(ms * 1000, pa.timestamp("us")).as_py()


def shown(row):
    return (None,) * 3 if row is None else (stamp(row[0]), row[1], row[2])


def model(events, kind):
    """A pair meets unless the watermark had passed the interval of the row that was there first."""
    alone = (kind in (JoinRows.LEFT, JoinRows.FULL), kind in (JoinRows.RIGHT, JoinRows.FULL))
    reach, rows, out, watermark = (HIGH, -LOW), [], [], -(10**9)
    for event in events:
        if isinstance(event, int):
            watermark = event
            continue
        port, row = event
        mine = [port, row, 0]
        for other in rows:
            left, right = (mine, other) if port == 0 else (other, mine)
            same = other[0] != port and row[1] is not None and other[1][1] == row[1]
            if same and LOW <= right[1][0] - left[1][0] <= HIGH and other[1][0] + reach[other[0]] > watermark:
                out.append((*shown(left[1]), *shown(right[1])))
                mine[2] += 1
                other[2] += 1
        rows.append(mine)
    for port, row, partners in rows:
        if not partners and alone[port]:
            out.append((*shown(row), *shown(None)) if port == 0 else (*shown(None), *shown(row)))
    return out


def made(kind):
    side = JoinInput(SCHEMA, TYPES, (1,), time=0)
    residual = Residual(apart, (0, 3), 3)
    return JoinOptions(kind, side, side, (STRING.with_nullable(False),), OUTPUT, residual, (LOW, HIGH))


@pytest.mark.parametrize("kind", [JoinRows.INNER, JoinRows.LEFT, JoinRows.RIGHT, JoinRows.FULL])
@given(events=EVENTS, cuts=st.sets(st.integers(0, 24), max_size=6), freeze_at=st.integers(0, 8))
def test_pairs_and_rows_without_one(kit, kind, events, cuts, freeze_at):
    marks = accumulate((e if isinstance(e, int) else -1 for e in events), max)  # a gate lets no watermark fall
    events = [mark if isinstance(e, int) else e for e, mark in zip(events, marks, strict=True)]
    rows = [(None, e) if isinstance(e, int) else (e[0], shown(e[1])) for e in events]
    options = made(kind)
    found, _, _ = kit.drive(
        lambda: JoinOperator(options), kit.Stream([SCHEMA, SCHEMA], rows, cuts), freeze_at=freeze_at
    )
    assert sorted(found, key=repr) == sorted(model(events, kind), key=repr)


def test_rows_are_forgotten_when_their_interval_is_over(kit):
    operator = JoinOperator(made(JoinRows.FULL))
    operator.open(kit.new_context([]))
    for first in range(0, 5000, 100):
        rows = [(stamp(ms), "a", 0) for ms in range(first, first + 100)]
        for port in (0, 1):
            operator.process(Batch(kit.Stream([SCHEMA]).batch(0, rows)), port)
        operator.advance(first + 99)
        assert operator.state_rows <= HIGH - LOW
        assert operator.output_watermark(first + 99) == first + 99 - HIGH - 1
