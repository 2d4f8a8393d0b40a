"""Gives every row once for each window that it falls in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.operators.local_time import local_times
from fluxcore.operators.rows import window_arrays

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.core.batch import Int64s
    from fluxcore.core.zones import Zone


class AssignKind(Enum):
    """The windows that need nothing but a row's own time."""

    TUMBLE = "TUMBLE"
    HOP = "HOP"
    CUMULATE = "CUMULATE"


@dataclass(frozen=True, slots=True)
class Shape:
    """Windows of ``size``, every ``slide`` (CUMULATE: growing by it), from ``offset`` on; all in ms."""

    kind: AssignKind
    size: int
    slide: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class AssignOptions:
    """How rows fall into windows; lengths and ``offset`` in ms.

    ``time`` is the position of the time attribute, ``schema`` the output: the input's columns, then window_start,
    window_end and window_time (timestamps). ``size`` is the window's length (the longest of CUMULATE), ``slide`` the
    distance of two windows (the size for TUMBLE, the step of CUMULATE). With a ``zone`` they lie in its local time.
    """

    kind: AssignKind
    time: int
    size: int
    slide: int
    schema: pa.Schema
    offset: int = 0
    zone: Zone | None = None


def assign_windows(options: AssignOptions) -> Callable[[Batch], Batch]:
    """Return the function that repeats each row per window, the earliest window first, with the window appended.

    Weights and watermark steps go along with their rows; a row that falls in no window (HOP with gaps) is left out.
    Raises (the returned function): ``DataError`` FX-RUN-0201 for a NULL time.
    """
    assert options.size > 0 and options.slide > 0
    name = options.schema.field(options.time).name
    shape = Shape(options.kind, options.size, options.slide, options.offset)

    def assign(batch: Batch) -> Batch:
        times = local_times(batch.column(options.time), name, options.zone)
        rows, starts, ends = windows_of(shape, times)
        kept = len(rows) == batch.rows and (batch.rows == 0 or bool((rows == np.arange(batch.rows)).all()))
        data = batch.data if kept else batch.data.take(pa.array(rows))
        added = window_arrays(starts, ends, options.schema, options.zone)
        result = pa.RecordBatch.from_arrays([*data.columns, *added], schema=options.schema)
        if kept:
            return Batch(result, batch.weights, batch.steps)
        weights = None if batch.weights is None else batch.weights[rows]
        return Batch(result, weights, batch.steps_for(rows))

    return assign


def windows_of(shape: Shape, times: Int64s) -> tuple[Int64s, Int64s, Int64s]:
    """Return for each (row, window): the row's number, not falling, and the window's start and end (ms)."""
    size, slide, offset = shape.size, shape.slide, shape.offset
    rows = np.arange(len(times), dtype=np.int64)
    if shape.kind is AssignKind.TUMBLE:
        starts = (times - offset) // size * size + offset
        return rows, starts, starts + size
    if shape.kind is AssignKind.HOP:
        last = (times - offset) // slide * slide + offset
        counts = (last - times + size - 1) // slide + 1
        places, number = _repeated(counts)
        starts = last[places] - (counts[places] - 1 - number) * slide
        return places, starts, starts + size
    starts = (times - offset) // size * size + offset
    passed = (times - starts) // slide
    places, number = _repeated(-(-size // slide) - passed)
    starts = starts[places]
    return places, starts, starts + (passed[places] + 1 + number) * slide


def _repeated(counts: Int64s) -> tuple[Int64s, Int64s]:
    """Return each row number repeated ``counts`` times, and the number of the repetition (from 0)."""
    places = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    firsts = np.cumsum(counts) - counts
    return places, np.arange(len(places), dtype=np.int64) - firsts[places]
