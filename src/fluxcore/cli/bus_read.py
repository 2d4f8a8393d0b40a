"""``fluxcore bus replay``, ``tail`` and ``subscribe``."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fluxcore.api.bus import Bus
from fluxcore.bus.event import Event
from fluxcore.cli.bus_lines import address, check_format, event_line, quiet, run, write
from fluxcore.errors import ScriptError

if TYPE_CHECKING:
    from collections.abc import Callable

    Place = str | int | dt.datetime


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
    quiet()
    bus, start = Bus(address(url)), place(wanted.start)
    since = start if isinstance(start, dt.datetime) else None
    first = "earliest" if isinstance(start, dt.datetime) else start
    ended = _behind(None if wanted.stop is None else place(wanted.stop))

    async def work() -> None:
        async with bus:
            left = wanted.count
            async for event in bus.read(list(wanted.subjects), start=first, where=wanted.where, speed=wanted.speed):
                if ended(event) or (since is not None and event.time < since):
                    continue
                write(event_line(event, wanted.format), at_once=bool(wanted.speed))
                left = None if left is None else left - 1
                if left == 0:
                    break

    run(work)


def tail(url: str | None, wanted: Wanted, lines: int, *, follow: bool) -> None:
    """Print the last events, and those that come."""
    check_format(wanted.format)
    quiet()
    bus = Bus(address(url))
    last: deque[Event] = deque(maxlen=lines)
    seen: dict[str, int] = {}

    async def work() -> None:
        async with bus:
            async for event in bus.read(list(wanted.subjects), where=wanted.where):
                last.append(event)
                seen[event.topic] = event.offset
        write(b"".join(event_line(event, wanted.format) for event in sorted(last, key=lambda each: each.time_ms)))

    run(work)
    if follow:
        first = min(seen.values(), default=-1) + 1
        _print_as_they_come(Bus(address(url)), wanted, first, lambda event: event.offset > seen.get(event.topic, -1))


def subscribe(url: str | None, wanted: Wanted, group: str | None) -> None:
    """Print events as they come; as a member of a group an event is done when it is printed."""
    check_format(wanted.format)
    quiet()
    start = place(wanted.start)
    if isinstance(start, dt.datetime):
        since = start
        _print_as_they_come(Bus(address(url)), wanted, "earliest", lambda event: event.time >= since, group)
    else:
        _print_as_they_come(Bus(address(url)), wanted, start, lambda _: True, group)


def _print_as_they_come(
    bus: Bus, wanted: Wanted, start: str | int, shown: Callable[[Event], bool], group: str | None = None
) -> None:
    left = wanted.count

    async def work() -> None:
        enough = asyncio.get_running_loop().create_future()

        async def show(event: Event) -> None:
            nonlocal left
            if left == 0:
                await asyncio.Event().wait()  # it is not this command's any more: the next one has it
            if not shown(event):
                return
            write(event_line(event, wanted.format))
            left = None if left is None else left - 1
            if left == 0:
                enough.set_result(None)

        options: dict[str, Any] = {"group": group, "start": start, "where": wanted.where}
        bus.on(list(wanted.subjects), **options)(show)
        await bus.__aenter__()
        try:
            await enough
        finally:
            await bus.close(drain=False)

    run(work)


def _behind(stop: Place | None) -> Callable[[Event], bool]:
    """Return what says whether an event stands at the end that was asked for, or behind it."""
    if isinstance(stop, dt.datetime):
        return lambda event: event.time >= stop
    if isinstance(stop, int):
        return lambda event: event.offset >= stop
    return lambda _: False


def place(text: str) -> Place:
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
