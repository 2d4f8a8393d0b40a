"""Sinks: where rows go."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from fluxcore.core.batch import Batch


class ChangeMode(Enum):
    """Which changelog a sink takes."""

    APPEND = "append"
    UPSERT = "upsert"
    RETRACT = "retract"


class Sink(ABC):
    """Where rows go. One thread at a time calls it, in the order open, write*, then commit or abort, close."""

    modes: ClassVar[frozenset[ChangeMode]] = frozenset({ChangeMode.APPEND})
    guarantee: ClassVar[str] = "at-least-once"

    def open(self) -> None:  # noqa: B027  (a sink without resources needs none)
        """Take resources; called before the first write."""

    @abstractmethod
    def write(self, batch: Batch) -> None:
        """Take a batch of rows, weights included."""

    def flush(self) -> None:  # noqa: B027
        """Make everything written so far visible, for sinks that show live results."""

    @abstractmethod
    def commit(self) -> None:
        """Make all rows visible for good: the input ended, or an unbounded job was stopped."""

    def abort(self) -> None:  # noqa: B027
        """Undo what can be undone: the job failed or a bounded job was cancelled."""

    def close(self) -> None:  # noqa: B027
        """Give resources back; called once, also after a failure."""

    @property
    def state_bytes(self) -> int:
        """Return the bytes of the rows that the sink keeps in memory."""
        return 0
