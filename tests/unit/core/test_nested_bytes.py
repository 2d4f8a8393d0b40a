"""Nested values as bytes and back."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.core import nested_bytes
from fluxcore.core.nested_bytes import from_bytes, to_bytes
from fluxcore.errors import JobError

PLAIN = {
    pa.int8(): st.integers(-128, 127),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.bool_(): st.booleans(),
    pa.float32(): st.sampled_from([0.0, 1.5, -3.25]),
    pa.string(): st.text(max_size=5),
    pa.binary(): st.binary(max_size=5),
    pa.decimal128(20, 2): st.integers(-(10**15), 10**15).map(lambda cents: Decimal(cents).scaleb(-2)),
    pa.timestamp("us"): st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1)),
    pa.date32(): st.dates(),
}


def values_of(type_):
    """Return a strategy of values of an Arrow type; maps without the order of their keys being told."""
    if pa.types.is_list(type_):
        found = st.lists(values_of(type_.value_type), max_size=3)
    elif pa.types.is_map(type_):
        keys = PLAIN[type_.key_type]
        found = st.dictionaries(keys, values_of(type_.item_type), max_size=3).map(lambda made: sorted(made.items()))
    elif pa.types.is_struct(type_):
        found = st.fixed_dictionaries({field.name: values_of(field.type) for field in type_})
    else:
        found = PLAIN[type_]
    return st.none() | found


TYPES = [
    pa.list_(pa.int64()),
    pa.list_(pa.list_(pa.string())),
    pa.map_(pa.string(), pa.list_(pa.bool_())),
    pa.struct([(f"c{number}", type_) for number, type_ in enumerate(PLAIN)]),
    pa.list_(pa.struct([("a", pa.map_(pa.date32(), pa.binary())), ("b", pa.list_(pa.float32()))])),
]


@pytest.mark.parametrize("type_", TYPES, ids=str)
@given(st.data(), st.integers(0, 3))
def test_values_come_back(type_, data, skipped):
    rows = data.draw(st.lists(values_of(type_), max_size=12))
    array = pa.array(rows, type_)[skipped:]
    found = from_bytes(to_bytes(array), type_)
    found.validate(full=True)
    assert [_plain(row) for row in found.to_pylist()] == [_plain(row) for row in array.to_pylist()]


@given(st.lists(values_of(TYPES[-1]), max_size=12))
def test_bytes_are_equal_where_values_are(rows):
    made = to_bytes(pa.array(rows, TYPES[-1])).to_pylist()
    for a, left in zip(rows, made, strict=True):
        for b, right in zip(rows, made, strict=True):
            assert (left == right) == (a == b)


def test_the_order_of_a_map_does_not_count():
    array = pa.array(
        [[("b", 1), ("a", 2)], [("a", 2), ("b", 1)], [("a", 1), ("b", 2)]], pa.map_(pa.string(), pa.int32())
    )
    first, second, third = to_bytes(array).to_pylist()
    assert first == second != third


def test_nan_is_one_value_and_zero_has_no_sign():
    array = pa.array([[float("nan"), -0.0], [-float("nan"), 0.0]], pa.list_(pa.float64()))
    assert len(set(to_bytes(array).to_pylist())) == 1


def _plain(value):
    """Return a value with the entries of its maps in one order."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        made = [_plain(each) for each in value]
        return sorted(made, key=repr) if made and isinstance(made[0], tuple) else made
    return value


def test_more_bytes_than_an_array_can_hold_are_an_error(monkeypatch):
    array = pa.array([[b"12345"], [b"678"]])
    size = sum(len(each) for each in to_bytes(array).to_pylist())
    monkeypatch.setattr(nested_bytes, "STRING_COLUMN_BYTES_MAX", size)
    assert len(to_bytes(array)) == 2
    monkeypatch.setattr(nested_bytes, "STRING_COLUMN_BYTES_MAX", size - 1)
    with pytest.raises(JobError) as caught:
        to_bytes(array)
    assert caught.value.code == "FX-RUN-0902"
