"""Parses the statements about functions: CREATE, ALTER, DROP and DESCRIBE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.errors import ScriptError
from fluxcore.sql import statements as st
from fluxcore.sql.functions import Lifetime
from fluxcore.sql.parse_queries import QueryParser

if TYPE_CHECKING:
    from fluxcore.errors import Span
    from fluxcore.sql import ast

_LANGUAGES = ("JAVA", "SCALA", "PYTHON")


class FunctionParser(QueryParser):
    """Parses the statements about functions."""

    def is_about_functions(self) -> bool:
        """Return whether a statement about functions stands here."""
        word = self.token.word
        if word in ("CREATE", "ALTER", "DROP"):
            ahead = 1
            while self.ahead(ahead).word in ("TEMPORARY", "SYSTEM") and ahead < 3:
                ahead += 1
            return self.ahead(ahead).word == "FUNCTION"
        return word in ("DESCRIBE", "DESC") and self.ahead().word == "FUNCTION"

    def function_statement(self) -> ast.Statement:
        """Parse a statement about functions."""
        start = self.advance()
        word = start.word
        if word in ("DESCRIBE", "DESC"):
            self.need_word("FUNCTION")
            extended = self.take_word("EXTENDED")
            return st.DescribeFunction(name=self._function_name(), extended=extended, span=self.since(start.span))
        lifetime = self._lifetime()
        self.need_word("FUNCTION")
        if word == "DROP":
            exists = self.take_word("IF", "EXISTS")
            name = self._function_name()
            return st.DropFunction(name=name, lifetime=lifetime, if_exists=exists, span=self.since(start.span))
        return self._made(start.span, lifetime, alter=word == "ALTER")

    def _lifetime(self) -> Lifetime:
        if not self.take_word("TEMPORARY"):
            return Lifetime.CATALOG
        return Lifetime.TEMPORARY_SYSTEM if self.take_word("SYSTEM") else Lifetime.TEMPORARY

    def _made(self, start: Span, lifetime: Lifetime, *, alter: bool) -> ast.Statement:
        exists = self.take_word("IF", "EXISTS") if alter else self.take_word("IF", "NOT", "EXISTS")
        name = self._function_name()
        self.need_word("AS")
        place = self.token.span
        identifier = self.string("'module.function'")
        language = "JAVA"
        if self.take_word("LANGUAGE"):
            language = self.token.word
            if language not in _LANGUAGES:
                raise self.unexpected("JAVA, SCALA or PYTHON")
            self.advance()
        if language != "PYTHON":
            message = f"the function '{name[-1]}' is one of Java, which can't run here"
            raise ScriptError("FX-SQL-0607", message, span=place, hint="AS 'module.function' LANGUAGE PYTHON")
        if self.is_word("USING") or self.is_word("WITH"):
            raise self.unsupported(f"CREATE FUNCTION … {self.token.word}")
        return st.CreateFunction(
            name=name, identifier=identifier, lifetime=lifetime, exists=exists, alter=alter, place=place,
            span=self.since(start),
        )  # fmt: skip

    def _function_name(self) -> tuple[str, ...]:
        return self.names()
