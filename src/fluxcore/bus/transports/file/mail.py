"""What other threads have to tell the event loop: any number of calls, one wake-up."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Mail:
    """Calls functions on an event loop, in the order in which they were posted. For any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._letters: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._rung = False

    def post(self, function: Callable[..., None], *args: Any) -> None:
        """Call a function soon. Raises ``RuntimeError`` when the loop has ended.

        Cost: a wake-up of the loop where none is under way. Who posts looks at the flag after the letter is in, and who reads takes
        the flag down before: so a letter is never left.
        """
        self._letters.append((function, args))
        if not self._rung:
            self._rung = True
            self._loop.call_soon_threadsafe(self._read)

    def _read(self) -> None:
        self._rung = False
        letters = self._letters
        try:
            while letters:
                function, args = letters.popleft()
                function(*args)
        finally:
            if letters:  # one that raises is the loop's to report; the others are read all the same
                self._loop.call_soon(self._read)
