"""Files cut short and bits turned over: what is whole stays readable, what is not is named, and nothing raises."""

from __future__ import annotations

import os
import random

import pytest

from fluxcore.bus.log import Log, LogOptions, Reader, ReadOptions
from fluxcore.errors import DataError
from fluxcore.testing.disk import SimulatedDisk
from fluxcore.testing.log_oracle import SCHEMA, Oracle, after_crash, read_back, rows

LONG = os.environ.get("FLUXCORE_TEST_PROFILE") == "long"
OPTIONS = LogOptions(row_schema=SCHEMA, segment_bytes=16 * 1024)
FIRST = "log/00000000000000000000.000000.seg"
LAST = "log/00000000000000000006.000000.seg"


def small_log() -> tuple[SimulatedDisk, Oracle]:
    """Two segments: events 0 to 5 in three frames, events 6 to 9 in two."""
    disk = SimulatedDisk(seed=3)
    oracle = Oracle(size=20)
    with Log.open("log", OPTIONS, disk) as log:
        for first, end in ((0, 1), (1, 3), (3, 6), (6, 7), (7, 10)):
            if first == 6:
                log.roll()
            log.append(rows(range(first, end), 20))
            oracle.appended += range(first, end)
    oracle.durable = {n: n for n in oracle.appended}
    return disk, oracle


