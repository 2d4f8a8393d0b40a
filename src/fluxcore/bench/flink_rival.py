"""Apache Flink as the rival: a local cluster at its best, on the same files and with the same query text.

The cluster is started once, with the profile for throughput: G1 and the full JIT, object reuse, state on the heap, and a heap
that is large beside the data and touched before anything runs. A still larger one made Flink no faster, and one that is first
touched while a query runs made it slower. Before the timed runs each query runs twice and is dropped: once with mini-batches and
once without; the faster way is taken. The first query of a cluster runs once more before that. The rows go into Flink's blackhole. What is timed is the job on the cluster, from its first task's
start to its last one's end; planning and deployment are reported as start-up.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fluxcore.bench.engines import result_schema
from fluxcore.bench.queries import flink_tables, query_of
from fluxcore.errors import JobError
from fluxcore.targets.flink.address import cluster_at
from fluxcore.targets.flink.cluster.commands import TASKMANAGER
from fluxcore.targets.flink.cluster.configuration import ClusterOptions
from fluxcore.targets.flink.cluster.memory import MB, Machine, TaskMemory, size_text
from fluxcore.targets.flink.cluster.profiles import THROUGHPUT
from fluxcore.targets.flink.cluster.shared import running_cluster
from fluxcore.targets.flink.rest import RestError
from fluxcore.targets.flink.statements import statements_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fluxcore.bench.worker import Task
    from fluxcore.targets.flink.address import Cluster
    from fluxcore.targets.flink.cluster.record import Cluster as LocalCluster

_MINI_BATCH = "table.exec.mini-batch.enabled"
_CANT = {
    "q6": "OVER takes no updated rows in Flink",
    "q13": "Flink's filesystem connector can't be looked up",
}
"""Queries that Flink does not execute, and why."""


_TASK_HEAP, _TASK_JAVA = "taskmanager.memory.task.heap.size", "env.java.opts.taskmanager"
_HEAP_MIN_BYTES = 4096 * MB
_HEAP_PER_DATA = 4
_HEAPS_MB = (128, 256, 512, 1024, 2048, 4096, 8192)
_KEPT_SPEED = 0.9


def best_heap(data_bytes: int) -> dict[str, str]:
    """Return the settings of the heap with which Flink is fastest on so much data, as far as the machine has it."""
    heap = max(_HEAP_MIN_BYTES, _HEAP_PER_DATA * data_bytes)
    size = THROUGHPUT.process_size
    most = TaskMemory.of_process(size(Machine.here()), 0.0).task_heap if size is not None else heap
    pages = " -XX:+UseTransparentHugePages" if sys.platform == "linux" else ""
    return {_TASK_HEAP: size_text(min(heap, most)), _TASK_JAVA: f"-XX:+AlwaysPreTouch{pages}"}


class FlinkRival:
    """A cluster of its own, ended with :meth:`close`. In: ``heap`` the settings of its heap, such as :func:`best_heap` gives."""

    def __init__(self, threads: int, tell: Callable[[str], None], heap: Mapping[str, str]) -> None:
        self._stack = ExitStack()
        self._mini_batch: dict[str, str] = {}
        settings = {"parallelism.default": str(threads), **heap}
        options = ClusterOptions("throughput", jars=("parquet",), settings=settings)
        self._local: LocalCluster = self._stack.enter_context(running_cluster(options, tell))
        self._cluster = cluster_at(f"{self._local.address}?jobmanager={self._local.host}:{self._local.rest_port}")

    @property
    def version(self) -> str:
        """Return Flink's version."""
        return self._local.version

    def refuses(self, query: str) -> str | None:
        """Return why Flink does not execute a query, or None."""
        return _CANT.get(query)

    def warm(self, task: Task) -> str:
        """Run a query with mini-batches and without; return the faster way, which the timed runs take."""
        if not self._mini_batch:  # the JVM has compiled nothing yet
            self._run(task, "true")
        seconds = {way: self._run(task, way)["seconds"] for way in ("true", "false")}
        self._mini_batch[task.query] = min(seconds, key=lambda way: seconds[way])
        return "with mini-batches" if self._mini_batch[task.query] == "true" else "without mini-batches"

    def run(self, task: Task) -> dict[str, Any]:
        """Run a query once; return its measurements."""
        return self._run(task, self._mini_batch[task.query])

    def close(self) -> None:
        """End the cluster."""
        self._stack.close()

    def _run(self, task: Task, mini_batch: str) -> dict[str, Any]:
        configuration = self._configuration(task, mini_batch)
        return run_query(self._cluster, task, configuration) | {
            "peak_rss_mb": round(self._peak_rss_mb(), 1),
            "result_rows": None,
            "checksum": None,
            "configuration": configuration | self._memory(),
        }

    def _configuration(self, task: Task, mini_batch: str) -> dict[str, str]:
        return {
            "parallelism.default": str(task.parallelism),
            "pipeline.object-reuse": "true",
            _MINI_BATCH: mini_batch,
            "table.exec.mini-batch.allow-latency": "1 s",
            "table.exec.mini-batch.size": "5000",
        }

    def _memory(self) -> dict[str, str]:
        kept = {"state.backend.type": THROUGHPUT.settings["state.backend.type"], **self._local.settings}
        return {key: kept[key] for key in ("state.backend.type", _TASK_HEAP, _TASK_JAVA) if key in kept}

    def _peak_rss_mb(self) -> float:
        """Return the most memory that the TaskManagers have held, in millions of bytes."""
        peak = 0.0
        for process in self._local.processes:
            status = Path(f"/proc/{process.pid}/status")
            if process.role == TASKMANAGER and status.is_file():
                lines = status.read_text().splitlines()
                peak += sum(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:"))
        return peak


def run_query(cluster: Cluster, task: Task, configuration: Mapping[str, str]) -> dict[str, float]:
    """Run a query on a cluster, its rows into a blackhole; return ``seconds`` and ``startup_seconds``.

    Raises: ``JobError`` FX-BEN-0002 with the root cause when Flink refuses the query or its job fails.
    """
    query = query_of(task.query)
    columns = ", ".join(f"c{index} {each.type.sql()}" for index, each in enumerate(result_schema(query)))
    script = flink_tables(query, task.source, {table: Path(path) for table, path in task.paths.items()})
    script += f"CREATE TABLE nexmark_result ({columns}) WITH ('connector' = 'blackhole');\n"
    try:
        with cluster.gateway.session(configuration) as session:
            for statement in statements_of(script):
                session.run(statement.text)
            id_ = session.run(f"INSERT INTO nexmark_result\n{query.flink}").job
            assert id_ is not None
            state = cluster.jobmanager.wait(id_)
    except RestError as error:
        raise JobError("FX-BEN-0002", f"flink failed on {query.name}: {error.message}") from error
    if state != "FINISHED":
        raise JobError("FX-BEN-0002", f"flink failed on {query.name}: {cluster.jobmanager.failure(id_)}")
    return _measured(cluster.jobmanager.job(id_))


def smallest_heap(task: Task, seconds: float, tell: Callable[[str], None]) -> dict[str, Any]:
    """Return the least memory with which Flink keeps nine tenths of its speed on a query.

    In: ``seconds`` it takes with the best heap. Out: ``heap_mb`` of the tasks and ``peak_rss_mb`` of the TaskManager,
    of the first size that is quick enough; each is tried on a cluster of its own, so this takes minutes.
    """
    for heap_mb in _HEAPS_MB:
        with closing(FlinkRival(task.parallelism, lambda _: None, {_TASK_HEAP: f"{heap_mb}m"})) as rival:
            try:
                rival.warm(task)
                found = min((rival.run(task) for _ in range(2)), key=lambda each: each["seconds"])
            except JobError as error:  # out of memory
                tell(f"{task.query}: flink with a heap of {heap_mb} MB: {error.message.splitlines()[0][:100]}")
                continue
        tell(
            f"{task.query}: flink with a heap of {heap_mb} MB: {found['seconds']:.2f} s, {found['peak_rss_mb']:.0f} MB"
        )
        if found["seconds"] * _KEPT_SPEED <= seconds:
            return {"heap_mb": heap_mb, "peak_rss_mb": found["peak_rss_mb"]}
    return {"heap_mb": None, "peak_rss_mb": None}


def _measured(job: Mapping[str, Any]) -> dict[str, float]:
    """Return the seconds of a job from its first task's start to its last one's end, and those before."""
    first = min(each["start-time"] for each in job["vertices"])
    last = max(each["end-time"] for each in job["vertices"])
    return {"seconds": (last - first) / 1000, "startup_seconds": (first - job["start-time"]) / 1000}
