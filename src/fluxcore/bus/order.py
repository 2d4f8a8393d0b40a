"""Which events of a group wait for others: those of a key that is busy, and batches whose rows have keys of their own."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from fluxcore.bus.batch_event import BatchEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.bus.event import Event


class Order:
    """``busy`` has the keys of which an event is being handled, each with those that wait behind it.

    ``alone`` is the batch beside which nothing new is handed out, ``kept`` one that waits to be that.
    """

    __slots__ = ("alone", "busy", "kept")

    def __init__(self) -> None:
        self.busy: dict[str, deque[Event] | None] = {}
        self.alone: Event | None = None
        self.kept: Event | None = None

    def keeps_back(self, event: Event) -> bool:
        """Return whether an event of the same key is being handled; if so, this one waits behind it."""
        key = event.key
        assert key is not None
        if key not in self.busy:
            self.busy[key] = None
            return False
        waiting = self.busy[key]
        if waiting is None:
            waiting = self.busy[key] = deque()
        waiting.append(event)
        return True

    def follow(self, key: str, events: Sequence[Event]) -> None:
        """Let events be the next ones of a busy key."""
        waiting = self.busy[key]
        self.busy[key] = deque(events) if waiting is None else deque([*events, *waiting])

    def hold(self, event: Event) -> None:
        """Let nothing overtake an event that comes again."""
        if event.key is not None:
            self.busy.setdefault(event.key, None)
        if isinstance(event, BatchEvent) and event.has_keys():
            self.alone = event

    def free(self, event: Event) -> Event | None:
        """Be done with an event; return the next of its key, which may now be handled."""
        if event.key is None or event.offset < 0 or not self.busy:
            return None
        waiting = self.busy.get(event.key)
        if waiting:
            return waiting.popleft()
        self.busy.pop(event.key, None)
        return None
