"""The bus as a program uses it."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import threading
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

import fluxcore as fx
from fluxcore.bus.errors import BusError

NOW = fx.Retry(attempts=3, delay=0)


class Order(msgspec.Struct):
    amount: float
    region: str = "eu"


class Place:
    """Where the buses of a test are, and what a receipt of theirs survives."""

    url = "memory:"
    survives = "memory"


@pytest.fixture(autouse=True, params=["memory", "file"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Let each test run on every transport, unless it names those that it is about."""
    if request.param == "memory":
        Place.url, Place.survives = "memory:", "memory"
    else:
        Place.url, Place.survives = f"file:{tmp_path}/bus", "disk"


def run(test: Callable[[fx.Bus], Coroutine[Any, Any, None]]) -> fx.Bus:
    """Run a test on a bus, which is drained and closed behind it."""
    bus = fx.Bus(Place.url)

    async def main() -> None:
        async with asyncio.timeout(60), bus:
            await test(bus)

    asyncio.run(main())
    return bus


def test_a_handler_gets_payload_and_event() -> None:
    got: list[tuple[Order, fx.Event]] = []

    async def test(bus: fx.Bus) -> None:
        @bus.on("orders.*.created")
        async def take(order: Order, event: fx.Event) -> None:
            got.append((order, event))

        receipt = await bus.publish("orders.eu.created", {"amount": 5}, key="o-1", headers={"a": "b"}, id="x")
        assert receipt == fx.Receipt("orders", 0, Place.survives)
        assert (await bus.publish("orders.eu.deleted", {"amount": 6})).offset == 1

    run(test)
    ((order, event),) = got
    assert order == Order(5.0)
    assert (event.subject, event.key, event.id, event.topic, event.offset) == (
        "orders.eu.created",
        "o-1",
        "x",
        "orders",
        0,
    )
    assert event.cloud_event()["partitionkey"] == "o-1"
    assert event.cloud_event()["a"] == "b"


def test_handlers_of_a_group_share_events_and_others_have_all() -> None:
    shared: list[int] = []
    first: list[int] = []
    second: list[int] = []

    async def test(bus: fx.Bus) -> None:
        for _ in range(2):
            bus.on("n", group="shared")(shared.append)
        bus.on("n")(first.append)
        bus.on(">")(second.append)
        for publishing in [bus.publish("n", n) for n in range(1000)]:
            await publishing

    run(test)
    assert sorted(shared) == first == second == list(range(1000))


def test_a_condition_chooses_events() -> None:
    got: list[float] = []

    async def test(bus: fx.Bus) -> None:
        @bus.on("orders.>", where="amount > 100 AND region LIKE 'e%'")
        async def take(order: Order) -> None:
            got.append(order.amount)

        for amount, region in ((99, "eu"), (101, "us"), (102.5, "eu"), (None, "eu")):
            await bus.publish("orders.x", {"amount": amount, "region": region})
        await bus.publish("orders.x", Order(200.0))
        await bus.publish("orders.x", {"unlike": 1})

    run(test)
    assert got == [102.5, 200.0]


def test_a_condition_that_can_not_be_told_makes_a_dead_letter_of_that_event_alone() -> None:
    got: list[Any] = []
    dead: list[str] = []

    async def test(bus: fx.Bus) -> None:
        bus.on("n", where="amount + 1 > 5")(lambda data: got.append(data["amount"]))
        bus.on("dead.n")(lambda _, event: dead.append(event.headers["frys-dead-cause"]))
        for amount in (5, [1], 6):
            await bus.publish("n", {"amount": amount})

    run(test)
    assert got == [5, 6]
    (cause,) = dead
    assert "amount + 1 > 5" in cause


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ("amout > 1", "FX-BUS-0112"),
        ("amount >", "FX-SQL-0103"),
        ("amount > 1 1", "FX-SQL-0103"),
        ("MAX(amount) > 1", "FX-SQL-0207"),
        ("amount IN (SELECT 1)", "FX-SQL-0205"),
        ("UPER(region) = 'EU'", "FX-SQL-0210"),
        ("COUNT(*) > 1", "FX-SQL-0207"),
        ("1", "FX-SQL-0305"),
        ("'yes'", "FX-SQL-0305"),
        ("", "FX-SQL-0104"),
    ],
)
def test_a_wrong_condition_is_refused_when_it_is_written(where: str, code: str) -> None:
    with pytest.raises(fx.FluxError) as caught:

        @fx.Bus().on("orders", where=where)
        async def take(order: Order) -> None:
            """Never called."""

    assert caught.value.code.startswith(code[:10])


