"""A bus in a folder: what it keeps, what other processes see of it, and what it says when the disk or another process is in the way."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import fluxcore as fx
from fluxcore.bus.log import Reader
from fluxcore.bus.rows import events_of
from fluxcore.bus.transports.file.layout import Folder
from fluxcore.bus.transports.file.transport import FileTransport
from fluxcore.testing.disk import SimulatedDisk
from fluxcore.testing.faults import Faults

Test = Callable[[fx.Bus], Coroutine[Any, Any, None]]


def run(folder: Path, test: Test, *, drain: bool = True) -> fx.Bus:
    """Run a test on a bus in a folder, which is closed behind it."""
    bus = fx.Bus(f"file:{folder}")

    async def main() -> None:
        async with asyncio.timeout(60), bus:
            await test(bus)
            await bus.close(drain=drain)

    asyncio.run(main())
    return bus


def on_disk(disk: SimulatedDisk, test: Test) -> None:
    """The same on a simulated disk."""
    bus = fx.Bus(transport=FileTransport("bus", disk, 1 << 16))

    async def main() -> None:
        async with asyncio.timeout(60), bus:
            await test(bus)

    asyncio.run(main())


def test_what_was_published_is_there_in_the_next_process(tmp_path: Path) -> None:
    async def write(bus: fx.Bus) -> None:
        receipts = await asyncio.gather(
            *(_awaited(bus.publish("orders.eu", {"n": n}, key=f"k{n % 3}")) for n in range(50))
        )
        assert sorted(each.offset for each in receipts) == list(range(50))
        assert {each.survives for each in receipts} == {"disk"}
        assert (await bus.publish("orders.raw", b"\x00\xff", headers={"a": "b"}, id="x", acks="os")).survives == "os"

    async def read(bus: fx.Bus) -> None:
        events = [event async for event in bus.read("orders.>")]
        assert [event.data for event in events] == [{"n": n} for n in range(50)] + [b"\x00\xff"]
        assert (events[-1].headers, events[-1].id, events[4].key) == ({"a": "b"}, "x", "k1")
        assert [event.data async for event in bus.read("orders.eu", start=48)] == [{"n": 48}, {"n": 49}]
        assert [event.data["n"] async for event in bus.read("orders.eu", where="n >= 48")] == [48, 49]

    run(tmp_path, write)
    run(tmp_path, read)
    with Reader.open(Folder(str(tmp_path)).topic("orders")) as reader:  # without any bus
        found = [event for frame in reader.read() for event in events_of(frame.batch, frame.offsets.tolist(), "orders")]
    assert [event.offset for event in found] == list(range(51))


async def _awaited(publishing: Any) -> fx.Receipt:
    found: fx.Receipt = await publishing
    return found


def test_scripts_and_threads_publish_too(tmp_path: Path) -> None:
    got: list[int] = []
    bus = fx.Bus(f"file:{tmp_path}")

    @bus.on("n", group="g")
    def take(n: int) -> None:
        got.append(n)
        if n < 4:
            assert bus.publish("n", n + 10).result(30).survives == "disk"

    def publish(first: int) -> None:
        for n in range(first, first + 4):
            bus.publish("n", n).result(30)

    with bus:
        threads = [threading.Thread(target=publish, args=(first,)) for first in (0, 100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert bus.wait(bus.drain(30))
    assert sorted(got) == [0, 1, 2, 3, 10, 11, 12, 13, 100, 101, 102, 103]


def test_waiting_on_the_event_loop_for_a_result_is_refused(tmp_path: Path) -> None:
    async def test(bus: fx.Bus) -> None:
        with pytest.raises(fx.BusError) as caught:
            bus.publish("n", 1).result()
        assert caught.value.code == "FX-BUS-0305"

    run(tmp_path, test)


WRITER = """
import sys, fluxcore as fx
with fx.Bus("file:" + sys.argv[1]) as bus:
    for line in sys.stdin:
        subject, n = line.split()
        print(bus.publish(subject, int(n)).result(30).offset, flush=True)
