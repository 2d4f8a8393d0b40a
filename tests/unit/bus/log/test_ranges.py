"""The ranges of a full segment exclude what the frames' own statistics exclude, and never more."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from fluxcore.bus.log import Log, LogOptions, Reader, ReadOptions
from fluxcore.bus.log.ranges import Ranges
from fluxcore.core.ports import Bound
from fluxcore.testing.disk import SimulatedDisk

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA = pa.schema([("i", pa.int64()), ("f", pa.float64()), ("s", pa.string()), ("b", pa.bool_()), ("u", pa.uint64())])
OTHER = pa.schema([("s", pa.string()), ("i", pa.int32())])
EDGES = [0, -1, 2**53 - 1, 2**53, 2**53 + 1, 2**53 + 2, 2**63 - 1, -(2**63)]
FRAME = 256


def batch(choose: random.Random) -> pa.RecordBatch:
    """A frame whose values lie close to each other, at the places where numbers of different kinds meet."""
    base = choose.choice([*EDGES, 100, 200, 300])
    whole = [max(-(2**63), min(base + choose.randint(-1, 1), 2**63 - 1)) for _ in range(FRAME)]
    floats: list[float | None] = [float(each) for each in whole]
    what = choose.random()
    if what < 0.1:
        floats[0] = float("nan")
    elif what < 0.2:
        floats = [None] * FRAME
    elif what < 0.3:
        floats[0], floats[1] = float("inf"), None
    texts = [f"t{each}" for each in whole]
    if choose.random() < 0.2:
        rows = {"s": texts, "i": [each % 1000 for each in whole]}
        return pa.record_batch(rows, schema=OTHER)
    flags = [choose.random() < 0.01 for _ in range(FRAME)]
    unsigned = [2**64 - 1 - each % 5 for each in whole] if what > 0.9 else [abs(each) for each in whole]
    return pa.record_batch({"i": whole, "f": floats, "s": texts, "b": flags, "u": unsigned}, schema=SCHEMA)


@pytest.fixture(scope="module")
def disk() -> SimulatedDisk:
    """A log of three segments and a fourth that is not full."""
    choose = random.Random(3)
    disk = SimulatedDisk(seed=3)
    with Log.open("log", LogOptions(segment_bytes=1 << 20), disk) as log:
        for number in range(80):
            log.append(batch(choose))
            if number % 25 == 24:
                log.roll()
    return disk


def excluded_by(bound: tuple[str, str, Any]) -> Callable[[pa.Schema], tuple[Bound, ...]]:
    name, op, value = bound

    def bounds(schema: pa.Schema) -> tuple[Bound, ...]:
        place = schema.get_field_index(name)
        return (Bound(place, op, value),) if place >= 0 else ()

    return bounds


def read(disk: SimulatedDisk, bound: tuple[str, str, Any], start: int = 0) -> tuple[list[int], int]:
    with Reader("log", disk) as reader:
        frames = [f.first_offset for f in reader.read(ReadOptions(start, excluded_by=excluded_by(bound)))]
        return frames, reader.frames_skipped


def without_ranges(disk: SimulatedDisk) -> SimulatedDisk:
    other = disk.copy()
    for name in disk.names("log"):
        if name.endswith(".idx"):
            other.remove(f"log/{name}")
    return other


def test_a_full_segment_has_ranges(disk: SimulatedDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    skips = Ranges.skips

    def counted(self: Ranges, comparisons: Any) -> Any:
        found = skips(self, comparisons)
        asked.append(sum(each.frames for each in found.values()))
        return found

    monkeypatch.setattr(Ranges, "skips", counted)
    frames, skipped = read(disk, ("i", "=", 77))
    assert len(asked) == 3
    assert sum(asked) > 50
    assert len(frames) + skipped == 80


@pytest.mark.parametrize("column", ["i", "f", "u", "b", "s"])
@pytest.mark.parametrize("op", ["=", "<", "<=", ">", ">="])
def test_as_many_frames_are_excluded_as_by_their_own_statistics_or_fewer(
    disk: SimulatedDisk, column: str, op: str
) -> None:
    values: list[Any] = [*EDGES, 100, 2**64, 99.5, float(2**53), float("inf"), float("nan"), Decimal(100), True, "t100"]
    for value in values:
        quick, skipped = read(disk, (column, op, value))
        slow, _ = read(without_ranges(disk), (column, op, value))
        assert quick == slow, f"{column} {op} {value!r}"
        assert len(quick) + skipped == 80


def test_reading_may_start_and_end_inside_what_is_skipped(disk: SimulatedDisk) -> None:
    choose = random.Random(1)
    for _ in range(50):
        start, stop = sorted(choose.sample(range(80 * FRAME), 2))
        options = ReadOptions(start, stop=stop, excluded_by=excluded_by(("i", "=", 100)))
        with Reader("log", disk) as reader, Reader("log", without_ranges(disk)) as other:
            quick = [(f.first_offset, f.end_offset, f.count) for f in reader.read(options)]
            assert quick == [(f.first_offset, f.end_offset, f.count) for f in other.read(options)]


def test_damage_between_frames_that_are_skipped_is_told(disk: SimulatedDisk) -> None:
    """A frame that recovery found damaged is in no ranges, so it is never passed over with its neighbours."""
    other = without_ranges(disk)
    name = next(name for name in other.names("log") if name.endswith(".seg"))
    content = bytearray(other.content(f"log/{name}"))
    at = content.index(b"FRYS", content.index(b"FRYS", content.index(b"FRYS", 4000) + 1) + 1)
    content[at + 40] ^= 1
    other.put(f"log/{name}", bytes(content))
    with Log.open("log", LogOptions(segment_bytes=1 << 20), other) as log:
        (lost,) = log.statistics().lost
    told: list[tuple[int, int]] = []
    options = ReadOptions(
        excluded_by=excluded_by(("i", "=", 77)), on_lost=lambda each: told.append((each.first, each.end))
    )
    with Reader("log", other) as reader:
        list(reader.read(options))
    assert told == [(lost.first, lost.end)]


@pytest.mark.parametrize("content", [b"", b"\xff", b"\x93\xa0\xa0\x90", b"\x93\xc4\x01\x00\xc4\x00\x90"])
def test_other_bytes_are_no_ranges(content: bytes) -> None:
    found = Ranges.decode(content)
    assert found is None or len(found.schemas) == 0
