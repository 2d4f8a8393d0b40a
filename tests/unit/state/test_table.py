"""Keyed tables beside a dict, over random keys of every type and random operations."""

from __future__ import annotations

import math
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.core.types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    STRING,
    BytesType,
    DateType,
    DecimalType,
    IntegerType,
    TimestampType,
)
from fluxcore.state.backend import MemoryStateBackend
from fluxcore.state.table import KeyedTable

KEYS = {
    "bigint": (BIGINT, st.integers(-(2**63), 2**63 - 1)),
    "int": (IntegerType(bits=32), st.integers(-(2**31), 2**31 - 1)),
    "double": (DOUBLE, st.floats(width=64)),
    "boolean": (BOOLEAN, st.booleans()),
    "string": (STRING, st.text(max_size=6)),
    "bytes": (BytesType(), st.binary(max_size=6)),
    "decimal": (DecimalType(precision=38, scale=2), st.decimals(-(10**30), 10**30, places=2)),
    "date": (DateType(), st.dates(date(1900, 1, 1), date(2100, 1, 1))),
    "timestamp": (TimestampType(precision=3), st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1))),
}


def plain(value):
    """Return a key under which a dict finds what the table should find."""
    if isinstance(value, float):
        return ("float", "nan") if math.isnan(value) else ("float", value + 0.0)
    return type(value).__name__, value


@st.composite
def cases(draw):
    names = draw(st.lists(st.sampled_from(sorted(KEYS)), min_size=1, max_size=3))
    few = [draw(st.lists(KEYS[name][1], min_size=1, max_size=4)) for name in names]
    row = st.tuples(*(st.sampled_from([None, *values]) for values in few))
    step = st.tuples(st.sampled_from(["upsert", "lookup", "delete", "freeze", "clear"]), st.lists(row, max_size=12))
    return [KEYS[name][0] for name in names], draw(st.lists(step, max_size=8))


@given(cases())
def test_it_is_a_dict_of_rows(case):
    types, steps = case
    table, model = KeyedTable(types, {"n": "i8"}), {}

    def arrays(rows):
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(types)
        return [pa.array(values, type_.arrow()) for values, type_ in zip(columns, types, strict=True)]

    def name(row):
        return tuple(plain(value) for value in row)

    for what, rows in steps:
        if what == "upsert" and rows:
            slots, fresh = table.upsert_new(arrays(rows))
            new = [i for i, row in enumerate(rows) if name(row) not in model and name(row) not in map(name, rows[:i])]
            assert fresh.tolist() == new
            assert (table.columns["n"][slots[fresh]] == 0).all()
            np.add.at(table.columns["n"], slots, 1)
            for row, slot in zip(rows, slots.tolist(), strict=True):
                held = model.setdefault(name(row), [0, row, slot])
                held[0] += 1
                assert held[2] == slot
        elif what == "lookup":
            slots = table.lookup(arrays(rows))
            assert slots.tolist() == [model[name(row)][2] if name(row) in model else -1 for row in rows]
        elif what == "delete":
            gone = {name(row) for row in rows} & set(model)
            table.delete(np.array([model.pop(each)[2] for each in gone], np.int64))
        elif what == "freeze":
            fresh = KeyedTable(types, {"n": "i8"})
            fresh.restore(table.freeze())
            table = fresh
            for held in model.values():
                held[2] = int(table.lookup(arrays([held[1]]))[0])
        elif what == "clear":
            table.clear()
            model.clear()
        assert table.count == len(model)
        assert sorted(table.live_slots().tolist()) == sorted(held[2] for held in model.values())
    slots = np.array([held[2] for held in model.values()], np.int64)
    assert table.columns["n"][slots].tolist() == [held[0] for held in model.values()]
    shown = list(zip(*(column.to_pylist() for column in table.key_columns(slots)), strict=True))
    assert [name(row) for row in shown] == list(model)


def test_texts_of_deleted_keys_give_their_room_back():
    table = KeyedTable([STRING], {})
    for round_ in range(40):
        keys = [pa.array([f"{round_} {number} {'x' * 500}" for number in range(2_000)])]
        table.delete(np.unique(table.upsert(keys)))
    assert table.count == 0
    assert table.nbytes < 20_000_000, "forty million bytes of texts went through"


def test_a_table_grows_past_many_rebuilds_of_its_index():
    table = KeyedTable([BIGINT.with_nullable(False)], {"n": "i8"})
    keys = np.random.default_rng(5).permutation(300_000).astype(np.int64)
    slots = table.upsert([keys])
    assert table.count == 300_000
    assert (table.lookup([keys]) == slots).all()
    assert (table.lookup([keys + 300_000]) == -1).all()


def test_names_of_tables_are_given_once():
    backend = MemoryStateBackend()
    backend.table("a", [BIGINT], {})
    with pytest.raises(AssertionError):
        backend.table("a", [BIGINT], {})
