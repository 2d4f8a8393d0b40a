"""The hash of keys: XXH64's own vectors, and an independent XXH64 over the canonical bytes."""

from __future__ import annotations

import datetime as dt
import math
import struct
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.core.hashing import NULL_HASH, hash_columns
from fluxcore.state.keygroups import KEY_GROUPS, key_groups

P1, P2, P3, P4, P5 = (
    0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5,
)  # fmt: skip
M = 2**64 - 1


def rotated(value, bits):
    return (value << bits | value >> (64 - bits)) & M


def turn(acc, lane):
    return rotated((acc + lane * P2) & M, 31) * P1 & M


def xxh64(data: bytes) -> int:
    """XXH64 with seed 0, from its specification (github.com/Cyan4973/xxHash, doc/xxhash_spec.md)."""
    rest = data
    if len(data) >= 32:
        acc = [(P1 + P2) & M, P2, 0, -P1 & M]
        while len(rest) >= 32:
            acc = [turn(a, lane) for a, lane in zip(acc, struct.unpack("<4Q", rest[:32]), strict=True)]
            rest = rest[32:]
        found = sum(rotated(a, bits) for a, bits in zip(acc, (1, 7, 12, 18), strict=True)) & M
        for a in acc:
            found = ((found ^ turn(0, a)) * P1 + P4) & M
    else:
        found = P5
    found = (found + len(data)) & M
    while len(rest) >= 8:
        found = (rotated(found ^ turn(0, int.from_bytes(rest[:8], "little")), 27) * P1 + P4) & M
        rest = rest[8:]
    if len(rest) >= 4:
        found = (rotated(found ^ int.from_bytes(rest[:4], "little") * P1 & M, 23) * P2 + P3) & M
        rest = rest[4:]
    for byte in rest:
        found = rotated(found ^ byte * P5 & M, 11) * P1 & M
    found = (found ^ found >> 33) * P2 & M
    found = (found ^ found >> 29) * P3 & M
    return found ^ found >> 32


@pytest.mark.parametrize(
    ("text", "wanted"), [("", 0xEF46DB3751D8E999), ("a", 0xD24EC4F1A98C6E5B), ("abc", 0x44BC2CF5AD770999)]
)
def test_known_vectors(text, wanted):
    assert xxh64(text.encode()) == wanted
    assert hash_columns([pa.array([text])]).tolist() == [wanted]


def canonical(value):
    if isinstance(value, bool | int):
        return struct.pack("<q", int(value))
    if isinstance(value, float):
        return struct.pack("<d", math.nan if math.isnan(value) else value + 0.0)
    if isinstance(value, Decimal):
        return str(value).encode()
    if isinstance(value, dt.datetime):
        return struct.pack("<q", round((value - dt.datetime(1970, 1, 1)) / dt.timedelta(microseconds=1)))
    if isinstance(value, dt.date):
        return struct.pack("<q", (value - dt.date(1970, 1, 1)).days)
    return value if isinstance(value, bytes) else value.encode()


TYPES = {
    "int8": (pa.int8(), st.integers(-128, 127)),
    "int64": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "bool": (pa.bool_(), st.booleans()),
    "float": (pa.float64(), st.floats()),
    "text": (pa.string(), st.text(max_size=80)),
    "bytes": (pa.binary(), st.binary(max_size=80)),
    "decimal": (pa.decimal128(20, 2), st.decimals(-(10**9), 10**9, places=2)),
    "date": (pa.date32(), st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1))),
    "time": (pa.timestamp("us"), st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1))),
}


@pytest.mark.parametrize("name", TYPES)
@given(data=st.data())
def test_each_type_is_hashed_by_its_canonical_bytes(name, data):
    type_, values = TYPES[name]
    rows = data.draw(st.lists(st.one_of(st.none(), values), max_size=8))
    cut = data.draw(st.integers(0, 3))
    found = hash_columns([pa.array([None] * cut + rows, type_).slice(cut)])
    assert found.tolist() == [NULL_HASH if row is None else xxh64(canonical(row)) for row in rows]


@given(st.lists(st.tuples(st.integers(0, 5), st.text(max_size=3)), min_size=1, max_size=6))
def test_a_key_of_several_columns_is_the_hash_of_their_hashes(rows):
    found = hash_columns([pa.array([a for a, _ in rows], pa.int32()), pa.array([b for _, b in rows])])
    one = [struct.pack("<QQ", xxh64(canonical(a)), xxh64(canonical(b))) for a, b in rows]
    assert found.tolist() == [xxh64(each) for each in one]


def test_equal_numbers_of_different_widths_hash_alike():
    assert hash_columns([pa.array([7], pa.int8())]).tolist() == hash_columns([pa.array([7], pa.int64())]).tolist()
    both = pa.array([0.0, -0.0, math.nan, -math.nan])
    assert len(set(hash_columns([both]).tolist())) == 2


def test_key_groups_are_spread_and_stable():
    keys = pa.array(np.arange(100_000))
    groups = key_groups([keys])
    assert groups.min() == 0
    assert groups.max() == KEY_GROUPS - 1
    sizes = np.bincount(groups, minlength=KEY_GROUPS)
    assert sizes.min() > 0.7 * sizes.mean()
    assert groups[:3].tolist() == [xxh64(struct.pack("<q", key)) % KEY_GROUPS for key in range(3)]
    assert (key_groups([keys.slice(500, 10)]) == groups[500:510]).all()
