"""``fluxcore bench log``: what the log of the bus costs beside a bare loop of write and fdatasync on the same disk.

Cases, in turns with their bare loops: ``disk-batch`` (batches, acknowledged with ``disk``), ``disk-1``, ``disk-64`` and ``disk-1024`` (so many
publishers in one event loop, each awaiting its receipts), ``append-cost`` (what one append takes of its caller's thread),
``read-arrow`` (a new reader reads it all back, with all checksums), ``filter`` (a condition that 0.1 % of the rows meet, in few frames,
beside decoding all), ``filter-scattered`` (the same share anywhere) and ``memory`` (bytes per event in flight).
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import shutil
import sys
import tempfile
import threading
import time
import tracemalloc
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from rich.console import Console

from fluxcore.bus.log import Log, LogOptions, Reader, ReadOptions
from fluxcore.core import types as t
from fluxcore.expr.build import call, literal
from fluxcore.expr.nodes import ColumnRef
from fluxcore.limits import SWITCH_INTERVAL_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.bus.log.queue import Settled

ROW_BYTES = 200
_BATCH_ROWS = 5_000
_OBJECT_ROWS = 50_000  # so many rows tell what Python objects of all cost
_ENVELOPE = pa.schema(
    [
        ("subject", pa.string()),
        ("key", pa.string()),
        ("id", pa.string()),
        ("headers", pa.binary()),
        ("time", pa.int64()),
        ("data", pa.binary()),
    ]
)


@dataclass(frozen=True)
class LogBenchOptions:
    """What the command line says: events of a batch case and of a single case, runs of each, the folder, the file for results."""

    events: int = 2_000_000
    singles: int = 200_000
    runs: int = 3
    folder: str | None = None
    json: str | None = None


def run(options: LogBenchOptions) -> int:
    """Measure, print a line for each case, write the JSON file; return the exit code."""
    console = Console()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    base = Path(tempfile.mkdtemp(prefix="fluxcore-log-", dir=options.folder or Path.cwd()))
    results: list[dict[str, Any]] = []
    try:
        for found in _cases(options, base):
            results.append(found)
            console.print(
                " ".join(
                    f"{name}={value:,}" if isinstance(value, int) else f"{name}={value}"
                    for name, value in found.items()
                )
            )
    finally:
        shutil.rmtree(base, ignore_errors=True)
    if options.json:
        Path(options.json).write_text(json.dumps({"results": results}, indent=1) + "\n", "utf-8")
    return 0


def _cases(options: LogBenchOptions, base: Path) -> Any:
    batches = [_batch(number) for number in range(20)]
    yield _median(options.runs, lambda: _disk_batch(base, batches, options.events))
    for publishers in (1, 64, 1024):
        count = options.singles if publishers > 1 else max(options.singles // 100, 100)
        yield _median(options.runs, partial(_singles, base, publishers, count))
    yield _median(options.runs, lambda: _append_cost(base, options.singles))
    _write(base, batches, options.events)
    yield _median(options.runs, lambda: _read(base, options.events))
    for case in ("filter", "filter-scattered"):
        yield _median(options.runs, partial(_filter, base, case))
    yield _memory(base)


def read_cases(events: int, runs: int, base: Path, case: str) -> list[dict[str, Any]]:
    """Return what reading it all back, or with a condition, comes to: one of the cases ``read-arrow`` and ``filter``."""
    if not (base / "batch").exists():
        _write(base, [_batch(number) for number in range(20)], events)
    return [_median(runs, (lambda: _read(base, events)) if case == "read-arrow" else partial(_filter, base, case))]


def _median(runs: int, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the run in the middle, by events a second or by cost."""

    def figure(each: dict[str, Any]) -> float:
        return float(each["us_per_event" if "us_per_event" in each else "events_per_s"])

    found = sorted((measure() for _ in range(runs)), key=figure)
    return {**found[(runs - 1) // 2], "runs": runs}


def _batch(number: int) -> pa.RecordBatch:
    random = np.random.default_rng(number)
    rows = _BATCH_ROWS
    keys = [f"k{each:08d}" for each in random.integers(0, 10**6, rows)]
    data = pa.FixedSizeBinaryArray.from_buffers(pa.binary(170), rows, [None, pa.py_buffer(random.bytes(170 * rows))])
    times = pa.array(np.arange(number * rows, (number + 1) * rows))
    columns = [times, pa.array(keys), pa.array(random.random(rows)), data.cast(pa.binary())]
    return pa.RecordBatch.from_arrays(columns, names=["time", "key", "amount", "data"])


def _fresh(base: Path, name: str) -> str:
    folder = base / name
    shutil.rmtree(folder, ignore_errors=True)
    return str(folder)


def _bare(base: Path, sizes: list[int]) -> float:
    """Return the seconds of writing blocks of these sizes to a file with room, each with an fdatasync, and nothing else."""
    path = base / "bare"
    handle = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        os.posix_fallocate(handle, 0, sum(sizes))
        os.fsync(handle)
        block = os.urandom(max(sizes))
        start, position = time.perf_counter(), 0
        for size in sizes:
            os.pwrite(handle, memoryview(block)[:size], position)
            os.fdatasync(handle)
            position += size
        return time.perf_counter() - start
    finally:
        os.close(handle)
        path.unlink()


def _write(base: Path, batches: list[pa.RecordBatch], events: int) -> tuple[float, int, int]:
    """Append so many events in batches; return seconds, syncs and bytes."""
    with Log.open(_fresh(base, "batch"), LogOptions(keys=("key",))) as log:
        done = threading.Event()
        rest = [events // _BATCH_ROWS]

        def told(outcomes: list[Settled]) -> None:
            rest[0] -= sum(len(each.tokens) for each in outcomes if each.error is None)
            if rest[0] == 0:
                done.set()

        producer = log.producer(told)
        start = time.perf_counter()
        for number in range(events // _BATCH_ROWS):
            producer.append(batches[number % len(batches)])
        done.wait()
        seconds = time.perf_counter() - start
        found = log.statistics()
    return seconds, found.syncs, found.bytes


def _disk_batch(base: Path, batches: list[pa.RecordBatch], events: int) -> dict[str, Any]:
    seconds, syncs, size = _write(base, batches, events)
    bare = _bare(base, [size // syncs] * syncs)
    return _line("disk-batch", events, seconds, syncs, bare)


def _line(case: str, events: int, seconds: float, syncs: int, bare: float) -> dict[str, Any]:
    return {
        "case": case,
        "events_per_s": round(events / seconds),
        "syncs": syncs,
        "events_per_sync": round(events / max(syncs, 1), 1),
        "bare_events_per_s": round(events / bare),
        "of_bare": round(bare / seconds, 3),
        "row_bytes": ROW_BYTES,
    }


def _singles(base: Path, publishers: int, events: int) -> dict[str, Any]:
    """Let publishers in one event loop append events one by one, each awaiting its receipt before the next."""
    row = ("orders.eu.created", "o-17", "0190b5a0-1111", None, 1, os.urandom(ROW_BYTES - 40))
    with Log.open(_fresh(base, "single"), LogOptions(row_schema=_ENVELOPE)) as log:
        seconds = asyncio.run(_publish(log, row, publishers, events))
        found = log.statistics()
    bare = _bare(base, [max(found.bytes // found.syncs, 1)] * found.syncs)
    return _line(f"disk-{publishers}", events, seconds, found.syncs, bare)


async def _publish(log: Log, row: tuple[Any, ...], publishers: int, events: int) -> float:
    loop = asyncio.get_running_loop()

    def settle(outcomes: list[Settled]) -> None:
        for each in outcomes:
            for token, offset in zip(each.tokens, each.offsets, strict=True):
                token.set_result(offset)

    def told(outcomes: list[Settled]) -> None:
        loop.call_soon_threadsafe(settle, outcomes)

    producer = log.producer(told)

    async def publish(count: int) -> None:
        for _ in range(count):
            receipt = loop.create_future()
            producer.append_row(row, receipt, 300)
            await receipt

    start = time.perf_counter()
    await asyncio.gather(*(publish(events // publishers) for _ in range(publishers)))
    return time.perf_counter() - start


def _append_cost(base: Path, events: int) -> dict[str, Any]:
    """Return what an append takes of its thread while the log's thread is busy with something else: bursts of 1,000."""
    row = ("orders.eu.created", "o-17", "0190b5a0-1111", None, 1, os.urandom(ROW_BYTES - 40))
    with Log.open(_fresh(base, "cost"), LogOptions(row_schema=_ENVELOPE, pending_bytes=1 << 40)) as log:
        producer = log.producer(lambda _: None)
        spent = 0.0
        for _ in range(events // 1000):
            start = time.thread_time()
            for number in range(1000):
                producer.append_row(row, number, 300)
            spent += time.thread_time() - start
            log.sync()
    return {"case": "append-cost", "us_per_event": round(spent / (events // 1000 * 1000) * 1e6, 3)}


def _read(base: Path, events: int) -> dict[str, Any]:
    start = time.perf_counter()
    with Reader.open(str(base / "batch")) as reader:
        count = sum(frame.count for frame in reader.read())
    seconds = time.perf_counter() - start
    assert count == events // _BATCH_ROWS * _BATCH_ROWS
    return {"case": "read-arrow", "events_per_s": round(count / seconds), "row_bytes": ROW_BYTES}


def _filter(base: Path, case: str) -> dict[str, Any]:
    """Read with a filter; and three ways of reading all, each with its checksums: frames where they lie in the file's map, with the
    filter applied to each; the same with a copy of the rows, as one who keeps them needs; and rows as Python objects.
    """
    clustered = case == "filter"
    column, limit = (0, _BATCH_ROWS // 50) if clustered else (2, 0.001)
    type_ = t.BIGINT if clustered else t.DOUBLE
    where = call("<", [ColumnRef(index=column, name="c", type=type_), literal(limit, type_)])
    folder = str(base / "batch")
    start = time.perf_counter()
    with Reader.open(folder) as reader:
        found = sum(frame.count for frame in reader.read(ReadOptions(where=where)))
        skipped = reader.frames_skipped
    seconds = time.perf_counter() - start
    rows, matched, everything = _decode(folder, lambda each: each.filter(pa.compute.less(each.column(column), limit)))
    assert matched == found
    _, _, copied = _decode(folder, _copied)
    few, _, objects = _decode(folder, lambda each: each.to_pylist() and each, _OBJECT_ROWS)
    return {
        "case": case,
        "events_per_s": round(rows / seconds),
        "matched": round(found / rows, 5),
        "frames_skipped": skipped,
        "times_decoding_all": round(everything / seconds, 1),
        "times_copying_all": round(copied / seconds, 1),
        "times_objects_of_all": round(objects * rows / few / seconds, 1),
    }


def _decode(
    folder: str, then: Callable[[pa.RecordBatch], pa.RecordBatch], stop: int | None = None
) -> tuple[int, int, float]:
    """Read all frames and do something with each; return the rows before and after that, and the seconds."""
    rows = after = 0
    start = time.perf_counter()
    with Reader.open(folder) as reader:
        for frame in reader.read(ReadOptions(stop=stop)):
            rows += frame.count
            after += then(frame.batch).num_rows
    return rows, after, time.perf_counter() - start


def _copied(batch: pa.RecordBatch) -> pa.RecordBatch:
    return pa.ipc.read_record_batch(batch.serialize(), batch.schema)


def _held_up(gate: threading.Event, _: list[Settled]) -> None:
    gate.wait()


def _memory(base: Path) -> dict[str, Any]:
    """Return the bytes of Python and Arrow memory that each event takes while it waits, with its own 200 bytes."""
    batches = [_batch(number) for number in range(4)]
    data = [os.urandom(ROW_BYTES - 40) for _ in range(50_000)]
    found = {}
    for case in ("single", "batch"):
        gate = threading.Event()
        with Log.open(_fresh(base, "memory"), LogOptions(row_schema=_ENVELOPE, pending_bytes=1 << 40)) as log:
            blocker = log.producer(partial(_held_up, gate), "memory")
            blocker.append(batches[0].slice(0, 1))
            producer = log.producer(lambda _: None)
            gc.collect()
            tracemalloc.start()
            if case == "single":
                for number, each in enumerate(data):
                    producer.append_row(("orders.eu.created", "o-17", "id", None, number, each), number, 300)
                found[case] = round(tracemalloc.get_traced_memory()[0] / len(data) + ROW_BYTES - 40 + 33)
            else:
                for number in range(100):
                    producer.append(batches[number % 4])
                held = tracemalloc.get_traced_memory()[0] + 100 * batches[0].nbytes
                found[case] = round(held / 100 / _BATCH_ROWS)
            tracemalloc.stop()
            gate.set()
    return {"case": "memory", "bytes_per_event_single": found["single"], "bytes_per_event_batch": found["batch"]}
