"""Names the handlers that do not come to an end."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from fluxcore.core.log import Log
from fluxcore.limits import BUS_LATE_LOOK_S, BUS_LATE_S

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable
    from types import CodeType, FrameType

    from fluxcore.bus.event import Event
    from fluxcore.bus.workers import Workers

_log = Log("bus")


class Late:
    """Looks again and again at what the workers have in hand. On the event loop.

    ``hanging`` has the handlers that have had the same event for long, by name and place in the source, with the seconds so far. A
    warning names each, after ``BUS_LATE_S`` seconds and then each time that it has taken twice as long.
    """

    def __init__(self, workers: Iterable[Workers]) -> None:
        self.hanging: dict[str, float] = {}
        self._workers = workers
        self._since: dict[tuple[int, int], tuple[Event, float, float]] = {}
        self._next: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin."""
        self.look(time.monotonic())
        self._next = loop.call_later(BUS_LATE_LOOK_S, self.start, loop)

    def stop(self) -> None:
        """End."""
        if self._next is not None:
            self._next.cancel()

    def look(self, now: float) -> None:
        """Look once, at a time in seconds."""
        before, self._since, self.hanging = self._since, {}, {}
        for workers in self._workers:
            for event, holder in workers.in_hand():
                key = id(event), id(holder)
                known, since, told = before.get(key, (event, now, 0.0))
                if known is event and now - since >= BUS_LATE_S:
                    place = workers.place(holder)
                    self.hanging[place] = max(now - since, self.hanging.get(place, 0.0))
                    if now - since >= 2 * told:
                        told = now - since
                        _log.warning("a handler does not end", handler=place, group=workers.group.name,
                                     subject=event.subject, offset=event.offset, seconds=round(told))  # fmt: skip
                self._since[key] = (event, since, told)


def place_on_thread(thread: int, code: CodeType | None) -> FrameType | None:
    """Return the frame of a function on a thread, or the innermost one where that isn't found."""
    innermost = frame = sys._current_frames().get(thread)
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    return frame or innermost


def place_in_task(task: asyncio.Task[Any], code: CodeType | None) -> FrameType | None:
    """Return the frame of a coroutine function in a task that waits, or the innermost one where that isn't found."""
    coroutine: Any = task.get_coro()
    frame: FrameType | None = None
    while hasattr(coroutine, "cr_frame"):
        frame = coroutine.cr_frame
        if frame is not None and frame.f_code is code:
            break
        coroutine = coroutine.cr_await
    return frame
