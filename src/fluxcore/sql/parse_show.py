"""Parses SHOW and DESCRIBE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.sql import ast
from fluxcore.sql import statements as st
from fluxcore.sql.parse_parts import PartsParser

if TYPE_CHECKING:
    from fluxcore.errors import Span

_FROM_DATABASE = ("TABLES", "MATERIALIZED TABLES", "VIEWS", "PROCEDURES", "FUNCTIONS")
_PLAIN = ("MODULES", "JARS", "JOBS")
_CREATED = ("TABLE", "MATERIALIZED TABLE", "VIEW", "CATALOG")


class ShowParser(PartsParser):
    """Parses the statements that tell what there is."""

    def describe(self) -> ast.Statement:
        """Parse DESCRIBE, also written DESC."""
        start = self.advance().span
        kind = "TABLE"
        if self.token.word in ("CATALOG", "DATABASE") and not self.is_symbol(";", 1) and not self.is_symbol(".", 1):
            kind = self.advance().word
        elif self.is_word("JOB") or self.is_word("FUNCTION"):
            raise self.unsupported(f"DESCRIBE {self.token.word}")
        extended = self.take_word("EXTENDED")
        return st.Describe(name=self.names(), kind=kind, extended=extended, span=self.since(start))

    def show(self) -> ast.Statement:
        """Parse SHOW."""
        start = self.need_word("SHOW").span
        for words in (("CURRENT", "CATALOG"), ("CURRENT", "DATABASE"), ("FULL", "MODULES")):
            if self.take_word(*words):
                return st.Show(what=" ".join(words), span=self.since(start))
        if self.take_word("CREATE"):
            what = "MATERIALIZED TABLE" if self.is_word("MATERIALIZED", "TABLE") else self.token.word
            if what not in _CREATED:
                raise self.unsupported(f"SHOW CREATE {self.token.text}")
            self.need_word(*what.split())
            return st.Show(what=f"CREATE {what}", name=self.names(), span=self.since(start))
        if self.take_word("USER"):
            self.need_word("FUNCTIONS")
            return self._listed("USER FUNCTIONS", start)
        what = "MATERIALIZED TABLES" if self.is_word("MATERIALIZED", "TABLES") else self.token.word
        if what in _PLAIN:
            self.advance()
            return st.Show(what=what, span=self.since(start))
        if what in (*_FROM_DATABASE, "DATABASES", "CATALOGS"):
            self.need_word(*what.split())
            return self._listed(what, start)
        if what == "COLUMNS":
            self.advance()
            if not self.is_word("FROM") and not self.is_word("IN"):
                raise self.unexpected("FROM or IN")
            return self._listed(what, start)
        if what == "PARTITIONS":
            self.advance()
            name = self.names()
            partition = self.partition_spec() if self.take_word("PARTITION") else ()
            return st.Show(what=what, name=name, partition=partition, span=self.since(start))
        raise self.unsupported(f"SHOW {self.token.text}")

    def _listed(self, what: str, start: Span) -> st.Show:
        """Parse FROM and LIKE behind what is listed."""
        name: tuple[str, ...] = ()
        if what != "CATALOGS" and (self.take_word("FROM") or self.take_word("IN")):
            name = self.names()
        negated = self.take_word("NOT")
        any_case = what not in ("TABLES", "MATERIALIZED TABLES", "VIEWS", "COLUMNS") and self.is_word("ILIKE")
        pattern = None
        if any_case or self.is_word("LIKE"):
            self.advance()
            pattern = self.string("a pattern in quotes")
        elif negated:
            raise self.unexpected("LIKE")
        return st.Show(
            what=what, name=name, pattern=pattern, negated=negated, any_case=any_case, span=self.since(start)
        )
