"""How long each thread has waited for what follows it: for room in a queue, for a sink's turn, for a sink that writes."""

from __future__ import annotations

import threading


class _Waits(threading.local):
    seconds: float = 0.0


WAITS = _Waits()
"""The calling thread's seconds so far: whoever hands rows on compares before and after."""
