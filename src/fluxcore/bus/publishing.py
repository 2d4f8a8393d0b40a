"""What ``publish`` gives back: something to await, or to ask for its result from a script."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fluxcore.bus.event import Receipt

if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import Awaitable, Callable, Generator

    from fluxcore.bus.transports.memory import MemoryTopic


class Publishing:
    """An event that was handed over. ``await`` gives its :class:`Receipt`; so does :meth:`result` outside the event loop.

    Awaiting it also holds the publisher back while a group is far behind. It need not be awaited.
    """

    __slots__ = ("_duplicate", "_hold", "_offset", "_topic")

    def __init__(
        self,
        topic: MemoryTopic,
        offset: int,
        hold: Callable[[], Awaitable[None]] | None,
        duplicate: bool = False,
    ) -> None:
        self._topic = topic
        self._offset = offset
        self._hold = hold
        self._duplicate = duplicate

    def __await__(self) -> Generator[Any, None, Receipt]:
        if self._hold is not None:
            yield from self._hold().__await__()
        topic = self._topic
        return Receipt(topic.name, self._offset, topic.survives, self._duplicate)

    def result(self, timeout_s: float | None = None) -> Receipt:  # noqa: ARG002  (as of all publishings)
        """Return the receipt."""
        topic = self._topic
        return Receipt(topic.name, self._offset, topic.survives, self._duplicate)


class RemotePublishing:
    """The same for an event that was handed over from another thread than the event loop's."""

    __slots__ = ("_future",)

    def __init__(self, future: concurrent.futures.Future[Receipt]) -> None:
        self._future = future

    def __await__(self) -> Generator[Any, None, Receipt]:
        return asyncio.wrap_future(self._future).__await__()

    def result(self, timeout_s: float | None = None) -> Receipt:
        """Wait for the receipt. Raises ``TimeoutError``, or what kept the event from being published."""
        return self._future.result(timeout_s)
