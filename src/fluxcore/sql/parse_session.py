"""Parses what concerns the session: SET, RESET, USE, and modules."""

from __future__ import annotations

from fluxcore.sql import ast
from fluxcore.sql import statements as st
from fluxcore.sql.lexer import Kind
from fluxcore.sql.parse_parts import PartsParser


class SessionParser(PartsParser):
    """Parses the statements that change the session."""

    def use(self) -> ast.Statement:
        """Parse USE."""
        start = self.need_word("USE").span
        if self.take_word("CATALOG"):
            return st.Use(kind="CATALOG", names=(self.name("a catalog"),), span=self.since(start))
        if self.take_word("MODULES"):
            names = self.listed(lambda: self.name("a module"))
            return st.Use(kind="MODULES", names=names, span=self.since(start))
        return st.Use(kind="DATABASE", names=self.names(), span=self.since(start))

    def module(self) -> ast.Statement:
        """Parse LOAD MODULE or UNLOAD MODULE."""
        start = self.token.span
        load = self.advance().word == "LOAD"
        self.need_word("MODULE")
        name = self.name("a module")
        options = self.with_options() if load else ()
        return st.Module(name=name, load=load, options=options, span=self.since(start))

    def set_option(self) -> ast.Statement:
        """Parse SET or RESET."""
        start = self.token.span
        reset = self.advance().word == "RESET"
        if self.is_symbol(";") or self.token.kind is Kind.END:
            return st.SetOption(key=None, value=None, reset=reset, span=self.since(start))
        key = self._setting()
        if reset:
            return st.SetOption(key=key, value=None, reset=True, span=self.since(start))
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
