"""Every state that a disk may legally leave after a crash: nothing acknowledged is lost, nothing else appears."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from fluxcore.bus.log import Log, LogOptions, Reader, ReadOptions, Retention, verify
from fluxcore.bus.log.recovery import recover
from fluxcore.bus.log.writer import LogWriter
from fluxcore.testing.disk import SimulatedDisk
from fluxcore.testing.faults import WithoutSync
from fluxcore.testing.log_oracle import SCHEMA, Oracle, after_crash, read_back, rows

if TYPE_CHECKING:
    from fluxcore.bus.log.files import Files
    from fluxcore.bus.log.queue import Settled

PATH = "log/00000000000000000000.000000.seg"
LONG = os.environ.get("FLUXCORE_TEST_PROFILE") == "long"
STATES = 400 if LONG else 6
ALL = 20_000
SEEDS = range(40) if LONG else range(4)
OPTIONS = LogOptions(row_schema=SCHEMA, segment_bytes=16 * 1024, frame_bytes=2048)


def workload(disk: SimulatedDisk, files: Files, seed: int) -> Oracle:
    """Append batches and single rows with all acknowledgements, over several segments; note receipts in the journal."""
    choose = random.Random(seed)
    oracle = Oracle()

    def told(outcomes: list[Settled]) -> None:
        for each in outcomes:
            if each.error is None and each.survives == "disk":
                numbers = [n for token in each.tokens for n in token]
                disk.note(dict(zip(each.offsets, numbers, strict=True)))

    with Log.open("log", OPTIONS, files) as log:
        producers = {acks: log.producer(told, acks) for acks in ("memory", "os", "disk")}
        number = 0
        for _ in range(30):
            count = choose.choice([1, 1, 2, 5, 20])
            numbers = range(number, number + count)
            number += count
            oracle.appended += numbers
            producers[choose.choice(["disk", "disk", "os", "memory"])].append(rows(numbers), numbers)
            if choose.random() < 0.3:
                log.sync()
            if choose.random() < 0.05:
                log.roll()
    return oracle


def failures(disk: SimulatedDisk, oracle: Oracle, seed: int, states: int) -> list[str]:
    """Try crashes after every change of the disk and return what went wrong."""
    choose = random.Random(seed)
    wrong: list[str] = []
    for number, (then, entry) in enumerate(disk.replay()):
        if entry.kind == "note":
            oracle.durable.update(entry.data)
            continue
        for crashed in then.crashes(states, choose):
            problems, state = after_crash(crashed, "log", OPTIONS, oracle)
            if state.lost:
                problems.append(f"a crash alone was taken for damage: {state.lost}")
            wrong += [f"seed {seed}, after change {number} ({entry.kind} {entry.path}): {each}" for each in problems]
        if wrong:
            break
    return wrong


@pytest.mark.parametrize("seed", SEEDS)
def test_a_crash_after_any_change_loses_nothing_that_was_acknowledged(seed: int) -> None:
    disk = SimulatedDisk(seed=seed)
    oracle = workload(disk, disk, seed)
    assert failures(disk, oracle, seed, STATES) == []


@pytest.mark.parametrize("kinds", [("sync", "sync_folder"), ("sync",), ("sync_folder",)])
def test_without_syncs_the_same_test_fails(kinds: tuple[str, ...]) -> None:
    """The mutation check: were these syncs left out, crashes would lose what was acknowledged, and the test would see it."""
    disk = SimulatedDisk(seed=1)
    oracle = workload(disk, WithoutSync(disk, frozenset(kinds)), 1)
    assert failures(disk, oracle, 1, 6) != []


def short_workload(disk: SimulatedDisk, files: Files) -> Oracle:
    """Few and small writes, so that all states that crashes may leave can be tried: appends, a roll, a second opening."""
    oracle = Oracle(size=20)
    number = 0
    for acks in (("disk", "os", "disk"), ("os", "disk")):
        with Log.open("log", OPTIONS, files) as log:
            for each in acks:
                numbers = range(number, number + 2)
                number = numbers.stop
                oracle.appended += numbers
                receipt = log.append(rows(numbers, 20), each)
                if each == "disk":
                    disk.note(dict(zip(range(receipt.first_offset, receipt.first_offset + 2), numbers, strict=True)))
            log.roll()
    return oracle


def all_failures(disk: SimulatedDisk, oracle: Oracle, most: int = ALL) -> tuple[list[str], int]:
    """Try every state that a crash may leave after every change, or so many; return what went wrong, and the number of states."""
    wrong: list[str] = []
    tried = 0
    for number, (then, entry) in enumerate(disk.replay()):
        if entry.kind == "note":
            oracle.durable.update(entry.data)
            continue
        assert then.states() < ALL, "none is left out"
        for crashed in then.crashes(most, random.Random(0)):
            tried += 1
            problems, state = after_crash(crashed, "log", OPTIONS, oracle)
            wrong += [f"after change {number} ({entry.kind} {entry.path}): {each}" for each in problems]
            if state.lost:
                wrong.append(f"after change {number}: a crash alone was taken for damage: {state.lost}")
        if len(wrong) > 10:
            break
    return wrong, tried


def test_every_state_that_crashes_of_a_short_log_may_leave() -> None:
    disk = SimulatedDisk(seed=5)
    wrong, tried = all_failures(disk, short_workload(disk, disk))
    assert wrong == []
    assert tried > 300


@pytest.mark.parametrize("only", [".seg", ".seg.new", "manifest.json", ".idx"])
def test_no_sync_can_be_spared(only: str) -> None:
    """Syncs of the segments can't be left out. Those of manifest and index can: both are made again where they are damaged."""
    disk = SimulatedDisk(seed=5)
    oracle = short_workload(disk, WithoutSync(disk, frozenset({"sync"}), only))
    wrong, _ = all_failures(disk, oracle, ALL if LONG or only.startswith(".seg") else 10)
    assert bool(wrong) is only.startswith(".seg")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_crash_while_recovering_from_a_crash_loses_nothing(seed: int) -> None:
    choose = random.Random(seed)
    disk = SimulatedDisk(seed=seed)
    oracle = workload(disk, disk, seed)
    points = set(choose.sample(range(len(disk.journal)), 12 if not LONG else len(disk.journal)))
    for number, (then, entry) in enumerate(disk.replay()):
        if entry.kind == "note":
            oracle.durable.update(entry.data)
        if number not in points:
            continue
        first = then.crash(choose)
        start = first.copy()
        state = recover(first, "log", "log", OPTIONS.segment_bytes)
        assert state.lost == []
        LogWriter(first, "log", OPTIONS, state).close()
        seen, _ = read_back(first, "log")
        after = first.crash(choose)
        LogWriter(after, "log", OPTIONS, recover(after, "log", "log", OPTIONS.segment_bytes)).close()
        assert seen.items() <= read_back(after, "log")[0].items(), "what could be read once stays"
        for second, _ in first.replay(start):
            problems, _ = after_crash(second.crash(choose), "log", OPTIONS, oracle)
            assert problems == [], f"seed {seed}, change {number}"


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_readable_after_a_killed_process_survives_a_crash_later(seed: int) -> None:
    """A killed process leaves unsynced bytes in the system's memory: recovery makes them durable before it shows them."""
    choose = random.Random(seed)
    disk = SimulatedDisk(seed=seed)
    workload(disk, disk, seed)
    for point in choose.sample(range(len(disk.journal)), 12):
        killed = next(then for number, (then, _) in enumerate(disk.replay()) if number == point)
        LogWriter(killed, "log", OPTIONS, recover(killed, "log", "log", OPTIONS.segment_bytes)).close()
        seen, _ = read_back(killed, "log")
        for crashed in killed.crashes(STATES, choose):
            LogWriter(crashed, "log", OPTIONS, recover(crashed, "log", "log", OPTIONS.segment_bytes)).close()
            assert seen.items() <= read_back(crashed, "log")[0].items(), f"seed {seed}, change {point}"


