"""Rows that a function gave, on their way into a batch; errors of the user's code."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.errors import DataError

if TYPE_CHECKING:
    from fluxcore.core.batch import Int64s

_OURS = str(Path(__file__).parents[2])
"""Where the package's own files are: a user's error is told by the user's line."""

_LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))


class Given:
    """Rows (dicts by column name) for one output, each with the number of the input row that it came with."""

    def __init__(self, function: str, schema: pa.Schema) -> None:
        self._function = function
        self._schema = schema
        self._names = set(schema.names)
        self.rows: list[dict[str, Any]] = []
        self.sources: list[int] = []

    def add(self, row: dict[str, Any], source: int) -> None:
        """Add a row."""
        self.rows.append(row)
        self.sources.append(source)

    def take(self) -> tuple[Batch, Int64s] | None:
        """Return the rows since the last time and their sources; None when there are none. Raises FX-RUN-0211."""
        rows, sources = self.rows, np.array(self.sources, np.int64)
        self.rows, self.sources = [], []
        return (Batch(self.batch(rows)), sources) if rows else None

    def batch(self, rows: list[dict[str, Any]]) -> pa.RecordBatch:
        """Return rows as a batch. Raises ``DataError`` FX-RUN-0211 for one that does not fit the schema."""
        try:
            strange = next((name for row in rows for name in row if name not in self._names), None)
            if strange is not None:
                raise TypeError(f"there is no column '{strange}'")
            return pa.RecordBatch.from_pylist(rows, schema=self._schema)
        except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, AttributeError) as error:
            message = f"{self._function} gave a row that does not fit its schema: {error}"
            raise DataError("FX-RUN-0211", message, hint=f"the schema: {', '.join(map(str, self._schema))}") from error


def told(error: BaseException, function: str, given: str) -> DataError:
    """Return the error that a user sees for one in the user's function: its line, and what it was given."""
    places = [each for each in traceback.extract_tb(error.__traceback__) if not each.filename.startswith(_OURS)]
    own = [each for each in places if _is_users(each.filename)] or places[:1]
    where = f", line {own[-1].lineno} of {own[-1].filename}" if own else ""
    hint = f"in {function}{where}, given {given}"
    return DataError("FX-RUN-0210", f"{type(error).__name__}: {error}", hint=hint)


def _is_users(file: str) -> bool:
    """Return whether a file of a traceback is a program's or a prompt's, rather than a library's."""
    if file.startswith("<"):
        return not file.startswith(("<frozen", "<__array"))
    return Path(file).is_absolute() and not file.startswith(_LIBRARIES)
