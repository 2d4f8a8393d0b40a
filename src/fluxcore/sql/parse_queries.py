"""Parses queries."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.sql import ast
from fluxcore.sql.hints import state_ttl, table_options
from fluxcore.sql.lexer import Kind
from fluxcore.sql.parse_match import MatchParser
from fluxcore.sql.reserved import RESERVED

if TYPE_CHECKING:
    from fluxcore.errors import Span

_WINDOWS = ("TUMBLE", "HOP", "CUMULATE", "SESSION")
_QUERY_WORDS = ("SELECT", "WITH", "VALUES")
_BEHIND_QUERIES = ("UNION", "INTERSECT", "EXCEPT", "ORDER", "LIMIT", "OFFSET", "FETCH")
_JOIN_WORDS = ("JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL")


class QueryParser(MatchParser):
    """Parses SELECT, VALUES, set operations, WITH, ORDER BY and LIMIT."""

    def query(self) -> ast.Query:
        """Parse a query with everything that belongs to it."""
        with self.deeper():
            start = self.token.span
            tables = self.listed(self._with) if self.take_word("WITH") else ()
            found = self._set_query()
            order = self.order_items() if self.is_word("ORDER") else ()
            limit, offset = self._limits()
            if tables or order or limit is not None or offset:
                if found.order or found.limit is not None or found.offset or found.tables:
                    found = self._wrapped(found)
                found = replace(found, tables=tables, order=order, limit=limit, offset=offset, span=self.since(start))
            return found

    def _wrapped(self, query: ast.Query) -> ast.Query:
        star = ast.SelectItem(expr=ast.Star(span=query.span), span=query.span)
        return ast.Select(items=(star,), source=ast.Derived(query=query, span=query.span), span=query.span)

    def _with(self) -> tuple[str, tuple[str, ...], ast.Query]:
        name = self.name()
        columns = self.bracketed(self.name) if self.is_symbol("(") else ()
        self.need_word("AS")
        self.need_symbol("(")
        query = self.query()
        self.need_symbol(")")
        return name, columns, query

    def _limits(self) -> tuple[int | None, int]:
        """Parse LIMIT n [OFFSET m], or [OFFSET m ROWS] [FETCH FIRST n ROWS ONLY]."""
        limit, offset, limited = None, 0, self.take_word("LIMIT")
        if limited:
            limit = None if self.take_word("ALL") else self.integer()
        if self.take_word("OFFSET"):
            offset = self.integer()
            _ = self.take_word("ROWS") or self.take_word("ROW")
        if not limited and self.take_word("FETCH"):
            if not self.take_word("FIRST"):
                self.need_word("NEXT")
            limit = self.integer()
            if not self.take_word("ROW"):
                self.need_word("ROWS")
            self.need_word("ONLY")
        elif self.is_word("LIMIT") or self.is_word("FETCH"):
            error = self.unexpected("the end of the query")
            error.hint = "write LIMIT n OFFSET m, or OFFSET m ROWS FETCH FIRST n ROWS ONLY"
            raise error
        return limit, offset

    def _set_query(self) -> ast.Query:
        left = self._intersect()
        while self.is_word("UNION") or self.is_word("EXCEPT"):
            kind = self.advance().word
            all_ = self._all()
            right = self._intersect()
            left = ast.SetQuery(kind=kind, all=all_, left=left, right=right, span=self.since(left.span))
        return left

    def _intersect(self) -> ast.Query:
        left = self._term()
        while self.take_word("INTERSECT"):
            all_ = self._all()
            right = self._term()
            left = ast.SetQuery(kind="INTERSECT", all=all_, left=left, right=right, span=self.since(left.span))
        return left

    def _all(self) -> bool:
        if self.take_word("ALL"):
            return True
        self.take_word("DISTINCT")
        return False

    def _term(self) -> ast.Query:
        if self.is_word("SELECT"):
            return self._select()
        if self.is_word("VALUES"):
            start = self.advance().span
            rows = self.listed(self._row)
            return ast.ValuesQuery(rows=rows, span=self.since(start))
        if self.take_symbol("("):
            found = self.query()
            self.need_symbol(")")
            return found
        raise self.unexpected("a query")

    def _row(self) -> tuple[ast.Expression, ...]:
        self.take_word("ROW")
        if self.is_symbol("("):
            return self.bracketed(self.expression)
        return (self.expression(),)

    def _select(self) -> ast.Query:
        start = self.need_word("SELECT").span
        lifetimes = state_ttl(self.advance()) if self.token.kind is Kind.HINT else ()
        distinct = self.take_word("DISTINCT")
        if not distinct:
            self.take_word("ALL")
        items = self.listed(self._item)
        if not self.take_word("FROM"):
            return self._without_from(items, distinct=distinct, start=start)
        source = self._from()
        where = self.expression() if self.take_word("WHERE") else None
        group = self._group() if self.take_word("GROUP", "BY") else None
        having = self.expression() if self.take_word("HAVING") else None
        windows = self.listed(self._window) if self.take_word("WINDOW") else ()
        qualify = self.expression() if self.take_word("QUALIFY") else None
        return ast.Select(
            items=items, source=source, where=where, group=group, having=having, qualify=qualify, distinct=distinct,
            windows=windows, lifetimes=lifetimes, span=self.since(start),
        )  # fmt: skip

    def _without_from(self, items: tuple[ast.SelectItem, ...], *, distinct: bool, start: Span) -> ast.Query:
        if self.token.word in ("WHERE", "GROUP", "HAVING", "WINDOW", "QUALIFY"):
            raise self.unexpected("FROM before it")
        return ast.Select(items=items, distinct=distinct, span=self.since(start))

    def _group(self) -> tuple[ast.Expression, ...]:
        self.take_word("ALL")
        found = self.listed(self._grouping)
        empty = all(isinstance(each, ast.GroupingSet) and each.kind == "LIST" and not each.items for each in found)
        return () if empty else found

    def _grouping(self) -> ast.Expression:
        """Parse one element of GROUP BY, or of GROUPING SETS."""
        start = self.token.span
        kinds = ("SETS",) if self.take_word("GROUPING", "SETS") else ("ROLLUP", "CUBE")
        for kind in kinds:
            if kind == "SETS" or self.take_word(kind):
                items = self.bracketed(self._grouping)
                return ast.GroupingSet(kind=kind, items=items, span=self.since(start))
        if self.is_symbol("(") and self.is_symbol(")", 1):
            self.advance()
            self.advance()
            return ast.GroupingSet(kind="LIST", items=(), span=self.since(start))
        expr = self.expression()
        if isinstance(expr, ast.FunctionCall) and expr.name == "ROW" and self.text_of(start) == "(":
            return ast.GroupingSet(kind="LIST", items=expr.args, span=expr.span)
        return expr

    def _window(self) -> tuple[str, ast.OverClause]:
        name = self.name()
        self.need_word("AS")
        return name, self.window_definition()

    def _item(self) -> ast.SelectItem:
        start = self.token.span
        if self.take_symbol("*"):
            return ast.SelectItem(expr=ast.Star(span=start), span=start)
        star = self._qualified_star()
        if star is not None:
            return ast.SelectItem(expr=star, span=star.span)
        expr = self.expression()
        alias = None
        if self.take_word("AS") or self._is_alias():
            alias = self.name("an alias")
        return ast.SelectItem(expr=expr, alias=alias, span=self.since(start))

    def _qualified_star(self) -> ast.Star | None:
        count = 0
        while self.ahead(count).kind in (Kind.WORD, Kind.QUOTED) and self.is_symbol(".", count + 1):
            count += 2
        if not count or not self.is_symbol("*", count):
            return None
        start = self.token.span
        parts = self.names()
        self.need_symbol(".")
        self.need_symbol("*")
        return ast.Star(qualifier=parts, span=self.since(start))

    def _is_alias(self) -> bool:
        token = self.token
        return token.kind is Kind.QUOTED or (token.kind is Kind.WORD and token.word not in RESERVED)

    def _from(self) -> ast.Relation:
        left = self._joins()
        while self.take_symbol(","):
            right = self._joins()
            left = ast.Joined(left=left, right=right, kind="CROSS", span=self.since(left.span))
        return left

    def _joins(self) -> ast.Relation:
        left = self._relation()
        while self.token.word in _JOIN_WORDS:
            natural = self.take_word("NATURAL")
            kind = "INNER" if self.is_word("JOIN") else self.advance().word
            if kind in ("LEFT", "RIGHT", "FULL"):
                self.take_word("OUTER")
            self.need_word("JOIN")
            right = self._relation()
            condition: ast.Expression | None = None
            using: tuple[str, ...] = ()
            if kind != "CROSS" and not natural:
                if self.take_word("USING"):
                    using = self.bracketed(self.name)
                else:
                    self.need_word("ON")
                    condition = self.expression()
            left = ast.Joined(
                left=left, right=right, kind=kind, condition=condition, using=using, natural=natural,
                span=self.since(left.span),
            )  # fmt: skip
        return left

    def _relation(self) -> ast.Relation:
        start = self.token.span
        found = self._bare_relation()
        if self.is_word("FOR"):
            self.advance()
            for word in ("SYSTEM_TIME", "AS", "OF"):
                self.need_word(word)
            found = ast.AsOf(relation=found, time=self.expression(), span=self.since(start))
        if self.is_word("MATCH_RECOGNIZE"):
            found = self._match(found, start)
        if self.take_word("AS") or self._is_alias():
            alias = self.name("an alias")
            columns = self.bracketed(self.name) if self.is_symbol("(") else ()
            return ast.Aliased(relation=found, alias=alias, columns=columns, span=self.since(start))
        return found

    def _bare_relation(self) -> ast.Relation:
        start = self.token.span
        if self.take_word("LATERAL") and self.is_symbol("("):
            self.advance()
            query = self.query()
            self.need_symbol(")")
            return ast.Derived(query=query, lateral=True, span=self.since(start))
        if self.take_word("UNNEST"):
            return self._unnest(start)
        if self.is_symbol("("):
            self.advance()
            if self._is_query_inside():
                query = self.query()
                self.need_symbol(")")
                return ast.Derived(query=query, span=self.since(start))
            inner = self._from()
            self.need_symbol(")")
            return inner
        if self.is_word("TABLE") and self.is_symbol("(", 1):
            self.advance()
            self.advance()
            found = self._table_call(start)
            self.need_symbol(")")
            return replace(found, span=self.since(start))
        if self.is_symbol("(", 1):
            return self._table_call(start)
        parts = self.names()
        place = self.since(start)
        return ast.TableName(parts=parts, options=self.table_hint(), span=place)

    def _is_query_inside(self) -> bool:
        """Return whether a query follows the bracket before the position, not a relation: ``((SELECT …) AS a JOIN b)``."""
        opened = 0
        while self.is_symbol("(", opened):
            opened += 1
        if self.ahead(opened).word not in _QUERY_WORDS:
            return False
        count, depth = 0, 0
        while opened and self.ahead(count).kind is not Kind.END:
            depth += self.is_symbol("(", count) - self.is_symbol(")", count)
            count += 1
            if not depth:
                break
        return not opened or self.is_symbol(")", count) or self.ahead(count).word in _BEHIND_QUERIES

    def table_hint(self) -> tuple[ast.OptionPair, ...]:
        """Parse the hint of a table, ``/*+ OPTIONS('key' = 'value') */``, if one stands here."""
        return table_options(self.advance()) if self.token.kind is Kind.HINT else ()

    def _table_call(self, start: Span) -> ast.Relation:
        token = self.token
        if token.word in _WINDOWS:
            self.advance()
            call = self._function(token.word, token.span)
            assert isinstance(call, ast.FunctionCall)
            return ast.WindowTable(call=call, span=self.since(start))
        names = self.names()
        call = self._function(names[-1], token.span)
        assert isinstance(call, ast.FunctionCall)
        if call.name.upper() in ("TO_CHANGELOG", "FROM_CHANGELOG"):
            return ast.ChangelogTable(call=call, span=self.since(start))
        return ast.TableFunction(call=replace(call, qualifier=names[:-1]), span=self.since(start))

    def _unnest(self, start: Span) -> ast.Relation:
        self.need_symbol("(")
        arg = self.expression()
        if self.is_symbol(","):
            raise self.unsupported("UNNEST of several collections")
        self.need_symbol(")")
        ordinality = self.take_word("WITH", "ORDINALITY")
        return ast.Unnest(arg=arg, ordinality=ordinality, span=self.since(start))
