"""What is written down about a cluster, and how processes are told apart and ended."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from fluxcore.errors import JobError
from fluxcore.targets.flink.cluster import cluster as clusters
from fluxcore.targets.flink.cluster.processes import born, is_alive, memory_mb, spawn, stop
from fluxcore.targets.flink.cluster.progress import silent
from fluxcore.targets.flink.cluster.record import FORMAT, RUNNING, Cluster, ProcessRecord, forget, load, save

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
)


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[ProcessRecord]:
    """A process that would run for long."""
    process = spawn("sleeper", ["sleep", "600"], tmp_path / "sleeper.log", tmp_path, {})
    yield process
    stop([process], 0, silent)


def cluster(work: Path, *processes: ProcessRecord) -> Cluster:
    return Cluster(
        format=FORMAT,
        phase=RUNNING,
        work=str(work),
        version="2.3.0",
        profile="small",
        host="127.0.0.1",
        gateway_port=8083,
        rest_port=8081,
        taskmanagers=1,
        slots=4,
        started="2026-01-01T00:00:00+00:00",
        jars=("parquet",),
        settings={"a": "b"},
        environment={"FLINK_CONF_DIR": "conf"},
        processes=processes,
    )


def test_a_record_reads_back(tmp_path: Path, sleeper: ProcessRecord) -> None:
    saved = cluster(tmp_path, sleeper)
    save(saved)
    assert load(tmp_path) == saved
    assert saved.address == "flink://127.0.0.1:8083"
    assert (saved.gateway, saved.jobmanager) == (("127.0.0.1", 8083), "http://127.0.0.1:8081")
    assert [path.name for path in tmp_path.glob("cluster*")] == ["cluster.json"]
    forget(tmp_path)
    forget(tmp_path)
    assert load(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format":1}', b"\xff"])
def test_a_record_that_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cluster.json").write_bytes(content)
    with pytest.raises(JobError, match="can't be read") as error:
        load(tmp_path)
    assert error.value.code == "FX-FLK-0017"


def test_a_record_of_a_later_version(tmp_path: Path) -> None:
    save(msgspec.structs.replace(cluster(tmp_path), format=FORMAT + 1))
    with pytest.raises(JobError, match=f"it has format {FORMAT + 1}, and this version reads {FORMAT}"):
        load(tmp_path)


def test_a_process_belongs_to_nobody_and_ends_when_asked(sleeper: ProcessRecord) -> None:
    assert is_alive(sleeper)
    assert (memory_mb(sleeper) or 0) >= 0
    assert os.getsid(sleeper.pid) != os.getsid(0)
    with pytest.raises(ChildProcessError):
        os.waitpid(sleeper.pid, os.WNOHANG)
    stop([sleeper], 60, silent)
    assert not is_alive(sleeper)
    assert memory_mb(sleeper) is None


def test_a_process_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    process = spawn("stubborn one", [sys.executable, "-c", STUBBORN], tmp_path / "it.log", tmp_path, {})
    deadline = time.monotonic() + 60
    while "ready" not in (tmp_path / "it.out").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    lines: list[str] = []
    stop([process], 0.2, lines.append)
    assert not is_alive(process)
    assert lines == [f"no end within 0 s; killing stubborn one ({process.pid})"]


def test_another_process_with_the_number_is_left_alone(sleeper: ProcessRecord) -> None:
    other = msgspec.structs.replace(sleeper, born="another start")
    assert not is_alive(other)
    stop([other], 60, silent)
    assert is_alive(sleeper)


def test_what_a_process_says_goes_to_its_file_and_an_older_one_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "it.log"
    for word in ("one", "two"):
        process = spawn("it", ["sh", "-c", f"echo {word} $COLOUR; echo err >&2"], log, tmp_path, {"COLOUR": "red"})
        deadline = time.monotonic() + 60
        while is_alive(process):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert (tmp_path / "it.out").read_text() == "two red\nerr\n"
    assert (tmp_path / "it.out.old").read_text() == "one red\nerr\n"


def test_a_program_that_is_not_there_is_a_process_that_has_ended(tmp_path: Path) -> None:
    process = spawn("it", ["/nowhere/java"], tmp_path / "it.log", tmp_path, {})
    stop([process], 60, silent)
    assert "/nowhere/java" in (tmp_path / "it.out").read_text()


def test_a_zombie_has_ended() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert born(pid) is None
    os.waitpid(pid, 0)


def test_of_processes_that_ended_nothing_is_said_to_run(tmp_path: Path, sleeper: ProcessRecord) -> None:
    save(cluster(tmp_path, sleeper))
    os.kill(sleeper.pid, signal.SIGKILL)
    stop([sleeper], 0, silent)
    found = clusters.status(tmp_path)
    assert (found.state, [each.alive for each in found.processes]) == ("stopped", [False])
    assert clusters.down(tmp_path) is False
    assert load(tmp_path) is None


def test_a_folder_that_is_not_there_has_no_cluster(tmp_path: Path) -> None:
    assert clusters.status(tmp_path / "none").state == "stopped"
    assert clusters.down(tmp_path / "none") is False
    assert not (tmp_path / "none").exists()


def test_a_process_is_known_by_ps_where_there_is_no_proc(sleeper: ProcessRecord) -> None:
    from fluxcore.targets.flink.cluster.processes import _born_by_ps

    first, again = _born_by_ps(sleeper.pid), _born_by_ps(sleeper.pid)
    assert first is not None
    assert first == again
    stop([sleeper], 60, silent)
    assert _born_by_ps(sleeper.pid) is None
