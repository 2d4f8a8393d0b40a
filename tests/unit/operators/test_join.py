"""The join of changelogs beside a naive model, over random rows that come and are taken back."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.core.batch import Batch
from fluxcore.core.ports import OperatorContext
from fluxcore.core.time import SystemClock
from fluxcore.core.types import BIGINT, DOUBLE, STRING
from fluxcore.operators.joins.join import JoinOperator, JoinOptions
from fluxcore.operators.joins.join_side import JoinInput
from fluxcore.operators.joins.residuals import Residual
from fluxcore.operators.joins.semi_join import SemiJoinOperator
from fluxcore.operators.joins.window_join import JoinRows
from fluxcore.state.backend import MemoryStateBackend
from fluxcore.state.rescale import split

SCHEMA = pa.schema([("k", pa.int64()), ("s", pa.string()), ("v", pa.int64())])
TYPES = (BIGINT, STRING, BIGINT)
ROWS = st.tuples(
    st.sampled_from([None, 1, 2, 3]), st.sampled_from([None, "a", "b"]), st.sampled_from([None, 0, 1, 2, 5])
)


def less(pairs: pa.RecordBatch) -> pa.BooleanArray:
    return pc.less(pairs.column(0), pairs.column(1))


def expected(kind, left, right, *, keys, residual):
    """Return the joined rows of two bags (a Counter each)."""

    def meet(a, b):
        same = all(a[k] is not None and a[k] == b[k] for k in keys)
        return same and (not residual or (a[2] is not None and b[2] is not None and a[2] < b[2]))

    out, nulls = Counter(), (None,) * 3
    for a, n in left.items():
        partners = [(b, m) for b, m in right.items() if meet(a, b)]
        if kind in ("SEMI", "ANTI"):
            if bool(partners) == (kind == "SEMI"):
                out[a] += n
            continue
        for b, m in partners:
            out[a + b] += n * m
        if not partners and kind in ("LEFT", "FULL"):
            out[a + nulls] += n
    if kind in ("RIGHT", "FULL"):
        for b, m in right.items():
            if not any(meet(a, b) for a in left):
                out[nulls + b] += m
    return out


@st.composite
def changes(draw, retracting):
    """Return batches of (port, [(row, weight)]); only rows that are there are taken back."""
    there = [Counter(), Counter()]
    batches = []
    for _ in range(draw(st.integers(1, 8))):
        port = draw(st.integers(0, 1))
        rows = []
        for _ in range(draw(st.integers(0, 6))):
            held = sorted(there[port].elements(), key=repr)
            if retracting[port] and held and draw(st.booleans()):
                row, weight = draw(st.sampled_from(held)), -1
            else:
                row, weight = draw(ROWS), 1
            there[port][row] += weight
            there[port] += Counter()
            rows.append((row, weight))
        batches.append((port, rows))
    return batches, there


def batch_of(rows, retracting):
    columns = list(zip(*(row for row, _ in rows), strict=True)) if rows else [(), (), ()]
    data = pa.RecordBatch.from_arrays(
        [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
    )
    return Batch(data, np.array([weight for _, weight in rows], np.int8) if retracting else None)


@pytest.mark.parametrize("residual", [False, True], ids=["keys", "condition"])
@pytest.mark.parametrize("keys", [(), (0,), (0, 1)], ids=["cross", "one key", "two keys"])
@pytest.mark.parametrize("kind", list(JoinRows))
@given(data=st.data())
def test_what_comes_out_adds_up_to_the_join_of_what_is_there(data, kind, keys, residual):
    retracting = data.draw(st.tuples(st.booleans(), st.booleans()))
    batches, there = data.draw(changes(retracting))
    one_sided = kind in (JoinRows.SEMI, JoinRows.ANTI)
    output = SCHEMA if one_sided else pa.schema([pa.field(f"c{i}", SCHEMA[i % 3].type) for i in range(6)])
    options = JoinOptions(
        kind,
        JoinInput(SCHEMA, TYPES, keys, not retracting[0]),
        JoinInput(SCHEMA, TYPES, keys, not retracting[1]),
        tuple(TYPES[k].with_nullable(False) for k in keys),
        output,
        Residual(less, (2, 5), 3) if residual else None,
    )

    by_keys_alone = [SemiJoinOperator] if one_sided and not residual else []
    make = data.draw(st.sampled_from([JoinOperator, *by_keys_alone]))

    def opened():
        operator = make(options)
        operator.open(OperatorContext("test", MemoryStateBackend(), SystemClock(), lambda _: None))
        return operator

    ports = [port for port, _ in batches]
    ends = data.draw(st.booleans())
    last = [len(ports) - 1 - ports[::-1].index(port) if port in ports and ends else -1 for port in (0, 1)]
    operator, freeze_at = opened(), data.draw(st.integers(0, len(batches)))
    found, so_far = Counter(), [Counter(), Counter()]
    for number, (port, rows) in enumerate(batches):
        if number == freeze_at:
            (frozen,), operator = split([operator.freeze()], 1), opened()
            operator.restore(frozen)
        changed = [*operator.process(batch_of(rows, retracting[port]), port)]
        for ended in (0, 1):
            if number == last[ended]:
                changed += operator.port_ended(ended)
        for out in changed:
            columns = [column.to_pylist() for column in out.data.columns]
            weights = [1] * out.rows if out.weights is None else out.weights.tolist()
            for row, weight in zip(zip(*columns, strict=True), weights, strict=True):
                found[row] += weight
        for row, weight in rows:
            so_far[port][row] += weight
        wanted = expected(kind.value, +so_far[0], +so_far[1], keys=keys, residual=residual)
        assert {row: n for row, n in found.items() if n} == dict(wanted)
    if not any(there):
        assert operator.state_rows == 0


def test_a_row_of_a_key_with_many_rows_is_taken_back_at_once():
    schema = pa.schema([("k", pa.int64()), ("v", pa.int64())])
    side = JoinInput(schema, (BIGINT, BIGINT), (0,), append_only=False)
    options = JoinOptions(JoinRows.INNER, side, side, (BIGINT.with_nullable(False),), pa.schema([*schema, *schema]))
    operator = JoinOperator(options)
    operator.open(OperatorContext("test", MemoryStateBackend(), SystemClock(), lambda _: None))
    rows = 200_000
    data = pa.RecordBatch.from_arrays([pa.array(np.zeros(rows, np.int64)), pa.array(np.arange(rows))], schema=schema)
    operator.process(Batch(data, np.ones(rows, np.int8)))
    for start in range(0, rows, 1000):
        part = data.slice(rows - start - 1000, 1000)
        assert list(operator.process(Batch(part, np.full(1000, -1, np.int8)))) == []
    assert operator.state_rows == 0


@pytest.mark.parametrize("kind", [JoinRows.SEMI, JoinRows.ANTI])
def test_of_the_right_side_only_the_number_of_rows_of_each_key_is_kept(kind):
    schema = pa.schema([("k", pa.int64()), ("v", pa.int64())])
    types = (BIGINT, BIGINT)
    right = JoinInput(schema, types, (0,), append_only=False)
    options = JoinOptions(kind, JoinInput(schema, types, (0,)), right, (BIGINT.with_nullable(False),), schema)
    operator = SemiJoinOperator(options)
    operator.open(OperatorContext("test", MemoryStateBackend(), SystemClock(), lambda _: None))
    rows = 10_000
    data = pa.RecordBatch.from_arrays([pa.array(np.arange(rows) % 10), pa.array(np.arange(rows))], schema=schema)
    operator.process(Batch(data, np.ones(rows, np.int8)), 1)
    assert operator.state_rows == 10
    operator.process(Batch(data, np.full(rows, -1, np.int8)), 1)
    assert operator.state_rows == 0


@pytest.mark.parametrize("kind", [JoinRows.SEMI, JoinRows.ANTI])
def test_left_rows_are_forgotten_once_their_answer_is_final(kind):
    schema = pa.schema([("k", pa.float64()), ("v", pa.int64())])
    side = JoinInput(schema, (DOUBLE, BIGINT), (0,))
    operator = SemiJoinOperator(JoinOptions(kind, side, side, (DOUBLE.with_nullable(False),), schema))
    operator.open(OperatorContext("test", MemoryStateBackend(), SystemClock(), lambda _: None))

    def of(*keys):
        return Batch(
            pa.RecordBatch.from_arrays([pa.array(keys, pa.float64()), pa.array(range(len(keys)))], schema=schema)
        )

    operator.process(of(float("nan"), 0.0, 1.0, None))
    assert operator.state_rows == 3
    out = operator.process(of(float("nan"), -0.0, None), 1)
    assert sum(batch.rows for batch in out) == 2
    assert operator.state_rows == 1 + 2
    assert sum(batch.rows for batch in operator.process(of(-0.0, float("nan")))) == (2 if kind is JoinRows.SEMI else 0)
    assert operator.state_rows == 1 + 2


@pytest.mark.parametrize("make", [JoinOperator, SemiJoinOperator])
def test_that_a_side_has_ended_outlives_a_restart(make):
    retracting, plain = (JoinInput(SCHEMA, TYPES, (0,), append_only) for append_only in (False, True))
    options = JoinOptions(JoinRows.SEMI, retracting, plain, (BIGINT.with_nullable(False),), SCHEMA)

    def opened():
        operator = make(options)
        operator.open(OperatorContext("test", MemoryStateBackend(), SystemClock(), lambda _: None))
        return operator

    operator, again = opened(), opened()
    row = (1, "a", 2)
    operator.process(batch_of([(row, 1)], retracting=True))
    operator.port_ended(1)
    again.restore(operator.freeze())
    again.process(batch_of([(row, -1), (row, 1)], retracting=True))
    assert again.state_rows == 0, "nobody asks for left rows any more"
