"""``fluxcore bench latency``: how long after the event that completes a window its result is there.

Events come at a steady rate, each at its own moment, and go through a keyed tumbling window into Python. The event that
completes a window is the first one whose time lets the watermark pass it. Latency is the wall time from the moment at which
that event was due to the moment at which the program holds the window's rows, so that waiting and batching count.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from rich.console import Console

from fluxcore.api.session import Session
from fluxcore.runtime.kernels import use_cache_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_PAUSE_S = 0.0005
_SCHEMA = pa.schema([("k", pa.int64()), ("v", pa.int64()), ("ts", pa.timestamp("ms"))])
_QUERY = """
SELECT k, window_end, COUNT(*) AS n, SUM(v) AS total
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '{seconds}' SECOND(3)))
GROUP BY k, window_start, window_end
"""


@dataclass(frozen=True)
class LatencyOptions:
    """What the command line says: events a second, seconds, keys, the window in ms, and the file for the results."""

    rate: int = 50_000
    seconds: int = 10
    keys: int = 100
    window_ms: int = 20
    parallelism: int = 2
    json: str | None = None


def run(options: LatencyOptions) -> int:
    """Measure, print a line, write the JSON file; return the exit code."""
    use_cache_folder()
    _measure(options, 1.0)  # so that compiled code is in memory
    latencies = _measure(options, float(options.seconds))
    found = {
        "case": f"keyed window at {options.rate:,} events/s",
        "engine": "fluxcore",
        "windows": len(latencies),
        "mean_ms": round(float(latencies.mean()), 3),
        "p50_ms": round(float(np.percentile(latencies, 50)), 3),
        "p99_ms": round(float(np.percentile(latencies, 99)), 3),
        "max_ms": round(float(latencies.max()), 3),
        "rows_per_s": options.rate,
        "seconds": [options.seconds],
    }
    Console().print(
        f"{options.rate:,} events/s, {options.keys} keys, windows of {options.window_ms} ms, parallelism "
        f"{options.parallelism}, fluxcore {version('fluxcore')}: from the event that completes a window to its result: "
        f"mean {found['mean_ms']} ms, median {found['p50_ms']} ms, p99 {found['p99_ms']} ms, "
        f"longest {found['max_ms']} ms, of {found['windows']:,} windows",
        soft_wrap=True,
    )
    if options.json:
        Path(options.json).write_text(json.dumps({"results": [found]}, indent=1) + "\n", "utf-8")
    return 0


def _measure(options: LatencyOptions, seconds: float) -> NDArray[np.float64]:
    """Return the latency (ms) of each window."""
    start = time.perf_counter() + 0.3
    count = int(options.rate * seconds)

    def events() -> Iterator[pa.RecordBatch]:
        """Yield the events that are due, each at the moment number / rate after the start."""
        done = 0
        while done < count:
            due = min(int((time.perf_counter() - start) * options.rate), count)
            if due <= done:
                time.sleep(_PAUSE_S)
                continue
            numbers = np.arange(done, due)
            times = pa.array(numbers * 1000 // options.rate).view(pa.timestamp("ms"))
            yield pa.RecordBatch.from_arrays(
                [pa.array(numbers % options.keys), pa.array(numbers), times], schema=_SCHEMA
            )
            done = due

    session = Session({"parallelism.default": str(options.parallelism)})
    reader = pa.RecordBatchReader.from_batches(_SCHEMA, events())
    session.from_arrow(reader, name="events", watermark=("ts", "0 s"))
    seconds_text = f"{options.window_ms / 1000:.3f}"
    latencies: list[float] = []
    last = -1
    for batch in session.sql(_QUERY.format(seconds=seconds_text)).batches():
        now = time.perf_counter()
        ends = np.asarray(batch.column(1).cast(pa.timestamp("ms")).view(pa.int64()))
        # the first event of a window's last millisecond lets the watermark pass its end
        latencies += [(now - start) * 1000 - (end - 1) for end in np.unique(ends[ends > last]).tolist()]
        last = max(last, int(ends.max()))
    # the windows that the end of the input completes are not complete by an event
    return np.array(latencies[:-1])
