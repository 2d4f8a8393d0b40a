"""The bytes of the log: golden files that every later version must read, and the fields where the design page says they are."""

from __future__ import annotations

import datetime as dt
import os
import struct
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from fluxcore.bus.log import Log, LogOptions, Reader, bloom, statistics
from fluxcore.bus.log.frame import (
    Compression,
    Draft,
    Kind,
    Place,
    chain_after,
    count_zero_sectors,
    crc32c,
    decode_header,
    encode,
    joined,
    parts_hold,
)
from fluxcore.core.ports import Bound
from fluxcore.errors import FluxError
from fluxcore.testing.disk import SimulatedDisk

GOLDEN = Path(__file__).parent / "golden"
ROWS = [
    {"key": f"k{n % 5}", "n": n, "at": dt.datetime(2024, 5, 1, 12, n), "price": Decimal(n) / 4, "data": b"x" * n}
    for n in range(20)
]
SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("n", pa.int64()),
        ("at", pa.timestamp("ms")),
        ("price", pa.decimal128(10, 2)),
        ("data", pa.binary()),
    ]
)
HASHES = ["0000000000000000", "948677ef838bb4e7", "2ef7e5483b224ec7", "0ace68569facee22"]
NUMBERS = ["0000000000000000", "b456bcfc34c2cb2c", "64b5720b4b825f21"]
CASES = {"plain": "none", "lz4": "lz4", "zstd": "zstd"}


def write(compression: str) -> SimulatedDisk:
    disk = SimulatedDisk(seed=7)
    options = LogOptions("golden", row_schema=SCHEMA, compression=compression, keys=("key",), segment_bytes=16 * 1024)
    with Log.open("log", options, disk) as log:
        log.append(pa.RecordBatch.from_pylist(ROWS, SCHEMA))
        log.append_row(("one", 20, None, None, b""))
        log.roll()
        log.append(pa.RecordBatch.from_pylist(ROWS[:2], SCHEMA))
    return disk


