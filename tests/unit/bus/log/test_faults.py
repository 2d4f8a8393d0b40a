"""A disk that fails at any call: errors that say so, receipts that hold, and nothing torn."""

from __future__ import annotations

import contextlib
import errno
import os
import random

import pytest

from fluxcore.bus.log import Log, LogOptions
from fluxcore.bus.log.recovery import recover
from fluxcore.bus.log.writer import LogWriter
from fluxcore.errors import FluxError
from fluxcore.testing.disk import SimulatedDisk
from fluxcore.testing.faults import Faults
from fluxcore.testing.log_oracle import SCHEMA, Oracle, after_crash, payload, read_back, rows

LONG = os.environ.get("FLUXCORE_TEST_PROFILE") == "long"
OPTIONS = LogOptions(row_schema=SCHEMA, segment_bytes=16 * 1024, frame_bytes=2048)
CALLS = 150


def attempt(disk: SimulatedDisk) -> tuple[Oracle, dict[int, str]]:
    """Append until the end or until the log refuses; return what was acknowledged, and the code of each error."""
    oracle, errors = Oracle(), {}
    choose = random.Random(4)
    try:
        with Log.open("log", OPTIONS, disk) as log:
            for first in range(0, 240, 8):
                numbers = range(first, first + choose.choice([1, 3, 8]))
                oracle.appended += numbers
                try:
                    receipt = log.append(rows(numbers), choose.choice(["disk", "disk", "os"]))
                    if receipt.survives == "disk":
                        offsets = range(receipt.first_offset, receipt.first_offset + receipt.count)
                        oracle.durable.update(zip(offsets, numbers, strict=True))
                except FluxError as error:
                    errors[first] = error.code
    except FluxError as error:
        errors[-1] = error.code
    return oracle, errors


def check(disk: SimulatedDisk, oracle: Oracle, told: str) -> None:
    """The files hold what was acknowledged: as they are, after a kill, and after a loss of power."""
    disk.faults = None
    if "manifest.json" in disk.names("log"):
        found, lost = read_back(disk, "log")  # where the live mark could not be written, readers elsewhere see less
        assert lost == [], told
        assert Oracle(appended=oracle.appended).problems(found) == [], told
    for after in (disk.copy(), disk.crash(random.Random(1))):
        wrong, state = after_crash(after, "log", OPTIONS, oracle)
        assert wrong == [], told
        listed = {offset for each in state.lost for offset in range(each.first, min(each.end, 300))}
        assert not listed & set(oracle.durable), told  # a half write that could not be taken back looks like damage


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("taken", [0, 200])
@pytest.mark.parametrize("times", [1, 10**9])
def test_any_call_may_fail(number: int, taken: int, times: int) -> None:
    for at in range(0, CALLS, 1 if LONG else 3):
        disk = SimulatedDisk(Faults(at, number, times, taken=taken), seed=2)
        oracle, errors = attempt(disk)
        told = f"call {at}: {errors}"
        assert set(errors.values()) <= {"FX-LOG-0004", "FX-LOG-0005", "FX-LOG-0016"}, told
        check(disk, oracle, told)


def test_short_writes_are_gone_on_with() -> None:
    for at in range(0, CALLS, 2):
        disk = SimulatedDisk(Faults(at, 0, taken=100), seed=2)
        oracle, errors = attempt(disk)
        assert errors == {}
        check(disk, oracle, f"call {at}")


def test_a_failed_sync_fails_everyone_and_is_not_tried_again() -> None:
    disk = SimulatedDisk(seed=2)
    log = Log.open("log", OPTIONS, disk)
    kept = log.append(rows([0]))
    disk.faults = Faults(0, errno.EIO, kinds=frozenset({"sync"}))
    with pytest.raises(FluxError, match="FX-LOG-0004"):
        log.append(rows([1]))
    syncs = disk.faults.seen
    for _ in range(3):
        with pytest.raises(FluxError, match="FX-LOG-0004"):
            log.append(rows([2]), "memory")
        with pytest.raises(FluxError, match="FX-LOG-0004"):
            log.sync()
    assert [frame.first_offset for frame in log.read()] == [kept.first_offset], "readers go on, with what is durable"
    log.close()
    assert disk.faults.seen == syncs == 1
    with Log.open("log", OPTIONS, disk) as again:
        assert again.append(rows([3])).survives == "disk"


