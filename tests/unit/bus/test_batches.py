"""Arrow batches on the bus in memory: each row is an event, whatever its handler takes."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

import fluxcore as fx
from fluxcore.bus.errors import BusError

NOW = fx.Retry(attempts=3, delay=0)


class Order(msgspec.Struct):
    id: int
    region: str = "eu"
    amount: float | None = None


def batch(first: int, count: int) -> pa.RecordBatch:
    """Return orders whose ids are first, first + 1, and so on; each third is from the US; the amount is the id."""
    ids = range(first, first + count)
    return pa.RecordBatch.from_pydict(
        {"id": ids, "region": ["us" if n % 3 == 0 else "eu" for n in ids], "amount": [float(n) for n in ids]}
    )


def run(test: Callable[[fx.Bus], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(60), fx.Bus() as bus:
            await test(bus)

    asyncio.run(main())


def statistics(bus: fx.Bus, topic: str, group: str) -> dict[str, int]:
    found: dict[str, int] = bus.statistics()[topic]["groups"][group]
    return found


def test_each_kind_of_handler_gets_the_rows_as_it_wants_them() -> None:
    whole: list[int] = []
    tables: list[int] = []
    events: list[tuple[int, int, int]] = []
    lists: list[list[int]] = []
    single: list[tuple[int, int]] = []
    either: list[str] = []
    threads: list[int] = []

    async def test(bus: fx.Bus) -> None:
        @bus.on("orders.>")
        async def by_batch(rows: pa.RecordBatch) -> None:
            whole.append(rows.num_rows)

        @bus.on("orders.>")
        def by_table(rows: pa.Table, events: list[fx.Event]) -> None:
            tables.append(rows.num_rows)
            assert [each.data_as(Order).id for each in events] == rows["id"].to_pylist()

        @bus.on("orders.>", inline=True)
        def by_event(event: fx.BatchEvent) -> None:
            events.append((event.offset, event.end, event.data.num_rows))

        @bus.on("orders.>", batch=100)
        async def by_list(rows: list[Order]) -> None:
            lists.append([each.id for each in rows])

        @bus.on("orders.>")
        async def one_by_one(order: Order, event: fx.Event) -> None:
            single.append((order.id, event.offset))

        @bus.on("orders.>")
        async def as_it_comes(event: fx.Event | fx.BatchEvent) -> None:
            either.append(type(event).__name__)

        bus.on("orders.>")(lambda _, event: threads.append(event.data_as(Order).id))

        first = await bus.publish("orders.eu", batch(0, 700))
        assert (first.offset, first.survives) == (0, "memory")
        assert (await bus.publish("orders.eu", Order(700, "eu", 700.0))).offset == 700
        assert (await bus.publish("orders.eu", pa.Table.from_batches([batch(701, 9), batch(710, 10)]))).offset == 701
        assert (await bus.publish("orders.eu", batch(0, 0))).offset == 720
        await bus.drain()
        found = bus.statistics()["orders"]
        assert (found["start"], found["end"]) == (0, 720)
        for group in found["groups"].values():
            assert (group["delivered"], group["acknowledged"], group["lag"], group["in_flight"]) == (720, 720, 0, 0)

    run(test)
    assert whole == tables == [700, 1, 19]
    assert events == [(0, 700, 700), (700, 701, 1), (701, 720, 19)]
    assert [n for each in lists for n in each] == threads == list(range(720))
    assert max(map(len, lists)) == 100
    assert single == [(n, n) for n in range(720)]
    assert either == ["BatchEvent", "Event", "BatchEvent"]


def test_a_batch_that_is_too_large_comes_in_parts() -> None:
    parts: list[tuple[int, list[int]]] = []

    async def test(bus: fx.Bus) -> None:
        @bus.on("n", batch=10, retry=NOW)
        async def take(rows: pa.RecordBatch, event: fx.BatchEvent) -> None:
            if event.offset == 10 and event.attempt == 1:
                raise ValueError("once")
            parts.append((event.offset, rows["id"].to_pylist()))

        await bus.publish("n", batch(0, 25))

    run(test)
    assert sorted(parts) == [(0, [*range(10)]), (10, [*range(10, 20)]), (20, [*range(20, 25)])]


def test_a_condition_chooses_rows_of_batches_and_single_events() -> None:
    whole: list[int] = []
    single: list[int] = []

    async def test(bus: fx.Bus) -> None:
        where = "amount >= 2 AND region LIKE 'u%'"

        @bus.on("orders.*", where=where, group="batches")
        async def take(rows: pa.RecordBatch, event: fx.BatchEvent) -> None:
            assert event.offsets().tolist() == rows["id"].to_pylist()
            whole.extend(rows["id"].to_pylist())

        @bus.on("orders.*", where=where, group="single")
        async def one(order: Order, event: fx.Event) -> None:
            assert event.offset == order.id
            single.append(order.id)

        await bus.publish("orders.a", batch(0, 10))
        await bus.publish("orders.a", Order(10, "us", 1.5))
        await bus.publish("orders.b", {"id": 11, "region": "us", "amount": 12})
        await bus.publish("orders.b", pa.RecordBatch.from_pydict({"id": [12, 13], "region": ["us", None]}))
        await bus.publish("orders.b", batch(14, 2))
        await bus.drain()
        for group in ("batches", "single"):
            found = statistics(bus, "orders", group)
            assert (found["delivered"], found["filtered"], found["lag"]) == (5, 11, 0)

    run(test)
    assert whole == single == [3, 6, 9, 11, 15]


def test_rows_for_which_a_condition_can_not_be_told_become_dead_letters_alone() -> None:
    got: list[int] = []

    async def test(bus: fx.Bus) -> None:
        @bus.on("n", where="100 / CAST(text AS INT) > 5", group="g")
        async def take(rows: pa.RecordBatch) -> None:
            got.extend(rows["id"].to_pylist())

        texts = ["1", "2", "three", "50", "5", "zero"]
        await bus.publish("n", pa.RecordBatch.from_pydict({"id": range(6), "text": texts}))
        await bus.drain()
        letters = [event async for event in bus.read("dead.>", batches=True)]
        assert [each.data["id"].to_pylist() for each in letters] == [[2], [5]]
        assert all("can't be told" in each.headers["frys-dead-cause"] for each in letters)
        assert [each.headers["frys-dead-offset"] for each in letters] == ["2", "5"]
        found = statistics(bus, "n", "g")
        assert (found["delivered"], found["dead"], found["filtered"], found["lag"]) == (3, 2, 1, 0)

    run(test)
    assert got == [0, 1, 4]


def test_a_batch_fails_comes_again_dies_and_comes_back_as_a_whole() -> None:
    broken = True
    tries: list[tuple[int, int]] = []
    good: list[int] = []
    others: list[int] = []

    async def test(bus: fx.Bus) -> None:
        nonlocal broken

        @bus.on("orders.>", group="billing", retry=NOW)
        async def bill(rows: pa.RecordBatch, event: fx.BatchEvent) -> None:
            tries.append((event.offset, event.attempt))
            if broken and 12 in rows["id"].to_pylist():
                raise KeyError("rate")
            good.extend(rows["id"].to_pylist())

        bus.on("orders.>", group="other")(lambda order: others.append(order["id"]))
        await bus.publish("orders.eu", batch(0, 10))
        await bus.publish("orders.eu", batch(10, 10))
        await bus.drain()
        found = statistics(bus, "orders", "billing")
        assert (found["delivered"], found["acknowledged"], found["failed"], found["dead"]) == (40, 10, 30, 10)
        (letter,) = [event async for event in bus.read("dead.>", batches=True)]
        assert (letter.subject, letter.offset, letter.end) == ("dead.orders.eu", 0, 10)
        assert letter.headers["frys-dead-cause"] == "KeyError: 'rate'"
        assert letter.headers["frys-dead-attempts"] == "3"
        assert len([event async for event in bus.read("dead.>")]) == 10
        broken = False
        assert await bus.revive(where="id >= 15") == 5
        assert await bus.revive() == 5
        assert await bus.revive() == 0

    run(test)
    assert tries[:4] == [(0, 1), (10, 1), (10, 2), (10, 3)]
    assert good == [*range(10), *range(15, 20), *range(10, 15)]
    assert others == list(range(20))


def test_rows_fail_alone_where_handlers_take_them_alone() -> None:
    good: list[int] = []

    async def test(bus: fx.Bus) -> None:
        @bus.on("n", retry=NOW)
        async def take(order: Order) -> None:
            if order.id == 5:
                raise ValueError("five")
            good.append(order.id)

        await bus.publish("n", batch(0, 10))
        await bus.drain()
        (letter,) = [event async for event in bus.read("dead.>")]
        assert letter.data == {"id": 5, "region": "eu", "amount": 5.0}
        assert letter.headers["frys-dead-offset"] == "5"

    run(test)
    assert good == [0, 1, 2, 3, 4, 6, 7, 8, 9]


def test_duplicates_priorities_delay_and_expiry_of_batches() -> None:
    got: list[int] = []
    rows: list[int] = []

    async def test(bus: fx.Bus) -> None:
        bus.topic("jobs", priorities=True)
        later = asyncio.Event()

        @bus.on("jobs.>", group="g")
        async def take(batch: pa.RecordBatch) -> None:
            got.append(batch["id"][0].as_py())
            if got[-1] == 50:
                later.set()

        bus.on("jobs.>", group="rows")(lambda order: rows.append(order["id"]))
        bus.publish("jobs.x", batch(0, 3), priority=0)
        bus.publish("jobs.x", batch(10, 3), priority=9, id="b")
        bus.publish("jobs.x", batch(20, 3), priority=5)
        again = await bus.publish("jobs.x", batch(30, 3), id="b")
        assert (again.duplicate, again.offset) == (True, 3)
        bus.publish("jobs.x", batch(40, 3), expires=0)
        bus.publish("jobs.x", batch(50, 2), delay="20 ms")
        bus.publish("jobs.x", batch(60, 2))
        await later.wait()
        await bus.drain()
        for group in ("g", "rows"):
            found = statistics(bus, "jobs", group)
            assert (found["delivered"], found["expired"], found["lag"], found["in_flight"]) == (13, 3, 0, 0)

    run(test)
    assert got == [10, 20, 0, 60, 50]
    assert rows == [10, 11, 12, 20, 21, 22, 0, 1, 2, 60, 61, 50, 51]


def test_routes_split_batches_by_what_the_subject_needs() -> None:
    got: list[tuple[str, list[int]]] = []
    dead: list[str] = []

    async def test(bus: fx.Bus) -> None:
        bus.route("a.*", to="b.{region}.{1}", where="amount < 7")
        bus.route("c", to="d")
        bus.route("e", to="f.{nothing}")

        @bus.on(["b.>", "d"])
        async def take(rows: pa.RecordBatch, event: fx.BatchEvent) -> None:
            got.append((event.subject, rows["id"].to_pylist()))

        bus.on("dead.>")(lambda _, event: dead.append(event.headers["frys-dead-cause"]))
        await bus.publish("a.x", batch(0, 10))
        await bus.publish("c", batch(20, 2))
        await bus.publish("a.y", Order(5, "us", 5.0))
        await bus.publish("e", batch(0, 1), key="k")
        await bus.drain()

    run(test)
    assert sorted(got) == [("b.eu.x", [1, 2, 4, 5]), ("b.us.x", [0, 3, 6]), ("b.us.y", [5]), ("d", [20, 21])]
    assert ["has no 'nothing'" in each for each in dead] == [True]


def test_batches_of_one_key_are_handled_one_after_the_other() -> None:
    order: list[tuple[str, int]] = []

    async def test(bus: fx.Bus) -> None:
        @bus.on("n", max_in_flight=4, retry=NOW)
        async def take(rows: pa.RecordBatch, event: fx.BatchEvent) -> None:
            assert event.key is not None
            order.append((event.key, rows["id"][0].as_py()))
            await asyncio.sleep(0)
            order.append((event.key, -1))
            if event.offset == 0 and event.attempt < 3:
                raise ValueError("not yet")

        for number in range(10):
            bus.publish("n", batch(number, 1), key="ab"[number % 2])

    run(test)
    for key in "ab":
        mine = [number for each, number in order if each == key]
        assert mine[1::2] == [-1] * (len(mine) // 2)
        assert mine[::2] == ([0, 0, 0, 2, 4, 6, 8] if key == "a" else [1, 3, 5, 7, 9])


def test_a_request_with_a_batch_is_answered_with_one() -> None:
    async def test(bus: fx.Bus) -> None:
        @bus.on("score")
        async def score(rows: pa.RecordBatch) -> pa.RecordBatch:
            return pa.RecordBatch.from_pydict({"twice": np.asarray(rows["id"]) * 2})

        answer = await bus.request("score", batch(1, 3))
        assert answer["twice"].to_pylist() == [2, 4, 6]
        assert (await bus.request("score", {"id": 4}))["twice"].to_pylist() == [8]

    run(test)


def test_what_is_kept_is_read_again_row_by_row_or_in_batches() -> None:
    async def test(bus: fx.Bus) -> None:
        bus.topic("n", keep=1000)
        for number in range(20):
            await bus.publish("n", batch(number * 10, 10))
            await bus.publish("n", Order(-1, "us", 0.0))
        events = [event async for event in bus.read("n")]
        assert [event.offset for event in events] == list(range(220))
        rest = [event.data["id"] async for event in bus.read("n", start=215, where="id >= 0")]
        assert rest == [196, 197, 198, 199]
        (part,) = [event async for event in bus.read("n", start=215, where="id >= 197", batches=True)]
        assert (part.offset, part.offsets().tolist(), part.end) == (215, [216, 217, 218], 219)

    run(test)


def test_a_topic_forgets_batches_that_all_have_passed() -> None:
    async def test(bus: fx.Bus) -> None:
        bus.topic("n", keep=10)
        bus.on("n")(lambda rows: None)
        for _ in range(30):
            await bus.publish("n", batch(0, 1000))
        await bus.drain()
        await bus.publish("n", batch(0, 1000))
        found = bus.statistics()["n"]
        assert found["end"] == 31_000
        assert found["start"] >= 25_000
        assert found["start"] % 1000 == 0

    run(test)


@pytest.mark.parametrize(
    ("columns", "text"), [({"$x": [1]}, "begins with"), ({"a": [1], "b": [2]}, "two columns are named")]
)
def test_columns_that_can_not_be(columns: dict[str, list[int]], text: str) -> None:
    table = pa.RecordBatch.from_pydict(columns)
    if "b" in columns:
        table = table.rename_columns(["a", "a"])

    async def test(bus: fx.Bus) -> None:
        with pytest.raises(BusError, match=text) as caught:
            bus.publish("n", table)
        assert caught.value.code == "FX-BUS-0205"
        assert "n" not in bus.statistics()

    run(test)


def test_values_that_python_has_no_form_for() -> None:
    got: list[Any] = []

    async def test(bus: fx.Bus) -> None:
        bus.on("n", group="g")(lambda row: got.append(row["t"]))
        nanoseconds = pa.array([1_700_000_000_123_456_789], pa.timestamp("ns", "UTC"))
        await bus.publish("n", pa.RecordBatch.from_pydict({"t": nanoseconds}))
        await bus.publish("n", pa.RecordBatch.from_pydict({"t": pa.array([10**7], pa.date32())}))
        await bus.publish("n", {"t": 3})
        await bus.drain()
        (letter,) = [event async for event in bus.read("dead.>", batches=True)]
        assert letter.data["t"].cast(pa.int32()).to_pylist() == [10**7]
        assert statistics(bus, "n", "g")["lag"] == 0

    run(test)
    assert got == [dt.datetime(2023, 11, 14, 22, 13, 20, 123456, dt.UTC), 3]
