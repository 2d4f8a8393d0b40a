"""One measurement of the bus, in a process of its own: what the first argument says, as one line of JSON."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
import tracemalloc
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fluxcore.api.bus import Bus
from fluxcore.bench.bus_rivals import PAYLOAD, at_rate, payload_of, quantiles
from fluxcore.bench.worker import peak_rss_mb
from fluxcore.bus.event import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.bus.log.log import LogStatistics as Statistics

    Found = dict[str, Any]


@dataclass(frozen=True)
class BusTask:
    """What is measured: a ``kind``, on an engine, by a handler of a ``form``; ``calls`` of ``publishers`` with ``acks``.

    ``payload`` is a file with a batch as an Arrow stream, for calls that publish batches; ``payload_bytes`` the size of others.
    """

    kind: str
    engine: str
    form: str = ""
    calls: int = 0
    publishers: int = 1
    acks: str = "memory"
    folder: str = ""
    payload: str | None = None
    payload_bytes: int = 160
    rate: int = 50_000

    def to_json(self) -> str:
        """Return the task as a worker's argument."""
        return json.dumps(asdict(self))


def memory(task: BusTask) -> Found:
    """Publish events one by one, each awaited, to one handler; or batches where there is a payload."""
    handled = 0

    async def take(_: Event) -> None:
        nonlocal handled
        handled += 1

    def plain(_: Event) -> None:
        nonlocal handled
        handled += 1

    async def rows(batch: pa.RecordBatch) -> None:
        nonlocal handled
        handled += batch.num_rows

    async def main() -> float:
        bus = Bus()
        if task.form == "batches":
            bus.on("orders.>", group="g")(rows)
        else:
            bus.on("orders.>", group="g", inline=task.form == "inline")(take if "async" in task.form else plain)
        data: Any = _batch_of(task) if task.payload else PAYLOAD
        keys = [f"o-{number}" for number in range(1000)]
        async with bus:
            start = time.perf_counter()
            if task.form == "async, with keys":
                for number in range(task.calls):
                    await bus.publish("orders.eu", data, key=keys[number % 1000])
            else:
                for _ in range(task.calls):
                    await bus.publish("orders.eu", data)
            await bus.drain()
            return time.perf_counter() - start

    seconds = asyncio.run(main())
    assert handled == task.calls * (_batch_of(task).num_rows if task.payload else 1)
    text = f"fluxcore {version('fluxcore')}: memory:, handler {task.form}, each publish awaited"
    return {"seconds": seconds, "configuration": text}


def waiting(task: BusTask) -> Found:
    """Let events or batches wait in a topic for a group; return the bytes that each takes beside its payload."""

    async def main() -> float:
        bus = Bus()
        bus.topic("orders", max_lag=1 << 40)
        bus.on("orders.>", group="g")(lambda event: None)  # noqa: ARG005
        data: Any = _batch_of(task) if task.payload else PAYLOAD
        async with bus:
            await bus.publish("orders.eu", data)
            await bus.drain()
            bus.pause("g")
            gc.collect()
            tracemalloc.start()
            for _ in range(task.calls):
                bus.publish("orders.eu", data)
            gc.collect()
            held = tracemalloc.get_traced_memory()[0]
            tracemalloc.stop()
            bus.resume("g")
        return held / task.calls / (data.num_rows if task.payload else 1)

    return {"bytes_per_event": round(asyncio.run(main()), 3)}


def open_loop(task: BusTask) -> Found:
    """Publish events each at its own moment; how long until the handler has it."""
    late: list[float] = []

    async def take(due: float) -> None:
        late.append(time.perf_counter() - due)

    def plain(due: float) -> None:
        late.append(time.perf_counter() - due)

    async def main() -> None:
        bus = Bus()
        bus.on("orders.>", group="g")(take if task.form == "async" else plain)
        async with bus:
            await at_rate(task.rate, task.calls, lambda due: bus.publish("orders.eu", due))
            await bus.drain()

    asyncio.run(main())
    assert len(late) == task.calls
    return {**quantiles(late), "configuration": f"fluxcore {version('fluxcore')}: memory:, handler {task.form}"}


def disk(task: BusTask) -> Found:
    """Publish to a topic in a folder from many publishers, each awaiting its receipt before the next."""
    data: Any = _batch_of(task) if task.payload else payload_of(asdict(task))

    async def main() -> tuple[float, Statistics]:
        bus = Bus(f"file:{task.folder}")
        bus.topic("orders", acks=task.acks)

        async def publisher(count: int) -> None:
            for _ in range(count):
                await bus.publish("orders.eu", data, key="k")

        async with bus:
            await bus.publish("orders.eu", data, key="k")  # opens the log
            start = time.perf_counter()
            if task.payload:
                await _in_turns(lambda: bus.publish("orders.eu", data), task.calls)
            else:
                await asyncio.gather(*(publisher(task.calls // task.publishers) for _ in range(task.publishers)))
            return time.perf_counter() - start, _of_log(bus)

    seconds, log = asyncio.run(main())
    text = f"file:, acks={task.acks}, {task.publishers} publishers on one event loop"
    if task.payload:
        text = f"file:, acks={task.acks}, one publisher with at most 32 batches on their way"
    return {
        "seconds": seconds,
        "fsyncs": log.syncs,
        "bytes": log.bytes,
        "configuration": f"fluxcore {version('fluxcore')}: {text}",
    }


async def _in_turns(publish: Callable[[], Any], calls: int, ahead: int = 32) -> None:
    """Publish so many batches, with at most ``ahead`` of them not acknowledged."""
    pending: list[Any] = []
    for _ in range(calls):
        pending.append(publish())
        if len(pending) == ahead:
            await pending.pop(0)
    for each in pending:
        await each


def _of_log(bus: Bus) -> Statistics:
    topic: Any = bus._topics.by_name["orders"]
    found: Statistics = topic._outbox.log.statistics()
    return found


def _batch_of(task: BusTask) -> pa.RecordBatch:
    assert task.payload is not None
    return pa.ipc.open_stream(Path(task.payload).read_bytes()).read_next_batch()


MEASURES: dict[str, Callable[[BusTask], Found]] = {
    "memory": memory,
    "waiting": waiting,
    "open-loop": open_loop,
    "disk": disk,
}


def main() -> int:
    """Do the task that the first argument describes."""
    task = BusTask(**json.loads(sys.argv[1]))
    found = MEASURES[task.kind](task)
    found["peak_rss_mb"] = round(peak_rss_mb(), 1)
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
