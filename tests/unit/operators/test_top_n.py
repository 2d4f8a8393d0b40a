"""The ranking that goes on for ever, beside a sorted list."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.core.batch import Batch
from fluxcore.core.ports import OperatorContext
from fluxcore.core.time import SystemClock
from fluxcore.core.types import from_arrow
from fluxcore.operators.ranking.top_n import TopNOperator
from fluxcore.operators.ranking.window_rank import RankOptions
from fluxcore.operators.sort_words import OrderKey
from fluxcore.state.backend import MemoryStateBackend

SCHEMA = pa.schema([("k", pa.string()), ("v", pa.int64()), ("name", pa.string()), ("arrival", pa.int64())])
TYPES = tuple(from_arrow(field.type) for field in SCHEMA)
ROWS = st.tuples(st.sampled_from([None, "a", "b"]), st.sampled_from([None, 1, 2, 3]), st.sampled_from([None, "x", "y"]))


def ranked(rows, order, made):
    """Return the rows of ranks first..last in each partition, with their rank; the earlier of equals ranks first, or the later."""
    out = set()
    for key in {row[0] for row in rows} if made.partition else {None}:
        mine = [row for row in rows if row[0] == key or not made.partition]
        mine = mine[::-1] if made.later_first else mine
        for column, descending in reversed(order):
            # Flink: NULL is the smallest value; a reversed sort keeps the order of equals
            mine.sort(
                key=lambda row, c=column: (row[c] is not None, row[c] or 0), reverse=descending
            ) if column == 1 else (
                mine.sort(key=lambda row, c=column: (row[c] is not None, row[c] or ""), reverse=descending)
            )
        for rank, row in enumerate(mine, 1):
            if made.first <= rank <= made.last:
                out.add((*row, rank) if made.numbered else row)
    return out


@pytest.mark.parametrize("numbered", [False, True])
@pytest.mark.parametrize("partition", [(), (0,)])
@given(
    batches=st.lists(st.lists(ROWS, max_size=6), max_size=6),
    order=st.sampled_from([((1, True),), ((1, False), (2, True)), ((2, False), (1, True))]),
    bounds=st.sampled_from([(1, 1), (1, 2), (2, 3), (1, 100), (3, 33)]),
    later_first=st.booleans(),
    freeze_at=st.integers(0, 6),
)
def test_the_changes_leave_the_first_rows(numbered, partition, batches, order, bounds, later_first, freeze_at):
    output = SCHEMA.append(pa.field("n", pa.int64())) if numbered else SCHEMA
    keys = tuple(OrderKey(c, descending, nulls_first=not descending) for c, descending in order)
    made = RankOptions(SCHEMA, output, partition, keys, bounds[1], bounds[0], later_first=later_first)

    def opened(*, at_end=False):
        operator = TopNOperator(made, TYPES, at_end=at_end)
        operator.open(OperatorContext("test", MemoryStateBackend(), SystemClock(), lambda _: None))
        return operator

    operator, last, shown, seen = opened(), opened(at_end=True), set(), []
    for number, batch in enumerate(batches):
        if number == freeze_at:
            frozen, operator = operator.freeze(), opened()
            operator.restore(frozen)
        rows = [(*row, len(seen) + i) for i, row in enumerate(batch)]
        seen += rows
        columns = list(zip(*rows, strict=True)) if rows else [()] * 4
        data = pa.RecordBatch.from_arrays(
            [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
        )
        assert last.process(Batch(data)) in ((), [])
        for out in operator.process(Batch(data)):
            weights = [1] * out.rows if out.weights is None else out.weights.tolist()
            for row, weight in zip(zip(*(c.to_pylist() for c in out.data.columns), strict=True), weights, strict=True):
                if weight < 0:
                    shown.remove(row)  # KeyError: a row that was never shown is taken back
                else:
                    assert row not in shown
                    shown.add(row)
        assert shown == ranked(seen, order, made)
    final = [row for out in last.finish() for row in zip(*(c.to_pylist() for c in out.data.columns), strict=True)]
    assert len(final) == len(set(final))
    assert set(final) == shown
