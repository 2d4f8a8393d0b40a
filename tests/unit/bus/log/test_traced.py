"""What the system itself saw: strace shows a completed fdatasync of the segment before each receipt, and no more of them than needed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="strace is a program of Linux"),
    pytest.mark.skipif(shutil.which("strace") is None, reason="NOT TESTED: strace is not installed"),
]
EVENTS = 40

ONE_BY_ONE = """
with Log.open(folder, LogOptions(row_schema=schema, idle_sync_us=10**9), files) as log:
    os.write(2, b"begin")
    for n in range(events):
        log.append_row((n, f"event-{n};"))
        os.write(2, f"receipt {n};".encode())
    os.write(2, b"end")
"""
TOGETHER = """
with Log.open(folder, LogOptions(row_schema=schema), files) as log:
    os.write(2, b"begin")
    told = lambda outcomes: os.write(2, "".join(f"receipt {n};" for e in outcomes for n in e.tokens).encode())
    producer = log.producer(told)
    def publish(start):
        for n in range(start, events, 4):
            producer.append_row((n, f"event-{n};"), n)
    threads = [threading.Thread(target=publish, args=(start,)) for start in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    log.sync()
    os.write(2, b"end")
"""
PROGRAM = """
import os, sys, threading
import pyarrow as pa
from fluxcore.bus.log import Log, LogOptions
from fluxcore.bus.log.files import OsFiles
from fluxcore.testing.faults import WithoutSync
folder, events, files = {folder!r}, {events}, {files}
schema = pa.schema([("n", pa.int64()), ("text", pa.string())])
"""


def trace(tmp_path: Path, body: str, files: str = "OsFiles()") -> list[str]:
    """Run a program and return the calls that its threads completed between its begin and its end, in order."""
    out = tmp_path / "trace"
    program = PROGRAM.format(folder=str(tmp_path / "log"), events=EVENTS, files=files) + body
    calls = "trace=fdatasync,fsync,pwritev,pwritev2,pwrite64,write"
    command = ["strace", "-f", "-y", "-s", "20000", "-e", calls, "-o", str(out), sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "ptrace" in done.stderr and done.returncode:
        pytest.skip("NOT TESTED: strace may not trace here")
    assert done.returncode == 0, done.stderr
    lines = out.read_text().splitlines()
    begin, end = (next(at for at, line in enumerate(lines) if f'"{word}"' in line) for word in ("begin", "end"))
    return completed(lines[begin + 1 : end])


def completed(lines: list[str]) -> list[str]:
    """Join calls that were interrupted by another thread's; a sync stands where it has returned, all others where they began."""
    begun: dict[str, str] = {}
    calls = []
    for line in lines:
        thread, _, call = line.partition(" ")
        call = call.strip()
        if call.endswith("<unfinished ...>"):
            begun[thread] = call.removesuffix("<unfinished ...>")
            if not call.startswith(("fdatasync", "fsync")):
                calls.append(begun.pop(thread))
        elif call.startswith("<..."):
            if thread in begun:
                calls.append(begun.pop(thread) + call.partition("resumed>")[2])
        else:
            calls.append(call)
    return calls


def judge(calls: list[str]) -> tuple[int, int, list[int]]:
    """Return the receipts, the syncs of the segment that were completed, and the events told of before such a sync."""
    written: set[int] = set()
    durable: set[int] = set()
    receipts, syncs, early = 0, 0, []
    for call in calls:
        segment = ".seg>" in call  # under its name: its head was synced under a hidden one
        if call.startswith("pwrite") and segment:
            written |= {int(n) for n in re.findall(r"event-(\d+);", call)}
        elif call.startswith(("fdatasync", "fsync")) and segment and call.endswith("= 0"):
            syncs += 1
            durable |= written
        elif call.startswith("write(2"):
            told = [int(n) for n in re.findall(r"receipt (\d+);", call)]
            receipts += len(told)
            early += [n for n in told if n not in durable]
    return receipts, syncs, early


def test_one_by_one_each_receipt_has_a_sync_of_its_own(tmp_path: Path) -> None:
    assert judge(trace(tmp_path, ONE_BY_ONE)) == (EVENTS, EVENTS, [])


def test_from_many_threads_receipts_share_syncs(tmp_path: Path) -> None:
    receipts, syncs, early = judge(trace(tmp_path, TOGETHER))
    assert (receipts, early) == (EVENTS, [])
    assert 1 <= syncs <= EVENTS + 1, "the last one is that of log.sync"


def test_without_syncs_the_trace_shows_it(tmp_path: Path) -> None:
    """The mutation check of the two above."""
    assert judge(trace(tmp_path, ONE_BY_ONE, "WithoutSync(OsFiles())")) == (EVENTS, 0, list(range(EVENTS)))
