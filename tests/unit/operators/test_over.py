"""Functions over ordered partitions beside a naive model, with rows out of order and late."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.core.types import BIGINT, STRING, TimestampType
from fluxcore.expr.nodes import AggCall
from fluxcore.operators.order.over import OverFunction, OverOperator, OverOptions

TIME = TimestampType(precision=3)
SCHEMA = pa.schema([("ts", TIME.arrow()), ("k", pa.string()), ("v", pa.int64()), ("arrival", pa.int64())])
EVENTS = st.lists(
    st.one_of(
        st.tuples(
            st.just(0),
            st.tuples(st.integers(0, 20), st.sampled_from([None, "a", "b"]), st.sampled_from([None, -4, 1, 2, 7])),
        ),
        st.tuples(st.none(), st.integers(0, 20)),
    ),
    max_size=25,
)
MODELS = {
    "LAG": None,
    "COUNT": len,
    "SUM": lambda v: sum(v) if v else None,
    "AVG": lambda v: int(sum(v) / len(v)) if v else None,
    "MIN": lambda v: min(v, default=None),
    "MAX": lambda v: max(v, default=None),
}


def model(events, function, *, rows, preceding):
    """Return {arrival: result}, and the arrivals of late rows."""
    watermark, kept, late = -1, [], []
    for where, value in events:
        if where is None:
            watermark = max(watermark, value)
        elif value[0] <= watermark:
            late.append(value[3])
        else:
            kept.append(value)
    out = {}
    for key in {row[1] for row in kept}:
        mine = sorted((row for row in kept if row[1] == key), key=lambda row: (row[0], row[3]))
        for place, row in enumerate(mine):
            if function == "LAG":
                out[row[3]] = mine[place - 1][2] if place else None
                continue
            if rows:
                frame = mine[(0 if preceding is None else max(0, place - preceding)) : place + 1]
            else:
                frame = [other for other in mine if other[0] <= row[0]]
            out[row[3]] = MODELS[function]([other[2] for other in frame if other[2] is not None])
    return out, late


def rising(events):
    """Return the events without watermarks that say nothing new."""
    kept, highest = [], -1
    for where, value in events:
        if where is None:
            if value <= highest:
                continue
            highest = value
        kept.append((where, value))
    return kept


@pytest.mark.parametrize("frame", [(True, None), (True, 0), (True, 2), (False, None)], ids=str)
@pytest.mark.parametrize("function", MODELS)
@given(events=EVENTS, cuts=st.sets(st.integers(0, 25)), freeze_at=st.integers(0, 8))
def test_each_row_gets_what_the_model_says(kit, function, frame, events, cuts, freeze_at):
    events = rising([(w, v if w is None else (*v, number)) for number, (w, v) in enumerate(events)])
    call = AggCall(function=function, type=BIGINT, args=(2,))
    options = OverOptions(
        (TIME, STRING, BIGINT, BIGINT), SCHEMA, SCHEMA.append(pa.field("x", pa.int64())), (1,), 0,
        (OverFunction(call, *frame),),
    )  # fmt: skip
    micros = [(w, v if w is None else (v[0] * 1000, *v[1:])) for w, v in events]
    rows, late, counters = kit.drive(
        lambda: OverOperator(options), kit.Stream([SCHEMA], micros, cuts), freeze_at=freeze_at
    )
    wanted, gone = model(events, function, rows=frame[0], preceding=frame[1])
    assert {row[3]: row[4] for row in rows} == wanted
    assert [row[3] for row in late] == gone
    assert counters.get("late_rows", 0) == len(gone)
