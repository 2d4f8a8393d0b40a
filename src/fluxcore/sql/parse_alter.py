"""Parses ALTER."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.sql import ast
from fluxcore.sql import statements as st
from fluxcore.sql.parse_materialized import MaterializedParser
from fluxcore.sql.parse_parts import TableParts

if TYPE_CHECKING:
    from fluxcore.errors import Span

_FOLDERS = "the partitions are the folders that there are; INSERT OVERWRITE … PARTITION replaces what one holds"


class AlterParser(MaterializedParser):
    """Parses the statements that change catalogs, databases, tables and views."""

    def alter(self) -> ast.Statement:
        """Parse ALTER."""
        start = self.need_word("ALTER").span
        kind = "MATERIALIZED TABLE" if self.is_word("MATERIALIZED", "TABLE") else self.token.word
        if kind not in ("TABLE", "MATERIALIZED TABLE", "VIEW", "DATABASE", "CATALOG"):
            raise self.unsupported(f"ALTER {self.token.text}")
        self.need_word(*kind.split())
        exists = kind == "TABLE" and self.if_exists()
        name = (self.name("a catalog"),) if kind == "CATALOG" else self.names()
        change = {
            "TABLE": self._table,
            "MATERIALIZED TABLE": self._materialized,
            "VIEW": self._view,
            "DATABASE": self._database,
            "CATALOG": self._catalog,
        }[kind]()
        return st.Alter(kind=kind, name=name, change=change, if_exists=exists, span=self.since(start))

    def _table(self) -> st.Change:
        start = self.token.span
        match self.token.word:
            case "RENAME":
                return self._rename(columns=True)
            case "SET" | "RESET":
                return self._options()
            case "ADD" | "MODIFY":
                return self._schema()
            case "DROP":
                self.advance()
                return self._drop(start)
        raise self.unexpected("ADD, MODIFY, DROP, RENAME, SET or RESET")

    def _materialized(self) -> st.Change:
        start = self.token.span
        if self.is_refreshing():
            return self.refreshing()
        if self.take_word("AS"):
            return st.SetQuery(query=self.query(), span=self.since(start))
        if self.token.word in ("SET", "RESET", "ADD", "MODIFY", "DROP"):
            return self._table()
        raise self.unexpected("SUSPEND, RESUME, REFRESH, AS, SET, RESET, ADD, MODIFY or DROP")

    def _rename(self, *, columns: bool) -> st.Change:
        start = self.need_word("RENAME").span
        if self.take_word("TO"):
            return st.RenameTo(name=self.names(), span=self.since(start))
        if not columns:
            raise self.unexpected("TO")
        old = self.names()
        if len(old) > 1:
            raise self.unsupported_at("the renaming of a field of a row", self.since(start))
        self.need_word("TO")
        return st.RenameColumn(old=old[0], new=self.name("a column"), span=self.since(start))

    def _options(self) -> st.Change:
        start = self.token.span
        if self.advance().word == "SET":
            return st.SetOptions(options=self.options(), span=self.since(start))
        keys = self.bracketed(lambda: self.string("an option's name in quotes"))
        return st.ResetOptions(keys=keys, span=self.since(start))

    def _schema(self) -> st.Change:
        start = self.token.span
        modify = self.advance().word == "MODIFY"
        if self.is_word("PARTITION"):
            raise self.unsupported("ALTER TABLE … ADD PARTITION", _FOLDERS)
        parts = TableParts()
        if self.take_word("DISTRIBUTION"):
            parts.distribution = self.distribution_by(start)
        elif self.take_symbol("("):
            self._altered_part(parts)
            while self.take_symbol(","):
                self._altered_part(parts)
            self.need_symbol(")")
        else:
            self._altered_part(parts)
        return st.SetSchema(
            modify=modify, columns=tuple(parts.columns), watermark=parts.watermark, primary_key=parts.key,
            distribution=parts.distribution, span=self.since(start),
        )  # fmt: skip

    def _altered_part(self, parts: TableParts) -> None:
        before = len(parts.columns)
        self.table_part(parts, placed=True)
        for each in parts.columns[before:]:
            if each.column.type is None and each.column.computed is None:
                raise self.unexpected("a type")

    def _drop(self, start: Span) -> st.Change:
        for words in (("PRIMARY", "KEY"), ("WATERMARK",), ("DISTRIBUTION",)):
            if self.take_word(*words):
                return st.DropSchema(kind=" ".join(words), span=self.since(start))
        if self.take_word("CONSTRAINT"):
            return st.DropSchema(kind="CONSTRAINT", names=(self.name(),), span=self.since(start))
        if self.is_word("PARTITION") or self.is_word("IF", "EXISTS"):
            raise self.unsupported("ALTER TABLE … DROP PARTITION", _FOLDERS)
        names = self.bracketed(self.name) if self.is_symbol("(") else (self.name("a column"),)
        return st.DropSchema(kind="COLUMNS", names=names, span=self.since(start))

    def _view(self) -> st.Change:
        start = self.token.span
        if self.is_word("RENAME"):
            return self._rename(columns=False)
        self.need_word("AS")
        return st.SetQuery(query=self.query(), span=self.since(start))

    def _database(self) -> st.Change:
        if not self.is_word("SET"):
            raise self.unexpected("SET")
        return self._options()

    def _catalog(self) -> st.Change:
        start = self.token.span
        if self.take_word("COMMENT"):
            return st.SetComment(comment=self.string(), span=self.since(start))
        if not self.is_word("SET") and not self.is_word("RESET"):
            raise self.unexpected("SET, RESET or COMMENT")
        return self._options()
