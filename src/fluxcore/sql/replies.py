"""What a statement is answered with."""

from __future__ import annotations

from dataclasses import dataclass

Cell = str | bool | None
"""What stands in a row of an answer."""


@dataclass(frozen=True)
class CommandReply:
    """The answer to DDL, SHOW, DESCRIBE or SET: a message, or rows under column names."""

    message: str | None
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
