"""Sources: splits that are read in order, and tables that are asked by key.

A split is read in two steps so that one file can be decoded by several threads and still be delivered in order: ``take`` cuts
the next raw unit (sequential, cheap) and ``decode`` turns it into a batch (pure, called from any thread).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from fluxcore.core.batch import Batch


class Signal(Enum):
    """What ``take`` says when there is no unit to hand out."""

    NOTHING_NOW = "nothing now"
    END = "end"


class RowPolicy(Enum):
    """What happens to a row that can't be read: the job fails, the row is skipped, or it goes to a file."""

    FAIL = "fail"
    SKIP = "skip"
    DEAD_LETTER = "dead-letter"


class SplitReader(ABC):
    """Reads one split. ``take`` is called by one thread at a time; ``decode`` by any number."""

    @abstractmethod
    def take(self) -> Any:
        """Return the next raw unit in order, or a :class:`Signal`."""

    @abstractmethod
    def decode(self, unit: Any) -> Batch:
        """Return the rows of a unit that ``take`` returned: the requested columns, no watermark steps."""

    def position(self) -> Mapping[str, Any]:
        """Return where the next ``take`` starts, as plain JSON values."""
        return {}

    def close(self) -> None:  # noqa: B027
        """Give resources back; called once, after the last ``take`` and ``decode``."""


class Split(ABC):
    """A part of a source that is read in order: a file, a partition, a range."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Return a name for messages and metrics, such as the file's path."""

    @abstractmethod
    def open(self, position: Mapping[str, Any] | None = None) -> SplitReader:
        """Return a reader from the start, or from a position that a reader gave."""


class Source(ABC):
    """Where a scan's rows come from. ``repeatable`` says that a second reading gives the same rows and does nothing else."""

    bounded: bool = True
    replayable: bool = True
    repeatable: bool = False

    @abstractmethod
    def splits(self) -> Sequence[Split]:
        """Return the splits in the order in which they should be read."""

    def size(self) -> int | None:
        """Return about how many bytes there are to read; None where that isn't known. Called after :meth:`splits`."""
        return None

    def rows(self) -> int | None:
        """Return how many rows there are before any predicate; None where that isn't known without reading them."""
        return None

    def statistics(self) -> Mapping[str, int]:
        """Return counts such as ``skipped_rows`` and ``dead_letter_rows`` so far."""
        return {}


class LookupSource(ABC):
    """Finds rows of a table by key. With ``concurrent`` several threads may call :meth:`find` at once."""

    concurrent: bool = False

    def open(self) -> None:  # noqa: B027
        """Take resources; called before the first :meth:`find`."""

    @abstractmethod
    def find(self, keys: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows that have one of the keys: the key's columns, then the wanted ones.

        In: keys that differ from each other and hold no NULL. Out: any number of rows for each, in any order. A raised
        ``OSError`` is tried again as often as the table's options say.
        """

    def close(self) -> None:  # noqa: B027
        """Give resources back; called once."""
