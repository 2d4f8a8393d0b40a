"""Parses SHOW, DESCRIBE, SET and RESET."""

from __future__ import annotations

from fluxcore.sql import ast
from fluxcore.sql import statements as st
from fluxcore.sql.lexer import Kind
from fluxcore.sql.parse_queries import QueryParser


class ShowParser(QueryParser):
    """Parses the statements that are answered at once."""

    def describe(self) -> ast.Statement:
        """Parse DESCRIBE, also written DESC."""
        start = self.advance().span
        return st.Describe(name=self.names(), span=self.since(start))

    def show(self) -> ast.Statement:
        """Parse SHOW."""
        start = self.need_word("SHOW").span
        for what in ("TABLES", "VIEWS", "FUNCTIONS"):
            if self.take_word(what):
                return st.Show(what=what, span=self.since(start))
        if self.take_word("CREATE", "TABLE") or self.take_word("CREATE", "VIEW"):
            return st.Show(what="CREATE", name=self.names(), span=self.since(start))
        raise self.unsupported(f"SHOW {self.token.text}")

    def set_option(self) -> ast.Statement:
        """Parse SET or RESET."""
        start = self.token.span
        word = self.advance().word
        if self.is_symbol(";") or self.token.kind is Kind.END:
            return st.SetOption(key=None, value=None, span=self.since(start))
        key = self._setting()
        if word == "RESET":
            return st.SetOption(key=key, value=None, span=self.since(start))
        self.need_symbol("=")
        return st.SetOption(key=key, value=self._setting(), span=self.since(start))

    def _setting(self) -> str:
        if self.token.kind is Kind.STRING:
            return self.advance().text
        parts = []
        end = self.token.span.start
        while self.token.kind in (Kind.WORD, Kind.NUMBER) or (
            self.token.kind is Kind.SYMBOL and self.token.text in ".-:"
        ):
            if self.token.span.start != end:
                break
            end = self.token.span.end
            parts.append(self.advance().text)
        if not parts:
            raise self.unexpected("a setting")
        return "".join(parts)
