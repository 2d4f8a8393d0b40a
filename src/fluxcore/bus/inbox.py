"""What a group has fetched from its topic and not handed out yet: those of its events that it wants, in the order in which they go."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from fluxcore.bus.batch_event import BatchEvent, rows_of
from fluxcore.bus.done import Done
from fluxcore.bus.progress import Progress
from fluxcore.limits import BUS_FETCH_EVENTS, BUS_SUBJECTS_MAX, BUS_WINDOW_EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.bus.event import Event
    from fluxcore.bus.options import Selection
    from fluxcore.bus.ports import Topic

ONLY_GROUP = "frys-only-group"
"""The header of an event that comes again for one group alone."""


class Inbox:
    """The next events of a topic for the group ``name``.

    ``cursor`` is the offset from which on nothing was fetched; ``filtered`` counts rows that the group doesn't want. ``refused`` gets
    those for which the condition can't be told, and why. In a topic with priorities the highest among some go first.
    """

    def __init__(
        self,
        topic: Topic,
        name: str,
        selection: Selection,
        start: int,
        refused: Callable[[Event, Exception], None],
    ) -> None:
        self.cursor = start
        self.filtered = 0
        self._topic = topic
        self._name = name
        self._selection = selection
        self._refused = refused
        self._done: Done | None = None
        self._wanted: dict[str, bool] = {}
        self._chunk: list[Event] = []
        self._at = 0
        self._has_batches = False
        self._is_in_order = True
        self._heap: list[tuple[int, int, Event]] | None = [] if topic.options.priorities else None

    def resume(self, progress: Progress) -> None:
        """Go on where an earlier process left off; to be called before anything is handed out."""
        self.cursor = progress.position
        self._done = Done(progress) if progress.done or progress.attempts or progress.died else None

    def remembered(self) -> Progress:
        """Return what an earlier process did of the events that were not fetched yet."""
        return Progress(self.cursor) if self._done is None else self._done.above(self.cursor)

    def __len__(self) -> int:
        return len(self._chunk) - self._at if self._heap is None else len(self._heap)

    def next(self) -> Event | None:
        """Return the next event or batch, None when there is none now."""
        if self._heap is not None:
            self._fill()
            return heapq.heappop(self._heap)[2] if self._heap else None
        if self._at == len(self._chunk) and not self._fill():
            return None
        event = self._chunk[self._at]
        self._at += 1
        return event

    def run(self, most: int) -> list[Event]:
        """Return the next single events, at most so many; none where a batch comes first."""
        if self._heap is not None or (self._at == len(self._chunk) and not self._fill()):
            return []
        chunk, at = self._chunk, self._at
        stop = min(at + most, len(chunk))
        if self._has_batches:
            stop = next((place for place in range(at, stop) if isinstance(chunk[place], BatchEvent)), stop)
        self._at = stop
        return chunk[at:stop]

    def put_back(self, events: Sequence[Event]) -> None:
        """Let events be the next ones, in this order."""
        if not events:
            return
        if self._heap is None:
            left = self._chunk[self._at :]
            self._is_in_order = not left or (self._is_in_order and events[-1].offset < left[0].offset)
            self._chunk = [*events, *left]
            self._at = 0
            self._has_batches = BatchEvent in map(type, self._chunk)
        else:
            for event in events:
                heapq.heappush(self._heap, (-event.priority, event.offset, event))

    def first(self) -> int:
        """Return the offset of the first event that was not handed out."""
        return (
            min((offset for _, offset, _ in self._heap), default=self.cursor) if self._heap else self.first_in_order()
        )

    def first_in_order(self) -> int:
        """Return the offset from which on no event was handed out."""
        if self._at == len(self._chunk):
            return self.cursor
        if self._is_in_order:
            return self._chunk[self._at].offset
        return min(event.offset for event in self._chunk[self._at :])

    def overtaken(self) -> list[Event]:
        """Return the events that were not handed out, although others behind them may have been."""
        return [event for _, _, event in self._heap or ()]

    def is_empty(self) -> bool:
        """Return whether nothing is left to hand out, in the topic neither."""
        return not len(self) and self.cursor >= self._topic.end

    def wants(self, event: Event) -> bool:
        """Return whether the group takes an event of this subject, and not only another group."""
        found = self._wanted.get(event.subject)
        if found is None:
            if len(self._wanted) >= BUS_SUBJECTS_MAX:
                self._wanted.clear()
            found = self._wanted[event.subject] = self._selection.wants(event.subject)
        return found and (not event.headers or event.headers.get(ONLY_GROUP, self._name) == self._name)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _fill(self) -> bool:
        """Fetch events; return whether there are any. Where some overtake others, those that wait are put in order with them."""
        topic = self._topic
        if topic.waiting:
            topic.look()
        while self.cursor < topic.end and len(self) < BUS_WINDOW_EVENTS:
            before = self.cursor
            events, behind = topic.fetch(before, BUS_FETCH_EVENTS)
            if behind == before:
                break
            chosen = self._choose(events, behind, is_plain=len(events) == behind - before)
            self.cursor = behind  # only now: nothing is passed over if a choice raises
            self.put_back(chosen)
            if topic.slowest <= before:
                topic.look()
            if chosen and self._heap is None:
                break
        return bool(len(self))

    def _choose(self, events: Sequence[Event], behind: int, *, is_plain: bool) -> list[Event]:
        """Return those of the events that the group wants; count the others. Where all are single ones, each is a row."""
        done = self._done
        if done is not None:
            events = [left for event in events for left in done.left(event)]
            if behind > done.until:
                self._done = None
        rows = len(events) if is_plain else _rows(events)
        wanted = self._wanted
        chosen = [
            event for event in events if (not event.headers and wanted.get(event.subject)) or self.wants(event)
        ]  # the first part is what the second says most of the time
        if chosen and self._selection.condition is not None:
            chosen, unknown = self._selection.held(chosen)
            for event, error in unknown:
                self.filtered -= rows_of(event)
                self._refused(event, error)
        if rows != len(chosen):
            self.filtered += rows - (len(chosen) if is_plain else _rows(chosen))
        return chosen


def _rows(events: Sequence[Event]) -> int:
    return sum(rows_of(event) for event in events)
