"""The configuration of a local cluster: one file that JobManager, TaskManagers and SQL gateway read.

What a session doesn't set itself it takes from here too, so the profile's mini-batches and object reuse hold for every
statement that the gateway runs.
"""

from __future__ import annotations

import json
import re
import socket
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fluxcore.errors import ScriptError
from fluxcore.targets.flink import versions
from fluxcore.targets.flink.cluster.memory import (
    GATEWAY_HEAP,
    JOB_PROCESS_SIZE,
    TASK_PROCESS_SIZE,
    Machine,
    TaskMemory,
    given_size,
    size_text,
)
from fluxcore.targets.flink.cluster.profiles import Profile, find_profile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HOST = "127.0.0.1"
REST_PORT = "rest.port"
GATEWAY_PORT = "sql-gateway.endpoint.rest.port"
_RPC_PORT = "jobmanager.rpc.port"
PORTS = (REST_PORT, GATEWAY_PORT, _RPC_PORT)
_BACKEND = "state.backend.type"
_ROCKSDB = "rocksdb"
_MANAGED_SHARE = 0.4
_SCHEDULER = "jobmanager.scheduler"
_ADAPTIVE = "adaptive"
_RESCALES_SOON = {
    "jobmanager.adaptive-scheduler.submission.resource-stabilization-timeout": "1 s",
    "jobmanager.adaptive-scheduler.executing.cooldown-after-rescaling": "1 s",
    "jobmanager.adaptive-scheduler.executing.resource-stabilization-timeout": "1 s",
}
"""On one machine all slots are there from the start: nothing is gained by waiting for more of them."""

PYTHON, PYTHON_CLIENT = "python.executable", "python.client.executable"

_PLAIN = re.compile(r"[A-Za-z0-9_./-]+")


@dataclass(frozen=True)
class ClusterOptions:
    """What a user says about a cluster.

    ``jars`` are paths, coordinates or bundles (see :func:`install.install`); ``settings`` are keys of Flink's
    configuration and win over the profile's. ``python``: functions in Python can run there.
    """

    profile: str = "throughput"
    version: str = versions.DEFAULT
    work: Path | None = None
    jars: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    taskmanagers: int = 1
    python: bool = False


def configure(options: ClusterOptions, work: Path, machine: Machine) -> dict[str, str]:
    """Return the whole configuration of a cluster, by Flink's keys.

    Out: the parts of the memory stand in it one by one. ``taskmanager.memory.process.size`` is divided into them and then
    left out. Raises: ``ScriptError`` FX-FLK-0014 for a size that is none or too small, FX-FLK-0015 for an unknown profile.
    """
    profile = find_profile(options.profile)
    if options.taskmanagers < 1:
        raise ScriptError("FX-FLK-0014", "a cluster has at least one TaskManager")
    given = dict(options.settings)
    values = {
        **_addresses(),
        **_folders(work),
        **_parallelism(profile, machine, options.taskmanagers),
        **profile.settings,
        **_memory(profile, given, machine, options.taskmanagers),
        # on one machine nothing is gained by patience: a TaskManager that comes before the JobManager tries again soon,
        # and one that has died is missed at once
        "cluster.registration.error-delay": "200 ms",
        "heartbeat.interval": "1 s",
        "execution.target": "remote",
    }
    if given.get(_BACKEND) == _ROCKSDB:
        values["execution.checkpointing.incremental"] = "true"
    if given.get(_SCHEDULER, "").lower() == _ADAPTIVE:
        values |= _RESCALES_SOON
    return values | {key: value for key, value in given.items() if key != TASK_PROCESS_SIZE}


def written(values: Mapping[str, str]) -> str:
    """Return the text of ``config.yaml``: flat keys, strings quoted where YAML would read them otherwise."""
    lines = [f"{key}: {value if _PLAIN.fullmatch(value) else json.dumps(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def free_ports(number: int) -> list[int]:
    """Return ports of the loopback interface that nobody listens on, all different."""
    with ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]


def _addresses() -> dict[str, str]:
    hosts = (
        "jobmanager.bind-host",
        "jobmanager.rpc.address",
        "taskmanager.bind-host",
        "taskmanager.host",
        "rest.address",
        "rest.bind-address",
        "sql-gateway.endpoint.rest.address",
        "sql-gateway.endpoint.rest.bind-address",
    )
    ports = zip(PORTS, free_ports(len(PORTS)), strict=True)
    return dict.fromkeys(hosts, HOST) | {key: str(port) for key, port in ports}


def _folders(work: Path) -> dict[str, str]:
    return {
        "io.tmp.dirs": str(work / "tmp"),
        "web.upload.dir": str(work / "tmp" / "upload"),
        "execution.checkpointing.storage": "filesystem",
        "execution.checkpointing.dir": (work / "checkpoints").as_uri(),
        "execution.checkpointing.savepoint-dir": (work / "savepoints").as_uri(),
    }


def _parallelism(profile: Profile, machine: Machine, taskmanagers: int) -> dict[str, str]:
    if profile.slots_per_processor is None:
        return {}
    slots = max(2, -(-machine.processors * profile.slots_per_processor // taskmanagers))
    return {
        "parallelism.default": str(machine.processors),
        "taskmanager.numberOfTaskSlots": str(slots),
        "taskmanager.cpu.cores": str(float(machine.processors)),
    }


def _memory(profile: Profile, given: Mapping[str, str], machine: Machine, taskmanagers: int) -> dict[str, str]:
    size = given_size(given, TASK_PROCESS_SIZE)
    managed_share = _MANAGED_SHARE if given.get(_BACKEND, profile.settings[_BACKEND]) == _ROCKSDB else 0.0
    if size is None and profile.process_size is not None:
        least = 1536 * 1024 * 1024
        size = max(least, profile.process_size(machine) // taskmanagers)
    if size is not None:
        parts = TaskMemory.of_process(size, managed_share)
    else:
        assert profile.memory is not None, "a profile has sizes or a rule for them"
        parts = profile.memory
    sizes = {JOB_PROCESS_SIZE: size_text(profile.job_size), GATEWAY_HEAP: size_text(profile.gateway_heap)}
    return sizes | parts.settings()