"""


def test_a_process_follows_what_another_one_writes(tmp_path: Path) -> None:
    got: list[tuple[str, int]] = []

    async def test(bus: fx.Bus) -> None:
        done = asyncio.Event()

        @bus.on([">"], group="g")
        async def take(n: int, event: fx.Event) -> None:
            got.append((event.subject, n))
            if len(got) == 3:
                done.set()

        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdin is not None
            assert writer.stdout is not None
            for line in ("a.x 1", "b.x 2", "a.x 3"):
                writer.stdin.write(line + "\n")
                writer.stdin.flush()
                await asyncio.to_thread(writer.stdout.readline)
            await done.wait()
            with pytest.raises(fx.FluxError) as caught:
                await bus.publish("a.x", 4)  # a topic has one writer
            assert caught.value.code == "FX-LOG-0001"
            assert str(writer.pid) in caught.value.message
            writer.stdin.close()
        assert (await bus.publish("a.x", 4)).offset == 2
        await bus.drain()

    run(tmp_path, test)
    assert sorted(got) == [("a.x", 1), ("a.x", 3), ("a.x", 4), ("b.x", 2)]


def test_a_group_runs_in_one_process(tmp_path: Path) -> None:
    async def test(bus: fx.Bus) -> None:
        bus.on("n", group="g")(lambda _: None)
        other = fx.Bus(f"file:{tmp_path}")
        other.on("n", group="g")(lambda _: None)
        with pytest.raises(fx.BusError) as caught:
            async with other:
                pass
        assert caught.value.code == "FX-BUS-0402"
        assert str(os.getpid()) in caught.value.message

    run(tmp_path, test)
    run(tmp_path, _on_g)


async def _on_g(bus: fx.Bus) -> None:
    bus.on("n", group="g")(lambda _: None)


def test_a_full_disk_and_a_broken_one_are_told_to_the_publisher() -> None:
    disk = SimulatedDisk()

    async def full(bus: fx.Bus) -> None:
        await bus.publish("n", 1)
        disk.faults = Faults(0, errno.ENOSPC, kinds=frozenset({"write"}), only=".seg")
        with pytest.raises(fx.FluxError) as caught:
            await bus.publish("n", 2)
        assert caught.value.code == "FX-LOG-0005"
        assert (await bus.publish("n", 3)).offset == 1
        assert bus.statistics()["n"]["failed"] == 1

    async def broken(bus: fx.Bus) -> None:
        await bus.publish("n", 4)
        disk.faults = Faults(0, errno.EIO, kinds=frozenset({"sync"}), only=".seg")
        for n in (5, 6):
            with pytest.raises(fx.FluxError) as caught:
                await bus.publish("n", n)
            assert caught.value.code == "FX-LOG-0004"
        assert [event.data async for event in bus.read("n")] == [1, 3, 4]

    async def after(bus: fx.Bus) -> None:
        await bus.publish("n", 7)
        assert [event.data async for event in bus.read("n")][:3] == [1, 3, 4]

    for test in (full, broken, after):
        on_disk(disk, test)
        disk.faults = None


def test_a_log_that_can_not_be_opened_is_told_to_all_who_wait() -> None:
    disk = SimulatedDisk(Faults(0, errno.EIO, times=10**6, kinds=frozenset({"allocate"})))

    async def test(bus: fx.Bus) -> None:
        found = await asyncio.gather(*(_awaited(bus.publish("n", n)) for n in range(3)), return_exceptions=True)
        assert all(isinstance(each, fx.FluxError) for each in found)
        assert bus.statistics()["n"]["failed"] == 3

    on_disk(disk, test)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_is_refused(tmp_path: Path) -> None:
    async def test(bus: fx.Bus) -> None:
        await bus.publish("old", 1)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                codes = []
                for subject in ("old", "new"):
                    try:
                        bus.publish(subject, 2)
                    except fx.FluxError as error:
                        codes.append(error.code)
                code = 0 if codes == ["FX-LOG-0003", "FX-BUS-0307"] else 1
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        await bus.publish("old", 3)

    run(tmp_path, test)


def test_handlers_see_what_a_killed_process_has_written_though_nobody_publishes() -> None:
    disk, copies, got = SimulatedDisk(), [], []

    async def write(bus: fx.Bus) -> None:
        bus.topic("n", acks="os")
        for n in range(3):
            await bus.publish("n", n)
        copies.append(disk.copy())

    async def read(bus: fx.Bus) -> None:
        assert [event.data async for event in bus.read("n")] == [0, 1, 2]
        bus.on("n", group="g", start="earliest")(got.append)

    on_disk(disk, write)
    on_disk(copies[0], read)
    assert got == [0, 1, 2]


def test_publishing_without_waiting_is_bounded_and_keeps_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fluxcore.bus.transports.file.outbox.BUS_PENDING_BYTES", 2_000)

    async def test(bus: fx.Bus) -> None:
        publishings: list[Any] = []
        with pytest.raises(fx.BusError) as caught:
            publishings.extend(bus.publish("n", {"n": n, "fill": "x" * 100}) for n in range(100))
        assert caught.value.code == "FX-BUS-0306"
        assert len(publishings) > 5
        receipts = [await each for each in publishings]
        assert [each.offset for each in receipts] == list(range(len(publishings)))
        assert [event.data["n"] async for event in bus.read("n")] == list(range(len(publishings)))
        await bus.publish("n", {"n": -1})

    on_disk(SimulatedDisk(), test)
