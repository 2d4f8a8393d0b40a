"""Starts, finds and ends a local Flink cluster: JobManager, TaskManagers and SQL gateway on the loopback interface."""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fluxcore.core.folders import cache_folder
from fluxcore.errors import FluxError, JobError
from fluxcore.limits import FLINK_START_ATTEMPTS, FLINK_STOP_S
from fluxcore.targets.flink.cluster.commands import GATEWAY, JOBMANAGER, TASKMANAGER, Launcher
from fluxcore.targets.flink.cluster.configuration import (
    GATEWAY_PORT,
    HOST,
    PORTS,
    PYTHON,
    PYTHON_CLIENT,
    REST_PORT,
    ClusterOptions,
    configure,
)
from fluxcore.targets.flink.cluster.disk import writing
from fluxcore.targets.flink.cluster.install import install, wanted_jars
from fluxcore.targets.flink.cluster.java import find_java
from fluxcore.targets.flink.cluster.locks import alone
from fluxcore.targets.flink.cluster.memory import Machine
from fluxcore.targets.flink.cluster.processes import is_alive, memory_mb, spawn, stop
from fluxcore.targets.flink.cluster.profiles import find_profile
from fluxcore.targets.flink.cluster.progress import silent
from fluxcore.targets.flink.cluster.readiness import Awaited, known_taskmanagers, wait_until_ready
from fluxcore.targets.flink.cluster.record import (
    FORMAT,
    RUNNING,
    STARTING,
    Cluster,
    ProcessRecord,
    forget,
    load,
    save,
)
from fluxcore.targets.flink.cluster.rest import ask

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fluxcore.targets.flink.cluster.progress import Progress

_PORT_TAKEN = ("BindException", "Address already in use", "Could not start rest endpoint")


def default_work() -> Path:
    """Return the folder of the one cluster that most users have."""
    return cache_folder("flink", "cluster")


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One process of a cluster: whether it runs, and the megabytes it has."""

    role: str
    pid: int
    alive: bool
    memory_mb: int | None
    log: str


@dataclass(frozen=True, slots=True)
class Status:
    """What there is to know about a cluster now. ``state`` is running, starting, broken or stopped."""

    state: str
    work: Path
    cluster: Cluster | None = None
    processes: tuple[ProcessStatus, ...] = ()
    slots_total: int = 0
    slots_free: int = 0
    jobs_running: int = 0


def up(options: ClusterOptions, progress: Progress = silent, *, shared: bool = False) -> Cluster:
    """Return the running cluster of the work folder, started unless it runs already.

    1. The lock of the folder is taken, so two callers start one cluster.
    2. A cluster that runs is told about and returned. Of one that lost processes, those are started again.
    3. What is missing is fetched, the configuration written, the processes started and written down.
    4. It counts as running when the JobManager has all slots and the gateway answers. Whatever ends this before, an
       interrupt too, ends the processes that were started.

    Raises: ``ScriptError`` and ``JobError`` FX-FLK-0002 to FX-FLK-0019.
    """
    find_profile(options.profile)
    wanted_jars(options.version, options.jars)
    work = (options.work or default_work()).expanduser().resolve()
    with writing(work):
        work.mkdir(parents=True, exist_ok=True)
    with alone(work / "cluster.lock", "starting or ending this cluster", progress):
        cluster = load(work)
        if cluster is not None:
            lost = [each for each in cluster.processes if not is_alive(each)]
            if cluster.phase == RUNNING and len(lost) < len(cluster.processes):
                return _found(cluster, lost, options, progress)
            stop(cluster.processes, FLINK_STOP_S, progress)
            forget(work)
        return _started(options, work, shared, progress)


def down(work: Path | None = None, progress: Progress = silent) -> bool:
    """End the cluster of a work folder; return whether there was one. Logs, checkpoints and savepoints stay."""
    work = (work or default_work()).expanduser().resolve()
    if not work.is_dir():
        return False
    with alone(work / "cluster.lock", "starting or ending this cluster", progress):
        cluster = load(work)
        if cluster is None:
            return False
        running = any(is_alive(each) for each in cluster.processes)
        stop(cluster.processes, FLINK_STOP_S, progress)
        forget(work)
        shutil.rmtree(work / "tmp", ignore_errors=True)
        return running


def status(work: Path | None = None) -> Status:
    """Return what the cluster of a work folder does now."""
    work = (work or default_work()).expanduser().resolve()
    cluster = load(work)
    if cluster is None:
        return Status("stopped", work)
    processes = tuple(
        ProcessStatus(each.role, each.pid, is_alive(each), memory_mb(each) if is_alive(each) else None, each.log)
        for each in cluster.processes
    )
    if not any(each.alive for each in processes):
        return Status("stopped", work, cluster, processes)
    overview = ask(f"{cluster.jobmanager}/overview") or {}
    gateway = ask(f"{cluster.gateway_url}/info")
    slots = overview.get("slots-total", 0)
    whole = all(each.alive for each in processes) and slots >= cluster.slots and gateway is not None
    state = "running" if whole else "starting" if cluster.phase == STARTING else "broken"
    free, jobs = overview.get("slots-available", 0), overview.get("jobs-running", 0)
    return Status(state, work, cluster, processes, slots, free, jobs)


def _found(cluster: Cluster, lost: list[ProcessRecord], options: ClusterOptions, progress: Progress) -> Cluster:
    """Return a cluster that runs, complete again if it wasn't."""
    if lost:
        for each in lost:
            progress(f"the {each.role} (process {each.pid}) has ended; starting it again")
        kept = [each for each in cluster.processes if each not in lost]
        known = known_taskmanagers(cluster)
        new = cluster.taskmanagers if not known else sum(1 for each in lost if each.role == TASKMANAGER)
        again = [
            spawn(each.role, each.command, Path(each.log), Path(cluster.work), cluster.environment) for each in lost
        ]
        cluster = msgspec.structs.replace(cluster, processes=(*kept, *again))
        save(cluster)
        wait_until_ready(cluster, Awaited(new, cluster.taskmanagers, known), progress)
    progress(f"a cluster runs already: Flink {cluster.version}, profile {cluster.profile}, in {cluster.work}")
    asked: dict[str, Any] = {
        "version": options.version,
        "profile": options.profile,
        "jars": options.jars,
        "settings": dict(options.settings),
        "taskmanagers": options.taskmanagers,
    }
    other = [name for name, value in asked.items() if value != getattr(cluster, name)]
    if options.python and not cluster.runs_python:
        other.append("python")
    if other:
        progress(f"it was started with other options ({', '.join(other)}); `fluxcore flink down` ends it")
    return cluster