def test_a_failure_comes_again_and_those_of_its_key_wait() -> None:
    got: list[tuple[int, int]] = []

    async def test(bus: fx.Bus) -> None:
        @bus.on("n", retry=NOW, max_in_flight=3)
        async def take(n: int, event: fx.Event) -> None:
            await asyncio.sleep(0)
            if n == 1 and event.attempt < 3:
                raise ValueError("not yet")
            got.append((n, event.attempt))

        for n in range(6):
            await bus.publish("n", n, key=str(n % 2))

    run(test)
    assert [each for each in got if each[0] % 2] == [(1, 3), (3, 1), (5, 1)]
    assert [each for each in got if not each[0] % 2] == [(0, 1), (2, 1), (4, 1)]


@pytest.mark.parametrize("data", [1, pa.record_batch({"n": [1, 2]})])
def test_failures_of_one_group_are_no_attempts_of_another(data: Any) -> None:
    seen: list[tuple[str, int]] = []

    async def test(bus: fx.Bus) -> None:
        dead = asyncio.Event()

        @bus.on("dead.n", group="watch", inline=True)
        def watch() -> None:
            dead.set()

        @bus.on("n", group="fails", retry=NOW)
        async def fail(event: fx.Event | fx.BatchEvent) -> None:
            seen.append(("fails", event.attempt))
            raise ValueError("never")

        @bus.on("n", group="slow", retry=NOW)
        async def wait(event: fx.Event | fx.BatchEvent) -> None:
            await dead.wait()
            seen.append(("slow", event.attempt))
            if event.attempt < 3:
                raise ValueError("not yet")

        await bus.publish("n", data)
        await bus.drain()
        assert [event.attempt async for event in bus.read("n", batches=True)] == [1]
        assert bus.statistics()["n"]["groups"]["slow"]["dead"] == 0

    run(test)
    assert seen == [("fails", 1), ("fails", 2), ("fails", 3), ("slow", 1), ("slow", 2), ("slow", 3)]


def test_a_dead_letter_names_its_cause_and_comes_back_after_a_fix() -> None:
    broken = True
    billed: list[int] = []
    others: list[int] = []

    async def test(bus: fx.Bus) -> None:
        nonlocal broken

        @bus.on("orders.>", group="billing", retry=NOW)
        async def bill(n: int) -> None:
            if broken and n == 2:
                raise KeyError("rate")
            billed.append(n)

        bus.on("orders.>", group="other")(others.append)
        for n in range(4):
            await bus.publish("orders.eu", n)
        await bus.drain()
        (letter,) = [event async for event in bus.read("dead.>")]
        assert letter.subject == "dead.orders.eu"
        assert letter.data == 2
        assert letter.headers["frys-dead-cause"] == "KeyError: 'rate'"
        assert letter.headers["frys-dead-group"] == "billing"
        assert letter.headers["frys-dead-offset"] == "2"
        assert letter.headers["frys-dead-attempts"] == "3"
        assert "test_bus.py:" in letter.headers["frys-dead-place"]
        broken = False
        assert await bus.revive("orders.>") == 1
        assert await bus.revive("orders.>") == 0

    run(test)
    assert billed == [0, 1, 3, 2]
    assert others == [0, 1, 2, 3]


