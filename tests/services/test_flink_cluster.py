"""A real local Flink cluster: started, found, mended, ended; and nothing is left of one that fails."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from fluxcore.targets.flink.cluster.processes import is_alive
from fluxcore.targets.flink.cluster.record import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fluxcore.targets.flink.cluster.record import Cluster, ProcessRecord

pytestmark = pytest.mark.usefixtures("java")

LONG_S = 300.0


def fluxcore(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fluxcore.cli.main", "flink", *arguments]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=LONG_S, check=False
    )


def wait_for_end(processes: tuple[ProcessRecord, ...]) -> None:
    deadline = time.monotonic() + LONG_S
    while any(is_alive(each) for each in processes):
        assert time.monotonic() < deadline, "processes were left behind"
        time.sleep(0.05)


def test_a_cluster_from_up_to_down(tmp_path: Path) -> None:
    work = str(tmp_path / "a cluster")
    started = fluxcore("up", "--profile", "small", "--work", work)
    assert started.returncode == 0, started.stderr
    (address,) = started.stdout.splitlines()
    assert "TaskManager offers 4 slots" in started.stderr
    cluster = load(tmp_path / "a cluster")
    assert cluster is not None
    try:
        assert address == cluster.address == f"flink://127.0.0.1:{cluster.gateway[1]}"
        told = state(work)
        assert (told["state"], told["address"], told["slots_total"]) == ("running", address, 4)
        assert [(each["alive"], each["memory_mb"] > 50) for each in told["processes"]] == [(True, True)] * 3
        assert pages(cluster)["flink-version"] == cluster.version

        again = fluxcore("up", "--profile", "small", "--work", work)
        assert (again.returncode, again.stdout) == (0, started.stdout)
        assert "runs already" in again.stderr
        assert load(tmp_path / "a cluster") == cluster

        lost = cluster.processes[1]
        os.kill(lost.pid, signal.SIGKILL)
        wait_for_end((lost,))
        assert state(work, code=1)["state"] == "broken"
        mended = fluxcore("up", "--profile", "small", "--work", work)
        assert (mended.returncode, mended.stdout) == (0, started.stdout), mended.stderr
        assert f"the TaskManager (process {lost.pid}) has ended; starting it again" in mended.stderr
        whole = load(tmp_path / "a cluster")
        assert whole is not None
        cluster = whole
    finally:
        ended = fluxcore("down", "--work", work)
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
    assert not any(is_alive(each) for each in cluster.processes)
    assert state(work, code=1)["state"] == "stopped"
    assert "no cluster was running" in fluxcore("down", "--work", work).stderr
    assert (tmp_path / "a cluster" / "log" / "jobmanager.log").stat().st_size > 0


def state(work: str, *, code: int = 0) -> dict[str, Any]:
    asked = fluxcore("status", "--work", work, "--format", "json")
    assert asked.returncode == code, asked.stderr
    found: dict[str, Any] = json.loads(asked.stdout)
    return found


def pages(cluster: Cluster) -> dict[str, Any]:
    with urllib3.PoolManager() as pool:
        found: dict[str, Any] = pool.request("GET", f"{cluster.jobmanager}/overview").json()
        return found


def test_a_process_that_ends_at_once_tells_why_and_leaves_none(tmp_path: Path) -> None:
    options = ("--profile", "small", "--work", str(tmp_path), "--set", "env.java.opts.taskmanager=-XX:NoSuchFlag")
    failed = fluxcore("up", *options)
    assert failed.returncode == 1
    assert "error[FX-FLK-0011]: the TaskManager has ended: Unrecognized VM option 'NoSuchFlag'" in failed.stderr
    assert load(tmp_path) is None
    assert left_in(tmp_path) == []


def test_a_port_that_is_taken_is_the_root_cause(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = f"rest.port={taken.getsockname()[1]}"
        failed = fluxcore("up", "--profile", "small", "--work", str(tmp_path), "--set", port)
    assert failed.returncode == 1
    assert "the JobManager has ended: BindException: " in failed.stderr
    assert len(failed.stderr.splitlines()) < 12
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_start_that_is_interrupted_leaves_none(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with starting(tmp_path) as process:
        process.send_signal(number)
        process.wait(LONG_S)
    assert process.returncode == code
    assert left_in(tmp_path) == []
    assert load(tmp_path) is None


def test_what_a_killed_start_left_is_ended(tmp_path: Path) -> None:
    with starting(tmp_path) as process:
        process.kill()
    cluster = load(tmp_path)
    assert cluster is not None
    assert all(is_alive(each) for each in cluster.processes)
    assert state(str(tmp_path), code=1)["state"] == "starting"
    assert fluxcore("down", "--work", str(tmp_path)).stderr == "the cluster has ended\n"
    assert left_in(tmp_path) == []


@contextmanager
def starting(work: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A `fluxcore flink up` that has started its processes and waits for them."""
    command = [sys.executable, "-m", "fluxcore.cli.main", "flink", "up", "--profile", "small", "--work", str(work)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + LONG_S
        while (cluster := load(work)) is None or len(cluster.processes) < 3:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield process


def left_in(work: Path) -> list[str]:
    """The processes that have the folder in their command line."""
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [line for line in listed if str(work) in line]


KILLED = """
import os, signal, socket, sys
from pathlib import Path
from fluxcore.targets.flink.cluster import configuration
from fluxcore.targets.flink.cluster.shared import running_cluster

real, busy = configuration.free_ports, socket.create_server(("127.0.0.1", 0))

def free_ports(number):
    configuration.free_ports = real
    rest, _, rpc = real(number)
    return [rest, busy.getsockname()[1], rpc]

configuration.free_ports = free_ports
options = configuration.ClusterOptions(profile="small", work=Path(sys.argv[1]))
with running_cluster(options, lambda line: print(line, file=sys.stderr)):
    print(Path(sys.argv[1], "cluster.json").read_text(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_shared_cluster_takes_another_port_and_ends_with_a_user_that_is_killed(tmp_path: Path) -> None:
    """Another program takes the gateway's port between the choice and the start."""
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True, timeout=LONG_S, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert killed.stderr.count("another program took one of the ports") == 1, killed.stderr
    told = json.loads(killed.stdout)
    assert len(told["processes"]) == 3
    deadline = time.monotonic() + LONG_S
    while left_in(tmp_path):
        assert time.monotonic() < deadline, "processes were left behind"
        time.sleep(0.05)
    assert load(tmp_path) is None


def test_users_share_one_cluster(flink: Cluster) -> None:
    assert flink.address == f"flink://{flink.gateway[0]}:{flink.gateway[1]}"
    assert pages(flink)["slots-total"] == 4
