"""Whatever handlers do, each event is handled once, or becomes a dead letter, and those of a key stay in order."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

import fluxcore as fx

ATTEMPTS = 3


@dataclass(frozen=True)
class Plan:
    """An event: its key, at how many attempts its handler raises, how often the handler gives way to others, its delay."""

    key: str | None
    failures: int
    yields: int
    delay_ms: int


PLANS = st.builds(
    Plan,
    st.sampled_from([None, "a", "b"]),
    st.sampled_from([0, 0, 0, 1, 2, 3]),
    st.integers(0, 3),
    st.sampled_from([0, 0, 0, 1]),
)


@given(
    st.lists(PLANS, max_size=40),
    st.integers(1, 4),
    st.integers(1, 2),
    st.sampled_from(["async", "thread", "inline", "batch"]),
)
def test_delivery(plans: list[Plan], in_flight: int, members: int, kind: str) -> None:
    tried: dict[int, int] = defaultdict(int)
    handled: list[int] = []
    running: set[int] = set()
    most = 0
    bus = fx.Bus()

    def step(n: int) -> None:
        nonlocal most
        tried[n] += 1
        if tried[n] <= plans[n].failures:
            raise ValueError(str(n))
        handled.append(n)

    async def slow(n: int) -> None:
        nonlocal most
        running.add(n)
        most = max(most, len(running))
        keys = [plans[each].key for each in running if plans[each].key is not None]
        assert len(keys) == len(set(keys)), "two events of one key at once"
        try:
            for _ in range(plans[n].yields):
                await asyncio.sleep(0)
            step(n)
        finally:
            running.discard(n)

    async def many(numbers: list[int]) -> None:
        for n in numbers:
            tried[n] += 1
        if any(tried[n] <= plans[n].failures for n in numbers):
            raise ValueError("some")
        handled.extend(numbers)

    async def main() -> None:
        options = {"group": "g", "max_in_flight": in_flight, "retry": fx.Retry(attempts=ATTEMPTS, delay=0)}
        for _ in range(members):
            if kind == "batch":
                bus.on("n", batch=1, **options)(many)
            else:
                bus.on("n", inline=kind == "inline", **options)(slow if kind == "async" else step)
        async with asyncio.timeout(60), bus:
            for n, plan in enumerate(plans):
                await bus.publish("n", n, key=plan.key, delay=plan.delay_ms or None)
            while plans and bus.statistics()["n"]["groups"]["g"]["lag"]:
                await asyncio.sleep(0)
            letters = [event.data async for event in bus.read("dead.n")]
            group = bus.statistics()["n"]["groups"]["g"] if plans else {"lag": 0, "in_flight": 0}
            assert group["lag"] == group["in_flight"] == 0
            assert sorted([*handled, *letters]) == list(range(len(plans)))
            assert sorted(letters) == [n for n, plan in enumerate(plans) if plan.failures >= ATTEMPTS]
            for key in ("a", "b"):
                order = [n for n in handled if plans[n].key == key and not plans[n].delay_ms]
                assert order == sorted(order)
            assert all(tried[n] == min(plan.failures, ATTEMPTS - 1) + 1 for n, plan in enumerate(plans))
            assert most <= in_flight * members

    asyncio.run(main())