def _started(options: ClusterOptions, work: Path, shared: bool, progress: Progress) -> Cluster:
    java = find_java()
    given = options.settings
    given_python = options.settings.get(PYTHON, "" if options.python else None)
    installation = install(options.version, options.jars, java.version, progress, python=given_python)
    if installation.python is not None:
        own = dict.fromkeys((PYTHON, PYTHON_CLIENT), str(installation.python))
        options = replace(options, settings={**own, **options.settings})
    given_port = any(port in options.settings for port in PORTS)
    for attempt in range(1, FLINK_START_ATTEMPTS + 1):
        values = configure(options, work, Machine.here())
        launcher = Launcher(java, installation, options.profile, work, values)
        with writing(work):
            launcher.prepare()
        cluster = _described(replace(options, settings=given), launcher, shared)
        progress(f"starting Flink {options.version}, profile {options.profile}, with Java {java.version}, in {work}")
        try:
            return _launched(cluster, launcher, progress)
        except FluxError as error:
            taken = isinstance(error, JobError) and any(word in error.message for word in _PORT_TAKEN)
            if not taken or given_port or attempt == FLINK_START_ATTEMPTS:
                raise
            progress("another program took one of the ports; starting with others")
    raise AssertionError("the last attempt returns or raises")


def _described(options: ClusterOptions, launcher: Launcher, shared: bool) -> Cluster:
    values = launcher.values
    return Cluster(
        format=FORMAT,
        phase=STARTING,
        work=str(launcher.work),
        version=options.version,
        profile=options.profile,
        host=HOST,
        gateway_port=int(values[GATEWAY_PORT]),
        rest_port=int(values[REST_PORT]),
        taskmanagers=options.taskmanagers,
        slots=options.taskmanagers * int(values["taskmanager.numberOfTaskSlots"]),
        started=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        jars=options.jars,
        settings=dict(options.settings),
        python=str(launcher.installation.python or ""),
        environment=launcher.environment(),
        shared=shared,
    )


def _launched(cluster: Cluster, launcher: Launcher, progress: Progress) -> Cluster:
    """Start all processes at once and wait for them; whatever goes wrong, none is left."""
    started: list[ProcessRecord] = []
    numbers = range(1, cluster.taskmanagers + 1) if cluster.taskmanagers > 1 else (0,)
    wanted: Iterable[tuple[str, int]] = [(JOBMANAGER, 0), *((TASKMANAGER, each) for each in numbers), (GATEWAY, 0)]
    try:
        for role, number in wanted:
            command, log = launcher.command(role, number), launcher.log(role, number)
            started.append(spawn(role, command, log, launcher.work, cluster.environment))
            cluster = msgspec.structs.replace(cluster, processes=tuple(started))
            save(cluster)
        wait_until_ready(cluster, Awaited(cluster.taskmanagers, cluster.taskmanagers), progress)
        cluster = msgspec.structs.replace(cluster, phase=RUNNING)
        save(cluster)
    except BaseException:
        stop(started, 0, progress)  # nothing has run there yet that could be lost
        forget(launcher.work)
        raise
    return cluster
