"""The memory that the process of a job may take: near its end sources go slowly, over it the job fails and says what grew.

The system would end a process that takes all memory, without a word and with everything else in it. So every operator asks
here after each batch; the answer is a look at a number of the system's, at most every few milliseconds.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from fluxcore.core.machine import free_bytes
from fluxcore.errors import JobError
from fluxcore.limits import MEMORY_LOOK_S, MEMORY_SHARE_FREE, MEMORY_SHARE_TIGHT

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.runtime.metrics import NodeMetrics

_STATM = Path("/proc/self/statm")


class MemoryBudget:
    """Watches the process against ``limit`` bytes (None: what was free when the job started, but for a tenth of it).

    ``taken`` returns the bytes that the process has now.
    """

    def __init__(self, limit: int | None = None, taken: Callable[[], int] | None = None) -> None:
        self._taken = taken or process_bytes
        free = free_bytes()
        self.limit = limit or (self._taken() + int(free * MEMORY_SHARE_FREE) if free is not None else None)
        self.tight = False
        self._looked_at = 0.0
        self._metrics: list[NodeMetrics] = []

    def watch(self, metrics: NodeMetrics) -> None:
        """Add an operator to those that are named when there is too little."""
        self._metrics.append(metrics)

    def check(self) -> None:
        """Look whether there is room. Raises ``JobError`` FX-RUN-0903 when there is none."""
        now = time.perf_counter()
        if self.limit is None or now - self._looked_at < MEMORY_LOOK_S:
            return
        self._looked_at = now
        taken = self._taken()
        if taken > self.limit:
            pa.default_memory_pool().release_unused()
            taken = self._taken()
        self.tight = taken > self.limit * MEMORY_SHARE_TIGHT
        if taken > self.limit:
            raise self._too_much(taken)

    def _too_much(self, taken: int) -> JobError:
        by_state = sorted(self._metrics, key=lambda each: each.state_bytes, reverse=True)
        largest = ", ".join(f"{each.name} {_mb(each.state_bytes)}" for each in by_state[:3] if each.state_bytes)
        state = f"; state by operator: {largest}" if largest else ""
        return JobError(
            "FX-RUN-0903",
            f"the process takes {_mb(taken)}, more than its budget of {_mb(self.limit or 0)}{state}",
            hint="keep less (a window, an interval, table.exec.state.ttl), or raise taskmanager.memory.process.size",
        )


def process_bytes() -> int:
    """Return the bytes of memory that this process has; where the system doesn't tell, the most that it ever had."""
    if _STATM.is_file():
        return int(_STATM.read_bytes().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _mb(size: int) -> str:
    return f"{size / 2**20:,.0f} MB"
