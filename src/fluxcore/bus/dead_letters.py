"""Dead letters: events whose handler failed at every attempt, kept with the cause, and given back after a fix."""

from __future__ import annotations

import asyncio
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fluxcore.bus.batch_event import BatchEvent, offsets_of
from fluxcore.bus.errors import text_of
from fluxcore.bus.inbox import ONLY_GROUP
from fluxcore.errors import FluxError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.bus.event import Event
    from fluxcore.bus.group import Group
    from fluxcore.bus.publishing import Publishing

TOPIC = "dead"
"""The topic of dead letters: an event of ``orders.eu`` lies under ``dead.orders.eu``."""

_LIBRARY = str(Path(asyncio.__file__).parent)
_PREFIX = "frys-dead-"


def letter(event: Event, group: Group, error: BaseException) -> tuple[str, dict[str, str]]:
    """Return the subject and the headers of the dead letter of an event."""
    headers = {
        **event.headers,
        f"{_PREFIX}group": group.name,
        f"{_PREFIX}topic": event.topic,
        f"{_PREFIX}offset": str(event.offset),
        f"{_PREFIX}attempts": str(event.attempt),
        f"{_PREFIX}cause": text_of(error),
        f"{_PREFIX}place": _place(error),
    }
    return f"{TOPIC}.{event.subject}", headers


def is_letter(event: Event) -> bool:
    """Return whether an event is a dead letter."""
    return event.subject.startswith(f"{TOPIC}.") and f"{_PREFIX}group" in event.headers


def revived(event: Event) -> tuple[str, dict[str, str]]:
    """Return the subject and the headers with which a dead letter comes again, for the group alone that gave it up."""
    headers = {name: value for name, value in event.headers.items() if not name.startswith(_PREFIX)}
    return event.subject.removeprefix(f"{TOPIC}."), {**headers, ONLY_GROUP: event.headers[f"{_PREFIX}group"]}


def left(event: Event, revived: Callable[[str, int], bool]) -> Event | None:
    """Return a dead letter, or the rows of a batch, that were not given back yet; None where there are none."""
    if not isinstance(event, BatchEvent):
        return None if revived(event.topic, event.offset) else event
    mask = np.array([not revived(event.topic, offset) for offset in offsets_of(event)])
    return event.select(mask) if mask.any() else None


async def note(given: list[tuple[Event, Publishing]], revive: Callable[[str, int], None]) -> None:
    """Call ``revive`` for each letter that was published again, and empty the list. Raises what kept others from that."""
    refusal: FluxError | None = None
    while given:
        letter, publishing = given.pop(0)
        try:
            await publishing
        except FluxError as error:
            refusal = error
            continue
        for offset in offsets_of(letter):
            revive(letter.topic, offset)
    if refusal is not None:
        raise refusal


def _place(error: BaseException) -> str:
    """Return where an error was raised: file and line, or nothing. One for lack of time points at what took so long."""
    late = isinstance(error, TimeoutError) and isinstance(error.__cause__, asyncio.CancelledError)
    found = list(traceback.walk_tb((error.__cause__ or error).__traceback__ if late else error.__traceback__))
    if late:  # what the user's code waits for is of no interest
        found = [each for each in found if not each[0].f_code.co_filename.startswith(_LIBRARY)] or found
    return f"{found[-1][0].f_code.co_filename}:{found[-1][1]}" if found else ""
