"""What a user of the log can rely on, on the files of this machine."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pytest

from fluxcore.bus.log import Expect, Log, LogOptions, Reader, ReadOptions, Retention, Settled, verify
from fluxcore.core import types as t
from fluxcore.errors import FluxError, ScriptError
from fluxcore.expr.build import call, literal
from fluxcore.expr.nodes import ColumnRef, Expr
from fluxcore.testing.disk import SimulatedDisk

SCHEMA = pa.schema([("key", pa.string()), ("n", pa.int64())])
SMALL = LogOptions(row_schema=SCHEMA, keys=("key",), segment_bytes=16 * 1024)


def batch(numbers: range, keys: int = 10) -> pa.RecordBatch:
    return pa.record_batch({"key": [f"k{n % keys}" for n in numbers], "n": list(numbers)}, schema=SCHEMA)


def numbers(log: Log | Reader, options: ReadOptions | None = None) -> list[int]:
    reader = log.reader() if isinstance(log, Log) else log
    return [n for frame in reader.read(options) for n in frame.batch.column("n").to_pylist()]


def where(op: str, column: int, value: object) -> Expr:
    type_ = t.StringType() if column == 0 else t.BIGINT
    return call(op, [ColumnRef(index=column, name="c", type=type_), literal(value, type_)])


def test_rows_and_batches_stand_in_order_and_come_back(tmp_path: Path) -> None:
    folder = str(tmp_path / "log")
    with Log.open(folder, SMALL) as log:
        assert log.append(batch(range(3))).first_offset == 0
        assert log.append_row(("k", 3)).first_offset == 3
        assert log.append(batch(range(4, 6)), "os").survives == "os"
        assert log.append(batch(range(6, 8)), "memory").survives == "memory"
        assert log.append(batch(range(0))).count == 0
        assert log.sync() == 8
        assert numbers(log) == list(range(8))
    with Log.open(folder) as log:
        assert (log.start, log.end, log.durable_end) == (0, 8, 8)
        assert log.statistics().torn_bytes == 0
        assert log.append(batch(range(8, 9))).first_offset == 8
        assert numbers(log, ReadOptions(2, stop=7)) == [2, 3, 4, 5, 6]
    assert verify(folder).ok


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_large_batches_take_several_frames_and_segments(tmp_path: Path, compression: str) -> None:
    options = LogOptions(compression=compression, segment_bytes=64 * 1024, frame_bytes=4096)
    with Log.open(str(tmp_path), options) as log:
        log.append(batch(range(20_000)))
        assert log.statistics().segments > 1
        assert numbers(log) == list(range(20_000))
        assert numbers(log, ReadOptions(12_345, stop=12_350)) == [12_345, 12_346, 12_347, 12_348, 12_349]
        report = log.verify()
        assert report.ok
        assert sum(each.rows for each in report.segments) == 20_000


def test_without_compression_nothing_is_copied(tmp_path: Path) -> None:
    with Log.open(str(tmp_path)) as log:
        log.append(batch(range(1000)))
        before = pa.total_allocated_bytes()
        frames = list(log.read())
        assert pa.total_allocated_bytes() <= before
        assert frames[0].batch.column("n").to_pylist() == list(range(1000))


def test_a_filter_skips_frames_by_statistics_and_gives_offsets(tmp_path: Path) -> None:
    with Log.open(str(tmp_path), SMALL) as log:
        for first in range(0, 30_000, 300):
            rows = batch(range(first, first + 300))
            if first == 15_000:
                rows = rows.set_column(0, SCHEMA.field(0), pa.array(["k0", "rare"] * 150))
            log.append(rows)
        reader = log.reader()
        (frame,) = reader.read(ReadOptions(where=where("=", 1, 4321)))
        assert frame.offsets.tolist() == frame.batch.column("n").to_pylist() == [4321]
        assert (reader.frames_read, reader.frames_skipped) == (1, 99)
        assert len(numbers(reader, ReadOptions(where=where("=", 0, "rare"), columns=("n",)))) == 150
        assert reader.frames_read < 6, "the Bloom filter excludes a frame in about a hundred wrongly"
        assert numbers(reader, ReadOptions(29_995, where=lambda _: where(">", 1, 29_997))) == [29_998, 29_999]


def test_time_leads_to_an_offset() -> None:
    disk = SimulatedDisk()
    with Log.open("log", SMALL, disk) as log:
        times = []
        for first in range(0, 3000, 100):
            disk.advance(60_000_000)
            times.append(disk.now_us())
            log.append(batch(range(first, first + 100)))
        reader = log.reader()
        assert [reader.offset_at(time) for time in times] == list(range(0, 3000, 100))
        assert reader.offset_at(0) == 0
        assert reader.offset_at(times[-1] + 10**9) == 3000


def test_one_writer_in_this_process_and_in_others(tmp_path: Path) -> None:
    folder = str(tmp_path)
    code = f"from fluxcore.bus.log import Log\ntry:\n    Log.open({folder!r})\nexcept Exception as e:\n    print(e.code, e)"
    with Log.open(folder, SMALL):
        with pytest.raises(FluxError, match=f"FX-LOG-0001.*open for writing already, by process {os.getpid()}"):
            Log.open(folder)
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert other.stdout.startswith("FX-LOG-0001")
    Log.open(folder).close()


def test_readers_elsewhere_see_what_is_durable_and_nothing_else(tmp_path: Path) -> None:
    folder = str(tmp_path)
    options = LogOptions(idle_sync_us=10**9)
    with Log.open(folder, options) as log:
        log.append(batch(range(3)))
        log.append(batch(range(3, 5)), "os")
        reader = Reader.open(folder)
        assert numbers(reader) == [0, 1, 2]
        assert [n for frame in log.reader(durable=False).read() for n in frame.batch.column("n").to_pylist()] == [
            0,
            1,
            2,
            3,
            4,
        ]
        log.sync()
        assert numbers(reader, ReadOptions(3)) == [3, 4]
        assert reader.end == 5


def test_there_must_be_a_log_to_read(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(ScriptError, match="FX-LOG-0013"):
            Reader.open(str(folder))
        with pytest.raises(ScriptError, match="FX-LOG-0013"):
            verify(str(folder))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_is_refused_and_holds_no_lock(tmp_path: Path) -> None:
    code = f"""
