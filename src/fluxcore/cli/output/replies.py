"""Answers to commands: SHOW, DESCRIBE, EXPLAIN and the like, in the form that was asked for."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING

from fluxcore.cli.errors import tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.sql.replies import Cell


def show_reply(
    message: str | None, columns: Sequence[str] = (), rows: Sequence[Sequence[Cell]] = (), format_: str = "table"
) -> None:
    """Print the answer to a command: messages to standard error, rows to standard output.

    As ``json`` and ``csv`` they have the forms of a query's rows; a table of one column is its cells alone.
    """
    if message is not None:
        tell(message)
    if not columns:
        return
    if format_ == "json":
        for row in rows:
            print(json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False))  # noqa: T201
    elif format_ == "csv":
        csv.writer(sys.stdout, lineterminator="\n").writerows(
            [columns, *(["" if cell is None else _text(cell, "true", "false") for cell in row] for row in rows)]
        )
    else:
        _show_table(columns, [[_text(cell) for cell in row] for row in rows])


def _show_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if len(columns) == 1:
        for (value,) in rows:
            print(value)  # noqa: T201
        return
    widths = [max(len(name), *(len(row[i]) for row in rows)) if rows else len(name) for i, name in enumerate(columns)]
    for row in (columns, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())  # noqa: T201


def _text(cell: Cell, true: str = "TRUE", false: str = "FALSE") -> str:
    if cell is None:
        return "NULL"
    return cell if isinstance(cell, str) else true if cell else false
