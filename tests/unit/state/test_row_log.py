"""Logs of rows beside plain lists: whatever is in the index or outside it, whole batches or chosen rows of them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.core import portions as portions_module
from fluxcore.state.row_log import RowLog

TYPES = {
    "long": (pa.int64(), [1, -5, 2**40]),
    "int": (pa.int32(), [7, -7]),
    "small": (pa.int16(), [300, -2]),
    "tiny": (pa.int8(), [1, -1]),
    "double": (pa.float64(), [1.5, -0.0]),
    "real": (pa.float32(), [0.5, 2.0]),
    "ok": (pa.bool_(), [True, False]),
    "text": (pa.string(), ["", "a", "äöü", "long" * 20]),
    "raw": (pa.binary(), [b"", b"\x00\xff"]),
    "exact": (pa.decimal128(20, 2), [Decimal("1.25"), Decimal("-9.00")]),
    "day": (pa.date32(), [dt.date(2024, 1, 2)]),
    "at": (pa.timestamp("us"), [dt.datetime(2024, 1, 2, 3, 4, 5)]),
    "list": (pa.list_(pa.int64()), [[1, 2], []]),
    "row": (pa.struct([("x", pa.int64()), ("y", pa.string())]), [{"x": 1, "y": "b"}]),
}
SCHEMA = pa.schema([(name, type_) for name, (type_, _) in TYPES.items()])
ROW = st.tuples(*(st.none() | st.sampled_from(values) for _, values in TYPES.values()))
KEYS = st.sampled_from([0, 1, 2, -3, 2**62])


def batch_of(rows, offset):
    """Return a batch of the rows, as a slice that starts somewhere inside larger arrays."""
    columns = list(zip(*([rows[0]] * offset + rows), strict=True))
    return pa.RecordBatch.from_arrays(
        [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
    ).slice(offset)


@st.composite
def adding(draw):
    """Return (rows, keys, chosen) of a batch."""
    rows = draw(st.lists(ROW, min_size=1, max_size=6))
    chosen = draw(st.none() | st.lists(st.integers(0, len(rows) - 1), unique=True, max_size=6).map(sorted))
    keys = draw(st.lists(KEYS, min_size=len(rows), max_size=len(rows)))
    return rows, keys, chosen


@given(batches=st.lists(adding(), max_size=6), asked=st.lists(st.lists(KEYS, max_size=4), max_size=12), data=st.data())
def test_pairs_and_rows_are_those_of_a_list(batches, asked, data):
    log, there = RowLog(SCHEMA, {"mark": "i8"}), []
    for rows, keys, chosen in batches:
        numbers = range(len(rows)) if chosen is None else chosen
        places = None if chosen is None else np.array(chosen, np.int64)
        slots = log.add(
            batch_of(rows, data.draw(st.integers(0, 9))), np.array([keys[n] for n in numbers], np.int64), places
        )
        log.columns["mark"][slots] = slots * 2
        assert slots.tolist() == list(range(len(there), len(there) + len(numbers)))
        there += [(keys[number], rows[number]) for number in numbers]
        for question in asked:
            found = [pair for a, b in log.pairs(np.array(question, np.int64)) for pair in zip(a, b, strict=True)]
            wanted = [(i, slot) for i, key in enumerate(question) for slot, (k, _) in enumerate(there) if k == key]
            assert sorted(found) == wanted
    assert log.count == len(there)
    slots = np.array(data.draw(st.lists(st.integers(0, max(len(there) - 1, 0)), max_size=9)) if there else [], np.int64)
    taken = list(zip(*(column.to_pylist() for column in log.take(slots)), strict=True))
    assert taken == [there[slot][1] for slot in slots.tolist()]
    frozen = log.freeze()
    assert frozen.column("mark").to_pylist() == [2 * slot for slot in range(len(there))]
    assert list(zip(*(column.to_pylist() for column in frozen.columns[:-1]), strict=True)) == [row for _, row in there]
    log.clear()
    assert log.count == 0
    assert list(log.pairs(np.array([0, 1], np.int64))) == []
    assert not log.columns["mark"][: len(there)].any()


def test_a_cross_product_comes_in_portions(monkeypatch):
    monkeypatch.setattr(portions_module, "PAIRS_MAX", 100)
    schema = pa.schema([("v", pa.int64())])
    log = RowLog(schema, {})
    log.add(pa.RecordBatch.from_arrays([pa.array(range(90))], schema=schema), np.zeros(90, np.int64))
    for _ in range(40):  # at first the rows are outside the index, in the end inside
        portions = list(log.pairs(np.zeros(7, np.int64)))
        assert max(len(a) for a, _ in portions) <= 100
        assert {pair for a, b in portions for pair in zip(a, b, strict=True)} == {
            (a, b) for a in range(7) for b in range(90)
        }
        assert sum(len(a) for a, _ in portions) == 630


def test_rows_go_into_the_index_when_asking_has_cost_as_much():
    schema = pa.schema([("v", pa.int64())])
    log, rows = RowLog(schema, {}), 300_000
    log.add(pa.RecordBatch.from_arrays([pa.array(range(rows))], schema=schema), np.arange(rows))
    before = log.nbytes
    list(log.pairs(np.array([5], np.int64)))
    assert log.nbytes == before, "asking once does not make an index"
    for _ in range(100):
        ((places, slots),) = log.pairs(np.array([5, -1], np.int64))
        assert (places.tolist(), slots.tolist()) == ([0], [5])
    assert log.nbytes > before, "asking often does"


def test_many_small_batches_become_few_and_a_few_rows_hold_no_large_batch():
    schema = pa.schema([("v", pa.int64())])
    log = RowLog(schema, {})
    for number in range(2000):
        log.add(pa.RecordBatch.from_arrays([pa.array([number])], schema=schema), np.array([number]))
    assert log.count == 2000
    assert log.take(np.array([1999, 0]))[0].to_pylist() == [1999, 0]
    large = pa.RecordBatch.from_arrays([pa.array(range(1_000_000))], schema=schema)
    before = log.nbytes
    log.add(large, np.array([1, 2]), np.array([10, 999_999]))
    assert log.nbytes - before < 1000
    assert log.take(np.array([2000, 2001]))[0].to_pylist() == [10, 999_999]
