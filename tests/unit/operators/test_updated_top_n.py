"""The ranking of a changelog, beside a sorted list."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.core.batch import Batch
from fluxcore.core.ports import OperatorContext
from fluxcore.core.time import SystemClock
from fluxcore.core.types import from_arrow
from fluxcore.operators.ranking.tree_top_n import TreeTopNOperator
from fluxcore.operators.ranking.updated_top_n import UpdatedTopNOperator
from fluxcore.operators.ranking.window_rank import RankOptions
from fluxcore.operators.sort_words import OrderKey
from fluxcore.state.backend import MemoryStateBackend

SCHEMA = pa.schema([("k", pa.string()), ("v", pa.int64())])
TYPES = tuple(from_arrow(field.type) for field in SCHEMA)
ROWS = st.tuples(st.sampled_from([None, "a", "b"]), st.sampled_from([None, 1, 2, 3]))


def ranked(table, made):
    """Return the rows of the ranks wanted, with their rank; ``table`` maps rows, in order of arrival, to their counts."""
    out = Counter()
    for key in {row[0] for row in table} if made.partition else {None}:
        mine = [row for row in table if row[0] == key or not made.partition]
        mine = list(reversed(mine)) if made.later_first else mine
        mine.sort(key=lambda row: (row[1] is not None, row[1] or 0), reverse=made.order[0].descending)
        each = [row for row in mine for _ in range(table[row])]
        for rank, row in enumerate(each, 1):
            if made.first <= rank <= made.last:
                out[(*row, rank) if made.numbered else row] += 1
    return out


def as_batch(changes):
    columns = list(zip(*(row for row, _ in changes), strict=True)) if changes else [()] * 2
    arrays = [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
    weights = np.array([weight for _, weight in changes], np.int8)
    return Batch(pa.RecordBatch.from_arrays(arrays, schema=SCHEMA), weights)


@pytest.mark.parametrize("kind", [TreeTopNOperator, UpdatedTopNOperator])
@pytest.mark.parametrize("numbered", [False, True])
@pytest.mark.parametrize("partition", [(), (0,)])
@given(
    batches=st.lists(st.lists(st.tuples(ROWS, st.booleans()), max_size=6), max_size=6),
    descending=st.booleans(),
    later_first=st.booleans(),
    bounds=st.sampled_from([(1, 1), (1, 2), (2, 3), (1, 100), (3, 3), (3, 5)]),
    freeze_at=st.integers(0, 6),
)
def test_the_changes_leave_the_first_rows(
    kind, numbered, partition, batches, descending, later_first, bounds, freeze_at
):
    output = SCHEMA.append(pa.field("n", pa.int64())) if numbered else SCHEMA
    order = (OrderKey(1, descending, nulls_first=not descending),)
    made = RankOptions(SCHEMA, output, partition, order, bounds[1], bounds[0], later_first=later_first)

    def opened(*, at_end=False):
        operator = UpdatedTopNOperator(made, TYPES, at_end=True) if at_end else kind(made, TYPES)
        operator.open(OperatorContext("test", MemoryStateBackend(), SystemClock(), lambda _: None))
        return operator

    operator, last, shown, table = opened(), opened(at_end=True), Counter(), {}
    for number, batch in enumerate(batches):
        if number == freeze_at:
            frozen, operator = operator.freeze(), opened()
            operator.restore(frozen)
        changes = []
        there = dict(table)
        for row, back in batch:
            weight = -1 if back and there.get(row, 0) > 0 else 1
            there[row] = there.get(row, 0) + weight
            changes.append((row, weight))
        # a row that goes and comes back within one batch keeps its place
        table = {row: count for row, count in there.items() if count}
        for out in operator.process(as_batch(changes)):
            weights = [1] * out.rows if out.weights is None else out.weights.tolist()
            for row, weight in zip(zip(*(c.to_pylist() for c in out.data.columns), strict=True), weights, strict=True):
                shown[row] += weight
                assert shown[row] >= 0, "a row that was never shown is taken back"
        assert last.process(as_batch(changes)) == ()
        assert +shown == ranked(table, made)
    final = Counter()
    for out in last.finish():
        final.update(zip(*(c.to_pylist() for c in out.data.columns), strict=True))
    # rows that went and came back may stand elsewhere among their equals, which only ties by arrival show
    assert sum(final.values()) == sum(shown.values())


@pytest.mark.parametrize("numbered", [False, True])
@pytest.mark.parametrize("bounds", [(1, 10), (7, 20), (40, 40)])
@pytest.mark.parametrize("seed", range(3))
def test_trees_of_many_rows(numbered, bounds, seed):
    random = np.random.default_rng(seed)
    output = SCHEMA.append(pa.field("n", pa.int64())) if numbered else SCHEMA
    order = (OrderKey(1, descending=bool(seed % 2), nulls_first=True),)
    made = RankOptions(SCHEMA, output, (0,), order, bounds[1], bounds[0])
    operator = TreeTopNOperator(made, TYPES)
    operator.open(OperatorContext("test", MemoryStateBackend(), SystemClock(), lambda _: None))
    shown, table = Counter(), {}
    for _ in range(60):
        changes, there = [], dict(table)
        for _ in range(int(random.integers(1, 60))):
            row = (str(random.choice(["a", "b"])), int(random.integers(0, 400)))
            if random.random() < 0.4 and any(there.values()):
                held = [each for each, count in there.items() if count > 0]
                row, weight = held[int(random.integers(0, len(held)))], -1
            else:
                weight = 1
            there[row] = there.get(row, 0) + weight
            changes.append((row, weight))
        table = {row: count for row, count in there.items() if count}
        for out in operator.process(as_batch(changes)):
            weights = [1] * out.rows if out.weights is None else out.weights.tolist()
            for row, weight in zip(zip(*(c.to_pylist() for c in out.data.columns), strict=True), weights, strict=True):
                shown[row] += weight
        wanted = ranked(table, RankOptions(SCHEMA, output, (0,), order, bounds[1], bounds[0]))
        assert +shown == wanted == {row: count for row, count in shown.items() if count}
    assert operator.state_rows == len(table)
