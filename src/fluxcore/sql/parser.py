"""Parses statements and whole scripts; each family of statements has a parser of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.errors import ScriptError, nearest, not_supported
from fluxcore.sql import statements as st
from fluxcore.sql.lexer import tokens
from fluxcore.sql.parse_alter import AlterParser
from fluxcore.sql.parse_changes import ChangeParser
from fluxcore.sql.parse_definitions import DefinitionParser
from fluxcore.sql.parse_functions import FunctionParser
from fluxcore.sql.parse_session import SessionParser
from fluxcore.sql.parse_show import ShowParser

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.sql import ast
    from fluxcore.sql.lexer import Token

_QUERY_WORDS = ("SELECT", "WITH", "VALUES")
_REFUSED = {
    "ANALYZE": "ANALYZE TABLE keeps statistics in a catalog; plans here go by the tables themselves",
    "CALL": "procedures belong to catalogs of other systems",
    "DELETE": "Flink takes DELETE in batch mode only, and for connectors that delete rows; write what stays with INSERT",
    "UPDATE": "Flink takes UPDATE in batch mode only, and for connectors that change rows; write the new rows with INSERT",
    "TRUNCATE": "Flink takes TRUNCATE TABLE in batch mode only; INSERT OVERWRITE replaces what a table holds",
    "ADD": "a jar holds Java code, which runs on a Flink cluster only: --target flink://HOST:PORT",
    "REMOVE": "a jar holds Java code, which runs on a Flink cluster only: --target flink://HOST:PORT",
    "STOP": "a script's jobs end with it; `fluxcore flink` stops those of a cluster",
    "COMPILE": "plans aren't kept in files; a script is planned anew in milliseconds",
    "MERGE": "Flink has no MERGE either; an upsert table takes INSERT",
}


def parse_script(text: str) -> list[ast.Statement]:
    """Return the statements of a script. Raises ``ScriptError`` FX-SQL-01xx at the first word that can't be read."""
    return Parser(tokens(text)).script()


class Parser(DefinitionParser, AlterParser, ChangeParser, ShowParser, SessionParser, FunctionParser):
    """Parses the statements of a script, each ended by ``;``; the last may go without."""

    def __init__(self, words: list[Token]) -> None:
        super().__init__(words)
        self._families: dict[str, Callable[[], ast.Statement]] = {
            "INSERT": self.insert,
            "CREATE": self.create,
            "REPLACE": self.replace,
            "ALTER": self.alter,
            "DROP": self.drop,
            "EXPLAIN": self.explain,
            "DESCRIBE": self.describe,
            "DESC": self.describe,
            "SHOW": self.show,
            "USE": self.use,
            "LOAD": self.module,
            "UNLOAD": self.module,
            "SET": self.set_option,
            "RESET": self.set_option,
            "EXECUTE": self.execute,
            "BEGIN": self.execute,
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
            with self.deeper():
                return parse()
        if word in _QUERY_WORDS or self.is_symbol("("):
            return st.QueryStatement(query=self.query(), span=self.since(start))
        if word in _REFUSED:
            raise not_supported(word, span=start, hint=_REFUSED[word])
        hint = nearest(self.token.text, (*self._families, *_QUERY_WORDS)) if self.token.text else None
        message = f"no statement begins with {self.token.shown()}"
        raise ScriptError("FX-SQL-0106", message, span=start, hint=hint)