if os.environ.get("FLUXCORE_WRITE_GOLDEN"):  # only ever for a new version of the format: old files stay
    for case, compression in CASES.items():
        made = write(compression)
        for name in made.names("log"):
            if name != "lock":
                content = made.content(f"log/{name}")
                used = -(-len(content.rstrip(b"\0")) // 128) * 128 if name.endswith(".seg") else len(content)
                (GOLDEN / f"v1-{case}-{name}").write_bytes(content[:used])


@pytest.mark.parametrize("case", CASES)
def test_golden_files_are_read(case: str) -> None:
    disk = SimulatedDisk()
    for path in sorted(GOLDEN.glob(f"v1-{case}-*")):
        room = (
            bytes(4096) if path.suffix == ".seg" else b""
        )  # segments are kept without the zeros that were never written
        disk.put(f"log/{path.name.removeprefix(f'v1-{case}-')}", path.read_bytes() + room)
    with Reader.open("log", disk) as reader:
        frames = list(reader.read())
        assert [row for frame in frames[:1] for row in frame.batch.to_pylist()] == ROWS
        assert [(frame.first_offset, frame.count) for frame in frames] == [(0, 20), (20, 1), (21, 2)]
        assert frames[2].batch.to_pylist() == ROWS[:2]
        assert frames[0].batch.schema == SCHEMA
    with Log.open("log", LogOptions(row_schema=SCHEMA), disk) as log:
        assert log.statistics().lost == ()
        assert log.append_row(("more", 1, None, None, b"")).first_offset == 23


def test_what_is_written_today_has_the_golden_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies may differ where Arrow lays a batch out anew; headers of frames without one may not."""
    monkeypatch.setattr(statistics, "ROWS_MIN", 16)
    disk = write("none")
    golden = (GOLDEN / "v1-plain-00000000000000000000.000000.seg").read_bytes()
    assert disk.content("log/00000000000000000000.000000.seg")[:1024] == golden[:1024]


def test_the_fields_stand_where_the_page_says() -> None:
    draft = Draft(Kind.DATA, 11, b"meta", b"body" * 50, 7, 9, 12, 1, Compression.ZSTD, 14, 15, -16)
    _, raw, pieces = encode(draft, Place(3, 256, 5, bytes(range(16))))
    assert raw[:4] == b"FRYS"
    assert (raw[4], raw[5], raw[6], raw[7]) == (1, 3, 2, 1), "version, kind, compression, flags"
    assert struct.unpack_from("<QQQ", raw, 8) == (3, 256, 11), "segment, position, first offset"
    assert struct.unpack_from("<II", raw, 32) == (7, 9), "rows, span"
    assert struct.unpack_from("<Q", raw, 40) == (12,), "schema"
    assert struct.unpack_from("<II", raw, 48) == (4, 0), "length of meta, zero sectors"
    assert struct.unpack_from("<QQ", raw, 56) == (200, 14), "length of body, raw length"
    assert struct.unpack_from("<qq", raw, 72) == (15, -16), "append times"
    assert struct.unpack_from("<Q", raw, 88) == (5,), "durable mark"
    assert raw[96:112] == bytes(range(16)), "chain"
    frame = joined(pieces)
    assert len(frame) == 128 + 128 + 256
    assert struct.unpack_from("<II", raw, 112) == (crc32c(frame[128:256]), crc32c(frame[256:])), "CRCs of meta and body"
    assert struct.unpack_from("<II", raw, 120) == (0, crc32c(raw[:124])), "reserved, CRC of the header"


def test_check_values() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert chain_after(bytes(128)).hex() == "40d697295c01d2312035c1fa7d884b8d"
    texts = pa.array(["", "a", "order-17", None, "ä" * 300])
    assert [f"{each:016x}" for each in bloom.hash_values(texts).tolist()] == HASHES
    assert [f"{each:016x}" for each in bloom.hash_values(pa.array([0, 1, -1])).tolist()] == NUMBERS


def test_every_flipped_bit_of_a_frame_is_seen() -> None:
    header, raw, pieces = encode(Draft(Kind.DATA, 0, b"m" * 20, b"b" * 200, 1, 1), Place(9, 0, 0, bytes(16)))
    frame = joined(pieces)
    assert decode_header(raw) == header
    assert parts_hold(header, frame)
    for bit in range(len(frame) * 8):
        flipped = bytearray(frame)
        flipped[bit // 8] ^= 1 << bit % 8
        found = decode_header(bytes(flipped))
        assert found is None or not parts_hold(found, bytes(flipped))


@pytest.mark.parametrize("position", [0, 128, 256, 384])
@pytest.mark.parametrize("body", [b"", bytes(5000), b"x" + bytes(1023), bytes(700) + b"y" + bytes(3000)])
def test_zero_sectors_are_counted_as_a_reader_counts_them(position: int, body: bytes) -> None:
    header, raw, pieces = encode(Draft(Kind.DATA, 0, b"", body, 1, 1), Place(9, position, 0, bytes(16)))
    assert decode_header(raw) == header
    frame = np.frombuffer(joined(pieces), np.uint8)
    assert header.zero_sectors == count_zero_sectors(frame, position % 512)


def test_a_newer_version_is_refused() -> None:
    disk = write("none")
    path = "log/00000000000000000021.000000.seg"
    content = bytearray(disk.content(path))
    content[4] = 2
    content[124:128] = crc32c(bytes(content[:124])).to_bytes(4, "little")
    disk.put(path, bytes(content))
    with pytest.raises(FluxError, match="FX-LOG-0012"):
        Log.open("log", LogOptions(), disk)


def test_statistics_exclude_what_no_row_can_meet() -> None:
    batch = pa.RecordBatch.from_pylist(ROWS * 20, SCHEMA)
    known = statistics.read(statistics.collect(batch, ("key",)))
    assert known is not None

    def out(column: str, op: str, value: object) -> bool:
        return statistics.excluded(known, [Bound(SCHEMA.get_field_index(column), op, value)], SCHEMA)

    assert [out("n", op, 19) for op in ("=", "<", "<=", ">", ">=")] == [False, False, False, True, False]
    assert [out("n", op, 0) for op in ("=", "<", "<=", ">", ">=")] == [False, True, False, False, False]
    assert [out("n", op, 20) for op in ("=", "<", ">")] == [True, False, True]
    assert [out("key", "=", value) for value in ("k0", "k9", "k10")] == [False, True, True]
    assert [out("price", ">", value) for value in (Decimal("4.74"), Decimal("4.75"), 5)] == [False, True, True]
    assert [out("at", "<", dt.datetime(2024, 5, 1, 12, minute)) for minute in (0, 1)] == [True, False]
    assert not out("data", "=", b"nothing"), "there are no statistics of bytes"


def test_statistics_of_odd_values_exclude_nothing_wrongly() -> None:
    schema = pa.schema([("f", pa.float64()), ("s", pa.string()), ("none", pa.int32())])
    batch = pa.RecordBatch.from_arrays(
        [pa.array([1.0, float("nan")] * 200), pa.array(["b" * 50, "a" * 50] * 200), pa.nulls(400, pa.int32())],
        schema=schema,
    )
    known = statistics.read(statistics.collect(batch))
    assert known is not None
    assert not statistics.excluded(known, [Bound(0, ">", 5.0)], schema), "NaN is more than all numbers"
    assert not statistics.excluded(known, [Bound(1, "=", "b" * 50)], schema), "long texts are cut, upwards"
    assert not statistics.excluded(known, [Bound(1, "=", "a" * 50)], schema)
    assert statistics.excluded(known, [Bound(1, ">", "c")], schema)
    assert statistics.excluded(known, [Bound(2, "=", 1)], schema), "all are null"
