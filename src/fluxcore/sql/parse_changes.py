"""Parses INSERT, statement sets and EXPLAIN."""

from __future__ import annotations

from fluxcore.errors import ScriptError
from fluxcore.sql import ast
from fluxcore.sql import statements as st
from fluxcore.sql.parse_queries import QueryParser


class ChangeParser(QueryParser):
    """Parses the statements that run something, but for plain queries."""

    def statement(self) -> ast.Statement:
        """Parse any statement; the parser of scripts does."""
        raise NotImplementedError

    def insert(self) -> st.Insert:
        """Parse INSERT."""
        start = self.need_word("INSERT").span
        if self.is_word("OVERWRITE"):
            raise self.unsupported("INSERT OVERWRITE")
        self.need_word("INTO")
        place = self.token.span
        table = self.names()
        place = self.since(place)
        if self.is_word("PARTITION"):
            raise self.unsupported("INSERT into a partition")
        columns = self.bracketed(self.name) if self.is_symbol("(") and not self._is_query_ahead() else ()
        query = self.query()
        return st.Insert(table=table, columns=columns, query=query, table_span=place, span=self.since(start))

    def _is_query_ahead(self) -> bool:
        return self.ahead().word in ("SELECT", "WITH", "VALUES") or self.is_symbol("(", 1)

    def insert_set(self) -> ast.Statement:
        """Parse EXECUTE, or a statement set."""
        start = self.token.span
        if self.take_word("EXECUTE"):
            if not self.is_word("STATEMENT", "SET"):
                inner = self.statement()
                assert isinstance(inner, st.Insert | st.QueryStatement), inner
                return inner
            self.need_word("STATEMENT", "SET", "BEGIN")
        else:
            self.need_word("BEGIN", "STATEMENT", "SET")
            self.need_symbol(";")
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
        if not self.take_word("PLAN", "FOR"):
            while self.token.word in ("ESTIMATED_COST", "CHANGELOG_MODE", "JSON_EXECUTION_PLAN", "PLAN_ADVICE"):
                self.advance()
                self.take_symbol(",")
        inner = self.statement()
        if not isinstance(inner, st.QueryStatement | st.Insert | st.InsertSet):
            raise ScriptError("FX-SQL-0108", "EXPLAIN takes a query or an INSERT", span=inner.span)
        return st.Explain(statement=inner, span=self.since(start))
