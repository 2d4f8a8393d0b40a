"""Frames whose checksums are right and whose bytes are not what a log writes: told as damage, and never trusted."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from fluxcore.bus.log import Log, LogOptions, Reader, ReadOptions, verify
from fluxcore.bus.log.frame import SPARSE, Compression, Draft, Kind
from fluxcore.bus.log.recovery import recover
from fluxcore.bus.log.schemas import schema_bytes, schema_id
from fluxcore.bus.log.writer import LogWriter
from fluxcore.errors import DataError
from fluxcore.testing.disk import SimulatedDisk

if TYPE_CHECKING:
    from collections.abc import Callable

LONG = os.environ.get("FLUXCORE_TEST_PROFILE") == "long"
SCHEMA = pa.schema(
    [
        ("n", pa.int64()),
        ("text", pa.string()),
        ("data", pa.binary()),
        ("list", pa.list_(pa.string())),
        ("row", pa.struct([("a", pa.int32()), ("z", pa.large_string())])),
        ("map", pa.map_(pa.string(), pa.int8())),
        ("flag", pa.bool_()),
    ]
)
ROWS = [
    {"n": 1, "text": "äb", "data": b"q", "list": ["x", "yy"], "row": {"a": 1, "z": "k"}, "map": [("k", 1)], "flag": True},
    {"n": 2, "text": None, "data": b"", "list": None, "row": None, "map": [], "flag": None},
]  # fmt: skip
BATCH = pa.RecordBatch.from_pylist(ROWS * 8, SCHEMA)
OPTIONS = LogOptions(row_schema=SCHEMA, segment_bytes=16 * 1024)


def log_with(draft: Draft) -> SimulatedDisk:
    """Return the disk of a log with a good frame, one as drafted at offset 16, and a good one."""
    disk = SimulatedDisk(seed=1)
    writer = LogWriter(disk, "log", OPTIONS, recover(disk, "log", "log", OPTIONS.segment_bytes))
    writer.stage(BATCH)
    assert writer._segment is not None
    writer._segment.stage(draft, writer.durable)
    writer.end += draft.span
    writer.stage(BATCH)
    writer.write()
    writer.sync()
    writer.close()
    return disk


def draft(body: bytes, rows: int = 16, **fields: object) -> Draft:
    return Draft(Kind.DATA, 16, body=body, rows=rows, span=16, schema=schema_id(schema_bytes(SCHEMA)), **fields)  # type: ignore[arg-type]


def body(change: Callable[[bytearray], object] = lambda _: None) -> bytes:
    content = bytearray(BATCH.serialize().to_pybytes())
    change(content)
    return bytes(content)


def offsets_changed(value: int) -> bytes:
    """The batch with the second offset of column ``data`` changed."""
    offsets = BATCH.column("data").buffers()[1].to_pybytes()[: 17 * 4]
    at = body().index(offsets)
    return body(lambda content: content.__setitem__(slice(at + 4, at + 8), struct.pack("<i", value)))


FORGED = {
    "no message at all": draft(b"x" * 300),
    "nothing": draft(b""),
    "half a message": draft(body()[:200]),
    "without its last buffer": draft(body()[:-64]),
    "an offset behind the data": draft(offsets_changed(2**31 - 1)),
    "an offset below zero": draft(offsets_changed(-5)),
    "text that is not UTF-8": draft(body().replace("äb".encode(), b"\xff\xfeb", 1)),
    "fewer rows than the header says": draft(BATCH.slice(0, 3).serialize().to_pybytes()),
    "rows of another schema": draft(pa.record_batch({"n": list(range(16))}).serialize().to_pybytes()),
    "not compressed, though the header says so": draft(body(), compression=Compression.ZSTD, raw_length=2000),
    "said to be of a petabyte": draft(
        pa.Codec("zstd").compress(body()).to_pybytes(), compression=Compression.ZSTD, raw_length=2**50
    ),
    "distances that go down": draft(
        BATCH.append_column("offset", pa.array(range(16, 0, -1), pa.uint32())).serialize().to_pybytes(), flags=SPARSE
    ),
    "distances beyond the span": draft(
        BATCH.append_column("offset", pa.array(range(100, 116), pa.uint32())).serialize().to_pybytes(), flags=SPARSE
    ),
}


@pytest.mark.parametrize("case", FORGED)
def test_a_frame_with_a_right_checksum_and_wrong_bytes_is_damage(case: str) -> None:
    disk = log_with(FORGED[case])
    with Reader.open("log", disk) as reader:
        with pytest.raises(DataError, match="events 16 to 31 can't be read"):
            list(reader.read())
        told: list[tuple[int, int]] = []
        frames = list(reader.read(ReadOptions(on_lost=lambda lost: told.append((lost.first, lost.end)))))
    assert told == [(16, 32)]
    assert [frame.batch for frame in frames] == [BATCH, BATCH]
    report = verify("log", disk)
    assert not report.ok
    assert [(lost.first, lost.end) for lost in report.lost] == [(16, 32)]
    with Log.open("log", OPTIONS, disk) as log:
        assert log.append(BATCH).first_offset == 48


def test_the_same_frame_unchanged_is_read() -> None:
    disk = log_with(draft(body()))
    with Reader.open("log", disk) as reader:
        assert sum(frame.count for frame in reader.read()) == 48
    assert verify("log", disk).ok


def changed(choose: random.Random) -> bytes:
    """The batch with bytes changed where it hurts: lengths, offsets, counts of the message and of the columns."""
    content = bytearray(body())
    for _ in range(choose.choice([1, 1, 2, 4])):
        size = choose.choice([1, 1, 2, 4, 8])
        number = choose.choice([0, 1, 7, 1000, 2**31 - 1, -1, -5, 2**62]).to_bytes(8, "little", signed=True)
        piece = choose.choice([bytes(size), b"\xff" * size, choose.randbytes(size), number[:size], number])
        at = choose.randrange(len(content))
        content[at : at + len(piece)] = piece
    return bytes(content[: choose.choice([None] * 9 + [choose.randrange(len(content))])])


FUZZ = """
import random, sys
import pyarrow as pa
from test_forged import changed, draft, log_with
from fluxcore.bus.log import Reader, ReadOptions
choose = random.Random(int(sys.argv[1]))
for number in range(int(sys.argv[2])):
    with Reader("log", log_with(draft(changed(choose)))) as reader:
        for frame in reader.read(ReadOptions(on_lost=lambda _: None)):
            frame.batch.to_pylist()
            frame.batch.take(pa.array([0, frame.count - 1]))
"""


@pytest.mark.parametrize("seed", range(20 if LONG else 2))
def test_no_bytes_with_a_right_checksum_end_the_process(seed: int) -> None:
    command = [sys.executable, "-c", FUZZ, str(seed), "5000" if LONG else "400"]
    path = os.pathsep.join([os.path.dirname(__file__), *sys.path])  # noqa: PTH120
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == 0, f"{done.returncode}: {done.stderr[-2000:]}"
