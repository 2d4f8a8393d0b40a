"""A function of a program's own that keeps nothing: rows, or whole batches, in and rows out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Takes(Enum):
    """What a function takes and gives."""

    ROW = "a row, and gives one or None"
    ROWS = "a row, and gives any number of rows"
    BATCH = "a record batch, and gives rows as one or as columns"


@dataclass(frozen=True)
class RowFunction:
    """The function, and what it takes. Several threads may call it at once."""

    function: Callable[..., Any]
    takes: Takes

    @property
    def name(self) -> str:
        """Return what messages call the function."""
        return getattr(self.function, "__qualname__", type(self.function).__name__)
