"""Event-time constants and clocks. Times are whole milliseconds since 1970-01-01 UTC."""

from __future__ import annotations

import threading
import time
from typing import Final, Protocol

MIN_TIME_MS: Final = -(2**63)
"""The watermark before anything is known."""

MAX_TIME_MS: Final = 2**63 - 1
"""The watermark after the end of input: every event-time timer fires."""


_WAIT_S_MAX: Final = 60.0
"""The longest wait at once: a machine's clock may be set while somebody waits for it."""


class Clock(Protocol):
    """Where processing time comes from, so that a test can drive it."""

    def now_ms(self) -> int:
        """Return milliseconds since the epoch."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds on a clock that never goes back."""
        ...

    def wait(self, changed: threading.Condition, until_ms: int | None) -> None:
        """Wait, holding ``changed``, until it is notified or the clock reaches a time (None is never); may return early."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Return milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Return seconds on the monotonic clock."""
        return time.monotonic()

    def wait(self, changed: threading.Condition, until_ms: int | None) -> None:
        """Wait for a notification or a time; a wait ends early now and then."""
        if until_ms is None:
            changed.wait()
            return
        left_s = (until_ms - self.now_ms()) / 1_000
        if left_s > 0:
            changed.wait(min(left_s, _WAIT_S_MAX))


class ScriptedClock:
    """A clock that stands still until it is told to go on: processing time in tests, with no sleeping.

    In: the first time in ms. It knows the threads that wait for it, and wakes each as often as they are many (a thread looks
    for work, or waits again): so what one of them hands to the next is done too when :meth:`advance` returns.
    """

    def __init__(self, now_ms: int = 0) -> None:
        self._now = now_ms
        self._changed = threading.Condition()
        self._waiting: dict[threading.Thread, tuple[threading.Condition, int, int]] = {}
        self._waits = 0

    def now_ms(self) -> int:
        """Return the time."""
        with self._changed:
            return self._now

    def monotonic_s(self) -> float:
        """Return the time in seconds."""
        return self.now_ms() / 1_000

    def wait(self, changed: threading.Condition, until_ms: int | None) -> None:
        """Wait for a notification or for :meth:`advance`."""
        thread, until = threading.current_thread(), MAX_TIME_MS if until_ms is None else until_ms
        with self._changed:
            if until <= self._now:
                return
            self._waits += 1
            self._waiting[thread] = (changed, until, self._waits)
            self._changed.notify_all()
        changed.wait()
        with self._changed:
            del self._waiting[thread]

    def advance(self, ms: int, threads: int = 0) -> None:
        """Go on by so many ms, and return when all who wait for the clock have done what is due and wait again.

        With ``threads``, first wait until so many wait and have done all they were given before.
        """
        self.settle(threads)
        with self._changed:
            self._now += ms
        self.settle()

    def settle(self, threads: int = 0) -> None:
        """Return when at least so many threads wait for the clock and have nothing to do."""
        with self._changed:
            while len(self._waiting) < threads:
                self._changed.wait()
            rounds = len(self._waiting) + 1
        for _ in range(rounds):
            with self._changed:
                woken = {thread: (changed, wait) for thread, (changed, _, wait) in self._waiting.items()}
            for changed, _ in woken.values():
                with changed:
                    changed.notify_all()
            with self._changed:
                while any(self._busy(thread, wait) for thread, (_, wait) in woken.items()):
                    self._changed.wait(0.05)  # nobody tells when a thread ends

    def _busy(self, thread: threading.Thread, wait: int) -> bool:
        """Return whether a thread has not ended, nor come back since this wait to wait for a time that is to come."""
        if not thread.is_alive():
            return False
        _, until, last = self._waiting.get(thread, (None, self._now, wait))
        return last <= wait or until <= self._now
