"""``fluxcore bus replay``, ``tail`` and ``subscribe``."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fluxcore.api.bus import Bus
from fluxcore.cli.bus_lines import address, check_format, event_line, write
from fluxcore.errors import ScriptError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from fluxcore.bus.event import Event


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are printed, and how."""

    subjects: tuple[str, ...]
    start: str
    where: str | None
    format: str
    stop: str | None = None
    speed: float = 0.0
    count: int | None = None


def replay(url: str | None, wanted: Wanted) -> None:
    """Print what is kept, up to what is there now."""
    check_format(wanted.format)
    bus, start = Bus(address(url)), place(wanted.start)
    ended = _behind(None if wanted.stop is None else place(wanted.stop))

    async def work() -> None:
        async with bus:
            left = wanted.count
            async for event in bus.read(list(wanted.subjects), start=start, where=wanted.where, speed=wanted.speed):
                if ended(event):
                    continue
                write(event_line(event, wanted.format))
                left = None if left is None else left - 1
                if left == 0:
                    break

    asyncio.run(work())


def _behind(stop: str | int | dt.datetime | None) -> Callable[[Event], bool]:
    """Return what says whether an event stands at the end that was asked for, or behind it."""
    if isinstance(stop, dt.datetime):
        return lambda event: event.time >= stop
    if isinstance(stop, int):
        return lambda event: event.offset >= stop
    return lambda _: False


def tail(url: str | None, wanted: Wanted, lines: int, *, follow: bool) -> None:
    """Print the last events, and those that come."""
    check_format(wanted.format)
    bus = Bus(address(url))

    async def work() -> None:
        async with bus:
            last: deque[Event] = deque(maxlen=lines)
            seen: dict[str, int] = {}
            async for event in bus.read(list(wanted.subjects), where=wanted.where):
                last.append(event)
                seen[event.topic] = event.offset
            write(b"".join(event_line(event, wanted.format) for event in sorted(last, key=lambda each: each.time_ms)))
            if follow:
                await _print_from(bus.read(list(wanted.subjects), where=wanted.where, follow=True), wanted, seen)

    asyncio.run(work())


async def _print_from(events: AsyncIterator[Event], wanted: Wanted, seen: dict[str, int]) -> None:
    async for event in events:
        if event.offset > seen.get(event.topic, -1):
            write(event_line(event, wanted.format))


def subscribe(url: str | None, wanted: Wanted, group: str | None) -> None:
    """Print events as they come; as a member of a group an event is done when it is printed."""
    check_format(wanted.format)
    bus, start = Bus(address(url)), place(wanted.start)
    left = wanted.count

    async def work() -> None:
        enough = asyncio.get_running_loop().create_future()

        def show(event: Event) -> None:
            nonlocal left
            if left == 0:
                raise asyncio.CancelledError
            write(event_line(event, wanted.format))
            left = None if left is None else left - 1
            if left == 0 and not enough.done():
                enough.set_result(None)

        options: dict[str, Any] = {"group": group, "start": start, "where": wanted.where, "inline": True}
        bus.on(list(wanted.subjects), **options)(show)
        async with bus:
            await enough

    asyncio.run(work())


def place(text: str) -> str | int | dt.datetime:
    """Return where to begin: "new", "earliest", an offset or a time. Raises ``ScriptError`` FX-CLI-0022."""
    if text in ("new", "earliest"):
        return text
    if text.isdigit():
        return int(text)
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        hint = "write new, earliest, an offset such as 1200, or a time such as 2026-01-31T12:00:00Z"
        raise ScriptError("FX-CLI-0022", f"'{text}' is no place in a topic", hint=hint) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=dt.UTC)
