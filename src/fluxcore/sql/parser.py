"""Parses statements and whole scripts; each family of statements has a parser of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.errors import ScriptError, nearest
from fluxcore.sql import statements as st
from fluxcore.sql.lexer import tokens
from fluxcore.sql.parse_changes import ChangeParser
from fluxcore.sql.parse_definitions import DefinitionParser
from fluxcore.sql.parse_functions import FunctionParser
from fluxcore.sql.parse_show import ShowParser

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.sql import ast
    from fluxcore.sql.lexer import Token

_LATER = (
    "ALTER",
    "USE",
    "ANALYZE",
    "CALL",
    "DELETE",
    "UPDATE",
    "TRUNCATE",
    "LOAD",
    "UNLOAD",
    "ADD",
    "REMOVE",
    "STOP",
    "MERGE",
)


def parse_script(text: str) -> list[ast.Statement]:
    """Return the statements of a script. Raises ``ScriptError`` FX-SQL-01xx at the first word that can't be read."""
    return Parser(tokens(text)).script()


class Parser(DefinitionParser, ChangeParser, ShowParser, FunctionParser):
    """Parses the statements of a script, each ended by ``;``; the last may go without."""

    def __init__(self, words: list[Token]) -> None:
        super().__init__(words)
        self._families: dict[str, Callable[[], ast.Statement]] = {
            "INSERT": self.insert,
            "CREATE": self.create,
            "DROP": self.drop,
            "EXPLAIN": self.explain,
            "DESCRIBE": self.describe,
            "DESC": self.describe,
            "SHOW": self.show,
            "SET": self.set_option,
            "RESET": self.set_option,
            "EXECUTE": self.insert_set,
            "BEGIN": self.insert_set,
        }

    def script(self) -> list[ast.Statement]:
        """Parse all statements."""
        found: list[ast.Statement] = []
        while not self.at_end():
            if self.take_symbol(";"):
                continue
            found.append(self.statement())
            if not self.at_end():
                self.need_symbol(";")
        return found

    def statement(self) -> ast.Statement:
        """Parse one statement."""
        word = self.token.word
        start = self.token.span
        if self.is_about_functions():
            return self.function_statement()
        parse = self._families.get(word)
        if parse is not None:
            return parse()
        if word in ("SELECT", "WITH", "VALUES") or self.is_symbol("("):
            return st.QueryStatement(query=self.query(), span=self.since(start))
        if word in _LATER:
            raise self.unsupported(word)
        hint = nearest(self.token.text, (*self._families, "SELECT", "WITH", "VALUES")) if self.token.text else None
        message = f"no statement begins with {self.token.shown()}"
        raise ScriptError("FX-SQL-0106", message, span=start, hint=hint)