def used(content: bytes) -> int:
    return -(-len(content.rstrip(b"\0")) // 128) * 128


def damaged(disk: SimulatedDisk, path: str, content: bytes) -> SimulatedDisk:
    other = disk.copy()
    other.put(path, content)
    return other


@pytest.mark.parametrize("path", [FIRST, LAST])
@pytest.mark.parametrize("marked", [True, False])
def test_a_file_cut_at_any_byte(path: str, marked: bool) -> None:
    disk, oracle = small_log()
    content = disk.content(path)
    for cut in range(0, used(content), 1 if LONG else 3):
        other = damaged(disk, path, content[:cut])
        if not marked:  # all marks are gone: then what is torn can't be told from what was never acknowledged
            other.remove("log/durable")
        before, lost = read_back(other, "log")
        assert oracle.problems(before, lost) == [] or not marked
        wrong, state = after_crash(other, "log", OPTIONS, oracle)
        unknown = ("acknowledged", "given out twice") if not marked and path == LAST else ()
        wrong = [each for each in wrong if not any(word in each for word in unknown)]
        assert wrong == [], f"cut at {cut}"
        known = {each for gone in [*lost, *state.lost] for each in range(gone.first, min(gone.end, 10))}
        assert marked is False or known | set(before) >= set(oracle.durable), f"cut at {cut}"


def test_every_bit_of_a_log_turned_over() -> None:
    """One bit of each byte in the ordinary run, all eight in the long one."""
    choose = random.Random(5)
    disk, oracle = small_log()
    whole, _ = read_back(disk, "log")
    for path in (FIRST, LAST):
        content = disk.content(path)
        for byte in range(used(content)):
            for bit in range(8) if LONG else [choose.randrange(8)]:
                changed = bytearray(content)
                changed[byte] ^= 1 << bit
                other = damaged(disk, path, bytes(changed))
                found, lost = read_back(other, "log")
                assert found.items() <= whole.items(), f"{path} byte {byte} bit {bit}"
                assert oracle.problems(found, lost) == [], f"{path} byte {byte} bit {bit}"
                assert len(found) >= len(whole) - 3, "only the frame with the bit is lost"
                if byte % 16 and not LONG:
                    continue
                wrong, state = after_crash(other, "log", OPTIONS, oracle)
                assert wrong == [], f"{path} byte {byte} bit {bit}"
                assert all(each.end <= 10 or each.first >= 6 for each in state.lost)


@pytest.mark.parametrize("name", ["durable", "manifest.json", "00000000000000000000.000000.idx"])
def test_other_files_damaged_or_gone_cost_no_event(name: str) -> None:
    disk, oracle = small_log()
    content = disk.content(f"log/{name}")
    choose = random.Random(1)
    for byte in range(0, len(content), 1 if LONG else 5):
        changed = bytearray(content)
        changed[byte] ^= 1 << choose.randrange(8)
        for other in (damaged(disk, f"log/{name}", bytes(changed)), damaged(disk, f"log/{name}", content[:byte])):
            wrong, state = after_crash(other, "log", OPTIONS, oracle)
            assert wrong == [], f"byte {byte}"
            assert state.lost == []
    other = disk.copy()
    other.remove(f"log/{name}")
    assert after_crash(other, "log", OPTIONS, oracle)[0] == []


def test_any_bytes_at_all_are_opened() -> None:
    choose = random.Random(9)
    disk, _ = small_log()
    for number in range(2000 if LONG else 150):
        other = disk.copy()
        for name in disk.names("log"):
            if name != "lock" and choose.random() < 0.5:
                content = bytearray(disk.content(f"log/{name}"))
                for _ in range(choose.randint(1, 5)):
                    start = choose.randrange(len(content))
                    size = choose.choice([1, 10, 128, 512, 3000])
                    piece = choose.choice([bytes(size), choose.randbytes(size), bytes(content[:size])])
                    content[start : start + size] = piece
                other.put(f"log/{name}", bytes(content[: choose.choice([None, choose.randrange(len(content))])]))
        with Log.open("log", OPTIONS, other) as log:
            receipt = log.append(rows([7], 20))
            found, _ = read_back(other, "log")
            assert found[receipt.first_offset][0] == 7, f"case {number}"


def test_damage_raises_unless_someone_is_told() -> None:
    disk, _ = small_log()
    content = bytearray(disk.content(FIRST))
    content[content.index(b"event-3")] ^= 1
    disk.put(FIRST, bytes(content))
    with Reader.open("log", disk) as reader:
        with pytest.raises(DataError, match="events 3 to 5 can't be read"):
            list(reader.read())
        assert [frame.first_offset for frame in reader.read(ReadOptions(6))] == [6, 7]
        told: list[int] = []
        frames = list(reader.read(ReadOptions(on_lost=lambda lost: told.extend((lost.first, lost.end)))))
        assert [frame.first_offset for frame in frames] == [0, 1, 6, 7]
        assert told == [3, 6]


def test_damage_at_the_end_is_listed_and_its_offsets_are_not_given_out_again() -> None:
    disk, _ = small_log()
    content = bytearray(disk.content(LAST))
    content[content.index(b"event-8")] ^= 1
    disk.put(LAST, bytes(content))
    with Log.open("log", OPTIONS, disk) as log:
        (lost,) = log.statistics().lost
        assert (lost.first, lost.end) == (7, 10)
        assert log.append(rows([99])).first_offset == 10
    with Log.open("log", OPTIONS, disk) as log:
        assert log.statistics().lost == (lost,)
        found, _ = read_back(disk, "log")
        assert sorted(found) == [0, 1, 2, 3, 4, 5, 6, 10]


def test_an_image_of_a_log_inside_an_event_is_no_log() -> None:
    """A damaged event that holds the bytes of a whole segment: the frames in it are never taken for the log's own."""
    disk, _ = small_log()
    image = disk.content(LAST)[: used(disk.content(LAST))]
    other = SimulatedDisk(seed=3)  # the same random numbers: even the segment's id is the same
    with Log.open("log", LogOptions(row_schema=SCHEMA), other) as log:
        for shift in range(0, 128, 32):
            log.append_row((shift, bytes(shift) + image))
    path = FIRST
    content = bytearray(other.content(path))
    content[content.index(b"FRYS", 2000) + 20] ^= 1
    other.put(path, bytes(content))
    found, lost = read_back_images(other)
    assert lost
    assert all(data.endswith(image) for data in found)


def read_back_images(disk: SimulatedDisk) -> tuple[list[bytes], list[object]]:
    lost: list[object] = []
    with Reader("log", disk) as reader:
        frames = list(reader.read(ReadOptions(on_lost=lost.append)))
    return [each for frame in frames for each in frame.batch.column("data").to_pylist()], lost
