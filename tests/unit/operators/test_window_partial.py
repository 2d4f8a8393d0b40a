"""When rows are aggregated before they are sent, and when not. That the answers are equal is shown with the windows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch, Steps
from fluxcore.core.types import BIGINT, TimestampType
from fluxcore.expr.nodes import AggCall
from fluxcore.operators.windows.slicing import Slicing
from fluxcore.operators.windows.window_aggregate import WindowAggregateOptions
from fluxcore.operators.windows.window_partial import WindowPartials
from fluxcore.state.backend import MemoryStateBackend

TIME = TimestampType(precision=3)


def options(function="COUNT", *, distinct=False):
    call = AggCall(function=function, type=BIGINT, args=(1,), distinct=distinct)
    return WindowAggregateOptions((TIME, BIGINT), 0, (1,), (call,), Slicing("TUMBLE", 10, 10), pa.schema([]))


def batch(times, keys, steps=None):
    data = {"ts": pa.array(np.array(times, np.int64) * 1000).view(pa.timestamp("us")), "k": pa.array(keys, pa.int64())}
    return Batch(pa.RecordBatch.from_pydict(data), None, steps)


def test_rows_of_one_slice_and_key_become_one():
    partial = WindowPartials(options(), MemoryStateBackend)(batch([1, 2, 11, 3], [7, 7, 7, 8]))
    assert sorted(zip(*(c.to_pylist() for c in partial.states.columns[:2]), strict=True)) == [(0, 7), (0, 8), (10, 7)]
    assert partial.states.num_rows == 3
    assert partial.rows_apart().rows == 0


def test_rows_that_may_be_late_stay_apart():
    steps = Steps(np.array([1]), np.array([9]))
    partial = WindowPartials(options(), MemoryStateBackend)(batch([15, 3, 16], [1, 1, 1], steps))
    assert partial.states.num_rows == 1
    assert partial.rows_apart().column(0).cast(pa.int64()).to_pylist() == [3000]


def test_rows_that_hardly_repeat_are_sent_as_they_are_for_a_while():
    partials = WindowPartials(options(), MemoryStateBackend)
    different = batch(list(range(1000)), list(range(1000)))
    assert partials(different) is not None
    assert partials(different) is None


def test_values_that_are_kept_are_not_aggregated_before():
    assert WindowPartials.possible(options())
    assert not WindowPartials.possible(options(distinct=True))
    assert not WindowPartials.possible(options("FIRST_VALUE"))
