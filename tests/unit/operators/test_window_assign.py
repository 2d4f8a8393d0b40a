from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxcore.core.batch import Batch, Steps
from fluxcore.errors import DataError
from fluxcore.operators.windows.window_assign import AssignKind, AssignOptions, assign_windows

EPOCH = datetime(1970, 1, 1)
INPUT = pa.schema([("id", pa.int64()), ("ts", pa.timestamp("us"))])
OUTPUT = pa.schema([*INPUT, ("window_start", pa.timestamp("us")), ("window_end", pa.timestamp("us"))])
OUTPUT = OUTPUT.append(pa.field("window_time", pa.timestamp("us")))


def batch_of(times, **more):
    stamps = [None if t is None else EPOCH + timedelta(milliseconds=t) for t in times]
    data = pa.RecordBatch.from_arrays(
        [pa.array(range(len(times)), pa.int64()), pa.array(stamps, INPUT.field(1).type)], schema=INPUT
    )
    return Batch(data, **more)


def naive(kind, size, slide, offset, time):
    """All windows of the kind that hold the time, by trying every start near it."""
    found = []
    for start in range(time - size - slide - 1, time + size + 1):
        at = start - offset
        if kind is AssignKind.TUMBLE and at % size == 0 and start <= time < start + size:
            found.append((start, start + size))
        if kind is AssignKind.HOP and at % slide == 0 and start <= time < start + size:
            found.append((start, start + size))
        if kind is AssignKind.CUMULATE and at % size == 0:
            found += [(start, end) for end in range(start + slide, start + size + 1, slide) if start <= time < end]
    return found


@settings(deadline=None, print_blob=True, max_examples=150)
@given(
    kind=st.sampled_from(list(AssignKind)),
    slide=st.integers(1, 7),
    factor=st.integers(1, 4),
    ragged=st.integers(0, 5),
    offset=st.integers(-9, 9),
    times=st.lists(st.integers(-60, 60), max_size=12),
    data=st.data(),
)
def test_rows_repeat_once_per_window_with_weights_and_steps(kind, slide, factor, ragged, offset, times, data):
    size = slide * factor
    if kind is AssignKind.HOP:
        size = max(1, size - ragged)
    weights = np.array([data.draw(st.sampled_from([1, -1])) for _ in times], np.int8)
    steps = None
    if times:
        at = sorted({data.draw(st.integers(0, len(times))) for _ in range(3)})
        steps = Steps(np.array(at, np.int64), np.arange(len(at), dtype=np.int64) * 5)
    batch = batch_of(times, weights=weights, steps=steps)
    result = assign_windows(AssignOptions(kind, 1, size, size if kind is AssignKind.TUMBLE else slide, OUTPUT, offset))(
        batch
    )
    expected, source = [], []
    for row, time in enumerate(times):
        for start, end in naive(kind, size, slide, offset, time):
            expected.append((row, *(EPOCH + timedelta(milliseconds=t) for t in (time, start, end, end - 1))))
            source.append(row)
    assert list(zip(*[c.to_pylist() for c in result.data.columns], strict=True)) == expected
    assert result.weights.tolist() == [weights[row] for row in source]
    if steps is not None:
        before = batch.steps.before_each(len(times), -1)
        after = result.steps.before_each(len(source), -1)
        assert after.tolist() == [before[row] for row in source]
        assert result.steps.last == steps.last


def test_an_empty_batch_keeps_its_watermark():
    assign = assign_windows(AssignOptions(AssignKind.HOP, 1, 10, 5, OUTPUT))
    result = assign(batch_of([], steps=Steps.at(0, 7)))
    assert result.rows == 0 and result.steps.last == 7


def test_a_null_time_is_a_data_error():
    with pytest.raises(DataError) as caught:
        assign_windows(AssignOptions(AssignKind.TUMBLE, 1, 10, 10, OUTPUT))(batch_of([1, None]))
    assert caught.value.code == "FX-RUN-0201" and "'ts'" in caught.value.message