def test_a_full_disk_fails_publishers_and_then_goes_on() -> None:
    disk = SimulatedDisk(seed=2)
    with Log.open("log", OPTIONS, disk) as log:
        log.append(rows([0]))
        before = disk.content("log/00000000000000000000.000000.seg")
        disk.faults = Faults(0, errno.ENOSPC, taken=300, kinds=frozenset({"write"}))
        with pytest.raises(FluxError, match="FX-LOG-0005"):
            log.append(rows(range(1, 9)))
        assert disk.content("log/00000000000000000000.000000.seg") == before, "the write was taken back"
        assert [frame.count for frame in log.read()] == [1]
        assert log.append(rows([9])).first_offset == 1
        assert sorted(n for n, _ in read_back(disk, "log")[0].values()) == [0, 9]


def test_an_offset_that_was_promised_is_never_given_out_again() -> None:
    """A receipt with ``memory`` names an offset before the write; if that fails, the offset stays unused, and readers pass over it."""
    disk = SimulatedDisk(seed=2)
    told: list[int] = []
    with Log.open("log", OPTIONS, disk) as log:
        log.append(rows([0]))
        disk.faults = Faults(0, errno.ENOSPC, kinds=frozenset({"write"}), only=".seg")
        producer = log.producer(lambda outcomes: told.extend(n for each in outcomes for n in each.offsets), "memory")
        producer.append(rows([1, 2]))
        while not told:
            log.statistics()
        assert told == [1, 2]
        assert log.append(rows([3])).first_offset == 3
        assert [frame.first_offset for frame in log.read()] == [0, 3]


def test_a_receipt_comes_only_after_a_completed_sync() -> None:
    """The journal of the disk: before each receipt with ``disk`` there is a sync after the write of its event."""
    disk = SimulatedDisk(seed=2)
    with Log.open("log", OPTIONS, disk) as log:
        producer = log.producer(lambda outcomes: disk.note([n for each in outcomes for n in each.tokens]))
        for number in range(300):
            producer.append(rows([number]), number)
    written: set[int] = set()
    durable: set[int] = set()
    receipts = 0
    for entry in disk.journal:
        if entry.kind == "write":
            written |= {number for number in range(300) if f"event-{number};".encode() in entry.data}
        elif entry.kind == "sync" and "seg" in entry.path:
            durable |= written
        elif entry.kind == "note":
            receipts += len(entry.data)
            assert set(entry.data) <= durable
    assert receipts == 300


def test_recovery_that_fails_can_be_run_again() -> None:
    disk = SimulatedDisk(seed=2)
    oracle, _ = attempt(disk)
    for at in range(30):
        crashed = disk.crash(random.Random(at))
        crashed.faults = Faults(at, errno.EIO)
        try:
            LogWriter(crashed, "log", OPTIONS, recover(crashed, "log", "log", OPTIONS.segment_bytes)).close()
        except OSError:
            assert crashed.faults.happened
        check(crashed, oracle, f"call {at}")


KEYED = LogOptions(row_schema=SCHEMA, key_column="n", segment_bytes=16 * 1024)


def keyed_log() -> SimulatedDisk:
    """Five segments, the last of which has newer events of half of the keys."""
    disk = SimulatedDisk(seed=2)
    with Log.open("log", KEYED, disk) as log:
        for first in (0, 40, 80, 120, 0, 40):
            log.append(rows(range(first, first + 40)))
            log.roll()
    return disk


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("times", [1, 10**9])
def test_any_call_may_fail_while_compacting(number: int, times: int) -> None:
    """The error is told, nothing that counts is gone, and the log can be opened and compacted again."""
    last = {n: payload(n) for n in range(160)}
    whole = keyed_log()
    failed = 0
    for at in range(0, 60, 1 if LONG else 2):
        disk = whole.copy()
        with contextlib.suppress(FluxError), Log.open("log", KEYED, disk) as log:
            disk.faults = Faults(at, number, times)
            log.compact()
        failed += disk.faults is not None and disk.faults.happened
        disk.faults = None
        for after in (disk.copy(), disk.crash(random.Random(at))):
            with Log.open("log", KEYED, after) as log:
                assert log.statistics().lost == (), f"call {at}"
                assert dict(read_back(after, "log")[0].values()) == last, f"call {at}"
                log.append(rows([1000]))
                log.compact()
                assert len(read_back(after, "log")[0]) == 161, f"call {at}"
                assert log.verify().ok
    assert failed > 10


def test_compaction_leaves_a_segment_with_damage_as_it_is() -> None:
    """Else what was damaged would look as if a newer event had taken its place."""
    disk = keyed_log()
    with Log.open("log", KEYED, disk) as log:
        first = min(name for name in disk.names("log") if name.endswith(".seg"))
        content = bytearray(disk.content(f"log/{first}"))
        content[content.index(b"event-7;")] ^= 1
        disk.put(f"log/{first}", bytes(content))
        log.compact()
        found, lost = read_back(disk, "log")
        assert [(each.first, each.end) for each in lost] == [(0, 40)]
        assert set(found) >= set(range(80, 240))
        assert not log.verify().ok
