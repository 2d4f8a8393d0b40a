"""Parses statements and whole scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.errors import ScriptError, nearest
from fluxcore.sql import ast
from fluxcore.sql.lexer import Kind, tokens
from fluxcore.sql.parse_queries import QueryParser
from fluxcore.sql.parse_types import parse_type

if TYPE_CHECKING:
    from fluxcore.errors import Span

_STATEMENTS = ("SELECT", "WITH", "VALUES", "INSERT", "CREATE", "DROP", "EXPLAIN", "DESCRIBE", "DESC", "SHOW", "SET", "RESET",
               "EXECUTE", "BEGIN")  # fmt: skip
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


class Parser(QueryParser):
    """Parses the statements of a script, each ended by ``;``; the last may go without."""

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
        match word:
            case "INSERT":
                return self._insert()
            case "CREATE":
                return self._create()
            case "DROP":
                return self._drop()
            case "EXPLAIN":
                return self._explain()
            case "DESCRIBE" | "DESC":
                self.advance()
                return ast.Describe(name=self.names(), span=self.since(start))
            case "SHOW":
                return self._show()
            case "SET" | "RESET":
                return self._set()
            case "EXECUTE" | "BEGIN":
                return self._insert_set()
        if word in ("SELECT", "WITH", "VALUES") or self.is_symbol("("):
            return ast.QueryStatement(query=self.query(), span=self.since(start))
        if word in _LATER:
            raise self.unsupported(word)
        hint = nearest(self.token.text, _STATEMENTS) if self.token.text else None
        message = f"no statement begins with {self.token.shown()}"
        raise ScriptError("FX-SQL-0106", message, span=start, hint=hint)

    def _insert(self) -> ast.Insert:
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
        return ast.Insert(table=table, columns=columns, query=query, table_span=place, span=self.since(start))

    def _is_query_ahead(self) -> bool:
        return self.ahead().word in ("SELECT", "WITH", "VALUES") or self.is_symbol("(", 1)

    def _insert_set(self) -> ast.Statement:
        start = self.token.span
        if self.take_word("EXECUTE"):
            if not self.is_word("STATEMENT", "SET"):
                inner = self.statement()
                assert isinstance(inner, ast.Insert | ast.QueryStatement), inner
                return inner
            self.need_word("STATEMENT", "SET", "BEGIN")
        else:
            self.need_word("BEGIN", "STATEMENT", "SET")
            self.need_symbol(";")
        inserts = []
        while not self.is_word("END"):
            inserts.append(self._insert())
            self.need_symbol(";")
        self.need_word("END")
        if not inserts:
            raise ScriptError("FX-SQL-0107", "the statement set holds no INSERT", span=self.since(start))
        return ast.InsertSet(inserts=tuple(inserts), span=self.since(start))

    def _create(self) -> ast.Statement:
        start = self.need_word("CREATE").span
        self.take_word("TEMPORARY")
        if self.take_word("TABLE"):
            return self._create_table(start)
        if self.take_word("VIEW"):
            exists = self.take_word("IF", "NOT", "EXISTS")
            name = self.names()
            columns = self.bracketed(self.name) if self.is_symbol("(") else ()
            self._comment()
            self.need_word("AS")
            query = self.query()
            return ast.CreateView(name=name, columns=columns, query=query, if_not_exists=exists, span=self.since(start))
        raise self.unsupported(f"CREATE {self.token.text}")

    def _create_table(self, start: Span) -> ast.CreateTable:
        exists = self.take_word("IF", "NOT", "EXISTS")
        name = self.names()
        if self.is_word("AS") or not self.is_symbol("("):
            raise self.unsupported("CREATE TABLE without a list of columns")
        self.need_symbol("(")
        columns: list[ast.ColumnDefinition] = []
        watermark: tuple[str, ast.Expression, Span] | None = None
        key: tuple[str, ...] = ()
        while True:
            if self.is_word("WATERMARK", "FOR"):
                if watermark is not None:
                    raise ScriptError("FX-SQL-0501", "a table has one watermark", span=self.token.span)
                watermark = self._watermark()
            elif self.is_word("PRIMARY", "KEY") or self.is_word("CONSTRAINT"):
                key = self._primary_key()
            else:
                column, is_key = self._column()
                columns.append(column)
                key = (column.name,) if is_key else key
            if not self.take_symbol(","):
                break
        self.need_symbol(")")
        comment = self._comment()
        partitioned = self.bracketed(self.name) if self.take_word("PARTITIONED", "BY") else ()
        options: tuple[tuple[str, str, Span, Span], ...] = ()
        if self.take_word("WITH"):
            options = self.bracketed(self._option)
        if self.is_word("LIKE") or self.is_word("AS"):
            raise self.unsupported(f"CREATE TABLE … {self.token.word}")
        return ast.CreateTable(
            name=name, columns=tuple(columns), watermark=watermark, primary_key=key, partitioned=partitioned,
            options=options, if_not_exists=exists, comment=comment, span=self.since(start),
        )  # fmt: skip

    def _watermark(self) -> tuple[str, ast.Expression, Span]:
        start = self.need_word("WATERMARK", "FOR").span
        column = self.name("a column")
        self.need_word("AS")
        expr = self.expression()
        return column, expr, self.since(start)

    def _primary_key(self) -> tuple[str, ...]:
        if self.take_word("CONSTRAINT"):
            self.name()
        self.need_word("PRIMARY", "KEY")
        columns = self.bracketed(self.name)
        self.need_word("NOT", "ENFORCED")
        return columns

    def _column(self) -> tuple[ast.ColumnDefinition, bool]:
        start = self.token.span
        name = self.name("a column")
        if self.take_word("AS"):
            expr = self.expression()
            comment = self._comment()
            return ast.ColumnDefinition(name=name, computed=expr, comment=comment, span=self.since(start)), False
        type_ = parse_type(self)
        metadata = None
        if self.take_word("METADATA"):
            metadata = self.string() if self.take_word("FROM") else name
            self.take_word("VIRTUAL")
        is_key = self.take_word("PRIMARY", "KEY")
        if is_key:
            self.need_word("NOT", "ENFORCED")
        comment = self._comment()
        found = ast.ColumnDefinition(name=name, type=type_, metadata=metadata, comment=comment, span=self.since(start))
        return found, is_key

    def _comment(self) -> str | None:
        return self.string() if self.take_word("COMMENT") else None

    def _option(self) -> tuple[str, str, Span, Span]:
        key_span = self.token.span
        key = self.string("an option's name in quotes")
        self.need_symbol("=")
        value_span = self.token.span
        value = self.string("an option's value in quotes")
        return key, value, key_span, value_span

    def _drop(self) -> ast.Statement:
        start = self.need_word("DROP").span
        self.take_word("TEMPORARY")
        kind = self.token.word
        if kind not in ("TABLE", "VIEW"):
            raise self.unsupported(f"DROP {self.token.text}")
        self.advance()
        exists = self.take_word("IF", "EXISTS")
        return ast.Drop(kind=kind, name=self.names(), if_exists=exists, span=self.since(start))

    def _explain(self) -> ast.Statement:
        start = self.need_word("EXPLAIN").span
        if not self.take_word("PLAN", "FOR"):
            while self.token.word in ("ESTIMATED_COST", "CHANGELOG_MODE", "JSON_EXECUTION_PLAN", "PLAN_ADVICE"):
                self.advance()
                self.take_symbol(",")
        inner = self.statement()
        if not isinstance(inner, ast.QueryStatement | ast.Insert | ast.InsertSet):
            raise ScriptError("FX-SQL-0108", "EXPLAIN takes a query or an INSERT", span=inner.span)
        return ast.Explain(statement=inner, span=self.since(start))

    def _show(self) -> ast.Statement:
        start = self.need_word("SHOW").span
        for what in ("TABLES", "VIEWS", "FUNCTIONS"):
            if self.take_word(what):
                return ast.Show(what=what, span=self.since(start))
        if self.take_word("CREATE", "TABLE") or self.take_word("CREATE", "VIEW"):
            return ast.Show(what="CREATE", name=self.names(), span=self.since(start))
        raise self.unsupported(f"SHOW {self.token.text}")

    def _set(self) -> ast.Statement:
        start = self.token.span
        word = self.advance().word
        if self.is_symbol(";") or self.token.kind is Kind.END:
            return ast.SetOption(key=None, value=None, span=self.since(start))
        key = self._setting()
        if word == "RESET":
            return ast.SetOption(key=key, value=None, span=self.since(start))
        self.need_symbol("=")
        return ast.SetOption(key=key, value=self._setting(), span=self.since(start))

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
