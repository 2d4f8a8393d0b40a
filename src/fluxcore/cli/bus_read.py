"""``fluxcore bus replay``, ``tail`` and ``subscribe``."""

from __future__ import annotations

import asyncio
import datetime as dt
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fluxcore.api.bus import Bus, condition
from fluxcore.bus.event import Event
from fluxcore.bus.log import Reader
from fluxcore.bus.options import Selection
from fluxcore.bus.rows import events_of
from fluxcore.bus.subjects import Pattern
from fluxcore.bus.transports.file.layout import folder_of
from fluxcore.cli.bus_lines import address, check_format, event_line, quiet, write
from fluxcore.cli.errors import TerminatedError
from fluxcore.errors import ScriptError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fluxcore.bus.transports.file.layout import Folder

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
    """Print what is kept, up to what is there now. Raises ``ScriptError`` FX-CLI-0022."""
    check_format(wanted.format)
    quiet()
    bus, start = Bus(address(url)), place(wanted.start)
    stop = None if wanted.stop is None else place(wanted.stop)
    if isinstance(stop, str):
        raise ScriptError("FX-CLI-0022", f"nothing ends at '{stop}'", hint="write an offset or a time after --to")

    async def work() -> None:
        left = wanted.count
        async with bus:
            options: dict[str, Any] = {"start": start, "stop": stop, "where": wanted.where, "speed": wanted.speed}
            async for event in bus.read(list(wanted.subjects), **options):
                write(event_line(event, wanted.format), at_once=bool(wanted.speed))
                left = None if left is None else left - 1
                if left == 0:
                    break

    _run(work)


def tail(url: str | None, wanted: Wanted, lines: int, *, follow: bool) -> None:
    """Print the last events, and those that come."""
    check_format(wanted.format)
    quiet()
    bus, folder = Bus(address(url)), folder_of(address(url))
    where = None if wanted.where is None else condition(wanted.where, None)
    last, ends = _last(folder, Selection(tuple(Pattern(each) for each in wanted.subjects), where), lines)
    write(b"".join(event_line(event, wanted.format) for event in last))

    async def work() -> None:
        async with bus:
            async for event in bus.read(list(wanted.subjects), start=ends, where=wanted.where, follow=True):
                write(event_line(event, wanted.format))

    if follow:
        _run(work)


def subscribe(url: str | None, wanted: Wanted, group: str | None) -> None:
    """Print events as they come; as a member of a group an event is done when it is printed."""
    check_format(wanted.format)
    quiet()
    bus, start, left = Bus(address(url)), place(wanted.start), wanted.count
    since = start if isinstance(start, dt.datetime) else None
    first = "earliest" if isinstance(start, dt.datetime) else start

    async def work() -> None:
        enough = asyncio.get_running_loop().create_future()

        async def show(event: Event) -> None:
            nonlocal left
            if left == 0:
                await asyncio.Event().wait()  # it is not this command's any more: the next one has it
            if since is not None and event.time < since:
                return
            write(event_line(event, wanted.format))
            left = None if left is None else left - 1
            if left == 0:
                enough.set_result(None)

        options: dict[str, Any] = {"group": group, "start": first, "where": wanted.where}
        bus.on(list(wanted.subjects), **options)(show)
        await bus.__aenter__()
        try:
            await enough
        finally:
            await bus.close(drain=False)

    _run(work)


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


def _last(folder: Folder, selection: Selection, lines: int) -> tuple[list[Event], dict[str, int]]:
    """Return the last events that are wanted, by their times, and where each of their topics ends.

    Cost: topics are read from their ends backwards, as far as it needs.
    """
    found: list[Event] = []
    ends: dict[str, int] = {}
    for name in folder.topics():
        declaration = folder.declaration(name)
        mine = [Pattern(each) for each in declaration.subjects] if declaration is not None else []
        if any(each.overlaps(wanted) for each in mine for wanted in selection.patterns):
            with Reader(folder.topic(name), folder.files) as reader:
                ends[name] = reader.end
                found += _last_of_topic(reader, name, selection, lines)
    found.sort(key=lambda event: event.time_ms)
    return found[len(found) - min(lines, len(found)) :], ends


def _last_of_topic(reader: Reader, topic: str, selection: Selection, lines: int) -> list[Event]:
    found: list[Event] = []
    end = reader.end
    for frame in reader.backwards(end, selection.bounds):
        if len(found) >= lines:
            break
        events = events_of(frame.batch, frame.offsets.tolist(), topic)
        events = [event for event in events if event.offset < end and selection.wants(event.subject)]
        found = selection.held(events)[0] + found
    return found[len(found) - min(lines, len(found)) :]


def _run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a command's work on an event loop. SIGTERM ends it in order, and raises :class:`TerminatedError` here."""

    async def to_its_end() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        told: list[int] = []

        def end() -> None:
            told.append(signal.SIGTERM)
            task.cancel()

        loop.add_signal_handler(signal.SIGTERM, end)
        try:
            await work()
        except asyncio.CancelledError:
            if told:
                raise TerminatedError from None
            raise

    asyncio.run(to_its_end())
