"""Rows that a function gave, on their way into a batch; errors of the user's code."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa

from fluxcore.core.batch import Batch
from fluxcore.core.batch_function import arrays_of
from fluxcore.core.user_code import user_line
from fluxcore.errors import DataError, ScriptError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fluxcore.core.batch import Int64s

Function = TypeVar("Function")


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


def batch_of(given: pa.RecordBatch | Mapping[str, Any], schema: pa.Schema, function: str) -> pa.RecordBatch:
    """Return columns that a function gave as a batch. Raises ``DataError`` FX-RUN-0211 for those that do not fit the schema."""
    try:
        return pa.RecordBatch.from_arrays(arrays_of(given, schema), schema=schema)
    except (pa.ArrowException, ValueError, TypeError, AttributeError) as error:
        raise unfit(function, str(error), schema) from error


def unfit(function: str, what: str, schema: pa.Schema) -> DataError:
    """Return the error of rows that do not fit a function's schema."""
    message = f"{function} gave rows that do not fit its schema: {what}"
    return DataError("FX-RUN-0211", message, hint=f"the schema: {', '.join(map(str, schema))}")


def told(error: BaseException, function: str, given: str) -> DataError:
    """Return the error that a user sees for one in the user's function: its line, and what it was given."""
    line = user_line(error, or_library=True)
    where = f", {line}" if line else ""
    hint = f"in {function}{where}, given {given}"
    return DataError("FX-RUN-0210", f"{type(error).__name__}: {error}", hint=hint)


def copied(function: Function) -> Function:
    """Return a task's copy of the user's function. Raises ``ScriptError`` FX-API-0023 for one that can't be copied."""
    try:
        return copy.deepcopy(function)
    except Exception as error:
        message = f"{type(function).__name__} can't be copied for each task: {error}"
        raise ScriptError("FX-API-0023", message, hint="take connections and the like in its method open") from error
