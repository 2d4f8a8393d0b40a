"""Parses INSERT, statement sets and EXPLAIN."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.errors import ScriptError
from fluxcore.sql import ast
from fluxcore.sql import statements as st
from fluxcore.sql.parse_parts import PartsParser

if TYPE_CHECKING:
    from fluxcore.errors import Span

_CONFLICTS = ("DEDUPLICATE", "ERROR", "NOTHING")
_DETAILS = ("ESTIMATED_COST", "CHANGELOG_MODE", "JSON_EXECUTION_PLAN", "PLAN_ADVICE")


class ChangeParser(PartsParser):
    """Parses the statements that run something, but for plain queries."""

    def insert(self) -> st.Insert:
        """Parse INSERT."""
        start = self.need_word("INSERT").span
        overwrite = self.take_word("OVERWRITE")
        if not overwrite:
            self.need_word("INTO")
        self.take_word("TABLE")
        place = self.token.span
        table = self.names()
        place = self.since(place)
        hints = self.table_hint()
        partition = self.partition_spec() if self.take_word("PARTITION") else ()
        columns = self.bracketed(self.name) if self.is_symbol("(") and not self._is_query_ahead() else ()
        query = self.query()
        return st.Insert(
            table=table, columns=columns, query=query, partition=partition, overwrite=overwrite, hints=hints,
            conflict=self._conflict(), table_span=place, span=self.since(start),
        )  # fmt: skip

    def _conflict(self) -> str:
        """Parse ON CONFLICT DO …, if it is there."""
        if not self.take_word("ON"):
            return ""
        self.need_word("CONFLICT", "DO")
        what = next((word for word in _CONFLICTS if self.take_word(word)), None)
        if what is None:
            raise self.unexpected("DEDUPLICATE, ERROR or NOTHING")
        return what

    def _is_query_ahead(self) -> bool:
        return self.ahead().word in ("SELECT", "WITH", "VALUES") or self.is_symbol("(", 1)

    def execute(self) -> ast.Statement:
        """Parse EXECUTE, or a statement set."""
        start = self.token.span
        if self.take_word("EXECUTE"):
            if self.is_word("PLAN"):
                raise self.unsupported("EXECUTE PLAN")
            if not self.is_word("STATEMENT", "SET"):
                if self.is_word("INSERT"):
                    return self.insert()
                return st.QueryStatement(query=self.query(), span=self.since(start))
            return self.statement_set()
        self.need_word("BEGIN", "STATEMENT", "SET")
        self.need_symbol(";")
        return self._inserts(start)

    def statement_set(self) -> st.InsertSet:
        """Parse STATEMENT SET BEGIN … END."""
        start = self.need_word("STATEMENT", "SET", "BEGIN").span
        return self._inserts(start)

    def _inserts(self, start: Span) -> st.InsertSet:
        inserts = []
        while not self.is_word("END"):
            inserts.append(self.insert())
            self.need_symbol(";")
        self.need_word("END")
        if not inserts:
            raise ScriptError("FX-SQL-0107", "the statement set holds no INSERT", span=self.since(start))
        return st.InsertSet(inserts=tuple(inserts), span=self.since(start))

    def explain(self) -> ast.Statement:
        """Parse EXPLAIN."""
        start = self.need_word("EXPLAIN").span
        details: list[str] = []
        if not self.take_word("PLAN", "FOR"):
            while self.token.word in _DETAILS:
                if self.token.word in details:
                    raise ScriptError("FX-SQL-0104", f"{self.token.word} stands twice", span=self.token.span)
                details.append(self.advance().word)
                if not self.take_symbol(","):
                    break
                if self.token.word not in _DETAILS:
                    raise self.unexpected(f"one of {', '.join(_DETAILS)}")
        inner = self.statement_set() if self.is_word("STATEMENT", "SET") else self.statement()
        created = isinstance(inner, st.CreateTable) and inner.query is not None
        if not created and not isinstance(inner, st.QueryStatement | st.Insert | st.InsertSet):
            raise ScriptError("FX-SQL-0108", "EXPLAIN takes a query or an INSERT", span=inner.span)
        return st.Explain(statement=inner, details=tuple(details), span=self.since(start))