def test_requests_are_answered() -> None:
    async def test(bus: fx.Bus) -> None:
        @bus.on("prices.quote")
        async def quote(order: Order) -> dict[str, float]:
            return {"amount": order.amount * 2}

        @bus.on("prices.never")
        async def never(_: int) -> None:
            await asyncio.Event().wait()

        @bus.on("prices.broken")
        def broken(_: int) -> None:
            raise ValueError("no price")

        assert await bus.request("prices.quote", Order(2.0)) == {"amount": 4.0}
        assert await bus.request("prices.quote", Order(2.0), wanted=Order) == Order(4.0)
        with pytest.raises(fx.NoResponders):
            await bus.request("prices.unknown", 1)
        with pytest.raises(fx.RequestTimeout):
            await bus.request("prices.never", 1, timeout="10 ms")
        with pytest.raises(BusError, match="no price"):
            await bus.request("prices.broken", 1)
        assert bus.statistics()["prices"]["end"] == 0
        with pytest.raises(fx.NoResponders):
            await bus.request("nobody.at.all", 1)
        assert "nobody" not in bus.statistics()

    bus = fx.Bus(Place.url)

    async def main() -> None:
        async with bus:
            await test(bus)
            await bus.close(drain=False)

    asyncio.run(main())


def test_routes_publish_again() -> None:
    got: list[tuple[str, Any]] = []
    dead: list[str] = []

    async def test(bus: fx.Bus) -> None:
        bus.route("a.>", to="b.{region}", where="amount > 1")
        bus.route("c.*.{what}", to="d.{what}.{1}")
        bus.route("round.a", to="round.b")
        bus.route("round.b", to="round.a")
        bus.on(["b.*", "d.>"])(lambda data, event: got.append((event.subject, data)))
        bus.on("dead.>")(lambda _, event: dead.append(event.subject))
        for amount, region in ((1, "eu"), (2, "us"), (3, None)):
            await bus.publish("a.x", {"amount": amount, "region": region})
        await bus.publish("c.one.two", 5)
        await bus.publish("round.a", 0)
        await bus.drain()

    run(test)
    assert sorted(got, key=str) == [("b.us", {"amount": 2, "region": "us"}), ("d.two.one", 5)]
    assert sorted(dead) == ["dead.a.x", "dead.round.a"]


def test_delay_expiry_and_priority() -> None:
    got: list[str] = []

    async def test(bus: fx.Bus) -> None:
        bus.topic("jobs", priorities=True)
        later = asyncio.Event()

        @bus.on("jobs.>", group="g")
        async def take(name: str) -> None:
            got.append(name)
            if name == "later":
                later.set()

        bus.publish("jobs.x", "first")
        await bus.drain()
        bus.pause("g")
        for name, priority in (("low", 0), ("high", 9), ("middle", 5)):
            bus.publish("jobs.x", name, priority=priority)
        bus.publish("jobs.x", "gone", expires=0)
        bus.publish("jobs.x", "now")
        await bus.publish("jobs.x", "later", delay="20 ms")
        bus.resume("g")
        await later.wait()

    run(test)
    assert got == ["first", "high", "middle", "low", "now", "later"]


def test_an_id_that_was_seen_is_a_duplicate() -> None:
    got: list[int] = []

    async def test(bus: fx.Bus) -> None:
        bus.on("n")(got.append)
        first = await bus.publish("n", 1, id="a")
        again = await bus.publish("n", 2, id="a")
        assert (first.duplicate, again.duplicate, again.offset) == (False, True, first.offset)
        await bus.publish("n", 3, id="b")

    run(test)
    assert got == [1, 3]


def test_batches() -> None:
    lists: list[list[int]] = []
    tables: list[pa.RecordBatch] = []

    async def test(bus: fx.Bus) -> None:
        @bus.on("n", batch=10)
        async def numbers(rows: list[Order]) -> None:
            lists.append([int(each.amount) for each in rows])

        @bus.on("n")
        def columns(rows: pa.RecordBatch) -> None:
            tables.append(rows)

        for n in range(25):
            bus.publish("n", Order(n))

    run(test)
    assert [n for each in lists for n in each] == list(range(25))
    assert max(map(len, lists)) == 10
    assert pa.Table.from_batches(tables)["amount"].to_pylist() == list(map(float, range(25)))


