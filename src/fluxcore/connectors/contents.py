"""The rows of a table that the session itself keeps, as a feed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fluxcore.core.feed import Feed
from fluxcore.core.ports import Signal
from fluxcore.errors import JobError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa


class Contents(Feed):
    """Gives the rows that the table ``name`` has at the moment at which it is opened.

    ``read`` returns them; until whoever keeps the table has set it, there is nothing to read.
    """

    replayable = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.read: Callable[[], Sequence[pa.RecordBatch]] | None = None
        self._left: list[pa.RecordBatch] = []
        self._taken = 0

    def open(self, position: Mapping[str, Any] | None) -> None:
        """Take the rows as of now. Raises ``JobError`` FX-RUN-0120 for a table that was never filled."""
        if self.read is None:
            raise never_filled(self.name)
        self._taken = int(position["batch"]) if position else 0
        self._left = list(self.read())[self._taken :]

    def take(self) -> pa.RecordBatch | Signal:
        """Return the next batch."""
        if not self._left:
            return Signal.END
        self._taken += 1
        return self._left.pop(0)

    def position(self) -> Mapping[str, Any]:
        """Return the number of the next batch."""
        return {"batch": self._taken}


def never_filled(name: str) -> JobError:
    """Return the error for a materialised table whose job was never started."""
    hint = f"ALTER MATERIALIZED TABLE {name} RESUME starts it"
    message = f"the materialised table '{name}' was never filled: its script ended before"
    return JobError("FX-RUN-0120", message, hint=hint)
