"""What a statement is answered with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

Cell = str | bool | None
"""What stands in a row of an answer."""


@dataclass(frozen=True)
class CommandReply:
    """The answer to DDL, SHOW, DESCRIBE or SET: a message, or rows under column names.

    Where the statements before it decide about the rows, ``find`` looks for them when they have run.
    """

    message: str | None
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    find: Callable[[], tuple[tuple[Cell, ...], ...]] | None = field(default=None, compare=False)

    def answered(self) -> CommandReply:
        """Return the reply with its rows. Raises ``JobError`` where they can't be found."""
        return self if self.find is None else replace(self, rows=self.find(), find=None)
