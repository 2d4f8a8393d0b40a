"""Parses CREATE and DROP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.errors import ScriptError
from fluxcore.sql import ast
from fluxcore.sql import statements as st
from fluxcore.sql.parse_materialized import MaterializedParser

if TYPE_CHECKING:
    from fluxcore.errors import Span

_KIND_CHOICES = ("ALL", "CONSTRAINTS", "PARTITIONS", "DISTRIBUTION")
_FEATURES = (*_KIND_CHOICES, "GENERATED", "OPTIONS", "WATERMARKS", "METADATA")
_DROPPED = ("TABLE", "MATERIALIZED TABLE", "VIEW", "DATABASE", "CATALOG")


class DefinitionParser(MaterializedParser):
    """Parses the statements that make and remove catalogs, databases, tables and views."""

    def create(self) -> ast.Statement:
        """Parse CREATE."""
        start = self.need_word("CREATE").span
        if self.is_word("OR", "ALTER") or self.is_word("MATERIALIZED"):
            return self.create_materialized(start)
        replace = self.take_word("OR", "REPLACE")
        temporary = self.take_word("TEMPORARY")
        if self.is_word("MATERIALIZED", "TABLE"):
            message = "a materialized table can't be TEMPORARY, and CREATE OR ALTER changes one"
            raise ScriptError("FX-SQL-0104", message, span=self.since(start))
        if self.take_word("TABLE"):
            return self._create_table(start, temporary=temporary, replace=replace)
        if replace:
            raise self.unsupported(f"CREATE OR REPLACE {self.token.text}")
        if self.take_word("VIEW"):
            return self._create_view(start, temporary)
        if not temporary and self.take_word("CATALOG"):
            return self._create_catalog(start)
        if not temporary and self.take_word("DATABASE"):
            return self._create_database(start)
        raise self.unsupported(f"CREATE {self.token.text}")

    def replace(self) -> ast.Statement:
        """Parse REPLACE TABLE."""
        start = self.need_word("REPLACE").span
        self.need_word("TABLE")
        return self._create_table(start, temporary=False, replace=True)

    def _create_view(self, start: Span, temporary: bool) -> st.CreateView:
        exists = self.if_not_exists()
        name = self.names()
        columns = self.bracketed(self.name) if self.is_symbol("(") else ()
        comment = self.comment()
        self.need_word("AS")
        query = self.query()
        return st.CreateView(
            name=name, columns=columns, query=query, if_not_exists=exists, temporary=temporary, comment=comment,
            span=self.since(start),
        )  # fmt: skip

    def _create_catalog(self, start: Span) -> st.CreateCatalog:
        exists = self.if_not_exists()
        name = self.name("a catalog")
        comment = self.comment()
        options = self.with_options()
        return st.CreateCatalog(
            name=name, options=options, comment=comment, if_not_exists=exists, span=self.since(start)
        )

    def _create_database(self, start: Span) -> st.CreateDatabase:
        exists = self.if_not_exists()
        name = self.names()
        comment = self.comment()
        options = self.with_options()
        return st.CreateDatabase(
            name=name, options=options, comment=comment, if_not_exists=exists, span=self.since(start)
        )

    def _create_table(self, start: Span, *, temporary: bool, replace: bool) -> st.CreateTable:
        exists = self.if_not_exists()
        if exists and replace:
            raise ScriptError("FX-SQL-0104", "OR REPLACE and IF NOT EXISTS exclude each other", span=self.since(start))
        name = self.names()
        parts = self.table_parts()
        comment = self.comment()
        distribution = self.distribution()
        partitioned = self.bracketed(self.name) if self.take_word("PARTITIONED", "BY") else ()
        options = self.with_options()
        like = self._like() if self.is_word("LIKE") else None
        query = self.query() if like is None and self.take_word("AS") else None
        found = st.CreateTable(
            name=name, columns=tuple(each.column for each in parts.columns), watermark=parts.watermark,
            primary_key=parts.key, distribution=distribution, partitioned=partitioned, options=options,
            if_not_exists=exists, temporary=temporary, replace=replace, comment=comment, like=like, query=query,
            span=self.since(start),
        )  # fmt: skip
        self._check_table(found)
        return found

    def _check_table(self, tree: st.CreateTable) -> None:
        if tree.query is not None and tree.temporary:
            message = "the table of CREATE TABLE AS can't be TEMPORARY"
            raise ScriptError("FX-SQL-0104", message, span=tree.span)
        bare = [column for column in tree.columns if column.type is None and column.computed is None]
        if bare and tree.query is None:
            raise ScriptError("FX-SQL-0301", f"column '{bare[0].name}' has no type", span=bare[0].span)
        if bare and len(bare) < len(tree.columns):
            message = "columns with types and columns without don't go together"
            raise ScriptError("FX-SQL-0104", message, span=bare[0].span)

    def _like(self) -> st.LikeClause:
        start = self.need_word("LIKE").span
        table = self.names()
        choices: list[tuple[str, str]] = []
        if self.take_symbol("("):
            while not self.take_symbol(")"):
                choices.append(self._choice(choices))
        return st.LikeClause(table=table, choices=tuple(choices), span=self.since(start))

    def _choice(self, before: list[tuple[str, str]]) -> tuple[str, str]:
        place = self.token.span
        strategy = self.token.word
        if strategy not in ("INCLUDING", "EXCLUDING", "OVERWRITING"):
            raise self.unexpected("INCLUDING, EXCLUDING or OVERWRITING")
        self.advance()
        feature = self.token.word
        if feature not in _FEATURES:
            raise self.unexpected(f"one of {', '.join(_FEATURES)}")
        self.advance()
        if strategy == "OVERWRITING" and feature in _KIND_CHOICES:
            message = f"OVERWRITING {feature} has no meaning: {feature} is included or excluded"
            raise ScriptError("FX-SQL-0104", message, span=self.since(place))
        if any(known == feature for _, known in before):
            raise ScriptError("FX-SQL-0104", f"{feature} stands twice in LIKE", span=self.since(place))
        return strategy, feature

    def drop(self) -> ast.Statement:
        """Parse DROP."""
        start = self.need_word("DROP").span
        temporary = self.take_word("TEMPORARY")
        kind = "MATERIALIZED TABLE" if self.is_word("MATERIALIZED", "TABLE") else self.token.word
        if kind not in _DROPPED or (temporary and kind not in ("TABLE", "VIEW")):
            raise self.unsupported(f"DROP {self.token.text}")
        self.need_word(*kind.split())
        exists = self.if_exists()
        name = (self.name("a catalog"),) if kind == "CATALOG" else self.names()
        cascade = False
        if kind == "DATABASE":
            cascade = self.take_word("CASCADE")
            if not cascade:
                self.take_word("RESTRICT")
        return st.Drop(
            kind=kind, name=name, if_exists=exists, temporary=temporary, cascade=cascade, span=self.since(start)
        )
