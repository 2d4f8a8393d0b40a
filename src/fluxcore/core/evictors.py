"""Which of its rows a window keeps when it fires: the built-in evictors, and the base of those that a user writes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from fluxcore.core.triggers import WindowInfo


class EvictorKind(Enum):
    """The built-in evictors, and the one that a user wrote."""

    LAST = "last"
    WITHIN = "within"
    DELTA = "delta"
    CUSTOM = "custom"


@dataclass(frozen=True)
class EvictorSpec:
    """An evictor with its parameters.

    ``count`` of LAST; ``interval`` (ms) of WITHIN; ``threshold`` and ``column`` of DELTA, with ``place`` the column's position.
    ``after`` lets it work behind the aggregates instead of before them; ``custom`` is the user's, which does both.
    """

    kind: EvictorKind
    count: int = 0
    interval: int = 0
    threshold: float = 0.0
    column: str = ""
    place: int = -1
    after: bool = False
    custom: Evictor | None = None

    def describe(self) -> str:
        """Return the evictor in one piece for EXPLAIN."""
        match self.kind:
            case EvictorKind.LAST:
                text = f"keep last {self.count} rows"
            case EvictorKind.WITHIN:
                text = f"keep within {self.interval} ms"
            case EvictorKind.DELTA:
                text = f"keep {self.column} within {self.threshold:g}"
            case EvictorKind.CUSTOM:
                text = type(self.custom).__name__
        return f"{text} afterwards" if self.after else text


class Evictor:
    """The base of evictors that a user writes: override :meth:`before`, :meth:`after` or both.

    ``rows`` are those that the window holds, in the order of arrival. The methods return which of them stay, as anything that
    ``pyarrow.array`` makes a boolean array of (NULL is no); None keeps all. A row that does not stay is gone for good.
    """

    def before(self, rows: pa.RecordBatch, window: WindowInfo) -> Any:  # noqa: ARG002
        """Choose the rows that stay, before the window's result is computed."""
        return None

    def after(self, rows: pa.RecordBatch, window: WindowInfo) -> Any:  # noqa: ARG002
        """Choose the rows that stay, after the window's result was computed."""
        return None
