"""Topics of a bus in a folder: schemas, batches, ids, versions, compaction, retention, and what is declared again."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pyarrow as pa
import pydantic
import pytest

import fluxcore as fx
from fluxcore.bus.transports.file.layout import Folder
from fluxcore.bus.transports.file.transport import FileTransport
from fluxcore.testing.disk import SimulatedDisk

Test = Callable[[fx.Bus], Coroutine[Any, Any, None]]


@dataclass
class Line:
    sku: str
    count: int


@dataclass
class Order:
    id: int
    price: Annotated[Decimal, "DECIMAL(10, 2)"]
    at: dt.datetime
    lines: list[Line]
    tags: dict[str, int] | None = None


class Small(msgspec.Struct):
    n: int
    name: str | None = None


class Model(pydantic.BaseModel):
    n: int
    name: str | None = None


ORDER = Order(1, Decimal("9.50"), dt.datetime(2024, 1, 2, 3, 4, 5), [Line("a", 2)], {"x": 1})


def run(place: Path | SimulatedDisk, test: Test) -> None:
    """Run a test on a bus in a folder, or on a simulated disk."""
    on_disk = isinstance(place, SimulatedDisk)
    bus = fx.Bus(transport=FileTransport("bus", place, 1 << 16)) if on_disk else fx.Bus(f"file:{place}")

    async def main() -> None:
        async with asyncio.timeout(60), bus:
            await test(bus)

    asyncio.run(main())


async def codes(*publishings: Callable[[], Any]) -> list[str]:
    """Return the codes of the errors that publishing ends with."""
    found = []
    for publish in publishings:
        with pytest.raises(fx.FluxError) as caught:
            await publish()
        found.append(caught.value.code)
    return found


def test_a_topic_with_a_schema_has_columns(tmp_path: Path) -> None:
    got: list[Any] = []
    batches: list[pa.RecordBatch] = []

    async def test(bus: fx.Bus) -> None:
        bus.topic("orders", schema=Order)

        @bus.on("orders.>", group="typed")
        async def typed(order: Order, event: fx.Event) -> None:
            got.append((event.offset, event.key, order))

        @bus.on("orders.>", group="columns")
        async def columns(batch: pa.RecordBatch) -> None:
            batches.append(batch)

        await bus.publish("orders.eu", ORDER, key="k")
        as_dict = {"id": 2, "price": "1.25", "at": "2024-01-02T03:04:05", "lines": []}
        await bus.publish("orders.eu", as_dict)
        await bus.drain()

    run(tmp_path, test)
    assert got == [(0, "k", ORDER), (1, None, Order(2, Decimal("1.25"), ORDER.at, [], None))]
    table = pa.Table.from_batches(batches)
    assert table.schema.names == ["id", "price", "at", "lines", "tags"]
    assert table.schema.field("price").type == pa.decimal128(10, 2)
    assert table.column("id").to_pylist() == [1, 2]
    declared = Folder(str(tmp_path)).declaration("orders")
    assert declared is not None
    assert declared.columns["at"] == "timestamp[us]"


def test_the_engine_reads_a_topic_with_a_schema_as_a_table(tmp_path: Path) -> None:
    bus = fx.Bus(f"file:{tmp_path}")
    bus.topic("orders", schema="id BIGINT NOT NULL, region STRING, amount DOUBLE")
    with bus:
        for n in range(6):
            bus.publish("orders.x", {"id": n, "region": "eu" if n % 2 else "us", "amount": float(n)}).result(30)
    session = fx.Session()
    bus.table("orders", session=session)
    found = session.sql("SELECT region, SUM(amount) AS total FROM orders GROUP BY region").to_arrow()
    assert sorted(found.to_pylist(), key=str) == [{"region": "eu", "total": 9.0}, {"region": "us", "total": 6.0}]


@pytest.mark.parametrize(
    "schema",
    [
        Small,
        Model,
        "n BIGINT NOT NULL, name STRING",
        pa.schema([pa.field("n", pa.int64(), False), ("name", pa.string())]),
    ],
)
def test_what_does_not_fit_a_schema_is_refused_when_it_is_published(schema: Any) -> None:
    async def test(bus: fx.Bus) -> None:
        bus.topic("n", schema=schema)
        good = [
            {"n": 1},
            Small(2, "b"),
            Model(n=3),
            b'{"n": 4}',
            pa.record_batch({"n": pa.array([5], pa.int32())}),
            pa.table({"name": ["f"], "n": [6]}),
        ]
        for each in good:
            await bus.publish("n", each)
        bad = [{"n": "x"}, {"n": 1, "other": 2}, {"name": "a"}, {"n": 2**63}, 5, b"{", pa.record_batch({"m": [1]}),
               pa.record_batch({"n": ["x"]}), pa.record_batch({"n": pa.array([None], pa.int64())})]  # fmt: skip
        assert await codes(*(lambda each=each: bus.publish("n", each) for each in bad)) == ["FX-BUS-0207"] * len(bad)
        assert [event.data["n"] async for event in bus.read("n")] == [1, 2, 3, 4, 5, 6]

    run(SimulatedDisk(), test)


def test_what_is_no_schema_is_refused() -> None:
    @dataclass
    class Loose:
        anything: Any

    for schema, code in ((5, "FX-BUS-0118"), (Loose, "FX-BUS-0118"), ("n", "FX-SQL-0301"), ("n INT,", "FX-SQL-0104")):
        with pytest.raises(fx.FluxError) as caught:
            fx.Bus().topic("n", schema=schema)
        assert caught.value.code == code


def test_batches_stay_batches_and_have_ids_and_keys_of_their_rows() -> None:
    got: list[list[dict[str, Any]]] = []

    async def write(bus: fx.Bus) -> None:
        @bus.on("n", group="g")
        async def take(batch: pa.RecordBatch) -> None:
            got.append(batch.to_pylist())

        batch = pa.record_batch({"n": [1, 2, 3]})
        receipt = await bus.publish("n", batch, id="x", headers={"a": "b"})
        assert (receipt.offset, receipt.duplicate) == (0, False)
        again = await bus.publish("n", batch, id="x")
        assert (again.offset, again.duplicate) == (0, True)
        assert (await bus.publish("n", pa.record_batch({"other": ["z"]}))).offset == 3
        assert (await bus.publish("n", {"single": 1})).offset == 4

    async def read(bus: fx.Bus) -> None:
        events = [event async for event in bus.read("n")]
        assert [event.data for event in events] == [{"n": 1}, {"n": 2}, {"n": 3}, {"other": "z"}, {"single": 1}]
        assert [event.id for event in events[:3]] == ["x/0", "x/1", "x/2"]
        assert events[1].headers == {"a": "b"}
        whole = [event async for event in bus.read("n", batches=True)]
        assert [type(event).__name__ for event in whole] == ["BatchEvent", "BatchEvent", "StoredEvent"]

    disk = SimulatedDisk()
    run(disk, write)
    run(disk, read)
    assert got == [[{"n": 1}, {"n": 2}, {"n": 3}], [{"other": "z"}], [{"single": 1}]]


def test_ids_are_known_across_restarts_for_a_time() -> None:
    disk = SimulatedDisk()

    async def test(bus: fx.Bus) -> tuple[bool, bool]:
        bus.topic("n", dedup="1 h")
        found = await bus.publish("n", 1, id="a")
        other = await bus.publish("n", 1, id=f"b{found.duplicate}")
        return found.duplicate, other.duplicate

    seen: list[Any] = []

    async def keep(bus: fx.Bus) -> None:
        seen.append(await test(bus))

    run(disk, keep)
    run(disk, keep)
    disk.advance(2 * 3_600_000_000)
    run(disk, keep)
    assert seen == [(False, False), (True, False), (False, False)]


def test_versions_hold_across_restarts() -> None:
    disk = SimulatedDisk()

    async def first(bus: fx.Bus) -> None:
        bus.topic("a", versions=True)
        await bus.publish("a.x", 1, key="k", expect=None)
        await bus.publish("a.x", 2, key="k")

    async def second(bus: fx.Bus) -> None:
        assert await codes(lambda: bus.publish("a.x", 3, key="k", expect=0)) == ["FX-LOG-0009"]
        assert (await bus.publish("a.x", 3, key="k", expect=1)).offset == 2
        assert await codes(lambda: bus.publish("b.x", 3, key="k", expect=0)) == ["FX-BUS-0114"]

    run(disk, first)
    run(disk, second)


def test_a_compacted_topic_has_the_last_event_of_each_key_and_groups_pass_over_the_others() -> None:
    disk = SimulatedDisk()
    got: list[int] = []

    async def first(bus: fx.Bus) -> None:
        bus.topic("n", compact=True)
        for publishing in [bus.publish("n", n, key=f"k{n % 3}") for n in range(30)]:
            await publishing
        await bus.compact("n")
        assert [event.data async for event in bus.read("n")] == [27, 28, 29]
        bus.on("n", group="g", start="earliest")(got.append)
        await bus.publish("n", 30, key="k9")
        await bus.drain()
        assert await codes(lambda: bus.compact("other")) == ["FX-BUS-0119"]

    async def last(bus: fx.Bus) -> None:
        assert [event.offset async for event in bus.read("n")] == [27, 28, 29, 30]

    run(disk, first)
    run(disk, last)
    assert got == [27, 28, 29, 30]


def test_a_group_that_was_too_late_goes_on_at_what_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    disk = SimulatedDisk()
    got: list[int] = []

    async def test(bus: fx.Bus) -> None:
        bus.topic("n", retain_events=20, segment_bytes=1 << 14)
        bus.on("n", group="g")(lambda data: got.append(data["n"]))
        bus.pause("g")
        for n in range(300):
            publishing = bus.publish("n", {"n": n, "fill": "x" * 300})
            if n % 20 == 19:
                await publishing
        start = await bus.retain("n")
        assert 0 < start <= 280
        bus.resume("g")
        await bus.drain()
        assert got == list(range(start, 300))
        assert bus.statistics()["n"]["groups"]["g"]["missed"] == start

    run(disk, test)
    assert "too late" in caplog.text


def test_what_is_declared_again_holds_from_now_on_but_for_the_schema() -> None:
    disk = SimulatedDisk()

    async def first(bus: fx.Bus) -> None:
        bus.topic("n", schema=Small, compression="zstd")
        await bus.publish("n", Small(1))

    async def second(bus: fx.Bus) -> None:
        bus.topic("n", schema=Small, retention="7 days", acks="os")
        assert (await bus.publish("n", Small(2))).survives == "os"
        with pytest.raises(fx.BusError) as caught:
            bus.topic("n", schema=Small)
        assert caught.value.code == "FX-BUS-0106"

    async def third(bus: fx.Bus) -> None:
        with pytest.raises(fx.BusError) as caught:
            bus.topic("n", schema="n INT")
        assert caught.value.code == "FX-BUS-0117"
        assert [event.data["n"] async for event in bus.read("n")] == [1, 2]

    run(disk, first)
    run(disk, second)
    declared = Folder("bus", disk).declaration("n")
    assert declared is not None
    assert (declared.retain_ms, declared.acks, declared.compression) == (7 * 86_400_000, "os", "none")
    run(disk, third)
    early = fx.Bus(transport=FileTransport("bus", disk))
    early.topic("n", schema="n INT")

    async def main() -> None:
        async with early:
            pass

    with pytest.raises(fx.BusError) as caught:
        asyncio.run(main())
    assert caught.value.code == "FX-BUS-0117"


def test_frames_in_which_no_row_can_meet_the_condition_are_not_read() -> None:
    got: list[int] = []

    async def test(bus: fx.Bus) -> None:
        bus.topic("n", schema="n BIGINT")
        for first in range(0, 6000, 300):
            await bus.publish("n", pa.record_batch({"n": list(range(first, first + 300))}))

        @bus.on("n", group="g", start="earliest", where="n >= 5990")
        async def take(batch: pa.RecordBatch) -> None:
            got.extend(batch.column("n").to_pylist())

        await bus.drain()
        assert got == list(range(5990, 6000))
        assert bus.statistics()["n"]["frames_skipped"] == 19
        found = [event.data["n"] async for event in bus.read("n", where="n < 2 OR n = 5999")]
        assert found == [0, 1, 5999]

        @bus.on("n", group="other", start="earliest")  # two groups, and one of them wants all
        async def all_of_it(batch: pa.RecordBatch) -> None:
            got.extend(batch.column("n").to_pylist())

        await bus.publish("n", pa.record_batch({"n": [5, 5995]}))
        await bus.drain()
        assert sorted(got[10:]) == sorted([*range(6000), 5, 5995, 5995])

    run(SimulatedDisk(), test)
