"""Parses CREATE and DROP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.errors import ScriptError
from fluxcore.sql import ast
from fluxcore.sql import statements as st
from fluxcore.sql.parse_queries import QueryParser
from fluxcore.sql.parse_types import parse_type

if TYPE_CHECKING:
    from fluxcore.errors import Span


class DefinitionParser(QueryParser):
    """Parses the statements that make and remove tables and views."""

    def create(self) -> ast.Statement:
        """Parse CREATE."""
        start = self.need_word("CREATE").span
        self.take_word("TEMPORARY")
        if self.take_word("TABLE"):
            return self._create_table(start)
        if self.take_word("VIEW"):
            exists = self.take_word("IF", "NOT", "EXISTS")
            name = self.names()
            columns = self.bracketed(self.name) if self.is_symbol("(") else ()
            self._comment()
            self.need_word("AS")
            query = self.query()
            return st.CreateView(name=name, columns=columns, query=query, if_not_exists=exists, span=self.since(start))
        raise self.unsupported(f"CREATE {self.token.text}")

    def _create_table(self, start: Span) -> st.CreateTable:
        exists = self.take_word("IF", "NOT", "EXISTS")
        name = self.names()
        if self.is_word("AS") or not self.is_symbol("("):
            raise self.unsupported("CREATE TABLE without a list of columns")
        self.need_symbol("(")
        columns: list[st.ColumnDefinition] = []
        watermark: tuple[str, ast.Expression, Span] | None = None
        key: tuple[str, ...] = ()
        while True:
            if self.is_word("WATERMARK", "FOR"):
                if watermark is not None:
                    raise ScriptError("FX-SQL-0501", "a table has one watermark", span=self.token.span)
                watermark = self._watermark()
            elif self.is_word("PRIMARY", "KEY") or self.is_word("CONSTRAINT"):
                key = self._primary_key()
            else:
                column, is_key = self._column()
                columns.append(column)
                key = (column.name,) if is_key else key
            if not self.take_symbol(","):
                break
        self.need_symbol(")")
        comment = self._comment()
        partitioned = self.bracketed(self.name) if self.take_word("PARTITIONED", "BY") else ()
        options: tuple[tuple[str, str, Span, Span], ...] = ()
        if self.take_word("WITH"):
            options = self.bracketed(self._option)
        if self.is_word("LIKE") or self.is_word("AS"):
            raise self.unsupported(f"CREATE TABLE … {self.token.word}")
        return st.CreateTable(
            name=name, columns=tuple(columns), watermark=watermark, primary_key=key, partitioned=partitioned,
            options=options, if_not_exists=exists, comment=comment, span=self.since(start),
        )  # fmt: skip

    def _watermark(self) -> tuple[str, ast.Expression, Span]:
        start = self.need_word("WATERMARK", "FOR").span
        column = self.name("a column")
        self.need_word("AS")
        expr = self.expression()
        return column, expr, self.since(start)

    def _primary_key(self) -> tuple[str, ...]:
        if self.take_word("CONSTRAINT"):
            self.name()
        self.need_word("PRIMARY", "KEY")
        columns = self.bracketed(self.name)
        self.need_word("NOT", "ENFORCED")
        return columns

    def _column(self) -> tuple[st.ColumnDefinition, bool]:
        start = self.token.span
        name = self.name("a column")
        if self.take_word("AS"):
            expr = self.expression()
            comment = self._comment()
            return st.ColumnDefinition(name=name, computed=expr, comment=comment, span=self.since(start)), False
        type_ = parse_type(self)
        metadata = None
        if self.take_word("METADATA"):
            metadata = self.string() if self.take_word("FROM") else name
            self.take_word("VIRTUAL")
        is_key = self.take_word("PRIMARY", "KEY")
        if is_key:
            self.need_word("NOT", "ENFORCED")
        comment = self._comment()
        found = st.ColumnDefinition(name=name, type=type_, metadata=metadata, comment=comment, span=self.since(start))
        return found, is_key

    def _comment(self) -> str | None:
        return self.string() if self.take_word("COMMENT") else None

    def _option(self) -> tuple[str, str, Span, Span]:
        key_span = self.token.span
        key = self.string("an option's name in quotes")
        self.need_symbol("=")
        value_span = self.token.span
        value = self.string("an option's value in quotes")
        return key, value, key_span, value_span

    def drop(self) -> ast.Statement:
        """Parse DROP."""
        start = self.need_word("DROP").span
        self.take_word("TEMPORARY")
        kind = self.token.word
        if kind not in ("TABLE", "VIEW"):
            raise self.unsupported(f"DROP {self.token.text}")
        self.advance()
        exists = self.take_word("IF", "EXISTS")
        return st.Drop(kind=kind, name=self.names(), if_exists=exists, span=self.since(start))