import os, sys
from fluxcore.bus.log import Log, LogOptions
import pyarrow as pa
rows = pa.record_batch({{"n": [1]}})
log = Log.open({str(tmp_path)!r})
log.append(rows)
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    told = []
    for each in (lambda: log.append(rows), log.sync, lambda: list(log.read())):
        try:
            each()
        except Exception as error:
            told.append(error.code)
    log.close()
    os.read(reading, 1)
    os._exit(0 if told == ["FX-LOG-0003"] * 3 else 1)
log.append(rows)
log.close()
Log.open({str(tmp_path)!r}).close()  # though the child lives on
os.write(writing, b"x")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_closed_log_says_so(tmp_path: Path) -> None:
    log = Log.open(str(tmp_path))
    log.close()
    log.close()
    with pytest.raises(FluxError, match="FX-LOG-0002"):
        log.append(batch(range(1)))


def test_many_threads_share_syncs_and_keep_their_order(tmp_path: Path) -> None:
    with Log.open(str(tmp_path), SMALL) as log:

        def publish(thread: int) -> None:
            for n in range(50):
                log.append_row((f"t{thread}", n))

        threads = [threading.Thread(target=publish, args=(each,)) for each in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        rows = [row for frame in log.read() for row in frame.batch.to_pylist()]
        for thread in range(8):
            assert [row["n"] for row in rows if row["key"] == f"t{thread}"] == list(range(50))
        assert log.statistics().syncs <= 400


def test_one_awaited_append_costs_one_sync(tmp_path: Path) -> None:
    with Log.open(str(tmp_path), LogOptions(idle_sync_us=10**9)) as log:
        log.append(batch(range(1)))
        before = log.statistics().syncs
        for n in range(20):
            log.append(batch(range(n, n + 1)))
        assert log.statistics().syncs - before == 20


def test_waiting_events_are_bounded() -> None:
    disk = SimulatedDisk()
    gate = threading.Event()
    with Log.open("log", LogOptions(row_schema=SCHEMA, pending_bytes=5000), disk) as log:
        told: list[Settled] = []
        slow = log.producer(lambda _: gate.wait() and None)
        slow.append_row(("k", 0), 0, 100)
        quick = log.producer(told.extend, wait=False)
        with pytest.raises(FluxError, match="FX-LOG-0006"):
            for n in range(100):
                quick.append_row(("k", n), n, 100)
        room = threading.Event()
        log.when_room(room.set)
        assert not room.is_set()
        assert log.statistics().pending_bytes <= 5000
        gate.set()
        room.wait()
        log.sync()
        assert len([token for each in told for token in each.tokens]) == n


def test_a_fault_in_the_logs_own_thread_fails_who_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(_: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr("fluxcore.bus.log.retention.apply", fault)
    with Log.open(str(tmp_path), SMALL) as log:
        with pytest.raises(FluxError, match="a fault of ours") as caught:
            for n in range(1000):
                log.append(batch(range(n, n + 100)))
        assert caught.value.code == "FX-LOG-0004"
    with Log.open(str(tmp_path), SMALL) as log:  # the lock was given back
        assert log.end > 0


def test_a_watcher_that_raises_stops_nothing(tmp_path: Path) -> None:
    with Log.open(str(tmp_path), SMALL) as log:

        def bad(_durable: int, _written: int) -> None:
            raise ValueError("mine")

        log.watch(bad)
        assert [log.append_row(("k", n)).first_offset for n in range(3)] == [0, 1, 2]


def test_a_callback_that_raises_stops_nothing(tmp_path: Path) -> None:
    with Log.open(str(tmp_path), SMALL) as log:

        def bad(_: list[Settled]) -> None:
            raise ValueError("mine")

        log.producer(bad).append_row(("k", 1))
        assert log.append_row(("k", 2)).first_offset == 1


def test_rows_that_do_not_fit_are_refused_alone(tmp_path: Path) -> None:
    told: list[Settled] = []
    with Log.open(str(tmp_path), SMALL) as log:
        producer = log.producer(told.extend)
        rows = [("a", 1), ("b", "no number"), ("c",), ("d", 4)]
        for number, row in enumerate(rows):
            producer.append_row(row, number)
        log.sync()
        assert sorted(n for each in told if each.error is None for n in each.tokens) == [0, 3]
        assert sorted(n for each in told if each.error is not None for n in each.tokens) == [1, 2]
        assert {each.error.code for each in told if each.error is not None} == {"FX-LOG-0015"}
        assert numbers(log) == [1, 4]


def test_types_that_a_log_does_not_keep_are_named(tmp_path: Path) -> None:
    with Log.open(str(tmp_path)) as log:
        with pytest.raises(ScriptError, match="FX-LOG-0008.*column 'd'"):
            log.append(pa.record_batch({"d": pa.array(["x"]).dictionary_encode()}))
        assert log.append(batch(range(1))).first_offset == 0


def test_a_message_id_is_stored_once(tmp_path: Path) -> None:
    options = LogOptions(id_column="key", id_rows=100)
    ids = pa.record_batch({"key": ["a", "b", None, None], "n": [1, 2, 3, 4]}, schema=SCHEMA)
    more = pa.record_batch({"key": ["c", "a", "c"], "n": [5, 6, 7]}, schema=SCHEMA)
    with Log.open(str(tmp_path), options) as log:
        log.append(ids)
        receipt = log.append(more)
        assert (receipt.first_offset, receipt.count, receipt.duplicates) == (4, 3, 2)
    with Log.open(str(tmp_path), options) as log:
        assert log.append(ids.slice(0, 2)).first_offset == 0
        assert numbers(log) == [1, 2, 3, 4, 5]
        log.append(batch(range(1000, 1200), 10**6))
        assert log.append(ids.slice(0, 1)).duplicates == 0, "only the last hundred are known"


def test_an_expected_version_must_be_met(tmp_path: Path) -> None:
    options = LogOptions(key_column="key")
    with Log.open(str(tmp_path), options) as log:
        first = log.append(batch(range(1)), expect=Expect("k0", None))
        second = log.append(batch(range(1)), expect=Expect("k0", first.first_offset))
        with pytest.raises(FluxError, match="FX-LOG-0009.*is event 1, not event 0"):
            log.append(batch(range(1)), expect=Expect("k0", first.first_offset))
        for start in range(1, 2000, 100):
            log.append(
                pa.record_batch({"key": [f"x{n}" for n in range(start, start + 100)], "n": range(100)}, schema=SCHEMA)
            )
    with Log.open(str(tmp_path), options) as log:
        with pytest.raises(FluxError, match="FX-LOG-0009.*is event 1, not none"):
            log.append(batch(range(1)), expect=Expect("k0", None))
        assert log.append(batch(range(1)), expect=Expect("k0", second.first_offset)).first_offset == log.end - 1
        assert log.append(batch(range(1)), expect=Expect("never", None)).count == 1
    with Log.open(str(tmp_path)) as log, pytest.raises(ScriptError, match="FX-LOG-0014"):
        log.append(batch(range(1)), expect=Expect("k0", None))


@pytest.mark.parametrize(
    ("retention", "left"),
    [(Retention(rows=250), 300), (Retention(age_us=10**6 * 90), 200), (Retention(size_bytes=50_000), 300)],
)
def test_retention_removes_whole_segments(retention: Retention, left: int) -> None:
    disk = SimulatedDisk()
    with Log.open("log", LogOptions(segment_bytes=16 * 1024, retention=retention), disk) as log:
        for first in range(0, 500, 100):
            disk.advance(60_000_000)
            log.append(batch(range(first, first + 100)))
            log.roll()
        log.append(batch(range(500, 600)))
        log.retain()
        kept = numbers(log, ReadOptions(earliest=True))
        assert kept == list(range(log.start, 600))
        assert len(kept) <= left + 100
        with pytest.raises(FluxError, match="FX-LOG-0011"):
            numbers(log)
        assert numbers(log, ReadOptions(550)) == list(range(550, 600))
    with Log.open("log", LogOptions(), disk) as log:
        assert numbers(log, ReadOptions(earliest=True)) == kept


def test_compaction_keeps_the_last_event_of_each_key_at_its_offset(tmp_path: Path) -> None:
    options = LogOptions(key_column="key", segment_bytes=16 * 1024)
    with Log.open(str(tmp_path), options) as log:
        for first in range(0, 1000, 100):
            log.append(batch(range(first, first + 100), keys=7))
            log.roll()
        log.append(pa.record_batch({"key": [None, "k0"], "n": [1, 2]}, schema=SCHEMA))
        done = log.compact()
        assert done.rows_before == 1000
        assert done.rows_after == 6, "k0 has a newer event in the last segment"
        frames = list(log.read())
        offsets = [offset for frame in frames for offset in frame.offsets.tolist()]
        assert offsets == [993, 995, 996, 997, 998, 999, 1000, 1001]
        assert log.verify().ok
        log.compact()  # joins the segments that became small
        assert log.compact().rows_before == 0, "there is nothing left to do"
    assert verify(str(tmp_path)).ok
    with Reader.open(str(tmp_path)) as reader:
        assert [offset for frame in reader.read() for offset in frame.offsets.tolist()] == offsets
        assert [offset for frame in reader.read(ReadOptions(996)) for offset in frame.offsets.tolist()] == [
            each for each in offsets if each >= 996
        ]


def test_a_segment_that_is_old_enough_ends() -> None:
    disk = SimulatedDisk()
    with Log.open("log", LogOptions(segment_us=1_000_000), disk) as log:
        log.append(batch(range(1)))
        disk.advance(2_000_000)
        log.append(batch(range(1)))
        log.append(batch(range(1)))
        assert log.statistics().segments == 2


def test_wrong_options_are_named() -> None:
    for wrong in ({"compression": "zip"}, {"segment_bytes": 10}, {"frame_bytes": 0}):
        with pytest.raises(ScriptError, match="FX-LOG-0014"):
            LogOptions(**wrong)  # type: ignore[arg-type]


def test_times_and_schemas_may_change_on_the_way(tmp_path: Path) -> None:
    other = pa.record_batch({"at": [dt.datetime(2024, 1, 1)], "list": [[1, 2]]})
    with Log.open(str(tmp_path)) as log:
        log.append(batch(range(2)))
        log.append(other)
        log.append(batch(range(2, 3)))
        assert [frame.batch.schema.names for frame in log.read()] == [["key", "n"], ["at", "list"], ["key", "n"]]


def test_the_whole_log_is_compacted_and_goes_on(tmp_path: Path) -> None:
    options = LogOptions(topic="t", key_column="key", segment_bytes=64 * 1024)
    batch = pa.record_batch({"key": ["a", "b", "a", "c", "b"], "value": [1, 2, 3, 4, 5]})
    for round_ in range(3):
        with Log.open(str(tmp_path), options) as log:
            assert log.end == 5 * round_
            log.append(batch)
            done = log.compact(whole=True)
            assert done.rows_after == 3
            rows = [row for frame in log.read() for row in frame.batch.to_pylist()]
            assert [(row["key"], row["value"]) for row in rows] == [("a", 3), ("c", 4), ("b", 5)]
        assert verify(str(tmp_path)).ok
