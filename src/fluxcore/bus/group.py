"""A group's place in a topic: which event comes next, which ones are being handled, and which ones must come again."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fluxcore.bus.batch_event import BatchEvent, rows_of
from fluxcore.bus.bell import Bell
from fluxcore.bus.errors import text_of
from fluxcore.bus.event import Rare
from fluxcore.bus.hold import NoHolds, ProcessDied
from fluxcore.bus.inbox import Inbox
from fluxcore.bus.order import Order
from fluxcore.bus.progress import Counts, Progress, progress_of
from fluxcore.core.log import Log
from fluxcore.limits import BUS_DELAYED_EVENTS_MAX, BUS_OPEN_EVENTS_MAX, BUS_PART_ROWS, BUS_REFUSED_PAUSE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.bus.event import Event
    from fluxcore.bus.hold import Holds
    from fluxcore.bus.options import HandlerOptions, Selection
    from fluxcore.bus.ports import Topic

    Bury = Callable[[Event, "Group", BaseException, Callable[[Exception | None], None]], None]

_log = Log("bus")


class Group(Bell):
    """Hands out the events of a topic to the workers of one group, each until it is acknowledged.

    Events of one key are handed out one after the other where the group is ordered, however many workers there are: one that
    failed keeps those behind it back until it went well or was given up, which is when ``bury`` gets it; if the dead letter can't be
    kept, the event comes again. A batch whose rows have keys of their own is handled alone, and so is an event that was in hand when
    the process died; its last attempt is its dead letter. A paused group hands out none.
    ``bury`` calls back when the letter is kept, or with what kept it from that.
    """

    def __init__(
        self,
        topic: Topic,
        name: str,
        selection: Selection,
        options: HandlerOptions,
        bury: Bury,
    ) -> None:
        super().__init__()
        self.topic = topic
        self.name = name
        self.options = options
        self.order = Order()
        self.hand: Event | None = None
        self.counts = Counts()
        self.bounds = selection.bounds
        self.holds: Holds = NoHolds()
        self._bury = bury
        self._inbox = Inbox(topic, name, selection, _first_offset(topic, options.start), self._refuse)
        self._ordered = options.ordered
        self.open: dict[int, Event] = {}
        self._ready: deque[Event] = deque()
        self._run: list[Event] = []
        self._beside = 0
        self._delayed = 0
        self._asked = -1
        self._quiet_until = 0.0

    # -- what workers call ------------------------------------------------------------------------------------------

    def take(self, *, whole: bool, most: int | None = None) -> Event | None:
        """Return the next event, or None when there is none that may be handled now.

        In: ``whole``: batches come as they are, ``most`` rows at a time; otherwise their rows come one by one.
        """
        while not self.paused and (event := self._pick(whole, most)) is not None:
            if self.admit(event):
                return event
        return None

    def take_many(
        self, count: int, *, whole: bool, most: int | None = None, to: list[Event] | None = None
    ) -> list[Event]:
        """Return the next events, at most ``count``, behind those in ``to``.

        A request comes alone, and a batch as it is; so does an event that was in hand when the process died.
        """
        found: list[Event] = [] if to is None else to
        while len(found) < count and (event := self.take(whole=whole, most=most)) is not None:
            if isinstance(event, BatchEvent) or event.offset < 0 or event.died:
                if not found:
                    return [event]
                self.put_back(event)
                break
            found.append(event)
        return found

    def take_run(self, count: int) -> list[Event]:
        """Return the next events, at most ``count``, for the only worker of a group that takes single events, in this order.

        The worker puts into ``hand`` the one that it handles. It asks :meth:`admit` for each that has something ``rare`` or a key
        in ``order.busy``, and settles that one alone; all others are done when it calls :meth:`end_run`.
        """
        self._beside = 0
        if self.paused:
            return []
        if not self._ready and len(self.open) - self._delayed < BUS_OPEN_EVENTS_MAX:
            self._run = self._inbox.run(count)
        if not self._run:
            event = self._pick(whole=False, most=None)
            if event is None:
                return []
            if event.rare is None and event.offset in self.open:
                event.rare = Rare()
            self._run = [event]
        self.hand = self._run[0]
        return self._run

    def end_run(self, left: Sequence[Event] = ()) -> None:
        """Take note that a run was handled, but for those that are ``left``."""
        done = len(self._run) - len(left) - self._beside
        self.counts.delivered += done
        self.counts.acknowledged += done
        self._run = []
        self.hand = None
        if left:
            self._inbox.put_back(left)
        if len(self._spawn) > 1:
            self.notify()  # another worker came meanwhile, and waited for the end

    def admit(self, event: Event) -> bool:
        """Return whether an event may be handled now. If not, it comes later, or never when it has expired."""
        self._beside += 1
        rare = event.rare
        if event.offset not in self.open:
            self.open[event.offset] = event
            if rare is not None and self._waits_for_its_time(event, rare):
                return False
            if (
                event.key is not None
                and (self._ordered or event.key in self.order.busy)
                and self.order.keeps_back(event)
            ):
                return False
        if rare is not None and rare.expires_ms is not None and rare.expires_ms <= _now_ms():
            self.counts.expired += rows_of(event)
            self._close(event)
            return False
        if rare is not None and rare.died and rare.attempt > self.options.retry.attempts:
            rare.attempt -= 1  # the last one that there was
            self._refuse(event, ProcessDied("the process died while a handler had the event"))
            return False
        self.counts.delivered += rows_of(event)
        return True

    def acknowledge(self, event: Event) -> None:
        """Take note that an event was handled."""
        self.counts.acknowledged += rows_of(event)
        self._close(event)

    def failed(self, event: Event, error: BaseException) -> None:
        """Let an event come again after a pause, or give it up: it becomes a dead letter."""
        self.counts.failed += rows_of(event)
        if event.offset not in self.open:  # it was one of a run
            self._beside += 1
            self.counts.delivered += 1
        event = self._of_its_own(event)
        if event.died:  # this time the process has survived it: others need not wait
            event.died = 0
            self.order.alone = None
        if self.options.ordered:
            self.order.hold(event)
        if event.attempt < self.options.retry.attempts:
            pause_s = self.options.retry.pause_s(event.attempt)
            event.attempt += 1
            asyncio.get_running_loop().call_later(pause_s, self._again, event)
        else:
            self._give_up(event, error, lambda: self._again(event))

    def put_back(self, event: Event) -> None:
        """Let an event come again at once, as if it had not been handed out."""
        self.counts.delivered -= rows_of(event)
        self._ready.appendleft(event)

    # -- what the bus calls -----------------------------------------------------------------------------------------

    def add_workers(self, spawn: Callable[[], bool], *, one_by_one: bool) -> None:
        """Take a function that starts another worker and says whether it did.

        Where all is handled one by one, keys need no order of their own but behind an event that failed.
        """
        self._spawn.append(spawn)
        self._ordered = self.options.ordered and not (one_by_one and len(self._spawn) == 1)
        self.notify()

    def inject(self, event: Event) -> None:
        """Hand out an event that stands in no topic, such as a request, before all others."""
        event.offset = self._asked = self._asked - 1
        self.open[event.offset] = event
        self._ready.append(event)
        self.notify()

    def wants(self, event: Event) -> bool:
        """Return whether the group takes an event of this subject, and not only another group."""
        return self._inbox.wants(event)

    def position(self) -> int:
        """Return the offset of the first event that is not done with."""
        hand = self._hand()
        first = self._inbox.first() if hand is None or hand.offset < 0 else min(hand.offset, self._inbox.first())
        return min((offset for offset in self.open if 0 <= offset < first), default=first)

    def skip_to(self, offset: int) -> None:
        """Go on behind events that are gone."""
        if offset > self._inbox.cursor:
            self.counts.missed += offset - self._inbox.cursor
            self._inbox.cursor = offset

    def lag(self) -> int:
        """Return how many events of the topic have not been done with."""
        return self.topic.end - self.position()

    def backlog(self) -> int:
        """Return about how many events may be handed out, of those that have no other way to come."""
        return self.topic.end - self._inbox.cursor + len(self._inbox) + len(self._ready)

    def in_flight(self) -> int:
        """Return how many events and batches were handed out and are not acknowledged, those that come again later included."""
        hand = self._hand()
        return len(self.open) + (hand is not None and hand.offset not in self.open)

    def statistics(self) -> dict[str, int]:
        """Return where the group stands, and what became of its events."""
        counts = asdict(self.counts)
        counts["filtered"] += self._inbox.filtered
        hand = self._hand()
        if hand is not None:
            done = max(self._run.index(hand) - self._beside, 0)
            counts["acknowledged"] += done
            counts["delivered"] += done + (hand.offset not in self.open)
        return {"position": self.position(), "lag": self.lag(), "in_flight": self.in_flight(), **counts}

    def resume(self, progress: Progress) -> None:
        """Go on where an earlier process left off; to be called before anything is handed out."""
        self._inbox.resume(progress)

    def progress(self) -> Progress:
        """Return how far the group has come. Cost: that of sorting what was handed out and is not done."""
        hand = self._hand()
        begun = [*self.open.values(), *self._inbox.overtaken(), *(self._run[self._run.index(hand) :] if hand else ())]
        found = progress_of([event for event in begun if event.offset >= 0], self._inbox.first_in_order())
        before = self._inbox.remembered()
        return Progress(
            found.position, found.done + before.done, found.attempts | before.attempts, found.died + before.died
        )

    def has_more(self) -> bool:
        """Return whether there may be something for another worker."""
        return bool(self._ready) or len(self._inbox) > 0

    def is_done(self) -> bool:
        """Return whether the group has handled all there is but events that wait for their time."""
        return len(self.open) == self._delayed and not self._run and self._inbox.is_empty()

    # -- inside -----------------------------------------------------------------------------------------------------

    def _hand(self) -> Event | None:
        """Return the event of a run that is being handled, None where there is no run."""
        return self.hand if self._run else None

    def _pick(self, whole: bool, most: int | None) -> Event | None:
        """Return the next event, which was not admitted yet, or a part of a batch: a row, or ``most`` rows."""
        while True:
            if self._ready:
                event = self._ready.popleft()
            elif (
                self._run
                or self.order.alone
                or self.order.kept
                or len(self.open) - self._delayed >= BUS_OPEN_EVENTS_MAX
            ):
                return None
            else:
                following = self._inbox.next()
                if following is None:
                    return None
                event = following
            if not isinstance(event, BatchEvent) or event.offset < 0:
                if event.died and event.offset not in self.open and self._is_kept_back(event):
                    continue
                return event
            rare = event.rare
            if event.offset not in self.open and rare is not None and self._waits_for_its_time(event, rare):
                self.open[event.offset] = event  # a batch waits as a whole
                continue
            if not whole:
                try:
                    rows = event.slice(0, BUS_PART_ROWS).events()
                except Exception as error:  # noqa: BLE001  (a value that Python has no form for, such as a date far away)
                    self._refuse(event, error)
                    continue
                event = self._apart(event, rows, BUS_PART_ROWS)
                if event.died and self._is_kept_back(event):
                    continue
                return event
            if most is not None and event.data.num_rows > most:
                event = self._apart(event, [event.slice(0, most)], most)
            if not self._is_kept_back(event):
                return event

    def _apart(self, event: BatchEvent, first: list[Event], rows: int) -> Any:
        """Return the first part of a batch; the others come next, the rest of the batch among them."""
        rest = first[1:]
        if rows < event.data.num_rows:
            rest.append(event.slice(rows, event.data.num_rows))
        was_open = self.open.pop(event.offset, None) is not None
        if was_open and event.key is not None and event.key in self.order.busy:  # they have the key together
            self.open.update((each.offset, each) for each in (first[0], *rest))
            self.order.follow(event.key, rest)
        else:
            self._inbox.put_back(rest)
        if event is self.order.alone:
            self.order.alone = None
        return first[0]

    def _is_kept_back(self, event: Event) -> bool:
        """Return whether an event that is to be handled alone must wait, because others are being handled."""
        order = self.order
        has_keys = self.options.ordered and isinstance(event, BatchEvent) and event.has_keys()
        if event is order.alone or not (has_keys or event.died):
            return False
        self.open[event.offset] = event
        if len(self.open) - self._delayed == 1:
            order.alone = event
            return False
        order.kept = event
        return True

    def _of_its_own(self, event: Event) -> Event:
        """Return an open event as one that no other group has, whose attempts may be counted."""
        mine = self.open[event.offset] = event.copy()
        if event is self.order.alone:
            self.order.alone = mine
        return mine

    def _refuse(self, event: Event, error: Exception) -> None:
        """Give up an event for which the condition can't be told."""
        self.open[event.offset] = event
        self._give_up(event, error, lambda: self._refuse(event, error))

    def _give_up(self, event: Event, error: BaseException, again: Callable[[], object]) -> None:
        """Make a dead letter of an event, which is done when the letter is kept; call ``again`` later if it can't be."""

        def done(refusal: Exception | None) -> None:
            if refusal is None:
                self.counts.dead += rows_of(event)
                self._close(event)
                return
            now = time.monotonic()
            if now >= self._quiet_until:
                self._quiet_until = now + BUS_REFUSED_PAUSE_S
                _log.warning("a dead letter can't be kept, and its event comes again", group=self.name, subject=event.subject,
                             offset=event.offset, error=text_of(refusal))  # fmt: skip
            pause_s = max(self.options.retry.pause_s(event.attempt), BUS_REFUSED_PAUSE_S)
            asyncio.get_running_loop().call_later(pause_s, again)

        try:
            self._bury(event, self, error, done)
        except Exception as failure:  # noqa: BLE001  (the event must not be lost, whatever happened)
            done(failure)

    def _close(self, event: Event) -> None:
        """Be done with an event, and let those go on that waited for it."""
        del self.open[event.offset]
        order = self.order
        following = order.free(event)
        if following is not None:
            self._ready.append(following)
        if event is order.alone:
            order.alone = None
        elif order.kept is not None and len(self.open) - self._delayed == 1:
            order.alone, order.kept = order.kept, None
            self._ready.append(order.alone)
        elif following is None or not self.waits:
            return
        self.notify()

    def _again(self, event: Event) -> None:
        self._ready.append(event)
        self.notify()

    def _waits_for_its_time(self, event: Event, rare: Rare) -> bool:
        if rare.not_before_ms is None:
            return False
        left = rare.not_before_ms - _now_ms()
        if left <= 0 or self._delayed >= BUS_DELAYED_EVENTS_MAX:
            return False
        self._delayed += 1
        asyncio.get_running_loop().call_later(left / 1000, self._due, event)
        return True

    def _due(self, event: Event) -> None:
        self._delayed -= 1
        if event.key is None or not (self._ordered or event.key in self.order.busy) or not self.order.keeps_back(event):
            self._again(event)


def _first_offset(topic: Topic, start: str | int) -> int:
    if isinstance(start, int):
        return max(start, topic.start)
    return topic.start if start == "earliest" else topic.end


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
