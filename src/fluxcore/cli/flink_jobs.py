"""``fluxcore flink jobs`` and the commands for one job: what a cluster runs, over its REST APIs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fluxcore.cli.errors import tell
from fluxcore.cli.output.replies import show_reply
from fluxcore.cli.run import read_script
from fluxcore.errors import ScriptError
from fluxcore.targets.flink.address import cluster_at
from fluxcore.targets.flink.compare import compare as compared

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.cli.run import RunOptions
    from fluxcore.targets.flink.jobmanager import JobManager, JobSummary

_TAIL_LINES = 200
_ROWS_SHOWN = 5


def jobs(target: str, format_: str) -> None:
    """Print the jobs of a cluster, the latest first."""
    found = _manager(target).jobs()
    _print(format_, [_summary(each) for each in found])


def describe(target: str, id_: str, format_: str) -> None:
    """Print what a job does: its state, its operators with their rows, its checkpoints, its failure."""
    manager = _manager(target)
    job = manager.job(id_)
    operators = [_operator(each) for each in job["vertices"]]
    if format_ == "json":
        told = {
            "id": id_,
            "name": job["name"],
            "state": job["state"],
            "duration_ms": job["duration"],
            "operators": operators,
        }
        if job["state"] == "FAILED":
            told["cause"] = manager.failure(id_)
        print(json.dumps(told, ensure_ascii=False))  # noqa: T201
        return
    _check_format(format_)
    print(f"job {id_}: {job['state'].lower()}, {job['duration'] / 1000:.1f} s")  # noqa: T201
    print(" ".join(job["name"].split())[:200])  # noqa: T201
    if job["state"] == "FAILED":
        print(f"cause: {manager.failure(id_)}")  # noqa: T201
    _print("table", operators)


def cancel(target: str, id_: str) -> None:
    """Cancel a job and wait until it has ended."""
    manager = _manager(target)
    manager.cancel(id_)
    tell(f"job {id_} is {manager.wait(id_).lower()}")


def savepoint(target: str, id_: str, folder: str | None, *, stop: bool, drain: bool) -> None:
    """Take a savepoint and print its path; with ``stop`` the job ends behind it."""
    manager = _manager(target)
    path = manager.savepoint(id_, folder, stop=stop, drain=drain)
    if stop:
        tell(f"job {id_} is {manager.wait(id_).lower()}")
    print(path)  # noqa: T201


def rescale(target: str, id_: str, parallelism: int) -> None:
    """Give a running job another parallelism, and wait until it has it."""
    tell(f"job {id_} runs with parallelism {_manager(target).rescale(id_, parallelism)}")


def logs(target: str, *, whole: bool) -> None:
    """Print the logs of the JobManager and the TaskManagers: their last lines, or all."""
    for name, text in _manager(target).logs().items():
        lines = text.splitlines()
        print(f"== {name}")  # noqa: T201
        print("\n".join(lines if whole else lines[-_TAIL_LINES:]))  # noqa: T201


def compare(options: RunOptions) -> int:
    """Print for each query of a script whether both sides gave the same rows; return the exit code."""
    text, name = read_script(options.script)
    found = compared(text, name, cluster_at(options.target), options.settings())
    for number, each in enumerate(found, 1):
        if each.equal:
            print(f"query {number}: equal, {each.rows_here:,} rows")  # noqa: T201
            continue
        print(f"query {number}: differs; {each.rows_here:,} rows here, {each.rows_there:,} on Flink")  # noqa: T201
        for side, rows in (("here", each.only_here), ("on Flink", each.only_there)):
            for row, count in list(rows.items())[:_ROWS_SHOWN]:
                print(f"  only {side}: {row}" + (f" ({count} times)" if count > 1 else ""))  # noqa: T201
    return 0 if all(each.equal for each in found) else 1


def _manager(target: str) -> JobManager:
    return cluster_at(target).jobmanager


def _summary(job: JobSummary) -> dict[str, Any]:
    started = datetime.fromtimestamp(job.started_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    name = " ".join(job.name.split())
    return {"id": job.id, "state": job.state, "started": started, "duration_ms": job.duration_ms, "name": name}


def _operator(vertex: Mapping[str, Any]) -> dict[str, Any]:
    counts = vertex["metrics"]
    return {
        "operator": vertex["name"],
        "state": vertex["status"],
        "parallelism": vertex["parallelism"],
        "rows_in": counts["read-records"],
        "rows_out": counts["write-records"],
        "busy_ms": _whole(counts.get("accumulated-busy-time")),
        "backpressured_ms": _whole(counts.get("accumulated-backpressured-time")),
    }


def _whole(value: Any) -> int | None:
    """Return a metric as a whole number; Flink says NaN before it has measured."""
    return None if value is None or value == "NaN" else int(value)


def _print(format_: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if format_ == "json":
        for row in rows:
            print(json.dumps(row, ensure_ascii=False))  # noqa: T201
        return
    _check_format(format_)
    if rows:
        cells = tuple(tuple("" if cell is None else str(cell)[:100] for cell in row.values()) for row in rows)
        show_reply(None, tuple(rows[0]), cells)


def _check_format(format_: str) -> None:
    if format_ not in ("table", "json"):
        raise ScriptError("FX-CLI-0002", f"there is no format '{format_}'", hint="one of table, json")
