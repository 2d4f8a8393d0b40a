"""What is written down about a running cluster, so that another process can find, ask and end it."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from fluxcore.errors import JobError

FILE = "cluster.json"
FORMAT = 1
STARTING, RUNNING = "starting", "running"


class ProcessRecord(msgspec.Struct, frozen=True):
    """A process that was started: ``born`` tells it from a later one with the same number."""

    role: str
    pid: int
    born: str
    command: tuple[str, ...]
    log: str
    output: str


class Cluster(msgspec.Struct, frozen=True):
    """A local cluster, running or about to: where it listens, and which processes it consists of."""

    format: int
    phase: str
    work: str
    version: str
    profile: str
    host: str
    gateway_port: int
    rest_port: int
    taskmanagers: int
    slots: int
    started: str
    jars: tuple[str, ...]
    settings: dict[str, str]
    environment: dict[str, str]
    processes: tuple[ProcessRecord, ...] = ()
    shared: bool = False
    python: str = ""

    @property
    def runs_python(self) -> bool:
        """Whether functions in Python can run there."""
        return bool(self.python)

    @property
    def gateway(self) -> tuple[str, int]:
        """Host and port of the SQL gateway."""
        return self.host, self.gateway_port

    @property
    def gateway_url(self) -> str:
        """The SQL gateway's REST address."""
        return f"http://{self.host}:{self.gateway_port}"

    @property
    def jobmanager(self) -> str:
        """The JobManager's REST address, which is also that of its web pages."""
        return f"http://{self.host}:{self.rest_port}"

    @property
    def address(self) -> str:
        """What ``--target`` takes."""
        return f"flink://{self.host}:{self.gateway_port}"


def load(work: Path) -> Cluster | None:
    """Return the cluster of a work folder, None when none was started or it was ended.

    Raises: ``JobError`` FX-FLK-0017 when the record can't be read.
    """
    path = work / FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    try:
        cluster = msgspec.json.decode(content, type=Cluster)
    except msgspec.DecodeError as error:
        raise _unreadable(path, str(error)) from error
    if cluster.format != FORMAT:
        raise _unreadable(path, f"it has format {cluster.format}, and this version reads {FORMAT}")
    return cluster


def save(cluster: Cluster) -> None:
    """Write the record of a cluster; a reader sees the old or the new one, never a part."""
    path = Path(cluster.work, FILE)
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(msgspec.json.format(msgspec.json.encode(cluster)))
    part.replace(path)


def forget(work: Path) -> None:
    """Take the record away."""
    (work / FILE).unlink(missing_ok=True)


def _unreadable(path: Path, why: str) -> JobError:
    hint = "if no cluster runs there (jps, or ps -ef | grep flink), remove the file"
    return JobError("FX-FLK-0017", f"{path} can't be read: {why}", hint=hint)
