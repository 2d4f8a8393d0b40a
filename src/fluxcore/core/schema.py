"""Schemas: named, typed columns, with the time attribute that a column may be.

Plans refer to columns by position, so a schema may hold the same name twice; only a user's text goes by name.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

import pyarrow as pa

from fluxcore.core.types import DataType, from_arrow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class TimeKind(Enum):
    """What makes a column a time attribute: event time (it has a watermark) or processing time."""

    EVENT = "ROWTIME"
    PROCESSING = "PROCTIME"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its type, and which time attribute it is, if any."""

    name: str
    type: DataType
    time: TimeKind | None = None

    def renamed(self, name: str) -> Column:
        """Return this column under another name."""
        return replace(self, name=name)

    def describe(self) -> str:
        """Return ``name TYPE *ROWTIME*`` as EXPLAIN and DESCRIBE show it."""
        mark = f" *{self.time.value}*" if self.time else ""
        return f"{self.name} {self.type.sql()}{mark}"


@dataclass(frozen=True, slots=True)
class Schema:
    """An ordered list of columns."""

    columns: tuple[Column, ...]

    @staticmethod
    def of(columns: Iterable[Column]) -> Schema:
        """Return the schema of these columns."""
        return Schema(tuple(columns))

    @staticmethod
    def from_arrow(schema: pa.Schema) -> Schema:
        """Return the schema for an Arrow schema; raises ``TypeError`` where a type has no SQL counterpart."""
        return Schema(tuple(Column(field.name, from_arrow(field.type, nullable=field.nullable)) for field in schema))

    @property
    def names(self) -> list[str]:
        """Return the column names in order."""
        return [column.name for column in self.columns]

    @property
    def types(self) -> list[DataType]:
        """Return the column types in order."""
        return [column.type for column in self.columns]

    def find(self, name: str) -> int | None:
        """Return the position of the first column of that exact name, or None."""
        return next((index for index, column in enumerate(self.columns) if column.name == name), None)

    def select(self, indices: Sequence[int]) -> Schema:
        """Return the schema of the columns at these positions, in that order."""
        return Schema(tuple(self.columns[index] for index in indices))

    def arrow(self) -> pa.Schema:
        """Return the Arrow schema; NOT NULL columns are non-nullable fields."""
        return pa.schema([pa.field(column.name, column.type.arrow(), column.type.nullable) for column in self.columns])

    def __len__(self) -> int:
        return len(self.columns)

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __getitem__(self, index: int) -> Column:
        return self.columns[index]
