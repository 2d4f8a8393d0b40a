"""Tables as scripts declare them, and what a plan asks of a connector for one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

    from fluxcore.core.schema import Schema
    from fluxcore.errors import Span


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a connector or format, as written in ``WITH (...)``.

    ``kind`` is one of string, integer, boolean, duration, memory, enum. ``extension`` marks what Flink doesn't have.
    """

    name: str
    kind: str = "string"
    default: str | None = None
    required: bool = False
    choices: tuple[str, ...] = ()
    help: str = ""
    extension: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class TableDescription:
    """A table as declared: the name, the physical columns, the WITH options, and where it was declared.

    ``spans`` maps an option's name to its place in the script, for error messages. ``metadata`` maps the position of
    a metadata column in ``schema`` to the connector's metadata key. ``time_column`` is the position of the column that the
    watermark is declared on, where that is a physical one: a NULL in it is a fault of the row.
    """

    name: str
    schema: Schema
    options: Mapping[str, str]
    primary_key: tuple[int, ...] = ()
    partitioned_by: tuple[int, ...] = ()
    metadata: Mapping[int, str] = field(default_factory=dict)
    time_column: int | None = None
    span: Span | None = None
    spans: Mapping[str, Span] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bound:
    """A simple comparison ``column OP value`` that a reader may use to skip whole blocks (op: = < <= > >=)."""

    column: int
    op: str
    value: Any


@dataclass(frozen=True, slots=True)
class Pushdown:
    """A predicate that the reader applies itself.

    ``mask`` maps a batch of the *requested* columns to a boolean array (null counts as false); ``bounds`` are those of
    its conjuncts that statistics can judge, with positions in the requested columns; ``columns`` the positions that the
    mask reads, so that a reader can decode those first.
    """

    mask: Callable[[pa.RecordBatch], pa.BooleanArray]
    bounds: tuple[Bound, ...] = ()
    columns: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """What a plan wants of a source: which columns of the table's schema, in which order, and a predicate.

    With a ``limit`` a source may stop when it has given so many rows that pass; it need not. ``partitions`` maps a batch of
    the columns that the table is partitioned by, a row a partition, to a boolean array that says which ones are read (null
    counts as false); a source without partitions never gets one.
    """

    table: TableDescription
    columns: tuple[int, ...]
    pushdown: Pushdown | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None
    partitions: Callable[[pa.RecordBatch], pa.BooleanArray] | None = None


@dataclass(frozen=True, slots=True)
class SinkRequest:
    """What a plan hands to a sink: the table, and the schema of the rows (types equal, names may differ).

    With ``overwrite`` the rows take the place of what the table held; those of a partitioned table of what their partitions
    held. ``fixed`` are the constants that all rows have in columns of the partition, by the columns' positions: where there
    is one for each, that partition is replaced even by no rows.
    """

    table: TableDescription
    schema: Schema
    settings: Mapping[str, str] = field(default_factory=dict)
    overwrite: bool = False
    fixed: Mapping[int, pa.Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LookupRequest:
    """What a join wants of a table that is asked by key: the positions of the keys and of the wanted columns."""

    table: TableDescription
    keys: tuple[int, ...]
    columns: tuple[int, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
