"""Drives operators with random streams: rows and watermarks in one line, cut into batches at random."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from fluxcore.core.batch import Batch, Steps
from fluxcore.core.ports import OperatorContext
from fluxcore.core.time import MAX_TIME_MS, SystemClock
from fluxcore.state.backend import MemoryStateBackend
from fluxcore.state.rescale import split


@dataclass
class Stream:
    """What happens, in order: ``(port, row)`` for a row, ``(None, ms)`` for a watermark of the whole operator.

    Rows of the ports ``updated`` have their weight last.
    """

    schemas: list[pa.Schema]
    events: list = field(default_factory=list)
    cuts: set[int] = field(default_factory=set)
    updated: tuple[int, ...] = ()

    def pieces(self):
        """Yield (port, batch, watermark after it): runs of one port's rows with the watermarks among them."""
        rows, steps, port = [], [], None
        for number, (where, value) in enumerate(self.events):
            if rows and (number in self.cuts or (where is not None and where != port)):
                yield self._piece(port, rows, steps)
                rows, steps = [], []
            if where is None:
                if rows or port is not None:
                    steps.append((len(rows), value))
                else:
                    yield None, None, value
            else:
                port = where
                rows.append(value)
        if rows or steps:
            yield self._piece(port, rows, steps)

    def _piece(self, port, rows, steps):
        weights = None
        if port in self.updated:
            weights = np.array([row[-1] for row in rows], np.int8)
            rows = [row[:-1] for row in rows]
        data = self.batch(port, rows)
        rising, highest = [], None
        for at, value in steps:
            if highest is None or value > highest:
                rising.append((at, value))
                highest = value
        if not rising:
            return port, Batch(data, weights), None
        at = Steps(np.array([r for r, _ in rising], np.int64), np.array([v for _, v in rising], np.int64))
        return port, Batch(data, weights, at.moved(at.rows)), highest

    def batch(self, port, rows):
        schema = self.schemas[port]
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
        return pa.RecordBatch.from_arrays(
            [pa.array(values, f.type) for values, f in zip(columns, schema, strict=True)], schema=schema
        )


def rows_of(batches):
    """Return the rows as tuples, with their weight last where a batch has weights."""
    found = []
    for batch in batches:
        columns = [column.to_pylist() for column in batch.data.columns]
        if batch.weights is not None:
            columns.append(batch.weights.tolist())
        found += list(zip(*columns, strict=True))
    return found


def new_context(late):
    return OperatorContext("test", MemoryStateBackend(), SystemClock(), late.append)


def drive(make, stream, *, freeze_at=None):
    """Return (rows, late rows, counters) of an operator made by ``make``; it is frozen and replaced at a piece."""
    late = []
    operator = make()
    context = new_context(late)
    operator.open(context)
    out = []
    for number, (port, batch, watermark) in enumerate(stream.pieces()):
        if number == freeze_at:
            (frozen,) = split([operator.freeze()], 1)
            operator.close()
            operator, counters = make(), context.counters
            context = new_context(late)
            context.counters.update(counters)
            operator.open(context)
            operator.restore(frozen)
        if batch is not None:
            out += operator.process(batch, port)
        if watermark is not None:
            out += operator.advance(watermark)
    out += operator.advance(MAX_TIME_MS)
    out += operator.finish()
    return rows_of(out), rows_of(late), context.counters


@pytest.fixture(scope="session")
def kit():
    return SimpleNamespace(Stream=Stream, drive=drive, rows_of=rows_of, new_context=new_context)
