"""A source as one small class."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from fluxcore.core.ports import Signal


class Feed(ABC):
    """Gives record batches one after the other; a program reads it with ``fx.from_feed``.

    Each job reads a copy, in one thread. ``bounded`` says that it ends by itself; ``replayable``, that it can :meth:`open` at
    a :meth:`position` that it gave, and gives the same rows again from there.
    """

    bounded: bool = True
    replayable: bool = False

    def open(self, position: Mapping[str, Any] | None) -> None:  # noqa: B027
        """Take resources and go to the start, or to a position; called once, before the first :meth:`take`."""

    @abstractmethod
    def take(self) -> pa.RecordBatch | Signal:
        """Return the next rows, ``fx.Signal.NOTHING_NOW`` where there are none yet, or ``fx.Signal.END``.

        It may wait for rows. An endless feed that waits should not do so for long, so that a job can be stopped.
        """

    def position(self) -> Mapping[str, Any]:
        """Return where the next :meth:`take` starts, as plain JSON values."""
        return {}

    def size(self) -> int | None:
        """Return about how many bytes there are to read; None where that isn't known."""
        return None

    def rows(self) -> int | None:
        """Return how many rows there are to read; None where that isn't known."""
        return None

    def close(self) -> None:  # noqa: B027
        """Give resources back; called once, after the last :meth:`take`."""
