"""Event-time constants and clocks. Times are whole milliseconds since 1970-01-01 UTC."""

from __future__ import annotations

import time
from typing import Final, Protocol

MIN_TIME_MS: Final = -(2**63)
"""The watermark before anything is known."""

MAX_TIME_MS: Final = 2**63 - 1
"""The watermark after the end of input: every event-time timer fires."""


class Clock(Protocol):
    """Where processing time comes from, so that a test can drive it."""

    def now_ms(self) -> int:
        """Return milliseconds since the epoch."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds on a clock that never goes back."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Return milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Return seconds on the monotonic clock."""
        return time.monotonic()
