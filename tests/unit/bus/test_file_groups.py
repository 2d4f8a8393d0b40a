"""What a group of a bus in a folder remembers: across restarts, after a crash, and when the disk is in the way."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import random
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import fluxcore as fx
from fluxcore.bus.errors import BusError
from fluxcore.bus.log import Log
from fluxcore.bus.log.recovery import recover
from fluxcore.bus.progress import Progress
from fluxcore.bus.transports.file.layout import Folder, GroupState
from fluxcore.bus.transports.file.transport import FileTransport
from fluxcore.testing.disk import SimulatedDisk
from fluxcore.testing.faults import Faults

NEVER = fx.Retry(attempts=9, delay="1 hour")
AT_ONCE = fx.Retry(attempts=2, delay=0)


def run(disk: SimulatedDisk, test: Callable[[fx.Bus], Coroutine[Any, Any, None]], *, drain: bool = True) -> None:
    """Run a test on a bus of a simulated disk, which is closed behind it."""
    bus = fx.Bus(transport=FileTransport("bus", disk, 1 << 16))

    async def main() -> None:
        async with asyncio.timeout(60), bus:
            await test(bus)
            await bus.close(drain=drain)

    asyncio.run(main())


def progress(disk: SimulatedDisk, group: str = "g") -> dict[str, Any]:
    """Return how far a group has come, as it was saved."""
    found = Folder("bus", disk).group(group)
    assert found is not None
    return {name: (each.position, each.done, each.attempts) for name, each in found.topics.items()}


async def until(condition: Callable[[], object]) -> None:
    """Give others their turn until something is so."""
    while not condition():
        await asyncio.sleep(0.001)


def test_a_group_goes_on_where_it_was() -> None:
    disk, got = SimulatedDisk(), []

    async def first(bus: fx.Bus) -> None:
        bus.on("n", group="g")(got.append)
        for n in range(3):
            await bus.publish("n", n)

    async def between(bus: fx.Bus) -> None:
        await bus.publish("n", 3)
        await bus.publish("later.x", 4)

    async def last(bus: fx.Bus) -> None:
        bus.on(["n", "later.>"], group="g")(got.append)
        bus.on("n", group="new")(lambda _: got.append("new"))
        bus.on("n", group="old", start="earliest")(lambda n: got.append(f"old {n}"))

    run(disk, first)
    assert progress(disk) == {"n": (3, [], {})}
    run(disk, between)
    run(disk, last)
    assert got[:3] == [0, 1, 2]
    assert sorted(got[3:], key=str) == [3, 4, "old 0", "old 1", "old 2", "old 3"]


def test_a_group_has_all_events_of_a_topic_that_was_made_after_it_however_late_it_is_found() -> None:
    disk, got = SimulatedDisk(), []

    async def handle(bus: fx.Bus) -> None:
        bus.on(["n", "other"], group="g")(got.append)
        other = fx.Bus(transport=FileTransport("bus", disk, 1 << 16))
        async with other:  # its topic is made before the progress of the group is saved, and found after that
            await other.publish("other", 1)
            await bus.publish("n", 0)
            await bus.drain()
            transport.save()
            await until(lambda: len(got) == 2)

    transport = FileTransport("bus", disk, 1 << 16)
    bus = fx.Bus(transport=transport)

    async def main() -> None:
        async with asyncio.timeout(60), bus:
            await handle(bus)

    asyncio.run(main())
    assert sorted(got) == [0, 1]


def test_only_what_was_not_done_comes_again_with_its_attempts() -> None:
    disk, got = SimulatedDisk(), []

    async def first(bus: fx.Bus) -> None:
        @bus.on("n", group="g", max_in_flight=4, retry=NEVER)
        async def take(n: int) -> None:
            if n in (2, 5):
                raise ValueError(n)
            got.append(n)

        for publishing in [bus.publish("n", n) for n in range(8)]:
            await publishing
        await until(lambda: len(got) == 6)

    async def last(bus: fx.Bus) -> None:
        @bus.on("n", group="g")
        async def take(n: int, event: fx.Event) -> None:
            got.append((n, event.attempt))

    run(disk, first, drain=False)
    assert progress(disk) == {"n": (2, [(3, 5), (6, 8)], {2: 1, 5: 1})}
    run(disk, last)
    assert sorted(got[:6]) == [0, 1, 3, 4, 6, 7]
    assert got[6:] == [(2, 2), (5, 2)]
    assert progress(disk) == {"n": (8, [], {})}


def test_a_killed_process_forgets_only_what_it_did_last() -> None:
    disk, got, copies = SimulatedDisk(), [], []

    async def first(bus: fx.Bus) -> None:
        bus.on("n", group="g")(got.append)
        for n in range(5):
            await bus.publish("n", n)
        saved = Folder("bus", disk)
        await until(lambda: (found := saved.group("g")) and "n" in found.topics and found.topics["n"].position == 5)
        copies.append(disk.copy())

    run(disk, first)
    got.clear()

    async def last(bus: fx.Bus) -> None:
        bus.on("n", group="g")(got.append)
        await bus.publish("n", 5)

    run(copies[0], last)
    assert got == [5]


def test_what_waits_for_its_time_waits_across_a_restart() -> None:
    disk, got = SimulatedDisk(), []

    async def first(bus: fx.Bus) -> None:
        bus.on("n", group="g")(got.append)
        await bus.publish("n", "later", delay="300 ms")
        await bus.publish("n", "gone", expires=0)
        await bus.publish("n", "now")
        await until(lambda: got)

    async def last(bus: fx.Bus) -> None:
        bus.on("n", group="g")(got.append)
        await until(lambda: len(got) == 2)

    run(disk, first, drain=False)
    assert progress(disk) == {"n": (0, [(1, 3)], {})}
    run(disk, last)
    assert got == ["now", "later"]


def test_dead_letters_last_and_are_given_back_once() -> None:
    disk, got = SimulatedDisk(), []

    async def first(bus: fx.Bus) -> None:
        @bus.on("n", group="g", retry=AT_ONCE)
        async def take(n: int) -> None:
            raise ValueError(n)

        for n in range(3):
            await bus.publish("n", n, key="k")

    async def middle(bus: fx.Bus) -> None:
        bus.on("n", group="g")(got.append)
        bus.on("n", group="other")(lambda n: got.append(f"other {n}"))
        letters = [event async for event in bus.read("dead.n")]
        assert [(event.data, event.headers["frys-dead-attempts"]) for event in letters] == [
            (0, "2"),
            (1, "2"),
            (2, "2"),
        ]
        assert await bus.revive(where="x = 1") == 0
        assert await bus.revive() == 3

    async def last(bus: fx.Bus) -> None:
        bus.on("n", group="g")(got.append)
        assert await bus.revive() == 0

    run(disk, first)
    run(disk, middle)
    run(disk, last)
    assert got == [0, 1, 2]


def test_an_event_comes_again_while_its_dead_letter_can_not_be_stored(caplog: pytest.LogCaptureFixture) -> None:
    disk, tried = SimulatedDisk(), []

    async def test(bus: fx.Bus) -> None:
        @bus.on("n", group="g", retry=AT_ONCE)
        async def take(n: int, event: fx.Event) -> None:
            tried.append(event.attempt)
            raise ValueError(n)

        disk.faults = Faults(0, errno.ENOSPC, times=10**9, kinds=frozenset({"allocate"}), only="topics/dead")
        await bus.publish("n", 7)
        await until(lambda: len(tried) >= 5)
        assert bus.statistics()["n"]["groups"]["g"]["dead"] == 0
        disk.faults = None
        await bus.drain()
        assert bus.statistics()["n"]["groups"]["g"]["dead"] == 1
        assert [event.data async for event in bus.read("dead.n")] == [7]

    run(disk, test)
    assert tried[:2] == [1, 2]
    told = [each for each in caplog.records if "a dead letter can't be kept" in each.getMessage()]
    assert told
    assert "No space left" in str(told[0].__dict__)


def test_processes_of_a_folder_take_turns_at_putting_dead_letters_away() -> None:
    """Two logs of one folder on a simulated disk are as those of two processes: each has its lock."""
    disk = SimulatedDisk()

    def bus_of(name: str) -> fx.Bus:
        bus = fx.Bus(transport=FileTransport("bus", disk, 1 << 16))

        @bus.on(name, group=name, max_in_flight=16, retry=fx.Retry(attempts=1))
        async def take(n: int) -> None:
            raise ValueError(n)

        return bus

    async def main() -> None:
        async with asyncio.timeout(60), bus_of("a") as first, bus_of("b") as second:
            for n in range(100):
                await first.publish("a", n)
                await second.publish("b", n)
            await asyncio.gather(first.drain(), second.drain())
            for bus, name in ((first, "a"), (second, "b")):
                assert bus.statistics()[name]["groups"][name]["dead"] == 100
                found = [(event.subject, event.data) async for event in bus.read("dead.>")]
                assert sorted(found) == [(f"dead.{each}", n) for each in "ab" for n in range(100)]

    asyncio.run(main())


def test_a_dead_letter_waits_while_a_program_keeps_their_topic_open() -> None:
    disk = SimulatedDisk()

    async def test(bus: fx.Bus) -> None:
        @bus.on("n", group="g", retry=AT_ONCE)
        async def take(n: int) -> None:
            raise ValueError(n)

        with Log.open(Folder("bus", disk).topic("dead"), files=disk):
            await bus.publish("n", 7)
            await until(lambda: bus.statistics().get("dead"))
            assert not await bus.drain(0.2)
            assert bus.statistics()["n"]["groups"]["g"]["in_flight"] == 1
        await bus.drain()
        assert [event.data async for event in bus.read("dead.n")] == [7]

    run(disk, test)


def test_dead_letters_that_another_process_gave_back_are_not_given_back_again() -> None:
    disk, got = SimulatedDisk(), []

    async def fail(bus: fx.Bus) -> None:
        @bus.on("n", group="g", retry=fx.Retry(attempts=1))
        async def take(n: int) -> None:
            raise ValueError(n)

        for n in range(20):
            await bus.publish("n", n)

    async def main() -> None:
        first, second = (fx.Bus(transport=FileTransport("bus", disk, 1 << 16)) for _ in range(2))
        first.on("n", group="g", inline=True)(got.append)
        async with asyncio.timeout(60), first, second:
            assert await first.revive(where="x = 1") == 0  # which reads what was given back so far
            assert await second.revive(where="x = 1") == 0
            assert await first.revive() == 20
            assert await second.revive() == 0

    run(disk, fail)
    asyncio.run(main())
    assert got == list(range(20))


def test_a_paused_group_is_paused_in_the_next_process() -> None:
    disk, got = SimulatedDisk(), []

    async def first(bus: fx.Bus) -> None:
        bus.on("n", group="g")(got.append)
        await bus.publish("n", 0)
        await bus.drain()
        bus.pause("g")
        await bus.publish("n", 1)

    async def last(bus: fx.Bus) -> None:
        bus.on("n", group="g")(got.append)
        await bus.drain()
        assert got == [0]
        bus.resume("g")
        await until(lambda: len(got) == 2)

    run(disk, first)
    run(disk, last)
    assert got == [0, 1]
    found = Folder("bus", disk).group("g")
    assert found is not None
    assert not found.paused


def test_a_group_beyond_the_end_of_its_topic_goes_on_there(caplog: pytest.LogCaptureFixture) -> None:
    disk, got = SimulatedDisk(), []

    async def write(bus: fx.Bus) -> None:
        for n in range(3):
            await bus.publish("n", n)

    async def read(bus: fx.Bus) -> None:
        bus.on("n", group="g")(got.append)
        await bus.publish("n", 3)

    run(disk, write)
    Folder("bus", disk).save_group(standing("g", "n", 1000))
    run(disk, read)
    assert got == [3]
    assert progress(disk) == {"n": (4, [], {})}
    assert "beyond the end" in caplog.text


def standing(group: str, topic: str, position: int) -> GroupState:
    """Return a group that stands somewhere."""
    return GroupState(group, {topic: Progress(position)})


def test_progress_that_can_not_be_saved_is_saved_when_the_disk_is_well() -> None:
    disk, got = SimulatedDisk(), []

    async def test(bus: fx.Bus) -> None:
        bus.on("n", group="g")(got.append)
        await bus.drain()
        faults = disk.faults = Faults(0, errno.EIO, times=2, kinds=frozenset({"rename"}), only="g.json")
        await bus.publish("n", 0)
        await until(lambda: faults.seen > 2 and progress(disk) == {"n": (1, [], {})})

    run(disk, test)


def test_after_a_failure_of_power_no_group_stands_beyond_its_log() -> None:
    disk = SimulatedDisk()
    choose = random.Random(5)
    transport = FileTransport("bus", disk, 1 << 16)
    bus = fx.Bus(transport=transport)
    got: list[int] = []

    async def main() -> None:
        bus.topic("n", acks="os")
        bus.on("n", group="g")(got.append)
        async with asyncio.timeout(60), bus:
            for n in range(50):
                await bus.publish("n", n, acks="disk" if n % 10 == 0 else None)
                await until(lambda n=n: len(got) > n)
                if n % 10 == 4:  # before it is synced, which takes a while with these acknowledgements
                    transport.save()

    asyncio.run(main())
    looked = 0
    for state, entry in disk.replay():
        if "groups/g.json" not in f"{entry.path} {entry.target}" and choose.random() > 0.2:
            continue
        for crashed in state.crashes(3, choose):
            group = Folder("bus", crashed).group("g")
            if group is None or "n" not in group.topics:
                continue
            looked += group.topics["n"].position > 0
            end = recover(crashed, "bus/topics/n", "n", 1 << 16).end
            assert group.topics["n"].position <= end
            assert all(stop <= end for _, stop in group.topics["n"].done)
    assert looked > 10


def test_a_bus_that_can_not_begin_gives_its_groups_back() -> None:
    disk = SimulatedDisk()

    def bus_of(*groups: str) -> fx.Bus:
        bus = fx.Bus(transport=FileTransport("bus", disk, 1 << 16))
        for each in groups:
            bus.on("n", group=each)(lambda n: None)
        return bus

    async def main() -> None:
        async with bus_of("taken"):
            unlucky = bus_of("free", "taken")
            for code in ("FX-BUS-0402", "FX-BUS-0301"):
                with pytest.raises(BusError) as caught:
                    await unlucky.__aenter__()
                assert caught.value.code == code
            async with bus_of("free"):
                pass

    asyncio.run(main())
    with bus_of("taken"), pytest.raises(BusError), bus_of("free", "taken"):
        pass
    with bus_of("free"):
        pass


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("kind", ["open", "truncate", "write", "sync", "rename"])
def test_a_disk_that_takes_no_group_ends_no_bus_and_loses_no_group(kind: str, number: int) -> None:
    disk, got = SimulatedDisk(), []

    async def count(bus: fx.Bus) -> None:
        bus.on("n", group="g", start="earliest")(got.append)
        await bus.publish("n", first := bus.statistics().get("n", {"end": 0})["end"])
        await bus.drain()
        faults = disk.faults = Faults(0, number, times=10**9, kinds=frozenset({kind}), only="groups/")
        await bus.publish("n", first + 1)
        await until(lambda: faults.happened)

    run(disk, count)
    disk.faults = None
    assert progress(disk)["n"][0] <= 1
    run(disk, count)
    assert (got[:2], got[-2:]) == ([0, 1], [2, 3])


@pytest.mark.parametrize("kind", ["open", "truncate", "write", "sync", "rename"])
def test_a_disk_that_takes_no_new_group_is_told_and_the_group_begins_later(kind: str) -> None:
    disk, got = SimulatedDisk(Faults(0, errno.ENOSPC, times=10**9, kinds=frozenset({kind}), only="groups/g.json")), []
    for faults, code in ((disk.faults, "FX-BUS-0404"), (None, None)):
        disk.faults = faults
        bus = fx.Bus(transport=FileTransport("bus", disk, 1 << 16))
        bus.on("n", group="g")(got.append)
        with pytest.raises(BusError) if code else contextlib.nullcontext() as caught, bus:
            bus.publish("n", 1).result()
        assert code is None or caught.value.code == code
    assert got == [1]


def test_a_group_that_can_not_be_saved_keeps_no_other_from_it() -> None:
    disk, got = SimulatedDisk(), []

    async def count(bus: fx.Bus) -> None:
        for name in ("a", "b"):
            bus.on("n", group=name, start="earliest")(got.append)
        await bus.publish("n", 1)
        await bus.drain()
        disk.faults = Faults(0, errno.ENOSPC, times=10**9, only="groups/a.json")
        await bus.publish("n", 2)

    run(disk, count)
    disk.faults = None
    assert progress(disk, "b") == {"n": (2, [], {})}


class Crowd:
    """A disk that counts how many write the file of dead letters at once, and lets them meet if they can."""

    def __init__(self, disk: SimulatedDisk) -> None:
        self._disk = disk
        self._met = threading.Event()
        self.inside = 0
        self.most = 0

    def open(self, path: str, *, create: bool = False, write: bool = False) -> int:
        if path.endswith("revived.json.new"):
            self.inside += 1
            self.most = max(self.most, self.inside)
            if self.inside > 1:
                self._met.set()
            self._met.wait(0.05)
        return self._disk.open(path, create=create, write=write)

    def rename(self, source: str, target: str) -> None:
        if source.endswith("revived.json.new"):
            self.inside -= 1
        self._disk.rename(source, target)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._disk, name)


def test_dead_letters_given_back_in_haste_are_saved_one_after_the_other() -> None:
    disk = SimulatedDisk()
    crowd = Crowd(disk)

    async def fail(bus: fx.Bus) -> None:
        @bus.on("n", group="g", retry=fx.Retry(attempts=1))
        async def take(n: int) -> None:
            raise ValueError(n)

        for publishing in [bus.publish("n", n) for n in range(600)]:
            await publishing

    async def main() -> None:
        bus = fx.Bus(transport=FileTransport("bus", crowd))  # type: ignore[arg-type]
        bus.on("n", group="g")(lambda n: None)
        async with asyncio.timeout(60), bus:
            assert await bus.revive() == 600

    run(disk, fail)
    asyncio.run(main())
    assert crowd.most == 1
    assert Folder("bus", disk).revived().topics == {"dead": [(0, 600)]}
