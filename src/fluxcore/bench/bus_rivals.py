"""One measurement of another bus, in a process of its own and in the rivals' own environment: needs nothing of FluxCore.

``python bus_rivals.py TASK`` does what the JSON object says and prints what it measured as one line of JSON. A library or a server
that is not there is told as ``missing``.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import math
import os
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    Task = dict[str, Any]
    Found = dict[str, Any]

PAYLOAD = {"id": 1, "region": "eu", "amount": 12.5}
_START_S = 20.0


class MissingError(Exception):
    """A rival, or a part of it, that is not installed."""


def need(name: str) -> Any:
    """Return a library. Raises ``MissingError``."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingError(f"{name} is not installed") from error


# -- in memory ------------------------------------------------------------------------------------------------------


def blinker(task: Task) -> Found:
    """Send to one receiver, which is called at once: there is no queue."""
    library = need("blinker")
    signal = library.signal("orders")
    handled = 0

    def take(_: Any, **__: Any) -> None:
        nonlocal handled
        handled += 1

    signal.connect(take)
    start = time.perf_counter()
    for _ in range(task["calls"]):
        signal.send("orders", event=PAYLOAD)
    seconds = time.perf_counter() - start
    assert handled == task["calls"]
    return {"seconds": seconds, "configuration": f"blinker {version('blinker')}: signal.send, one plain receiver"}


def pyee(task: Task) -> Found:
    """Emit to one coroutine function on the event loop, each event in a task of its own, 256 at a time."""
    library = need("pyee.asyncio")
    handled = 0

    async def main() -> float:
        emitter = library.AsyncIOEventEmitter()

        async def take(_: Any) -> None:
            nonlocal handled
            handled += 1

        emitter.on("orders", take)
        start = time.perf_counter()
        for number in range(task["calls"]):
            emitter.emit("orders", PAYLOAD)
            if not number % 256:
                await asyncio.sleep(0)
        await emitter.wait_for_complete()
        return time.perf_counter() - start

    seconds = asyncio.run(main())
    assert handled == task["calls"]
    return {"seconds": seconds, "configuration": f"pyee {version('pyee')}: AsyncIOEventEmitter, one coroutine function"}


