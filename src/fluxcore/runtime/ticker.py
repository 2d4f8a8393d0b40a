"""Wakes a chain of pieces when its time has come, although nothing else does."""

from __future__ import annotations

from threading import Condition
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.core.time import Clock


class Ticker:
    """A thread's work: calls ``tick`` when the clock reaches the time given last; ``tick`` gives the next with :meth:`wake_at`."""

    def __init__(self, clock: Clock, tick: Callable[[], None]) -> None:
        self._clock = clock
        self._tick = tick
        self._due: int | None = None
        self._stopped = self._woken = False
        self._changed = Condition()

    def wake_at(self, due: int | None) -> None:
        """Take the time (ms) of the next call; None while none is wanted."""
        with self._changed:
            sooner = due is not None and (self._due is None or due < self._due)
            self._due = due
            if sooner:
                self._changed.notify_all()

    def wake(self) -> None:
        """Call at once."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def stop(self) -> None:
        """End :meth:`run`."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def run(self) -> None:
        """Work until :meth:`stop`."""
        while True:
            with self._changed:
                while not self._stopped and not self._woken and (self._due is None or self._clock.now_ms() < self._due):
                    self._clock.wait(self._changed, self._due)
                if self._stopped:
                    return
                self._woken = False
            self._tick()
