"""Dead letters: events whose handler failed at every attempt, kept with the cause, and given back after a fix."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from fluxcore.bus.group import ONLY_GROUP

if TYPE_CHECKING:
    from fluxcore.bus.event import Event
    from fluxcore.bus.group import Group

TOPIC = "dead"
"""The topic of dead letters: an event of ``orders.eu`` lies under ``dead.orders.eu``."""

_PREFIX = "frys-dead-"


def letter(event: Event, group: Group, error: BaseException) -> tuple[str, dict[str, str]]:
    """Return the subject and the headers of the dead letter of an event."""
    where = traceback.extract_tb(error.__traceback__)
    headers = {
        **event.headers,
        f"{_PREFIX}group": group.name,
        f"{_PREFIX}topic": event.topic,
        f"{_PREFIX}offset": str(event.offset),
        f"{_PREFIX}attempts": str(event.attempt),
        f"{_PREFIX}cause": f"{type(error).__name__}: {error}",
        f"{_PREFIX}place": f"{where[-1].filename}:{where[-1].lineno}" if where else "",
    }
    return f"{TOPIC}.{event.subject}", headers


def is_letter(event: Event) -> bool:
    """Return whether an event is a dead letter."""
    return event.subject.startswith(f"{TOPIC}.") and f"{_PREFIX}group" in event.headers


def revived(event: Event) -> tuple[str, dict[str, str]]:
    """Return the subject and the headers with which a dead letter comes again, for the group alone that gave it up."""
    headers = {name: value for name, value in event.headers.items() if not name.startswith(_PREFIX)}
    return event.subject.removeprefix(f"{TOPIC}."), {**headers, ONLY_GROUP: event.headers[f"{_PREFIX}group"]}