def test_a_script_without_an_event_loop() -> None:
    got: list[tuple[int, str]] = []
    bus = fx.Bus(Place.url)

    @bus.on("n", max_in_flight=2)
    def take(n: int) -> None:
        got.append((n, threading.current_thread().name))

    @bus.on("double")
    def double(n: int) -> int:
        return 2 * n

    with bus:
        receipts = [bus.publish("n", n).result() for n in range(50)]
        assert [each.offset for each in receipts] == list(range(50))
        assert bus.wait(bus.request("double", 4)) == 8
    assert sorted(n for n, _ in got) == list(range(50))
    assert all(name.startswith("fluxcore ") for _, name in got)
    with pytest.raises(BusError) as caught:
        bus.publish("n", 1)
    assert caught.value.code == "FX-BUS-0301"


@pytest.mark.parametrize("place", ["memory"], indirect=True)
def test_a_slow_group_holds_the_publisher_back_or_loses_the_oldest() -> None:
    async def fill(bus: fx.Bus) -> asyncio.Event:
        go = asyncio.Event()

        @bus.on("n", group="slow")
        async def take(_: int) -> None:
            await go.wait()

        return go

    async def waits(bus: fx.Bus) -> None:
        bus.topic("n", max_lag=1000)
        go = await fill(bus)
        published = 0

        async def publish() -> None:
            nonlocal published
            for n in range(3000):
                await bus.publish("n", n)
                published += 1

        task = asyncio.create_task(publish())
        while published < 1000:
            await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        assert published <= 1001
        go.set()
        await task

    async def waits_for_one(bus: fx.Bus) -> None:
        """The group has taken all; only its first event is not done with."""
        bus.topic("n", max_lag=1000)
        go = asyncio.Event()

        @bus.on("n", group="slow", max_in_flight=2)
        async def take(n: int) -> None:
            if n == 0:
                await go.wait()

        tasks = [asyncio.ensure_future(bus.publish("n", n)) for n in range(3000)]
        while bus.statistics()["n"]["groups"]["slow"]["acknowledged"] < 2999:
            await asyncio.sleep(0)
        assert not all(task.done() for task in tasks)
        go.set()
        await asyncio.gather(*tasks)

    async def drops(bus: fx.Bus) -> None:
        bus.topic("n", max_lag=1000, when_full="drop", keep=10)
        go = await fill(bus)
        for n in range(20_000):
            await bus.publish("n", n)
        assert bus.statistics()["n"]["start"] > 10_000
        go.set()

    run(waits)
    run(waits_for_one)
    run(drops)


def test_a_handler_that_blocks_the_loop_is_named() -> None:
    async def test(bus: fx.Bus) -> None:
        @bus.on("n")
        async def block(_: int) -> None:
            while not bus.blocked():
                threading.Event().wait(0.001)

        await bus.publish("n", 1)
        await bus.drain()
        assert any("block (" in place and "test_bus.py:" in place for place in bus.blocked())

    run(test)


def test_a_handler_that_takes_too_long_fails() -> None:
    attempts: list[int] = []

    async def test(bus: fx.Bus) -> None:
        @bus.on("n", timeout="5 ms", retry=fx.Retry(attempts=2, delay=0))
        async def take(_: int, event: fx.Event) -> None:
            attempts.append(event.attempt)
            await asyncio.Event().wait()

        await bus.publish("n", 1)
        await bus.drain()
        (letter,) = [event async for event in bus.read("dead.n")]
        assert letter.headers["frys-dead-cause"].startswith("TimeoutError")

    run(test)
    assert attempts == [1, 2]


