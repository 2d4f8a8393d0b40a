"""Batches keep their watermark steps right through slicing, filtering and taking."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxcore.core.batch import Batch, Steps
from fluxcore.core.time import MIN_TIME_MS

candidates = st.lists(st.integers(-50, 50), min_size=1, max_size=30)


def batch_of(values: list[int], weights: list[int] | None = None) -> Batch:
    data = pa.RecordBatch.from_arrays([pa.array(values, pa.int64())], ["v"])
    marks = None if weights is None else np.array(weights, np.int8)
    return Batch(data, marks, Steps.rising(np.array(values, np.int64)))


def naive_before(values: list[int], start: int) -> list[int]:
    """The watermark before each row: the running maximum of the rows before it."""
    result, mark = [], start
    for value in values:
        result.append(mark)
        mark = max(mark, value)
    return result


def before(batch: Batch, start: int = MIN_TIME_MS) -> list[int]:
    if batch.steps is None:
        return [start] * batch.rows
    return batch.steps.before_each(batch.rows, start).tolist()


@given(candidates)
def test_steps_are_the_running_maximum_of_the_rows_before(values: list[int]) -> None:
    assert before(batch_of(values)) == naive_before(values, MIN_TIME_MS)


@given(candidates, st.integers(-60, 60))
def test_steps_after_a_watermark_only_rise_above_it(values: list[int], mark: int) -> None:
    batch = batch_of(values)
    assert batch.steps is not None
    rest = batch.with_steps(batch.steps.after(mark))
    assert before(rest, mark) == naive_before(values, mark)


@given(candidates, st.integers(-60, 60))
def test_steps_below_a_bound_stop_at_it(values: list[int], bound: int) -> None:
    batch = batch_of(values)
    assert batch.steps is not None
    held = batch.with_steps(batch.steps.below(bound))
    assert before(held) == [min(mark, bound) if mark != MIN_TIME_MS else mark for mark in before(batch)]
    assert held.steps is not None
    assert held.steps.last == min(max(values), bound)


@given(candidates, st.data())
@settings(max_examples=200)
def test_filtered_rows_keep_the_watermark_that_stood_before_them(values: list[int], data: st.DataObject) -> None:
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values))), np.bool_)
    batch = batch_of(values)
    kept = batch.filter(mask)
    assert before(kept) == [mark for mark, keep in zip(before(batch), mask, strict=True) if keep]
    assert kept.steps is not None
    assert kept.steps.last == max(values)


@given(candidates, st.integers(1, 7))
def test_slices_give_the_same_watermarks_as_the_whole(values: list[int], size: int) -> None:
    batch = batch_of(values)
    found: list[int] = []
    mark = MIN_TIME_MS
    for start in range(0, batch.rows, size):
        part = batch.slice(start, size)
        found += before(part, mark)
        if part.steps is not None:
            mark = part.steps.last
    assert found == before(batch)
    assert mark == max(values)


def test_nulls_in_a_mask_drop_rows() -> None:
    batch = batch_of([1, 2, 3])
    assert batch.filter(pa.array([True, None, False])).column(0).to_pylist() == [1]


def test_weights_go_with_their_rows() -> None:
    batch = batch_of([1, 2, 3], [1, -1, 1])
    kept = batch.filter(np.array([False, True, True]))
    assert kept.weights is not None
    assert kept.weights.tolist() == [-1, 1]


def test_no_rows_have_no_steps() -> None:
    assert Steps.rising(np.array([], np.int64)) is None
