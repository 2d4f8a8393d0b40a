"""Parses the parts that statements share: columns, keys, watermarks, options, comments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fluxcore.errors import ScriptError
from fluxcore.sql import ast
from fluxcore.sql import statements as st
from fluxcore.sql.parse_queries import QueryParser
from fluxcore.sql.parse_types import parse_type

if TYPE_CHECKING:
    from fluxcore.errors import Span


@dataclass
class TableParts:
    """What stands in the brackets of CREATE TABLE or ALTER TABLE, as it is read."""

    columns: list[st.PlacedColumn] = field(default_factory=list)
    watermark: st.WatermarkDefinition | None = None
    key: st.KeyDefinition | None = None
    distribution: st.Distribution | None = None


class PartsParser(QueryParser):
    """Parses parts of statements."""

    def statement(self) -> ast.Statement:
        """Parse any statement; the parser of scripts does."""
        raise NotImplementedError

    def if_not_exists(self) -> bool:
        """Move behind IF NOT EXISTS if it stands here."""
        return self.take_word("IF", "NOT", "EXISTS")

    def if_exists(self) -> bool:
        """Move behind IF EXISTS if it stands here."""
        return self.take_word("IF", "EXISTS")

    def comment(self) -> str | None:
        """Parse COMMENT 'text' if it stands here."""
        return self.string() if self.take_word("COMMENT") else None

    def options(self) -> tuple[ast.OptionPair, ...]:
        """Parse ``('key' = 'value', …)``."""
        if self.is_symbol("(") and self.is_symbol(")", 1):
            self.advance()
            self.advance()
            return ()
        return self.bracketed(self._option)

    def with_options(self) -> tuple[ast.OptionPair, ...]:
        """Parse WITH (…) if it stands here."""
        return self.options() if self.take_word("WITH") else ()

    def _option(self) -> ast.OptionPair:
        key_span = self.token.span
        key = self.string("an option's name in quotes")
        self.need_symbol("=")
        value_span = self.token.span
        value = self.string("an option's value in quotes")
        return ast.OptionPair(key=key, value=value, span=key_span, value_span=value_span)

    def partition_spec(self) -> tuple[tuple[str, ast.Expression], ...]:
        """Parse ``(column = constant, …)`` behind PARTITION."""

        def one() -> tuple[str, ast.Expression]:
            name = self.name("a column")
            self.need_symbol("=")
            return name, self.expression()

        return self.bracketed(one)

    def table_parts(self) -> TableParts:
        """Parse what stands in the brackets of a table's definition, if there are any."""
        parts = TableParts()
        if self.take_symbol("("):
            self.table_part(parts, placed=False)
            while self.take_symbol(","):
                self.table_part(parts, placed=False)
            self.need_symbol(")")
        return parts

    def table_part(self, found: TableParts, *, placed: bool) -> None:
        """Parse one thing in the brackets of a table; with ``placed`` a column may say FIRST or AFTER."""
        start = self.token.span
        if self.is_word("WATERMARK", "FOR"):
            if found.watermark is not None:
                raise ScriptError("FX-SQL-0501", "a table has one watermark", span=start)
            found.watermark = self.watermark()
        elif self._is_constraint():
            self._one_key(found, self._constraint())
        else:
            column, is_key = self._column()
            first = placed and self.take_word("FIRST")
            after = self.name("a column") if placed and not first and self.take_word("AFTER") else None
            found.columns.append(st.PlacedColumn(column=column, first=first, after=after, span=self.since(start)))
            if is_key:
                self._one_key(found, st.KeyDefinition(columns=(column.name,), span=column.span))

    def _one_key(self, found: TableParts, key: st.KeyDefinition) -> None:
        if found.key is not None:
            raise ScriptError("FX-SQL-0501", "a table has one primary key", span=key.span)
        found.key = key

    def _is_constraint(self) -> bool:
        return self.is_word("PRIMARY", "KEY") or self.is_word("CONSTRAINT") or self.is_word("UNIQUE")

    def watermark(self) -> st.WatermarkDefinition:
        """Parse WATERMARK FOR column AS expression."""
        start = self.need_word("WATERMARK", "FOR").span
        place = self.token.span
        column = self.names()
        if len(column) > 1:
            raise self.unsupported_at("a watermark on a field of a row", self.since(place))
        self.need_word("AS")
        return st.WatermarkDefinition(column=column[0], expr=self.expression(), span=self.since(start))

    def _constraint(self) -> st.KeyDefinition:
        start = self.token.span
        name = self.name() if self.take_word("CONSTRAINT") else None
        if self.is_word("UNIQUE"):
            raise self.unsupported("a UNIQUE constraint")
        self.need_word("PRIMARY", "KEY")
        columns = self.bracketed(self.name)
        self.not_enforced()
        return st.KeyDefinition(columns=columns, name=name, span=self.since(start))

    def not_enforced(self) -> None:
        """Move behind NOT ENFORCED, which a primary key must say."""
        if self.take_word("NOT", "ENFORCED"):
            return
        message = "a primary key is NOT ENFORCED: the rows belong to another system, and nobody checks them"
        raise ScriptError("FX-SQL-0501", message, span=self.token.span, hint="write PRIMARY KEY (…) NOT ENFORCED")

    def _column(self) -> tuple[st.ColumnDefinition, bool]:
        start = self.token.span
        name = self.name("a column")
        if self.take_word("AS"):
            expr = self.expression()
            comment = self.comment()
            return st.ColumnDefinition(name=name, computed=expr, comment=comment, span=self.since(start)), False
        if self.is_symbol(",") or self.is_symbol(")"):
            return st.ColumnDefinition(name=name, span=start), False
        type_ = parse_type(self)
        metadata, virtual = None, False
        if self.take_word("METADATA"):
            metadata = self.string() if self.take_word("FROM") else name
            virtual = self.take_word("VIRTUAL")
        is_key = self._key_of_column()
        comment = self.comment()
        found = st.ColumnDefinition(
            name=name, type=type_, metadata=metadata, virtual=virtual, comment=comment, span=self.since(start)
        )
        return found, is_key

    def _key_of_column(self) -> bool:
        if self.take_word("CONSTRAINT"):
            self.name()
            if not self.is_word("PRIMARY") and not self.is_word("UNIQUE"):
                raise self.unexpected("PRIMARY KEY")
        if self.is_word("UNIQUE"):
            raise self.unsupported("a UNIQUE constraint")
        if not self.take_word("PRIMARY", "KEY"):
            return False
        self.not_enforced()
        return True

    def distribution(self) -> st.Distribution | None:
        """Parse DISTRIBUTED BY … INTO … BUCKETS if it stands here."""
        start = self.token.span
        if not self.take_word("DISTRIBUTED"):
            return None
        return self.distribution_by(start)

    def distribution_by(self, start: Span) -> st.Distribution:
        """Parse what follows DISTRIBUTED."""
        kind, buckets = None, None
        columns: tuple[str, ...] = ()
        by = self.take_word("BY")
        if by:
            kind = self.advance().word if self.token.word in ("HASH", "RANGE") else None
            columns = self.bracketed(self.name)
        if self.take_word("INTO"):
            buckets = self.integer("a number of buckets")
            self.need_word("BUCKETS")
        elif not by:
            raise self.unexpected("BY or INTO")
        return st.Distribution(kind=kind, columns=columns, buckets=buckets, span=self.since(start))

    def unsupported_at(self, what: str, span: Span) -> ScriptError:
        """Return the error for what Flink knows and FluxCore doesn't execute, at a place."""
        error = self.unsupported(what)
        error.span = span
        return error
