"""How far a group has come in a topic, as it is remembered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import msgspec

from fluxcore.bus.batch_event import end_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from fluxcore.bus.event import Event


@dataclass(slots=True)
class Counts:
    """What became of a group's events; each row of a batch counts. ``missed`` were gone before the group came to them."""

    delivered: int = 0
    acknowledged: int = 0
    failed: int = 0
    dead: int = 0
    expired: int = 0
    filtered: int = 0
    missed: int = 0


Offset = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""An offset as it is read from a file, or a count."""


class Progress(msgspec.Struct, omit_defaults=True):
    """How far a group has come in a topic.

    ``position`` is the first offset that is not done; ``done`` the ranges above it that are, each up to, not including, its second
    number; ``attempts`` how often the handler has failed so far, by offset, where it has; ``died`` ranges of offsets that were in hand
    when the process died, and how often, besides.
    """

    position: Offset
    done: list[tuple[Offset, Offset]] = []
    attempts: dict[Offset, Offset] = {}
    died: list[tuple[Offset, Offset, Offset]] = []


def progress_of(opened: Collection[Event], frontier: int) -> Progress:
    """Return how far a group has come, of which some events are open, and that has not begun with those from ``frontier`` on."""
    position, place, done = frontier, -1, []
    for event in sorted(opened, key=lambda event: event.offset):
        position = min(position, event.offset)
        if -1 < place < min(event.offset, frontier):
            done.append((place, min(event.offset, frontier)))
        place = max(place, end_of(event))
    if -1 < place < frontier:
        done.append((place, frontier))
    failed = {event.offset: event.attempt - 1 - event.died for event in opened if event.attempt > 1 + event.died}
    died = [(event.offset, end_of(event), event.died) for event in opened if event.died]
    return Progress(position, done, failed, died)