def test_what_is_published_while_an_event_is_handled_belongs_to_its_trace() -> None:
    got: list[dict[str, str]] = []
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    async def test(bus: fx.Bus) -> None:
        @bus.on("a")
        async def forward(n: int) -> None:
            await bus.publish("b", n, headers={"x": "y"})

        bus.on("b")(lambda _, event: got.append(dict(event.headers)))
        await bus.publish("a", 1, headers={"traceparent": trace})

    run(test)
    assert got == [{"traceparent": trace, "x": "y"}]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (lambda bus: bus.on("a b"), "FX-BUS-0102"),
        (lambda bus: bus.on("a", max_in_flight=0), "FX-BUS-0104"),
        (lambda bus: bus.on("a", start="later"), "FX-BUS-0104"),
        (lambda bus: bus.on("a", group=""), "FX-BUS-0104"),
        (lambda bus: bus.topic("a", retain_ms=-1), "FX-BUS-0104"),
        (lambda bus: bus.topic("a", max_lag=-1), "FX-BUS-0104"),
        (lambda bus: bus.on("a", timeout="soon"), "FX-BUS-0103"),
        (lambda bus: bus.on("a")(lambda a, b, c: None), "FX-BUS-0105"),
        (lambda bus: bus.route("a", to="b..c"), "FX-BUS-0108"),
        (lambda bus: bus.topic("a", when_full="explode"), "FX-BUS-0104"),
        (lambda bus: [bus.topic("a"), bus.topic("b", subjects="a.>")], "FX-BUS-0106"),
        (lambda bus: bus.publish("a", 1), "FX-BUS-0301"),
        (lambda bus: bus.pause("nobody"), "FX-BUS-0110"),
        (lambda bus: fx.Bus("pigeon://loft"), "FX-BUS-0001"),
    ],
)
def test_mistakes_are_told_at_once(wrong: Callable[[fx.Bus], Any], code: str) -> None:
    with pytest.raises(BusError) as caught:
        wrong(fx.Bus())
    assert caught.value.code == code


def test_a_publisher_may_say_what_it_expects_the_last_event_of_a_key_to_be() -> None:
    async def test(bus: fx.Bus) -> None:
        bus.topic("accounts", versions=True)
        first = await bus.publish("accounts.a", 1, key="a", expect=None)
        with pytest.raises(fx.FluxError) as caught:
            await bus.publish("accounts.a", 2, key="a", expect=None)
        assert caught.value.code == "FX-LOG-0009"
        second = await bus.publish("accounts.a", 2, key="a", expect=first.offset)
        await bus.publish("accounts.b", 1, key="b", expect=None)
        await bus.publish("accounts.a", 3, key="a", expect=second.offset)
        for subject, key in (("accounts.a", None), ("plain", "a")):
            with pytest.raises(BusError) as wrong:
                await bus.publish(subject, 1, key=key, expect=None)
            assert wrong.value.code == "FX-BUS-0114"

    run(test)


def test_reading_begins_at_a_time() -> None:
    async def test(bus: fx.Bus) -> None:
        for n in range(3):
            await bus.publish("n", n)
        await asyncio.sleep(0.01)  # times are whole milliseconds
        between = dt.datetime.now(dt.UTC)
        await bus.publish("n", pa.record_batch({"n": [3, 4]}))
        await bus.publish("n", 5)
        assert [event.offset async for event in bus.read("n", start=between)] == [3, 4, 5]
        assert [event async for event in bus.read("n", start=between + dt.timedelta(days=1))] == []
        assert len([event async for event in bus.read("n", start=between - dt.timedelta(days=1))]) == 6
        with pytest.raises(BusError) as caught:
            bus.read("n", start="later")
        assert caught.value.code == "FX-BUS-0104"

    run(test)


