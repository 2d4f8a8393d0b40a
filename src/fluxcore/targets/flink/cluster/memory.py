"""How the memory of a Flink process is divided.

Flink's own start scripts work this out with a Java program; here the parts are written into the configuration one by one,
and the JVM gets the limits that follow from them, so both always agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.core import machine
from fluxcore.core.size import size_bytes
from fluxcore.errors import ScriptError
from fluxcore.limits import FLINK_HEAP_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping

MB = 1024 * 1024
TASK_PROCESS_SIZE = "taskmanager.memory.process.size"
JOB_PROCESS_SIZE = "jobmanager.memory.process.size"
GATEWAY_HEAP = "fluxcore.flink.gateway.heap.size"

_FRAMEWORK_HEAP, _FRAMEWORK_OFF_HEAP, _METASPACE = 128 * MB, 128 * MB, 256 * MB
_OVERHEAD_MIN, _OVERHEAD_MAX = 192 * MB, 1024 * MB
_NETWORK_MIN, _NETWORK_MAX = 64 * MB, 256 * MB
_MANAGED_MIN = 128 * MB
_TASK_HEAP_MIN = 64 * MB


@dataclass(frozen=True, slots=True)
class Machine:
    """Processors and memory that a cluster is sized by."""

    processors: int
    memory_bytes: int
    free_bytes: int

    @staticmethod
    def here() -> Machine:
        """Return what this machine has; where nobody tells, 4 GB with half of them free."""
        total = machine.memory_bytes() or 4096 * MB
        return Machine(machine.processors(), total, machine.free_bytes() or total // 2)

    def share(self, of_all: float, of_free: float) -> int:
        """Return the smaller of a share of all memory and one of what is free."""
        return int(min(self.memory_bytes * of_all, self.free_bytes * of_free))


@dataclass(frozen=True, slots=True)
class TaskMemory:
    """The parts of a TaskManager's memory, in bytes; overhead and metaspace are the JVM's own."""

    task_heap: int
    managed: int
    network: int
    overhead: int = _OVERHEAD_MIN
    metaspace: int = _METASPACE
    framework_heap: int = _FRAMEWORK_HEAP
    framework_off_heap: int = _FRAMEWORK_OFF_HEAP

    @staticmethod
    def of_process(size: int, managed_share: float) -> TaskMemory:
        """Divide the memory of a process: what is not needed elsewhere is the heap of the tasks.

        In: ``managed_share`` is the part for RocksDB; without it, managed memory is only what Python functions and
        batch operators may want. Raises: ``ScriptError`` FX-FLK-0014 when too little is left for the tasks.
        """
        overhead = _between(_OVERHEAD_MIN, size // 10, _OVERHEAD_MAX)
        flink = size - overhead - _METASPACE
        network = _between(_NETWORK_MIN, flink // 10, _NETWORK_MAX)
        managed = max(_MANAGED_MIN, int(flink * managed_share))
        heap = flink - network - managed - _FRAMEWORK_HEAP - _FRAMEWORK_OFF_HEAP
        if heap < _TASK_HEAP_MIN:
            least = (size - heap + _TASK_HEAP_MIN) // MB + 1
            message = f"{size // MB} MB are too little for a TaskManager"
            raise ScriptError("FX-FLK-0014", message, hint=f"give it {least} MB or more: {TASK_PROCESS_SIZE}={least}m")
        return TaskMemory(min(heap, FLINK_HEAP_BYTES_MAX - _FRAMEWORK_HEAP), managed, network, overhead)

    def settings(self) -> dict[str, str]:
        """Return Flink's keys for the parts."""
        parts = {
            "framework.heap.size": self.framework_heap,
            "framework.off-heap.size": self.framework_off_heap,
            "task.heap.size": self.task_heap,
            "task.off-heap.size": 0,
            "managed.size": self.managed,
            "network.min": self.network,
            "network.max": self.network,
            "jvm-metaspace.size": self.metaspace,
            "jvm-overhead.min": self.overhead,
            "jvm-overhead.max": self.overhead,
        }
        return {f"taskmanager.memory.{key}": size_text(size) for key, size in parts.items()}


def task_limits(values: Mapping[str, str]) -> list[str]:
    """Return the limits of a TaskManager's JVM that follow from its configuration."""
    size = {part: _size(values, f"taskmanager.memory.{part}") for part in _PARTS}
    heap = size["framework.heap.size"] + size["task.heap.size"]
    direct = size["framework.off-heap.size"] + size["task.off-heap.size"] + size["network.max"]
    return [
        f"-Xmx{heap}",
        f"-XX:MaxDirectMemorySize={direct}",
        f"-XX:MaxMetaspaceSize={size['jvm-metaspace.size']}",
    ]


_PARTS = (
    "framework.heap.size",
    "task.heap.size",
    "framework.off-heap.size",
    "task.off-heap.size",
    "network.max",
    "jvm-metaspace.size",
)


def job_limits(values: Mapping[str, str]) -> list[str]:
    """Return the limits of the JobManager's JVM."""
    size = _size(values, JOB_PROCESS_SIZE)
    heap = size - _METASPACE - _FRAMEWORK_OFF_HEAP - _OVERHEAD_MIN
    if heap < _TASK_HEAP_MIN:
        raise ScriptError("FX-FLK-0014", f"{size // MB} MB are too little for the JobManager", hint="give it 1024m")
    return [f"-Xmx{heap}", f"-XX:MaxDirectMemorySize={_FRAMEWORK_OFF_HEAP}", f"-XX:MaxMetaspaceSize={_METASPACE}"]


def gateway_limits(values: Mapping[str, str]) -> list[str]:
    """Return the limits of the SQL gateway's JVM."""
    return [f"-Xmx{_size(values, GATEWAY_HEAP)}"]


def given_size(values: Mapping[str, str], key: str) -> int | None:
    """Return a size that was set, None when it was not."""
    return _size(values, key) if key in values else None


def size_text(size: int) -> str:
    """Return a size as Flink reads it, rounded down to whole megabytes."""
    return f"{size // MB}m"


def _size(values: Mapping[str, str], key: str) -> int:
    try:
        return size_bytes(values[key])
    except ValueError as error:
        raise ScriptError("FX-FLK-0014", f"'{values[key]}' is no value for '{key}': {error}") from error


def _between(least: int, size: int, most: int) -> int:
    return max(least, min(size, most))
