"""Aggregates per key beside plain Python, over random rows that come and are taken back."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.core.batch import Batch
from fluxcore.core.ports import OperatorContext
from fluxcore.core.time import SystemClock
from fluxcore.core.types import BIGINT, BOOLEAN, DOUBLE, STRING, DecimalType
from fluxcore.expr.aggregates import aggregate_type
from fluxcore.expr.nodes import AggCall
from fluxcore.operators.group_aggregate import GroupAggregateOperator, GroupAggregateOptions
from fluxcore.state.backend import MemoryStateBackend

DECIMAL = DecimalType(precision=20, scale=2)
TYPES = (STRING, BIGINT, DOUBLE, STRING, DECIMAL, BOOLEAN)
SCHEMA = pa.schema([(f"c{i}", type_.arrow()) for i, type_ in enumerate(TYPES)])
LONG = "0123456789abcdef"
ROWS = st.tuples(
    st.sampled_from([None, "x", "y"]),
    st.sampled_from([None, -3, 0, 2, 9]),
    st.sampled_from([None, -1.5, 0.0, 2.25, math.inf, -math.inf, math.nan]),
    st.sampled_from(
        [None, "", "a", "b", "ä", LONG, LONG + "x", LONG + "xy", LONG + "y", LONG[:-1], LONG + "\0", "a\0"]
    ),
    st.sampled_from([None, Decimal("-1.50"), Decimal("0.01"), Decimal("7.00")]),
    st.booleans(),
)
INTEGER, FLOAT, TEXT, MONEY, WHERE = range(1, 6)


def call(function, *args, distinct=False, where=None, parameters=()):
    type_ = aggregate_type(function, [TYPES[a] for a in args] + [DOUBLE] * len(parameters), distinct=distinct)
    return AggCall(function=function, type=type_, args=args, parameters=parameters, distinct=distinct, where=where)


def largest(values):
    return max(values, key=lambda v: (isinstance(v, float) and math.isnan(v), v)) if values else None


def smallest(values):
    return min(values, key=lambda v: (isinstance(v, float) and math.isnan(v), v)) if values else None


def cut(values):
    return None if not values else int(math.fsum(values) / len(values))


def spread(values, *, sample):
    if len(values) < 1 + sample:
        return None
    return int((statistics.stdev if sample else statistics.pstdev)(values))  # of integers it is one, cut, as in Flink


CASES = {
    "COUNT(*)": (call("COUNT"), None, len),
    "COUNT(x)": (call("COUNT", TEXT), TEXT, len),
    "COUNT FILTER": (call("COUNT", INTEGER, where=WHERE), INTEGER, len),
    "SUM integer": (call("SUM", INTEGER), INTEGER, lambda v: sum(v) if v else None),
    "SUM FILTER": (call("SUM", INTEGER, where=WHERE), INTEGER, lambda v: sum(v) if v else None),
    "SUM double": (call("SUM", FLOAT), FLOAT, lambda v: sum(v) if v else None),
    "SUM decimal": (call("SUM", MONEY), MONEY, lambda v: sum(v) if v else None),
    "AVG integer": (call("AVG", INTEGER), INTEGER, cut),
    "AVG double": (call("AVG", FLOAT), FLOAT, lambda v: sum(v) / len(v) if v else None),
    "MIN integer": (call("MIN", INTEGER), INTEGER, smallest),
    "MAX integer": (call("MAX", INTEGER), INTEGER, largest),
    "MIN double": (call("MIN", FLOAT), FLOAT, smallest),
    "MAX double": (call("MAX", FLOAT), FLOAT, largest),
    "MIN text": (call("MIN", TEXT), TEXT, smallest),
    "MAX text": (call("MAX", TEXT), TEXT, largest),
    "MIN decimal": (call("MIN", MONEY), MONEY, smallest),
    "MAX decimal": (call("MAX", MONEY), MONEY, largest),
    "STDDEV_POP": (call("STDDEV_POP", INTEGER), INTEGER, lambda v: spread(v, sample=False)),
    "STDDEV_SAMP": (call("STDDEV_SAMP", INTEGER), INTEGER, lambda v: spread(v, sample=True)),
    "COUNT DISTINCT": (call("COUNT", TEXT, distinct=True), TEXT, lambda v: len(set(v))),
    "SUM DISTINCT": (call("SUM", INTEGER, distinct=True), INTEGER, lambda v: sum(set(v)) if v else None),
    "AVG DISTINCT": (call("AVG", INTEGER, distinct=True), INTEGER, lambda v: cut(set(v))),
    "DISTINCT FILTER": (call("COUNT", TEXT, distinct=True, where=WHERE), TEXT, lambda v: len(set(v))),
    "LISTAGG": (call("LISTAGG", TEXT), TEXT, lambda v: sorted(v) if v else None),
    "COLLECT": (call("COLLECT", TEXT), TEXT, lambda v: sorted(Counter(v).items())),
    "PERCENTILE": (
        call("PERCENTILE", INTEGER, parameters=(0.5,)), INTEGER, lambda v: statistics.median(v) if v else None,
    ),
}  # fmt: skip


def shown(name, value):
    if value is None:
        return None
    if name == "LISTAGG":
        return sorted(value.split(","))
    if name == "COLLECT":
        return sorted(value)
    return value


def alike(a, b):
    if isinstance(a, float) and isinstance(b, float | int):
        return (math.isnan(a) and math.isnan(b)) or a == b or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-6)
    return a == b


def opened(calls, *, append_only, at_end):
    output = pa.schema([("k", pa.string()), *((f"a{i}", c.type.arrow()) for i, c in enumerate(calls))])
    options = GroupAggregateOptions(TYPES, (0,), tuple(calls), output, at_end, append_only)
    operator = GroupAggregateOperator(options)
    operator.open(OperatorContext("test", MemoryStateBackend(), SystemClock(), lambda _: None))
    return operator


def batch_of(rows, weights):
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(TYPES)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
    return Batch(pa.RecordBatch.from_arrays(arrays, schema=SCHEMA), weights)


@st.composite
def changes(draw, retracting):
    there, batches = Counter(), []
    for _ in range(draw(st.integers(1, 6))):
        rows, weights = [], []
        for _ in range(draw(st.integers(0, 8))):
            held = sorted(there.elements(), key=repr)
            back = retracting and held and draw(st.booleans())
            row = draw(st.sampled_from(held)) if back else draw(ROWS)
            there[row] += -1 if back else 1
            there += Counter()
            rows.append(row)
            weights.append(-1 if back else 1)
        batches.append((rows, weights))
    return batches


def named(row):
    """Return the row with a NaN that equals itself."""
    return tuple("NaN" if isinstance(v, float) and math.isnan(v) else v for v in row)


def check(name, groups, found):
    _, column, model = CASES[name]
    where = CASES[name][0].where
    assert set(found) == set(groups)
    for key, rows in groups.items():
        values = [r for r in rows if where is None or r[where]]
        values = values if column is None else [r[column] for r in values if r[column] is not None]
        assert alike(shown(name, found[key]), model(values)), (name, key, values)


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_the_changes_add_up_to_the_groups_of_what_is_there(data, name):
    retracting = data.draw(st.booleans())
    operator = opened([CASES[name][0]], append_only=not retracting, at_end=False)
    shown_rows, there, nan, freeze_at = {}, [], math.nan, data.draw(st.integers(0, 5))
    for number, (rows, weights) in enumerate(data.draw(changes(retracting))):
        if number == freeze_at:
            frozen = operator.freeze()
            operator = opened([CASES[name][0]], append_only=not retracting, at_end=False)
            operator.restore(frozen)
        rows = [tuple(nan if isinstance(v, float) and math.isnan(v) else v for v in row) for row in rows]
        given_weights = np.array(weights, np.int8) if retracting else None
        for out in operator.process(batch_of(rows, given_weights)):
            signs = [1] * out.rows if out.weights is None else out.weights.tolist()
            for key, value, sign in zip(*(c.to_pylist() for c in out.data.columns), signs, strict=True):
                if sign < 0:
                    assert alike(shown(name, shown_rows.pop(key)), shown(name, value)), (
                        "only a row that is shown is taken back"
                    )
                else:
                    assert key not in shown_rows, "a group has one row"
                    shown_rows[key] = value
        for row, weight in zip(rows, weights, strict=True):
            if weight > 0:
                there.append(row)
            else:
                there.remove(row)
        groups = {row[0]: [r for r in there if r[0] == row[0]] for row in there}
        check(name, groups, shown_rows)
    if not there:
        assert operator.state_rows == 0


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_rows_that_are_told_each_give_what_they_give_alone(data, name):
    retracting = data.draw(st.booleans())
    together, alone = (opened([CASES[name][0]], append_only=not retracting, at_end=False) for _ in range(2))
    assert together.tells_each
    for rows, weights in data.draw(changes(retracting)):
        if not rows:
            continue
        signs = np.array(weights, np.int8)
        batch = batch_of(rows, signs if retracting else None)
        found = list(together.process_each(batch))
        wanted = [each for row in range(len(rows)) for each in alone.process(batch.slice(row, 1))]
        assert [each for out in found for each in told(name, out)] == [
            each for out in wanted for each in told(name, out)
        ]
    assert together.state_rows == alone.state_rows
    assert sorted(map(repr, rows_kept(together))) == sorted(map(repr, rows_kept(alone)))


def told(name, out):
    """Return the changes of a batch, comparable: key, value, sign."""
    signs = [1] * out.rows if out.weights is None else out.weights.tolist()
    columns = (column.to_pylist() for column in out.data.columns)
    return [(key, repr(shown(name, value)), sign) for key, value, sign in zip(*columns, signs, strict=True)]


def rows_kept(operator):
    """Return the groups of an operator by their keys and numbers of rows."""
    frozen = operator.freeze()["groups"]
    return list(zip(frozen.column("key0").to_pylist(), frozen.column("rows").to_pylist(), strict=True))


@pytest.mark.parametrize("name", CASES)
@given(rows=st.lists(ROWS, max_size=20), cuts=st.integers(1, 7))
def test_at_the_end_only_the_final_rows_come(name, rows, cuts):
    operator = opened([CASES[name][0]], append_only=True, at_end=True)
    for start in range(0, len(rows), cuts):
        assert list(operator.process(batch_of(rows[start : start + cuts], None))) == []
    found = {}
    for out in operator.finish():
        found |= dict(zip(*(c.to_pylist() for c in out.data.columns), strict=True))
    check(name, {row[0]: [r for r in rows if r[0] == row[0]] for row in rows}, found)


def test_a_sum_of_decimals_that_is_too_long_is_null():
    wide = DecimalType(precision=38, scale=0)
    schema = pa.schema([("v", wide.arrow())])
    call_ = AggCall(function="SUM", type=wide, args=(0,))
    options = GroupAggregateOptions((wide,), (), (call_,), schema, at_end=True)
    operator = GroupAggregateOperator(options)
    operator.open(OperatorContext("test", MemoryStateBackend(), SystemClock(), lambda _: None))
    big = Decimal(9 * 10**37)
    operator.process(Batch(pa.RecordBatch.from_arrays([pa.array([big, big], wide.arrow())], schema=schema)))
    (out,) = operator.finish()
    assert out.data.column(0).to_pylist() == [None]


def test_without_keys_there_is_a_row_even_of_nothing():
    schema = pa.schema([("n", pa.int64())])
    options = GroupAggregateOptions(TYPES, (), (call("COUNT"),), schema, at_end=True)
    operator = GroupAggregateOperator(options)
    operator.open(OperatorContext("test", MemoryStateBackend(), SystemClock(), lambda _: None))
    (out,) = operator.finish()
    assert out.data.column(0).to_pylist() == [0]


@pytest.mark.parametrize("at_end", [True, False])
def test_without_keys_there_is_a_row_when_all_rows_were_taken_back(at_end):
    type_ = BIGINT
    schema = pa.schema([("v", type_.arrow())])
    call_ = AggCall(function="SUM", type=type_, args=(0,))
    options = GroupAggregateOptions((type_,), (), (call_,), schema, at_end=at_end, append_only=False)
    operator = GroupAggregateOperator(options)
    operator.open(OperatorContext("test", MemoryStateBackend(), SystemClock(), lambda _: None))
    row = pa.RecordBatch.from_arrays([pa.array([7])], schema=schema)
    changes = [
        *operator.process(Batch(row)),
        *operator.process(Batch(row, np.array([-1], np.int8))),
        *operator.finish(),
    ]
    table = Counter()
    for change in changes:
        weights = [1] * change.rows if change.weights is None else change.weights.tolist()
        for value, weight in zip(change.data.column(0).to_pylist(), weights, strict=True):
            table[value] += weight
    assert +table == Counter([None])


def test_a_best_value_that_is_taken_back_a_hundred_thousand_times_costs_no_search():
    operator = opened([call("MAX", INTEGER)], append_only=False, at_end=False)
    rows = [("x", value, None, None, None, True) for value in range(60_000)]
    operator.process(batch_of(rows, np.ones(len(rows), np.int8)))
    for start in range(60_000 - 500, 0, -500):
        (out,) = operator.process(batch_of(rows[start : start + 500], np.full(500, -1, np.int8)))
        assert out.data.column(1).to_pylist() == [start + 499, start - 1]


def test_the_bytes_of_state_count_the_different_values_of_each_group():
    operator = opened([call("COUNT", INTEGER, distinct=True)], append_only=True, at_end=False)
    rows = [("x", value, None, None, None, True) for value in range(10_000)]
    operator.process(batch_of(rows, None))
    assert operator.state_rows == 1
    assert operator.state_bytes >= 10_000 * 8


def test_long_texts_that_come_and_go_leave_no_bytes_behind():
    operator = opened([call("MIN", TEXT), call("MAX", TEXT)], append_only=False, at_end=False)
    kept = []
    for turn in range(60):
        texts = [f"{LONG}{turn:05}{number:05}" + "-" * 50 for number in range(50)]
        rows = [("x", 1, 0.0, text, None, True) for text in texts]
        kept.append(texts[turn % 50])
        gone = [row for row in rows if row[3] != kept[-1]]
        everything = rows + gone
        columns = list(zip(*everything, strict=True))
        data = pa.RecordBatch.from_arrays(
            [pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
        )
        weights = np.array([1] * len(rows) + [-1] * len(gone), np.int8)
        (changes,) = operator.process(Batch(data, weights))
        assert changes.column(1).to_pylist()[-1] == min(kept)
        assert changes.column(2).to_pylist()[-1] == max(kept)
    for member in operator._aggregates.members:
        assert len(member._arena) < 60 * 50 * 60, "texts that are gone are given up"
