"""Row tables beside a dict of rows, with nested types, NULLs and texts that come and go."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.state.rows import RowTable

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("small", pa.int8()),
        ("ok", pa.bool_()),
        ("name", pa.string()),
        ("raw", pa.binary()),
        ("price", pa.decimal128(38, 2)),
        ("share", pa.float64()),
        ("tags", pa.list_(pa.int64())),
    ]
)


def optional(values):
    return st.one_of(st.none(), values)


ROWS = st.tuples(
    optional(st.integers(-(2**63), 2**63 - 1)),
    optional(st.integers(-128, 127)),
    optional(st.booleans()),
    optional(st.text(max_size=5)),
    optional(st.binary(max_size=5)),
    optional(st.decimals(-(10**20), 10**20, places=2)),
    optional(st.floats(allow_nan=False)),
    optional(st.lists(st.integers(0, 9), max_size=3)),
)


def batch(rows):
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(SCHEMA)
    return pa.RecordBatch.from_arrays(
        [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
    )


def shown(table, slots):
    columns = table.take(np.array(slots, np.int64))
    return list(zip(*(column.to_pylist() for column in columns), strict=True)) if slots else []


@given(st.lists(st.tuples(st.lists(ROWS, max_size=6), st.lists(st.integers(0, 30), max_size=6)), max_size=8))
def test_rows_stay_at_their_slots_until_they_are_removed(steps):
    table, model = RowTable(SCHEMA, {"n": "i8"}), {}
    for rows, going in steps:
        slots = table.add(batch(rows)).tolist()
        assert not set(slots) & set(model)
        assert len(set(slots)) == len(rows)
        assert (table.columns["n"][np.array(slots, np.int64)] == 0).all()
        table.columns["n"][np.array(slots, np.int64)] = 7
        model |= dict(zip(slots, rows, strict=True))
        gone = [slot for place, slot in enumerate(model) if place in going]
        table.remove(np.array(gone, np.int64))
        for slot in gone:
            del model[slot]
        assert table.count == len(model)
        assert shown(table, list(model)) == list(model.values())
    again = RowTable(SCHEMA, {"n": "i8"})
    kept = again.restore(table.freeze()).tolist()
    assert sorted(shown(again, kept), key=repr) == sorted(model.values(), key=repr)
    assert (again.columns["n"][np.array(kept, np.int64)] == 7).all()


def test_a_slice_of_a_batch_is_taken_as_it_is():
    rows = [(i, i % 5, i % 2 == 0, f"n{i}", b"%d" % i, Decimal(i), i / 2, [i]) for i in range(20)]
    table = RowTable(SCHEMA, {})
    slots = table.add(batch(rows).slice(7, 5))
    assert shown(table, slots.tolist()) == rows[7:12]


def test_the_room_of_texts_is_used_again():
    schema = pa.schema([("text", pa.string())])
    table = RowTable(schema, {})
    keep = table.add(pa.RecordBatch.from_pydict({"text": ["kept"]}, schema=schema))
    for _ in range(40):
        table.remove(table.add(pa.RecordBatch.from_pydict({"text": ["x" * 1000] * 1000}, schema=schema)))
    assert table.nbytes < 12_000_000, "forty million bytes of texts went through"
    assert table.take(keep)[0].to_pylist() == ["kept"]