def test_frames_behind_a_torn_one_never_come_back() -> None:
    """Two frames in one write; the crash keeps only the second. It must not show up behind a new frame of the first one's size."""
    disk = SimulatedDisk()
    state = recover(disk, "log", "log", OPTIONS.segment_bytes)
    writer = LogWriter(disk, "log", OPTIONS, state)
    writer.stage(rows([0]))
    writer.write()
    writer.sync()
    size = len(disk.content(PATH).rstrip(b"\0"))
    writer.stage(rows([1]))
    writer.stage(rows([2]))
    writer.write()
    content = disk.content(PATH)
    start = -(-size // 128) * 128
    second = content.index(b"FRYS", start + 1)
    for cut in (start, second - 512):  # all of the first frame is missing, or only its last sector
        crashed = disk.copy()
        crashed.put(PATH, content[:cut] + bytes(second - cut) + content[second:])
        oracle = Oracle(appended=[0, 1, 2], durable={0: 0})
        problems, state = after_crash(crashed, "log", OPTIONS, oracle)
        assert problems == []
        assert state.lost == []
        assert state.torn_bytes > 0
        assert set(read_back(crashed, "log")[0]) == {0, 1}


KEYED = LogOptions(key_column="key", segment_bytes=16 * 1024)


def keyed(first: int) -> pa.RecordBatch:
    return pa.record_batch(
        {"key": [f"k{n % 7}" for n in range(first, first + 40)], "n": list(range(first, first + 40))}
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_a_crash_while_compacting_leaves_the_old_or_the_new(seed: int) -> None:
    disk = SimulatedDisk(seed=seed)
    with Log.open("log", KEYED, disk) as log:
        for first in range(0, 240, 40):
            log.append(keyed(first))
            if first % 80:
                log.roll()
        before = len(disk.journal)
        log.compact()
    last = {f"k{n % 7}": n for n in range(240)}
    choose = random.Random(seed)
    for number, (then, entry) in enumerate(disk.replay()):
        if number < before or entry.kind == "note":
            continue
        for crashed in then.crashes(STATES, choose):
            told = f"seed {seed}, change {number} ({entry.kind} {entry.path})"
            state = recover(crashed, "log", "log", KEYED.segment_bytes)
            assert state.lost == [], told
            LogWriter(crashed, "log", KEYED, state).close()
            with Reader("log", crashed) as reader:
                rows_left = [
                    (offset, row)
                    for f in reader.read()
                    for offset, row in zip(f.offsets.tolist(), f.batch.to_pylist(), strict=True)
                ]
            assert all(offset == row["n"] for offset, row in rows_left), told
            assert len({offset for offset, _ in rows_left}) == len(rows_left), told
            assert {row["key"]: row["n"] for _, row in rows_left} == last, told
            assert verify("log", crashed).ok, told
            assert not any(name.endswith(".new") for name in crashed.names("log")), told


@pytest.mark.parametrize("seed", SEEDS)
def test_a_crash_while_old_segments_are_removed_leaves_no_hole(seed: int) -> None:
    options = LogOptions(segment_bytes=16 * 1024, retention=Retention(rows=50))
    disk = SimulatedDisk(seed=seed)
    with Log.open("log", options, disk) as log:
        for first in range(0, 240, 40):
            log.append(keyed(first))
            log.roll()
        log.append(keyed(240))
    choose = random.Random(seed)
    for number, (then, entry) in enumerate(disk.replay()):
        if entry.kind not in {"remove", "sync_folder"}:
            continue
        for crashed in then.crashes(STATES, choose):
            state = recover(crashed, "log", "log", options.segment_bytes)
            assert state.lost == []
            LogWriter(crashed, "log", options, state).close()
            with Reader("log", crashed) as reader:
                left = [n for f in reader.read(ReadOptions(earliest=True)) for n in f.batch.column("n").to_pylist()]
                assert left == list(range(reader.start, reader.start + len(left))), f"seed {seed}, change {number}"
