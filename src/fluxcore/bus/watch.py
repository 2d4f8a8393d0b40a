"""Names the handler that keeps the event loop from its other work."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

from fluxcore.core.log import Log
from fluxcore.limits import BUS_SLOW_S

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Collection
    from types import FrameType

_log = Log("bus")


class Watch:
    """A thread that asks the event loop for a sign of life, and says who kept it from giving one.

    ``blocked`` counts how often by the place of the user's code: file and line.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, loop_thread: int, codes: Collection[object]) -> None:
        self.blocked: dict[str, int] = {}
        self.lag_s = 0.0
        self._loop = loop
        self._loop_thread = loop_thread
        self._codes = codes
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fluxcore bus watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(BUS_SLOW_S / 4):
            alive, asked = threading.Event(), time.monotonic()
            try:
                self._loop.call_soon_threadsafe(alive.set)
            except RuntimeError:  # the loop has ended
                return
            if not alive.wait(BUS_SLOW_S) and not self._stop.is_set():
                place = self._place()
                self.blocked[place] = self.blocked.get(place, 0) + 1
                while not alive.wait(BUS_SLOW_S) and not self._stop.is_set():
                    pass
                _log.warning("the event loop was held up", by=place, seconds=round(time.monotonic() - asked, 3))
            self.lag_s = time.monotonic() - asked

    def _place(self) -> str:
        """Return where the event loop's thread is: in a handler, if there is one among its calls."""
        frame: FrameType | None = sys._current_frames().get(self._loop_thread)
        innermost = frame
        while frame is not None:
            if frame.f_code in self._codes:
                return f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})"
            frame = frame.f_back
        return "?" if innermost is None else f"{innermost.f_code.co_filename}:{innermost.f_lineno}"