def test_a_reader_follows() -> None:
    async def test(bus: fx.Bus) -> None:
        await bus.publish("n.a", 0)
        seen: dict[str, list[Any]] = {"earliest": [], "new": [], "some": []}

        async def follow(start: str, where: str | None, name: str) -> None:
            async for event in bus.read("*.a", start=start, follow=True, where=where):
                seen[name].append(event.data["x"] if isinstance(event.data, dict) else event.data)

        tasks = [asyncio.create_task(follow("earliest", None, "earliest")), asyncio.create_task(follow("new", None, "new")),
                 asyncio.create_task(follow("earliest", "x > 1", "some"))]  # fmt: skip
        while not seen["earliest"]:
            await asyncio.sleep(0)
        for subject, data in (("n.a", {"x": 1}), ("n.b", {"x": 9}), ("m.a", {"x": 2}), ("n.a", {"x": 3})):
            await bus.publish(subject, data)
        while len(seen["earliest"]) < 4 or len(seen["new"]) < 3 or len(seen["some"]) < 2:
            await asyncio.sleep(0.001)
        await bus.close()
        for task in tasks:
            await task
        assert seen["earliest"][0] == 0
        assert sorted(seen["earliest"][1:]) == sorted(seen["new"]) == [1, 2, 3]
        assert sorted(seen["some"]) == [2, 3]

    run(test)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"headers": [("a", "b")]}, "FX-BUS-0204"),
        ({"headers": {"a": 5}}, "FX-BUS-0204"),
        ({"headers": {5: "a"}}, "FX-BUS-0204"),
        ({"priority": "high"}, "FX-BUS-0204"),
        ({"priority": 0.5}, "FX-BUS-0204"),
        ({"priority": 2**63}, "FX-BUS-0204"),
        ({"subject": 5}, "FX-BUS-0101"),
        ({"subject": ""}, "FX-BUS-0101"),
    ],
)
def test_an_event_that_no_group_could_read_is_refused(wrong: dict[str, Any], code: str) -> None:
    got: list[int] = []

    async def test(bus: fx.Bus) -> None:
        bus.on("n", group="g")(got.append)
        with pytest.raises(BusError) as caught:
            await bus.publish(**{"subject": "n", "data": 1, **wrong})
        assert caught.value.code == code
        await bus.publish("n", 2, headers={"a": "b"}, priority=-5)

    run(test)
    assert got == [2]


@pytest.mark.parametrize(
    ("where", "holds"), [("1 = 1", True), ("TRUE", True), ("1 = 0", False), ("NULL", False), ("RAND() < 2", True)]
)
def test_a_condition_without_fields_is_one_as_well(where: str, holds: bool) -> None:
    got: list[Any] = []

    async def test(bus: fx.Bus) -> None:
        bus.on("n", where=where)(got.append)
        await bus.publish("n", 1)
        await bus.publish("n", pa.record_batch({"n": [2, 3]}))
        await bus.drain()
        assert bool([event async for event in bus.read("n", where=where)]) == holds

    run(test)
    assert got == ([1, {"n": 2}, {"n": 3}] if holds else [])


@dataclasses.dataclass
class Sale:
    amount: Decimal
    at: dt.datetime
    tags: tuple[str, ...] = ()


class Sold(msgspec.Struct):
    sale: Sale
    counts: dict[int, str]


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (Sold, Sold(Sale(Decimal("1.10"), dt.datetime(2024, 1, 1, tzinfo=dt.UTC), ("a", "b")), {1: "x"})),
        (Sale, Sale(Decimal("12345678901234567890.1"), dt.datetime(2024, 1, 1, 12))),
        (Decimal, Decimal("0.1")),
        (dict, {"a": [1, None]}),
        (str, "ü"),
        (int | None, None),
    ],
)
def test_a_handler_gets_a_payload_as_the_type_that_it_names(kind: Any, data: Any) -> None:
    got: list[Any] = []

    async def test(bus: fx.Bus) -> None:
        def take(payload: Any, event: fx.Event) -> None:
            got.append(payload)

        take.__annotations__["payload"] = kind
        bus.on("n")(take)
        await bus.publish("n", data)

    run(test)
    assert got == [data]


def test_a_script_may_close_the_bus_itself() -> None:
    with fx.Bus() as bus:
        bus.publish("n", 1)
        bus.wait(bus.close())
    assert "fluxcore bus" not in [each.name for each in threading.enumerate()]
