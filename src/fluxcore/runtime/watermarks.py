"""Runs watermark generators of a user's own: functions of a batch, or objects that follow each split row by row."""

from __future__ import annotations

import copy
import threading
import traceback
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.arrays import whole
from fluxcore.core.batch import Batch, Steps
from fluxcore.core.watermarks import NO_WATERMARK, WatermarkGenerator
from fluxcore.errors import DataError, FluxError
from fluxcore.operators.rows import times_ms
from fluxcore.plan.graph import in_order
from fluxcore.plan.nodes import Scan

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from fluxcore.plan.nodes import AssignWatermark


class _Current(threading.local):
    """The split whose rows this thread is working on."""

    split: Hashable = None


CURRENT = _Current()


def generator_function(node: AssignWatermark) -> Callable[[Batch], Batch]:
    """Return the function that adds the watermark steps that a user's function or generator gives.

    Raises, when it runs: ``DataError`` FX-RUN-0201 for a NULL event time, 0212 for what the user's code raises or gives.
    """
    generator, column = node.generator, node.column
    name = node.input.schema[column].name
    copies: dict[Hashable, WatermarkGenerator] = {}

    def assign(batch: Batch) -> Batch:
        call: Any = generator
        if isinstance(generator, WatermarkGenerator):
            split = CURRENT.split
            if split not in copies:
                copies[split] = copy.deepcopy(generator)
            call = copies[split].on_batch
        times = times_ms(batch.column(column), name)
        try:
            candidates = _milliseconds(call(times, batch.data))
            if len(candidates) != batch.rows:
                raise ValueError(f"it gave {len(candidates)} candidates for {batch.rows} rows")
        except FluxError:
            raise
        except Exception as error:
            raise _told(error, generator) from error
        return batch.with_steps(Steps.rising(candidates))

    return assign


def splits_in_order(node: AssignWatermark) -> list[Scan]:
    """Return the scans whose splits must be read one block after the other, because a generator follows their rows."""
    if not isinstance(node.generator, WatermarkGenerator):
        return []
    return [each for each in in_order([node]) if isinstance(each, Scan)]


def _milliseconds(given: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return candidates as int64 milliseconds, whatever form the user's code gave them in."""
    if isinstance(given, pa.Array | pa.ChunkedArray):
        values = whole(given) if isinstance(given, pa.ChunkedArray) else given
        if pa.types.is_timestamp(values.type):
            per_ms = {"s": 1, "ms": 1, "us": 1_000, "ns": 1_000_000}[values.type.unit]
            scale = 1_000 if values.type.unit == "s" else 1
            raw = np.asarray(values.view(pa.int64()).fill_null(0)) // per_ms * scale
        else:
            raw = np.asarray(values.cast(pa.int64()).fill_null(0))
        return np.where(np.asarray(values.is_null()), NO_WATERMARK, raw) if values.null_count else raw
    found = np.asarray(given)
    if not len(found):
        return np.zeros(0, np.int64)
    if np.issubdtype(found.dtype, np.datetime64):
        missing = np.isnat(found)
        return np.where(missing, NO_WATERMARK, found.astype("datetime64[ms]").astype(np.int64))
    if not np.issubdtype(found.dtype, np.integer):
        raise TypeError(f"candidates are whole milliseconds, not {found.dtype}")
    return found.astype(np.int64)


def _told(error: Exception, generator: object) -> DataError:
    places = [each for each in traceback.extract_tb(error.__traceback__) if each.filename != __file__]
    where = f", line {places[-1].lineno} of {places[-1].filename}" if places else ""
    name = getattr(generator, "__name__", type(generator).__name__)
    return DataError(
        "FX-RUN-0231", f"{type(error).__name__}: {error}", hint=f"in the watermark generator {name}{where}"
    )