def bubus(task: Task) -> Found:
    """Dispatch typed events to one coroutine function, as many at a time as the bus takes."""
    os.environ.setdefault("BUBUS_LOGGING_LEVEL", "ERROR")
    library = need("bubus")
    calls = min(task["calls"], 2000)
    handled = 0

    class Order(library.BaseEvent):  # type: ignore[name-defined]
        id: int
        region: str
        amount: float

    async def main() -> float:
        bus = library.EventBus(name="orders", max_history_size=50)

        async def take(_: Any) -> None:
            nonlocal handled
            handled += 1

        bus.on(Order, take)
        start = time.perf_counter()
        for _ in range(calls // 40):
            for event in [bus.dispatch(Order(**PAYLOAD)) for _ in range(40)]:
                await event
        seconds = time.perf_counter() - start
        await bus.stop()
        return seconds

    seconds = asyncio.run(main())
    assert handled == calls
    text = f"bubus {version('bubus')}: EventBus(max_history_size=50), one coroutine function, 40 events at a time"
    return {"seconds": seconds, "calls": calls, "configuration": text}


def pyee_open_loop(task: Task) -> Found:
    """Emit events each at its own moment; how long until the handler has it."""
    library = need("pyee.asyncio")

    async def main() -> list[float]:
        emitter = library.AsyncIOEventEmitter()
        late: list[float] = []

        async def take(due: float) -> None:
            late.append(time.perf_counter() - due)

        emitter.on("orders", take)
        await at_rate(task["rate"], task["calls"], lambda due: emitter.emit("orders", due))
        await emitter.wait_for_complete()
        return late

    return {**quantiles(asyncio.run(main())), "configuration": f"pyee {version('pyee')}: AsyncIOEventEmitter"}


async def at_rate(rate: int, count: int, publish: Callable[[float], object]) -> None:
    """Call ``publish`` with the moment at which each of ``count`` events is due, as soon as it is."""
    start, done = time.perf_counter() + 0.05, 0
    while done < count:
        due = min(int((time.perf_counter() - start) * rate), count)
        while done < due:
            publish(start + done / rate)
            done += 1
        await asyncio.sleep(0)


def quantiles(late: list[float]) -> Found:
    """Return mean and quantiles in milliseconds."""
    late.sort()
    last = len(late) - 1
    return {
        "mean_ms": round(sum(late) / len(late) * 1000, 3),
        "p50_ms": round(late[last // 2] * 1000, 3),
        "p99_ms": round(late[math.ceil(last * 0.99)] * 1000, 3),
    }


# -- on the disk ----------------------------------------------------------------------------------------------------


def sqlite(task: Task) -> Found:
    """Insert into a table; what waits is one transaction on a thread, so that publishers share a sync."""
    full = task["acks"] == "disk"
    path = Path(task["folder"]) / "log.db"
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    settings = {"journal_mode": "WAL", "synchronous": "FULL" if full else "NORMAL", "wal_autocheckpoint": 10_000}
    for name, value in settings.items():
        connection.execute(f"PRAGMA {name} = {value}")
    connection.execute("CREATE TABLE log (offset INTEGER PRIMARY KEY, subject TEXT, key TEXT, data BLOB)")

    def write(payloads: list[bytes]) -> None:
        connection.execute("BEGIN")
        rows = (("orders.eu", "k", payload) for payload in payloads)
        connection.executemany("INSERT INTO log (subject, key, data) VALUES (?, ?, ?)", rows)
        connection.execute("COMMIT")

    async def main() -> tuple[float, int]:
        async def send(payloads: list[bytes]) -> None:
            await asyncio.to_thread(write, payloads)

        return await publish_all(task, send)

    seconds, commits = asyncio.run(main())
    connection.close()
    text = f"SQLite {sqlite3.sqlite_version}: {settings}, what waits in one transaction"
    return {
        "seconds": seconds,
        "fsyncs": commits if full else None,
        "bytes": path.stat().st_size,
        "configuration": text,
    }


def redis(task: Task) -> Found:
    """Add to a stream of a server of its own; what waits goes in one pipeline."""
    library = need("redis.asyncio")
    settings = ["--appendonly", "yes", "--appendfsync", "always" if task["acks"] == "disk" else "no", "--save", ""]

    async def main(path: str) -> tuple[float, int]:
        client = library.Redis(unix_socket_path=path)
        await ready(client.ping)

        async def send(payloads: list[bytes]) -> None:
            pipeline = client.pipeline(transaction=False)
            for payload in payloads:
                pipeline.xadd("orders", {"s": "orders.eu", "k": "k", "d": payload})
            await pipeline.execute()

        try:
            return await publish_all(task, send)
        finally:
            await client.aclose()

    path = str(Path(task["folder"]) / "redis.sock")
    program = server("redis-server")
    command = [program, "--port", "0", "--unixsocket", path, "--dir", task["folder"], *settings]
    with running(command, task["folder"]):
        seconds, _ = asyncio.run(main(path))
    number = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split("v=")[1]
    text = f"Redis {number.split()[0]} by a Unix socket, {' '.join(settings[:4])}; what waits goes in one pipeline"
    return {"seconds": seconds, "fsyncs": None, "bytes": folder_bytes(task["folder"]), "configuration": text}


def nats(task: Task) -> Found:
    """Publish to a JetStream stream in files of a server of its own; each publisher awaits its acknowledgement."""
    library = need("nats")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    sync = "always" if task["acks"] == "disk" else "2m"
    folder = Path(task["folder"])
    text = f'host: 127.0.0.1\nport: {port}\nmax_payload: 8MB\njetstream {{ store_dir: "{folder}", sync_interval: {sync} }}\n'
    (folder / "nats.conf").write_text(text)

    async def main() -> tuple[float, int]:
        await ready(lambda: asyncio.open_connection("127.0.0.1", port))
        client = await library.connect(f"nats://127.0.0.1:{port}")
        stream = client.jetstream()
        await stream.add_stream(name="orders", subjects=["orders.>"])
        gate = asyncio.Semaphore(1024 if task["publishers"] > 1 or not task.get("payload") else 8)

        async def one(payload: bytes) -> None:
            async with gate:
                await stream.publish("orders.eu", payload, timeout=60)

        start = time.perf_counter()
        payloads, count = payload_of(task), task["calls"]
        each = max(count // task["publishers"], 1)

        async def publisher() -> None:
            for _ in range(each):
                await one(payloads)

        if task["publishers"] > 1:
            await asyncio.gather(*(publisher() for _ in range(task["publishers"])))
        else:
            await asyncio.gather(*(one(payloads) for _ in range(count)))
        seconds = time.perf_counter() - start
        await client.close()
        return seconds, 0

    program = server("nats-server")
    with running([program, "-c", str(folder / "nats.conf")], task["folder"]):
        seconds, _ = asyncio.run(main())
    number = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split("v")[-1]
    text = (
        f"NATS JetStream {number.strip()} by loopback, file store, sync_interval {sync}, nats-py {version('nats-py')}"
    )
    return {"seconds": seconds, "fsyncs": None, "bytes": folder_bytes(task["folder"]), "configuration": text}


async def publish_all(task: Task, send: Callable[[list[bytes]], Awaitable[None]]) -> tuple[float, int]:
    """Let the publishers send their payloads, each awaiting it before the next; return seconds and how often was sent."""
    payload, sends = payload_of(task), 0
    waiting: list[tuple[bytes, asyncio.Future[None]]] = []
    some = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def sender() -> None:
        nonlocal waiting, sends
        while True:
            await some.wait()
            some.clear()
            taken, waiting = waiting, []
            if taken:
                await send([each for each, _ in taken])
                sends += 1
                for _, done in taken:
                    done.set_result(None)

    async def publisher(count: int) -> None:
        for _ in range(count):
            done = loop.create_future()
            waiting.append((payload, done))
            some.set()
            await done

    task_of_sender = asyncio.create_task(sender())
    start = time.perf_counter()
    await asyncio.gather(*(publisher(task["calls"] // task["publishers"]) for _ in range(task["publishers"])))
    seconds = time.perf_counter() - start
    task_of_sender.cancel()
    return seconds, sends


def payload_of(task: Task) -> bytes:
    """Return what each call sends: a batch from a file, or random bytes."""
    return Path(task["payload"]).read_bytes() if task.get("payload") else os.urandom(task["payload_bytes"])


# -- servers --------------------------------------------------------------------------------------------------------


def server(name: str) -> str:
    """Return the path of a server's program, of this environment or of the system. Raises ``MissingError``."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        raise MissingError(f"{name} is not installed")
    return found


@contextlib.contextmanager
def running(command: list[str], folder: str) -> Iterator[None]:
    """Run a server meanwhile; what it prints goes to a file."""
    with (Path(folder) / "server.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


async def ready(ask: Callable[[], Awaitable[object]]) -> None:
    """Ask until there is an answer."""
    deadline = time.monotonic() + _START_S
    while True:
        try:
            await ask()
        except Exception:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.02)
        else:
            return


def folder_bytes(folder: str) -> int:
    """Return how much a folder's files hold."""
    return sum(each.stat().st_size for each in Path(folder).rglob("*") if each.is_file())


MEASURES: dict[tuple[str, str], Callable[[Task], Found]] = {
    ("memory", "blinker"): blinker,
    ("memory", "pyee"): pyee,
    ("memory", "bubus"): bubus,
    ("open-loop", "pyee"): pyee_open_loop,
    ("disk", "sqlite"): sqlite,
    ("disk", "redis"): redis,
    ("disk", "nats"): nats,
}


def peak_rss_mb() -> float:
    """Return the most memory that this process has held, in millions of bytes."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main() -> int:
    """Do the task that the first argument describes."""
    task = json.loads(sys.argv[1])
    try:
        found = MEASURES[task["kind"], task["engine"]](task)
        found["peak_rss_mb"] = round(peak_rss_mb(), 1)
    except MissingError as error:
        found = {"missing": str(error)}
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
