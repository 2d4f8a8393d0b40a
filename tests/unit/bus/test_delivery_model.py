"""Whatever handlers do, each event is handled once, becomes a dead letter or expires, and those of a key stay in order."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import accumulate

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

import fluxcore as fx

ATTEMPTS = 3


@dataclass(frozen=True)
class Plan:
    """What is published: an event, or a batch of ``rows``; its key, at how many attempts its handler raises, how often the handler
    gives way to others, its delay, whether it has expired, its priority; whether the group is paused before it, or goes on.
    """

    rows: int
    key: str | None
    failures: int
    yields: int
    delay_ms: int
    expired: bool
    priority: int
    paused: bool | None

    @property
    def count(self) -> int:
        """How many events it is."""
        return self.rows or 1


PLANS = st.builds(
    Plan,
    st.sampled_from([0, 0, 0, 1, 2, 5]),
    st.sampled_from([None, "a", "b"]),
    st.sampled_from([0, 0, 0, 1, 2, 3]),
    st.integers(0, 3),
    st.sampled_from([0, 0, 0, 1]),
    st.sampled_from([False, False, False, True]),
    st.integers(0, 2),
    st.sampled_from([None, None, None, True, False]),
)
KINDS = {
    "async": {},
    "thread": {},
    "inline": {"inline": True},
    "list": {"batch": 1},
    "arrow": {"batch": 1},
    "thread arrow": {"batch": 1},
    "whole": {},
}


@dataclass
class Model:
    """What the handler sees of the plans; ``of`` has the plan of each event's number."""

    plans: list[Plan]
    of: list[Plan] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    tried: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    handled: list[int] = field(default_factory=list)
    running: list[list[int]] = field(default_factory=list)
    most: int = 0

    def __post_init__(self) -> None:
        self.of = [plan for plan in self.plans for _ in range(plan.count)]
        self.first = [0, *accumulate(plan.count for plan in self.plans)]

    def step(self, numbers: list[int]) -> None:
        """Handle events that stand or fall together."""
        for n in numbers:
            self.tried[n] += 1
        if any(self.tried[n] <= self.of[n].failures for n in numbers):
            raise ValueError(str(numbers))
        self.handled += numbers

    async def slow(self, numbers: list[int]) -> None:
        """Handle events, and let others have their turn meanwhile."""
        self.running.append(numbers)
        self.most = max(self.most, len(self.running))
        keys = [self.of[each[0]].key for each in self.running]
        keys = [key for key in keys if key is not None]
        assert len(keys) == len(set(keys)), "two events of one key at once"
        try:
            for _ in range(self.of[numbers[0]].yields):
                await asyncio.sleep(0)
            self.step(numbers)
        finally:
            self.running.remove(numbers)

    def register(self, bus: fx.Bus, kind: str, in_flight: int) -> None:
        """Register one handler of a kind."""

        async def one(data: dict) -> None:
            await self.slow([data["n"]])

        def plain(data: dict) -> None:
            self.step([data["n"]])

        async def many(data: list[dict]) -> None:
            await self.slow([each["n"] for each in data])

        async def arrow(rows: pa.RecordBatch) -> None:
            await self.slow(rows["n"].to_pylist())

        def on_thread(rows: pa.Table) -> None:
            self.step(rows["n"].to_pylist())

        async def whole(event: fx.Event | fx.BatchEvent) -> None:
            await self.slow(event.data["n"].to_pylist() if isinstance(event, fx.BatchEvent) else [event.data["n"]])

        handlers = {"async": one, "thread": plain, "inline": plain, "list": many, "arrow": arrow,
                    "thread arrow": on_thread, "whole": whole}  # fmt: skip
        options = {"group": "g", "max_in_flight": in_flight, "retry": fx.Retry(attempts=ATTEMPTS, delay=0)}
        bus.on("n", **options, **KINDS[kind])(handlers[kind])

    async def publish(self, bus: fx.Bus, number: int, *, watch: bool) -> None:
        """Publish what a plan says. With ``watch`` see that a paused group gets nothing."""
        plan, first = self.plans[number], self.first[number]
        if plan.paused is not None:
            (bus.pause if plan.paused else bus.resume)("g")
        before = statistics(bus)["delivered"]
        data: object = {"n": first}
        if plan.rows:
            data = pa.RecordBatch.from_pydict({"n": range(first, first + plan.rows)})
        times = {"delay": plan.delay_ms or None, "expires": 0 if plan.expired else None}
        receipt = await bus.publish("n", data, key=plan.key, priority=plan.priority, **times)
        assert receipt.offset == first
        if plan.paused and watch:
            for _ in range(5):
                await asyncio.sleep(0)
            assert statistics(bus)["delivered"] == before, "a paused group got an event"


def statistics(bus: fx.Bus) -> dict[str, int]:
    """Return where the group stands."""
    found: dict[str, int] = bus.statistics()["n"]["groups"]["g"]
    return found


@given(
    st.lists(PLANS, max_size=30),
    st.integers(1, 4),
    st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=2),
    st.booleans(),
)
def test_delivery(plans: list[Plan], in_flight: int, kinds: list[str], priorities: bool) -> None:
    model = Model(plans)
    bus = fx.Bus()

    async def main() -> None:
        bus.topic("n", priorities=priorities, keep=1_000_000)
        for kind in kinds:
            model.register(bus, kind, in_flight)
        async with asyncio.timeout(60), bus:
            for number in range(len(plans)):
                await model.publish(bus, number, watch="thread" not in kinds)
            bus.resume("g")
            while statistics(bus)["lag"]:
                await asyncio.sleep(0)
            letters = [event.data["n"] async for event in bus.read("dead.n")]
            judge(model, letters, statistics(bus), ordered=not priorities)
            assert [event.data["n"] async for event in bus.read("n")] == list(range(len(model.of)))

    asyncio.run(main())
    assert model.most <= in_flight * len(kinds)


def judge(model: Model, letters: list[int], group: dict[str, int], *, ordered: bool) -> None:
    """See that each event has come to the end that its plan says, by the way that it says."""
    expired = [n for n, plan in enumerate(model.of) if plan.expired]
    dead = [n for n, plan in enumerate(model.of) if plan.failures >= ATTEMPTS and not plan.expired]
    assert sorted([*model.handled, *letters, *expired]) == list(range(len(model.of)))
    assert sorted(letters) == dead
    tries = {n: min(plan.failures, ATTEMPTS - 1) + 1 for n, plan in enumerate(model.of) if not plan.expired}
    assert dict(model.tried) == tries
    assert group["lag"] == group["in_flight"] == 0
    assert group["acknowledged"] == len(model.handled)
    assert group["delivered"] == sum(tries.values())
    assert group["failed"] == sum(tries.values()) - len(model.handled)
    assert (group["dead"], group["expired"]) == (len(dead), len(expired))
    for key in ("a", "b"):
        order = [n for n in model.handled if model.of[n].key == key and not model.of[n].delay_ms]
        assert not ordered or order == sorted(order)
