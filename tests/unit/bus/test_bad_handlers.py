"""Handlers that raise what nobody expects, hang, or hold others up: named, bounded, and nothing is lost."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pyarrow as pa
import pytest

import fluxcore as fx
from fluxcore.limits import BUS_HUNG_THREADS_MAX

NOW = fx.Retry(attempts=2, delay=0)


class Textless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def run(test: Callable[[fx.Bus], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(60), fx.Bus() as bus:
            await test(bus)

    asyncio.run(main())


def group(bus: fx.Bus, topic: str = "n", name: str = "g") -> dict[str, int]:
    found: dict[str, int] = bus.statistics()[topic]["groups"][name]
    return found


async def letters(bus: fx.Bus) -> list[tuple[Any, str]]:
    return [(event.data, event.headers["frys-dead-cause"]) async for event in bus.read("dead.>")]


@pytest.mark.parametrize("kind", ["async", "several", "thread", "list", "thread list"])
def test_whatever_a_handler_raises_concerns_its_event_alone(kind: str) -> None:
    got: list[int] = []
    errors = {1: asyncio.CancelledError("mine"), 2: Textless(), 3: StopAsyncIteration("x")}
    if "thread" in kind:
        errors[4] = SystemExit(3)  # type: ignore[assignment]

    async def test(bus: fx.Bus) -> None:
        def step(n: int) -> None:
            if n in errors:
                raise errors[n]
            got.append(n)

        async def one(n: int) -> None:
            step(n)

        async def many(numbers: list[int]) -> None:
            step(numbers[0])

        def many_on_thread(numbers: list[int]) -> None:
            step(numbers[0])

        handlers = {"async": one, "several": one, "thread": step, "list": many, "thread list": many_on_thread}
        bus.on("n", group="g", retry=NOW, batch=1, max_in_flight=3 if kind == "several" else 1)(handlers[kind])
        for n in range(8):
            bus.publish("n", n)
        await bus.drain()
        causes = dict(await letters(bus))
        assert causes.keys() == errors.keys()
        assert causes[1] == "CancelledError: mine"
        assert causes[2] == "Textless"
        assert (group(bus)["acknowledged"], group(bus)["dead"], group(bus)["lag"]) == (8 - len(errors), len(errors), 0)

    run(test)
    assert got == [n for n in range(8) if n not in errors]


def test_a_thread_that_hangs_is_left_behind() -> None:
    free = threading.Event()
    got: list[int] = []

    async def test(bus: fx.Bus) -> None:
        @bus.on("n", group="g", retry=NOW, timeout="20 ms")
        def take(n: int) -> None:
            if n == 3:
                free.wait()
            got.append(n)

        for n in range(6):
            bus.publish("n", n)
        await bus.drain()
        ((data, cause),) = await letters(bus)
        assert (data, cause) == (3, "TimeoutError: not done after 0.02 s")
        (letter,) = [event async for event in bus.read("dead.n")]
        assert "test_bad_handlers.py:" in letter.headers["frys-dead-place"]
        assert (group(bus)["acknowledged"], group(bus)["in_flight"]) == (5, 0)
        free.set()

    run(test)
    assert got[:5] == [0, 1, 2, 4, 5]


def test_a_handler_whose_threads_all_hang_gets_no_more() -> None:
    free = threading.Event()

    async def test(bus: fx.Bus) -> None:
        @bus.on("n", group="g", retry=fx.Retry(attempts=1), timeout="20 ms")
        def take(n: int) -> None:
            if n < BUS_HUNG_THREADS_MAX:
                free.wait()

        for n in range(BUS_HUNG_THREADS_MAX + 5):
            bus.publish("n", n)
        while group(bus)["dead"] < BUS_HUNG_THREADS_MAX:
            await asyncio.sleep(0.001)
        for _ in range(100):
            await asyncio.sleep(0)
        assert group(bus)["delivered"] == BUS_HUNG_THREADS_MAX
        free.set()
        await bus.drain()
        assert group(bus)["lag"] == 0
        assert group(bus)["delivered"] == BUS_HUNG_THREADS_MAX + 5

    run(test)


@pytest.mark.parametrize("kind", ["async", "several", "thread", "list", "arrow on a thread"])
def test_a_handler_that_does_not_end_is_named(kind: str) -> None:
    async def test(bus: fx.Bus) -> None:
        free, freed, begun = asyncio.Event(), threading.Event(), threading.Event()

        async def one(n: int) -> None:
            begun.set()
            await free.wait()

        def on_thread(n: int) -> None:
            begun.set()
            freed.wait()

        async def many(numbers: list[int]) -> None:
            begun.set()
            await free.wait()

        def arrow(rows: pa.RecordBatch) -> None:
            begun.set()
            freed.wait()

        handlers = {"async": one, "several": one, "thread": on_thread, "list": many, "arrow on a thread": arrow}
        bus.on("n", max_in_flight=2 if kind == "several" else 1)(handlers[kind])
        bus.publish("n", pa.RecordBatch.from_pydict({"n": [1]}) if kind == "arrow on a thread" else 1)
        while not begun.is_set():
            await asyncio.sleep(0)
        for now in (1000.0, 1009.0):
            bus._late.look(now)
            assert bus.hanging() == {}
        bus._late.look(1011.0)
        ((place, seconds),) = bus.hanging().items()
        assert handlers[kind].__name__ in place
        assert "test_bad_handlers.py:" in place
        assert seconds == 11.0
        free.set()
        freed.set()
        await bus.drain()
        bus._late.look(1012.0)
        assert bus.hanging() == {}

    run(test)


def test_a_handler_that_publishes_to_its_own_full_topic_does_not_wait_for_itself() -> None:
    got: list[int] = []

    async def test(bus: fx.Bus) -> None:
        bus.topic("n", max_lag=100)

        @bus.on("n")
        async def grow(n: int) -> None:
            got.append(n)
            for each in (2 * n, 2 * n + 1):
                if each < 2000:
                    await bus.publish("n", each)

        await bus.publish("n", 1)

    run(test)
    assert sorted(got) == list(range(1, 2000))


def test_an_event_whose_dead_letter_can_not_be_kept_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    async def test(bus: fx.Bus) -> None:
        again, refusals = fx.Event.again, 3

        def refuse(event: fx.Event, *arguments: Any) -> fx.Event:
            nonlocal refusals
            refusals -= 1
            if refusals >= 0:
                raise OSError("no room")
            return again(event, *arguments)

        monkeypatch.setattr(fx.Event, "again", refuse)

        @bus.on("n", group="g", retry=NOW)
        async def take(n: int) -> None:
            tried.append(n)
            raise ValueError(str(n))

        bus.publish("n", 1)
        bus.publish("n", 2)
        await bus.drain()
        assert sorted(await letters(bus)) == [(1, "ValueError: 1"), (2, "ValueError: 2")]
        assert (group(bus)["dead"], group(bus)["in_flight"]) == (2, 0)

    run(test)
    assert len(tried) == 2 * 2 + 3


def test_retries_without_end_have_pauses_with_one() -> None:
    assert fx.Retry(attempts=10**6, max_delay="1 s", jitter=0).pause_s(10**5) == 1.0


def test_a_worker_that_is_cancelled_is_replaced() -> None:
    got: list[int] = []

    async def test(bus: fx.Bus) -> None:
        first = asyncio.Event()

        @bus.on("n", group="g")
        async def take(n: int) -> None:
            got.append(n)
            if not first.is_set():
                first.set()
                await asyncio.Event().wait()

        bus.publish("n", 1)
        bus.publish("n", 2)
        await first.wait()
        (worker,) = [task for task in asyncio.all_tasks() if task.get_name().startswith("fluxcore ")]
        worker.cancel()
        await bus.drain()
        assert (group(bus)["acknowledged"], group(bus)["in_flight"]) == (2, 0)

    run(test)
    assert got == [1, 1, 2]


def test_a_handler_that_hangs_on_a_thread_does_not_keep_the_process(tmp_path: Any) -> None:
    import subprocess

    script = tmp_path / "script.py"
    script.write_text(
        "import threading\nimport fluxcore as fx\nfrom fluxcore.bus import bus as module\n"
        "module.BUS_CLOSE_S = 0.05\nbus = fx.Bus()\nbegun = threading.Event()\n"
        "@bus.on('n')\ndef take(n):\n    begun.set()\n    threading.Event().wait()\n"
        "with bus:\n    bus.publish('n', 1).result()\n    begun.wait()\n"
    )
    subprocess.run([sys.executable, str(script)], check=True, timeout=60)


def test_a_payload_that_raises_when_a_condition_looks_at_it_becomes_a_dead_letter() -> None:
    got: list[Any] = []

    class Trap:
        def __init__(self, armed: bool) -> None:
            self.armed = armed

        @property
        def amount(self) -> float:
            if self.armed:
                raise RuntimeError("trapped")
            return 5.0

    async def test(bus: fx.Bus) -> None:
        bus.on("n", where="amount > 1")(got.append)
        traps = [Trap(armed) for armed in (False, True, False)]
        for trap in traps:
            await bus.publish("n", trap)
        await bus.publish("n", {"amount": 2**70})
        await bus.drain()
        causes = [event.headers["frys-dead-cause"] async for event in bus.read("dead.n")]
        assert len(causes) == 2
        assert "trapped" in causes[0]
        assert got == [traps[0], traps[2]]

    run(test)
