"""The syntax tree of statements; what stands inside them, expressions and queries, is in ``ast``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fluxcore.sql.ast import Expression, Query, Statement, Tree

if TYPE_CHECKING:
    from fluxcore.core.types import DataType
    from fluxcore.errors import Span
    from fluxcore.sql.functions import Lifetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDefinition(Tree):
    """A column of CREATE TABLE: physical (``type``), computed (``computed``) or metadata (``metadata`` key)."""

    name: str
    type: DataType | None = None
    computed: Expression | None = None
    metadata: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTable(Statement):
    """CREATE TABLE."""

    name: tuple[str, ...]
    columns: tuple[ColumnDefinition, ...]
    watermark: tuple[str, Expression, Span] | None = None
    primary_key: tuple[str, ...] = ()
    partitioned: tuple[str, ...] = ()
    options: tuple[tuple[str, str, Span, Span], ...] = ()
    if_not_exists: bool = False
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateView(Statement):
    """CREATE VIEW."""

    name: tuple[str, ...]
    columns: tuple[str, ...]
    query: Query
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop(Statement):
    """DROP TABLE or DROP VIEW."""

    kind: str
    name: tuple[str, ...]
    if_exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Insert(Statement):
    """INSERT INTO."""

    table: tuple[str, ...]
    columns: tuple[str, ...]
    query: Query
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
    """EXPLAIN."""

    statement: Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Describe(Statement):
    """DESCRIBE."""

    name: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Show(Statement):
    """SHOW TABLES, SHOW VIEWS, SHOW FUNCTIONS or SHOW CREATE TABLE."""

    what: str
    name: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetOption(Statement):
    """SET, or RESET where ``value`` is None; both without a key concern all."""

    key: str | None
    value: str | None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowUserFunctions(Statement):
    """SHOW USER FUNCTIONS."""
