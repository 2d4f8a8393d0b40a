"""The syntax tree of statements; what stands inside them, expressions and queries, is in ``ast``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fluxcore.sql.ast import Expression, OptionPair, Query, Statement, Tree

if TYPE_CHECKING:
    from fluxcore.core.types import DataType
    from fluxcore.errors import Span
    from fluxcore.sql.functions import Lifetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDefinition(Tree):
    """A column: physical (``type``), computed (``computed``) or metadata (``metadata``: its key); of CTAS also a bare name."""

    name: str
    type: DataType | None = None
    computed: Expression | None = None
    metadata: str | None = None
    virtual: bool = False
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatermarkDefinition(Tree):
    """WATERMARK FOR column AS expression."""

    column: str
    expr: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDefinition(Tree):
    """PRIMARY KEY (columns) NOT ENFORCED, with the name of its CONSTRAINT."""

    columns: tuple[str, ...]
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution(Tree):
    """DISTRIBUTED BY kind (columns) INTO buckets BUCKETS; ``kind`` is HASH, RANGE or None."""

    kind: str | None = None
    columns: tuple[str, ...] = ()
    buckets: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LikeClause(Tree):
    """LIKE table (choices); a choice is such as ("EXCLUDING", "OPTIONS")."""

    table: tuple[str, ...]
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTable(Statement):
    """CREATE TABLE; with ``query`` CREATE TABLE AS, with ``replace`` CREATE OR REPLACE TABLE AS."""

    name: tuple[str, ...]
    columns: tuple[ColumnDefinition, ...] = ()
    watermark: WatermarkDefinition | None = None
    primary_key: KeyDefinition | None = None
    distribution: Distribution | None = None
    partitioned: tuple[str, ...] = ()
    options: tuple[OptionPair, ...] = ()
    if_not_exists: bool = False
    temporary: bool = False
    replace: bool = False
    comment: str | None = None
    like: LikeClause | None = None
    query: Query | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness(Tree):
    """FRESHNESS = INTERVAL 'count' unit; ``unit`` is SECOND, MINUTE, HOUR or DAY."""

    count: int
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateMaterialized(Statement):
    """CREATE MATERIALIZED TABLE, or CREATE OR ALTER where ``alter``; ``table`` has the query, ``mode`` is FULL or CONTINUOUS."""

    table: CreateTable
    freshness: Freshness | None = None
    mode: str | None = None
    alter: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateView(Statement):
    """CREATE VIEW."""

    name: tuple[str, ...]
    columns: tuple[str, ...]
    query: Query
    if_not_exists: bool = False
    temporary: bool = False
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCatalog(Statement):
    """CREATE CATALOG."""

    name: str
    options: tuple[OptionPair, ...] = ()
    comment: str | None = None
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateDatabase(Statement):
    """CREATE DATABASE."""

    name: tuple[str, ...]
    options: tuple[OptionPair, ...] = ()
    comment: str | None = None
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop(Statement):
    """DROP TABLE, MATERIALIZED TABLE, VIEW, DATABASE or CATALOG (``kind``)."""

    kind: str
    name: tuple[str, ...]
    if_exists: bool = False
    temporary: bool = False
    cascade: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedColumn(Tree):
    """A column of ALTER TABLE, with where it goes: ``first``, ``after`` a column, or where neither at the end."""

    column: ColumnDefinition
    first: bool = False
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Tree):
    """The root of what ALTER does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSchema(Change):
    """ADD, or MODIFY where ``modify``."""

    modify: bool
    columns: tuple[PlacedColumn, ...] = ()
    watermark: WatermarkDefinition | None = None
    primary_key: KeyDefinition | None = None
    distribution: Distribution | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DropSchema(Change):
    """DROP of COLUMNS, PRIMARY KEY, CONSTRAINT, WATERMARK or DISTRIBUTION (``kind``)."""

    kind: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameColumn(Change):
    """RENAME old TO new."""

    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameTo(Change):
    """RENAME TO a name."""

    name: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetOptions(Change):
    """SET (options)."""

    options: tuple[OptionPair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetOptions(Change):
    """RESET (keys)."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetComment(Change):
    """COMMENT of a catalog."""

    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetQuery(Change):
    """AS query, of a view or a materialised table."""

    query: Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshing(Change):
    """SUSPEND, RESUME or REFRESH (``action``) of a materialised table; ``partition`` is what REFRESH is bounded to."""

    action: str
    options: tuple[OptionPair, ...] = ()
    partition: tuple[tuple[str, Expression], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alter(Statement):
    """ALTER TABLE, MATERIALIZED TABLE, VIEW, DATABASE or CATALOG (``kind``)."""

    kind: str
    name: tuple[str, ...]
    change: Change
    if_exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Insert(Statement):
    """INSERT INTO, or INSERT OVERWRITE; ``partition`` gives columns their constants, ``hints`` the table options.

    ``conflict`` is what ON CONFLICT DO says: DEDUPLICATE, ERROR or NOTHING; empty without it.
    """

    table: tuple[str, ...]
    columns: tuple[str, ...]
    query: Query
    partition: tuple[tuple[str, Expression], ...] = ()
    overwrite: bool = False
    hints: tuple[OptionPair, ...] = ()
    conflict: str = ""
    table_span: Span = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertSet(Statement):
    """EXECUTE STATEMENT SET BEGIN … END."""

    inserts: tuple[Insert, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryStatement(Statement):
    """A query that stands alone."""

    query: Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Explain(Statement):
    """EXPLAIN, with what it shall tell besides the plan."""

    statement: Statement
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Describe(Statement):
    """DESCRIBE of a TABLE, DATABASE or CATALOG (``kind``)."""

    name: tuple[str, ...]
    kind: str = "TABLE"
    extended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Show(Statement):
    """SHOW what, FROM or of ``name``; ``pattern`` is behind LIKE."""

    what: str
    name: tuple[str, ...] = ()
    pattern: str | None = None
    negated: bool = False
    any_case: bool = False
    partition: tuple[tuple[str, Expression], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Use(Statement):
    """USE CATALOG, DATABASE or MODULES (``kind``)."""

    kind: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Module(Statement):
    """LOAD MODULE, or UNLOAD MODULE where not ``load``."""

    name: str
    load: bool
    options: tuple[OptionPair, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetOption(Statement):
    """SET, or RESET where ``reset``; both without a key concern all."""

    key: str | None
    value: str | None
    reset: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateFunction(Statement):
    """CREATE FUNCTION, or ALTER FUNCTION; ``exists`` is IF NOT EXISTS of the one and IF EXISTS of the other."""

    name: tuple[str, ...]
    identifier: str
    lifetime: Lifetime
    exists: bool = False
    alter: bool = False
    place: Span = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DropFunction(Statement):
    """DROP FUNCTION."""

    name: tuple[str, ...]
    lifetime: Lifetime
    if_exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeFunction(Statement):
    """DESCRIBE FUNCTION."""

    name: tuple[str, ...]
    extended: bool = False
