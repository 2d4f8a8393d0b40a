"""Random programs on a bus in memory and on one in a folder, beside a model of what it promises.

The model is the list of what was acknowledged. Whatever is published, fails, is restarted, crashes, is compacted or removed: reading
gives what the model says, and the group has every event that it may still have, at least once, those of a key in order.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from typing import Any

import pyarrow as pa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import fluxcore as fx
from fluxcore.bus.transports.file.layout import Folder
from fluxcore.bus.transports.file.transport import FileTransport
from fluxcore.testing.disk import SimulatedDisk

KEYS = st.sampled_from([None, "a", "b"])
ATTEMPTS = 3


class OnMemory(RuleBasedStateMachine):
    """One topic, ``n``, with one group; payloads are numbers given out once, and how often the handler fails on them."""

    segment_bytes = 1 << 14
    retained: int | None = None

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.log: dict[int, tuple[int, str | None]] = {}  # what is acknowledged, by offset: number and key
        self.ids: dict[str, int] = {}
        self.compacted = 0  # offsets below may lack all but the last event of each key
        self.number = 0
        self.failures: dict[int, int] = {}
        self.tried: dict[int, int] = defaultdict(int)
        self.handled: list[int] = []
        self.runs: list[int] = [0]  # where in ``handled`` each process began

    # -- the bus ----------------------------------------------------------------------------------------------------

    def transport(self) -> Any:
        return None

    @initialize()
    def begin(self) -> None:
        self.run(self.start())

    def run(self, coroutine: Any) -> Any:
        async def limited() -> Any:
            async with asyncio.timeout(60):
                return await coroutine

        return self.runner.run(limited())

    async def start(self) -> None:
        self.bus = fx.Bus(transport=self.transport())
        self.bus.topic("n", compact=True, retain_events=self.retained, segment_bytes=self.segment_bytes, keep=10**6)
        retry = fx.Retry(attempts=ATTEMPTS, delay=0)

        @self.bus.on("n.>", group="g", start="earliest", max_in_flight=3, retry=retry)
        async def take(data: dict, event: fx.Event) -> None:
            n = data["n"]
            self.tried[n] += 1
            if self.tried[n] <= self.failures.get(n, 0):
                await asyncio.sleep(0)
                raise ValueError(n)
            self.handled.append(event.offset)

        await self.bus.__aenter__()

    async def receipt(self, publishing: Any) -> fx.Receipt:
        found: fx.Receipt = await publishing
        return found

    # -- what programs do -------------------------------------------------------------------------------------------

    @rule(key=KEYS, count=st.integers(1, 5), failures=st.sampled_from([0, 0, 0, 1, 2]), named=st.booleans())
    def publish(self, key: str | None, count: int, failures: int, named: bool) -> None:
        async def go() -> None:
            numbers = range(self.number, self.number + count)
            self.failures |= dict.fromkeys(numbers, failures)
            publishings = [self.bus.publish("n.x", {"n": n}, key=key, id=f"id-{n}" if named else None) for n in numbers]
            for n, publishing in zip(numbers, publishings, strict=True):
                offset = (await self.receipt(publishing)).offset
                self.log[offset] = (n, key)
                if named:
                    self.ids[f"id-{n}"] = offset
            self.number += count

        self.run(go())

    @rule(key=KEYS, count=st.integers(1, 40))
    def publish_batch(self, key: str | None, count: int) -> None:
        numbers = list(range(self.number, self.number + count))
        self.number += count
        first = self.run(self.receipt(self.bus.publish("n.y", pa.record_batch({"n": numbers}), key=key))).offset
        self.log |= {first + place: (n, key) for place, n in enumerate(numbers)}

    @precondition(lambda self: self.number)
    @rule(data=st.data())
    def publish_a_duplicate(self, data: st.DataObject) -> None:
        id_ = f"id-{data.draw(st.integers(max(0, self.number - 5), self.number - 1))}"
        receipt = self.run(self.receipt(self.bus.publish("n.x", {"n": self.number}, id=id_)))
        known = self.ids.get(id_)
        if receipt.duplicate:
            assert receipt.offset == known
        else:  # where it was seen, it is known no longer only because it is gone
            assert known is None or self.may_lack(known)
            self.log[receipt.offset] = (self.number, None)
            self.ids[id_] = receipt.offset
            self.number += 1

    @rule()
    def pause_and_resume(self) -> None:
        self.bus.pause("g")
        self.run(asyncio.sleep(0))
        self.bus.resume("g")

    @rule()
    def drain(self) -> None:
        assert self.run(self.bus.drain(30))
        self.check_handled()

    # -- what must hold ---------------------------------------------------------------------------------------------

    @invariant()
    def reading_gives_what_was_acknowledged(self) -> None:
        if not hasattr(self, "bus"):
            return

        async def go() -> dict[int, tuple[int, str | None]]:
            return {e.offset: (e.data["n"], e.key) async for e in self.bus.read("n.>")}

        found = self.run(go())
        assert found.items() <= self.log.items()
        last = {key: offset for offset, (_, key) in sorted(self.log.items())}
        for offset, (_, key) in self.log.items():
            superseded = offset < self.compacted and key is not None and last[key] != offset
            assert offset in found or superseded or self.is_old(offset)

    def is_old(self, offset: int) -> bool:
        """Return whether retention may have removed an event: so many later ones are there."""
        return self.retained is not None and sum(each > offset for each in self.log) >= self.retained

    def may_lack(self, offset: int) -> bool:
        return offset < self.compacted or self.is_old(offset)

    def check_handled(self) -> None:
        """After draining, each event that is kept was handled, and those of a key in order."""
        known = set(self.handled)
        assert known <= self.log.keys()
        missing = self.log.keys() - known
        assert all(self.may_lack(offset) for offset in missing), missing
        for first, end in zip(self.runs, [*self.runs[1:], len(self.handled)], strict=True):
            once = self.handled[first:end]
            assert len(set(once)) == len(once), "twice in one process"
            for key in ("a", "b"):
                offsets = [offset for offset in once if self.log[offset][1] == key]
                assert offsets == sorted(offsets)

    def teardown(self) -> None:
        if hasattr(self, "bus"):
            assert self.run(self.bus.drain(30))
            self.check_handled()
            self.run(self.bus.close())
        self.runner.close()


class OnDisk(OnMemory):
    """The same on a simulated disk, with restarts and crashes."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = SimulatedDisk()

    def transport(self) -> FileTransport:
        return FileTransport("bus", self.disk, self.segment_bytes)

    def begin_anew(self) -> None:
        self.runs.append(len(self.handled))
        self.run(self.start())

    @rule(drain=st.booleans())
    def restart(self, drain: bool) -> None:
        self.run(self.bus.close(drain=drain))
        group = Folder("bus", self.disk).group("g")
        assert group is not None
        if "n" in group.topics:
            assert group.topics["n"].position <= max(self.log, default=-1) + 1
        self.begin_anew()

    @rule(lost_power=st.booleans(), seed=st.integers(0, 2**32))
    def crash(self, lost_power: bool, seed: int) -> None:
        after = self.disk.crash(random.Random(seed)) if lost_power else self.disk.copy()
        self.run(self.bus.close(drain=False))  # what it still writes, it writes to the old disk
        self.disk = after
        self.begin_anew()

    @rule()
    def compact(self) -> None:
        self.compacted = max(self.log, default=-1) + 1
        self.run(self.bus.compact("n"))


class Removing(OnDisk):
    """The same with retention: nothing is said of events behind which there are many."""

    retained = 30

    @rule()
    def retain(self) -> None:
        start = self.run(self.bus.retain("n"))
        assert all(self.is_old(offset) for offset in self.log if offset < start)


TestOnMemory = OnMemory.TestCase
TestOnMemory.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestOnDisk = OnDisk.TestCase
TestOnDisk.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestRemoving = Removing.TestCase
TestRemoving.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
