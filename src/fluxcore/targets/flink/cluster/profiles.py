"""Three ways to run Flink: for rows per second, for short delays, or with little memory and a quick start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.errors import ScriptError, nearest
from fluxcore.targets.flink.cluster.memory import MB, Machine, TaskMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_GENERATIONAL_ZGC, _GENERATIONAL_ZGC_DEFAULT = 21, 23


@dataclass(frozen=True, slots=True)
class Profile:
    """What a profile decides. ``collector`` returns the JVM's flags for a version of Java."""

    name: str
    about: str
    process_size: Callable[[Machine], int] | None
    memory: TaskMemory | None
    job_size: int
    gateway_heap: int
    slots_per_processor: int | None
    settings: Mapping[str, str]
    collector: Callable[[int], tuple[str, ...]]
    whole_heap: bool
    """Whether a TaskManager's heap has its full size from the start, as in Flink's own scripts."""


def _g1(java: int) -> tuple[str, ...]:  # noqa: ARG001  (all of them have it)
    return ("-XX:+UseG1GC",)


def _short_pauses(java: int) -> tuple[str, ...]:
    """Return ZGC where it has generations, and G1 with a short goal before.

    Without generations ZGC marks the whole heap in every cycle, on the processors that the job needs; with a small
    machine and much garbage that costs more delay than G1's pauses do.
    """
    if java >= _GENERATIONAL_ZGC_DEFAULT:
        return ("-XX:+UseZGC",)
    if java >= _GENERATIONAL_ZGC:
        return ("-XX:+UseZGC", "-XX:+ZGenerational")
    return ("-XX:+UseG1GC", "-XX:MaxGCPauseMillis=10")


def _quick_start(java: int) -> tuple[str, ...]:  # noqa: ARG001  (all of them have it)
    """Return the first compiler only and the collector with the least memory of its own: start times halve."""
    return ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


THROUGHPUT = Profile(
    name="throughput",
    about="as many rows a second as the machine gives: large heap, G1, object reuse, mini-batches",
    process_size=lambda machine: machine.share(0.6, 0.75),
    memory=None,
    job_size=1600 * MB,
    gateway_heap=1024 * MB,
    slots_per_processor=2,
    settings={
        "pipeline.object-reuse": "true",
        "execution.buffer-timeout.interval": "100 ms",
        "table.exec.mini-batch.enabled": "true",
        "table.exec.mini-batch.allow-latency": "1 s",
        "table.exec.mini-batch.size": "5000",
        "state.backend.type": "hashmap",
    },
    collector=_g1,
    whole_heap=True,
)

LATENCY = Profile(
    name="latency",
    about="short delays: short pauses of the collector, rows sent on within a millisecond, no mini-batches",
    process_size=lambda machine: min(machine.share(0.4, 0.6), 8192 * MB),
    memory=None,
    job_size=1600 * MB,
    gateway_heap=1024 * MB,
    slots_per_processor=2,
    settings={
        "pipeline.object-reuse": "true",
        "pipeline.auto-watermark-interval": "10 ms",
        "execution.buffer-timeout.interval": "1 ms",
        "taskmanager.network.memory.buffer-debloat.enabled": "true",
        "taskmanager.network.memory.buffer-debloat.target": "100 ms",
        "table.exec.mini-batch.enabled": "false",
        "state.backend.type": "hashmap",
    },
    collector=_short_pauses,
    whole_heap=True,
)

SMALL = Profile(
    name="small",
    about="a quick start and under 1 GB in all, for tests and trying things out; never for measuring",
    process_size=None,
    memory=TaskMemory(task_heap=384 * MB, managed=128 * MB, network=64 * MB),
    job_size=1024 * MB,
    gateway_heap=512 * MB,
    slots_per_processor=None,
    settings={
        "pipeline.object-reuse": "false",
        "execution.buffer-timeout.interval": "10 ms",
        "table.exec.mini-batch.enabled": "false",
        "state.backend.type": "hashmap",
        "parallelism.default": "1",
        "taskmanager.numberOfTaskSlots": "4",
        "taskmanager.cpu.cores": "2.0",
    },
    collector=_quick_start,
    whole_heap=False,
)

PROFILES = {each.name: each for each in (THROUGHPUT, LATENCY, SMALL)}


def find_profile(name: str) -> Profile:
    """Return the profile of that name. Raises ``ScriptError`` FX-FLK-0015 when there is none."""
    if name not in PROFILES:
        hint = nearest(name, PROFILES) or f"one of {', '.join(PROFILES)}"
        raise ScriptError("FX-FLK-0015", f"there is no profile '{name}'", hint=hint)
    return PROFILES[name]
