"""Answers to commands: SHOW, DESCRIBE, EXPLAIN and the like, in the form that was asked for."""

from __future__ import annotations

import csv
import io
import json
import sys
from typing import TYPE_CHECKING, BinaryIO

from fluxcore.cli.errors import tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.sql.replies import Cell


def show_reply(
    message: str | None,
    columns: Sequence[str] = (),
    rows: Sequence[Sequence[Cell]] = (),
    format_: str = "table",
    stream: BinaryIO | None = None,
) -> None:
    """Print the answer to a command: messages to standard error, rows to ``stream``, which is standard output by default.

    As ``json`` and ``csv`` they have the forms of a query's rows; a table of one column is its cells alone.
    """
    if message is not None:
        tell(message)
    if not columns:
        return
    sys.stdout.flush()  # what was printed before comes before
    out = stream or sys.stdout.buffer
    out.write(_shown(columns, rows, format_).encode())
    out.flush()


def _shown(columns: Sequence[str], rows: Sequence[Sequence[Cell]], format_: str) -> str:
    if format_ == "json":
        lines = [json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) for row in rows]
    elif format_ == "csv":
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(
            [columns, *(["" if cell is None else _text(cell, "true", "false") for cell in row] for row in rows)]
        )
        return text.getvalue()
    else:
        lines = _table(columns, [[_text(cell) for cell in row] for row in rows])
    return "".join(f"{line}\n" for line in lines)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if len(columns) == 1:
        return [value for (value,) in rows]
    widths = [max(len(name), *(len(row[i]) for row in rows)) if rows else len(name) for i, name in enumerate(columns)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (columns, *rows)
    ]


def _text(cell: Cell, true: str = "TRUE", false: str = "FALSE") -> str:
    if cell is None:
        return "NULL"
    return cell if isinstance(cell, str) else true if cell else false
