"""Wakes the workers of a group, or lets another one begin."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Bell:
    """Workers ``wait`` for it. ``waits`` says whether one does; while it is ``paused`` no worker begins."""

    def __init__(self) -> None:
        self.waits = False
        self.paused = False
        self._idle: deque[asyncio.Future[None]] = deque()
        self._spawn: list[Callable[[], bool]] = []
        self._looking = False

    def has_more(self) -> bool:
        """Return whether there may be something for another worker."""
        raise NotImplementedError

    async def wait(self) -> None:
        """Wait until there may be something to take."""
        future = asyncio.get_running_loop().create_future()
        self._idle.append(future)
        self.waits = True
        await future

    def notify(self) -> None:
        """Wake a worker that waits, or start one."""
        while self._idle:
            future = self._idle.popleft()
            if not future.done():
                self.waits = bool(self._idle)
                future.set_result(None)
                return
        self.waits = False
        if not self.paused:
            for spawn in self._spawn:
                if spawn():
                    break

    def look_for_more(self) -> None:
        """Let another worker begin soon if this one is held up while events wait. Cost: one call for each turn of the loop."""
        if not self._looking and self.has_more():
            self._looking = True
            asyncio.get_running_loop().call_soon(self._look)

    def is_alone(self) -> bool:
        """Return whether all workers are of one handler."""
        return len(self._spawn) == 1

    def _look(self) -> None:
        self._looking = False
        if not self.paused and self.has_more():
            self.notify()
