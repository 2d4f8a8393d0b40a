"""Functions over ordered partitions beside a naive model, with rows out of order and late."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.operators import over_model

from fluxcore.core.types import BIGINT, BOOLEAN, DOUBLE, STRING, DecimalType, TimestampType
from fluxcore.expr.aggregates import aggregate_type
from fluxcore.expr.nodes import AggCall
from fluxcore.operators.order.frames import OverFunction
from fluxcore.operators.order.over import OverOperator, OverOptions
from fluxcore.operators.order.sorted_over import SortedOverOperator
from fluxcore.operators.sort_words import OrderKey

TIME = TimestampType(precision=3)
MONEY = DecimalType(precision=38, scale=2)
TYPES = (TIME, STRING, BIGINT, DOUBLE, STRING, MONEY, BOOLEAN, BIGINT)
NAMES = ("ts", "k", "v", "f", "s", "d", "ok", "arrival")
SCHEMA = pa.schema([(name, type_.arrow()) for name, type_ in zip(NAMES, TYPES, strict=True)])
INT, FLOAT, TEXT, DEC = 2, 3, 4, 5
ROWS = st.tuples(
    st.integers(0, 20),
    st.sampled_from([None, "a", "b"]),
    st.sampled_from([None, -4, 1, 2, 7]),
    st.sampled_from([None, -1.5, 0.25, 8.0]),
    st.sampled_from([None, "x", "yy", ""]),
    st.sampled_from([None, Decimal("-3.25"), Decimal("7.50"), Decimal("9" * 36 + ".99")]),
    st.sampled_from([None, True, False]),
)
EVENTS = st.lists(st.one_of(st.tuples(st.just(0), ROWS), st.tuples(st.none(), st.integers(0, 20))), max_size=25)
UP_TO_HERE = [(True, None, 0), (True, 0, 0), (True, 2, 0), (False, None, 0), (False, 0, 0), (False, 5, 0)]
AHEAD = [
    (True, None, None),
    (True, 1, 2),
    (True, -1, None),
    (True, 3, -1),
    (False, 0, None),
    (False, 4, 3),
    (False, -2, 6),
]
CALLS = [
    ("COUNT", INT, (), False), ("COUNT", TEXT, (), True), ("SUM", INT, (), False), ("SUM", INT, (), True),
    ("SUM", FLOAT, (), False), ("SUM", FLOAT, (), True), ("SUM", DEC, (), False), ("SUM", DEC, (), True),
    ("AVG", INT, (), False), ("AVG", FLOAT, (), False), ("AVG", DEC, (), False),
    ("MIN", INT, (), False), ("MAX", FLOAT, (), False), ("MIN", TEXT, (), False), ("MAX", DEC, (), False),
    ("FIRST_VALUE", TEXT, (), False), ("LAST_VALUE", INT, (), False), ("NTH_VALUE", TEXT, (2,), False),
    ("STDDEV_SAMP", FLOAT, (), False), ("VAR_POP", INT, (), False),
    ("LISTAGG", TEXT, (), False), ("ARRAY_AGG", INT, (), False),
]  # fmt: skip
PLACES = [
    ("ROW_NUMBER", None, ()), ("RANK", None, ()), ("DENSE_RANK", None, ()),
    ("LAG", INT, (1, None)), ("LAG", TEXT, (2, "none")),
]  # fmt: skip
PLACES_AHEAD = [
    ("PERCENT_RANK", None, ()), ("CUME_DIST", None, ()), ("NTILE", None, (3,)), ("LEAD", INT, (1, 99)),
    ("LEAD", TEXT, (2, None)),
]  # fmt: skip


def call_of(function, column, parameters, *, distinct=False, where=None):
    args = [TYPES[column]] if column is not None else []
    extra = [BIGINT] * len(parameters) if function in ("NTH_VALUE", "NTILE") else []
    type_ = aggregate_type(function, [*args, *extra], distinct=distinct)
    given = tuple(p for p in parameters if p is not None)
    args = () if column is None else (column,)
    return AggCall(function=function, type=type_, args=args, parameters=given, distinct=distinct, where=where)


def options_of(functions, time=0):
    output = SCHEMA
    for index, each in enumerate(functions):
        output = output.append(pa.field(f"r{index}", each.call.type.arrow()))
    return OverOptions(TYPES, SCHEMA, output, (1,), time, tuple(functions))


def split(events):
    """Return the rows on time, and the arrivals of late ones."""
    watermark, kept, late = -1, [], []
    for where, value in events:
        if where is None:
            watermark = max(watermark, value)
        elif value[0] <= watermark:
            late.append(value[-1])
        else:
            kept.append(value)
    return kept, late


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


def model(kept, calls, key, *, at_once=False):
    """Return {arrival: results}; ``calls`` are (function, column, parameters, distinct, filtered, frame)."""
    out = {}
    for partition in {row[1] for row in kept}:
        mine = sorted((row for row in kept if row[1] == partition), key=lambda row: (*rank(key(row)), row[-1]))
        for place, row in enumerate(mine):
            out[row[-1]] = [
                plain(
                    over_model.apply(
                        function, mine, place, key, frame, value_of(column, filtered=filtered), parameters,
                        distinct=distinct, at_once=at_once,
                    )
                )
                for function, column, parameters, distinct, filtered, frame in calls
            ]  # fmt: skip
    return out


def value_of(column, *, filtered):
    return lambda row: None if filtered and row[6] is not True else row[column]


def rank(value):
    return (0, 0) if value is None else (1, value)


def plain(value):
    if isinstance(value, float):
        return round(value, 9) + 0.0
    if isinstance(value, Decimal):
        return f"{value:f}".rstrip("0")
    return value


def results(rows):
    return {row[7]: [plain(value) for value in row[8:]] for row in rows}


def numbered(events):
    return rising([(w, v if w is None else (*v, number)) for number, (w, v) in enumerate(events)])


def in_micros(events):
    return [(w, v if w is None else (v[0] * 1000, *v[1:])) for w, v in events]


def cases(frames):
    """Return all calls with each frame, and calls with FILTER."""
    found = [(*call, False, frame) for call in CALLS for frame in frames]
    found += [("SUM", INT, (), False, True, frame) for frame in frames]
    found += [("LAST_VALUE", TEXT, (), False, True, frame) for frame in frames]
    return found


def functions_of(calls):
    return [
        OverFunction(call_of(name, column, parameters, distinct=distinct, where=6 if filtered else None), *frame)
        for name, column, parameters, distinct, filtered, frame in calls
    ]


def with_places(frames, places):
    return cases(frames) + [(*each, False, False, (False, None, 0)) for each in places]


@pytest.mark.parametrize("part", range(6))
@given(events=EVENTS, cuts=st.sets(st.integers(0, 25)), freeze_at=st.integers(0, 8))
def test_each_row_gets_what_the_model_says(kit, part, events, cuts, freeze_at):
    calls = with_places(UP_TO_HERE, PLACES)[part::6]
    events = numbered(events)
    options = options_of(functions_of(calls))
    rows, late, counters = kit.drive(
        lambda: OverOperator(options), kit.Stream([SCHEMA], in_micros(events), cuts), freeze_at=freeze_at
    )
    kept, gone = split(events)
    assert results(rows) == model(kept, calls, lambda row: row[0], at_once=True)
    assert [row[7] for row in late] == gone
    assert counters.get("late_rows", 0) == len(gone)


@pytest.mark.parametrize("key", ["v", "ts"])
@pytest.mark.parametrize("part", range(6))
@given(events=EVENTS, cuts=st.sets(st.integers(0, 25)), freeze_at=st.integers(0, 8))
def test_at_the_end_of_the_input_frames_look_ahead_too(kit, key, part, events, cuts, freeze_at):
    calls = with_places(UP_TO_HERE[::2] + AHEAD, PLACES + PLACES_AHEAD)[part::6]
    events = [(w, v) for w, v in numbered(events) if w is not None]
    options = options_of(functions_of(calls), time=-1)
    column = NAMES.index(key)
    rows, _, _ = kit.drive(
        lambda: SortedOverOperator(options, (OrderKey(column),)),
        kit.Stream([SCHEMA], in_micros(events), cuts),
        freeze_at=freeze_at,
    )
    assert results(rows) == model([v for _, v in events], calls, lambda row: row[column])


@given(events=EVENTS)
def test_without_an_order_all_rows_are_peers(kit, events):
    calls = [(*call, False, (False, None, None)) for call in CALLS if call[0] in ("SUM", "MAX", "COUNT", "LISTAGG")]
    events = [(w, v) for w, v in numbered(events) if w is not None]
    options = options_of(functions_of(calls), time=-1)
    rows, _, _ = kit.drive(lambda: SortedOverOperator(options, ()), kit.Stream([SCHEMA], in_micros(events)))
    assert results(rows) == model([v for _, v in events], calls, lambda _: 0)


def test_rows_behind_a_range_are_forgotten(kit):
    options = options_of([OverFunction(call_of("COUNT", INT, ()), False, 2)])
    operator = OverOperator(options)
    operator.open(kit.new_context([]))
    for moment in range(50):
        row = (moment * 1000, f"k{moment}", 1, 0.0, "", Decimal(0), True, moment)
        operator.process(kit.Stream([SCHEMA], [(0, row)]).pieces().__next__()[1])
        operator.advance(moment)
    operator._sweep_at = 0
    operator._sweep()
    assert operator.state_rows <= 6  # two rows and two partitions may still count
