"""Parses calls with words between their arguments: CASE, CAST, EXTRACT, TRIM, POSITION and the like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.sql import ast
from fluxcore.sql.parse_json import JsonParser
from fluxcore.sql.parse_types import parse_type

if TYPE_CHECKING:
    from fluxcore.errors import Span


class CallParser(JsonParser):
    """Parses calls of a form of their own; expressions and queries inside them are left to others."""

    def query(self) -> ast.Query:
        """Parse a query; the query parser does."""
        raise NotImplementedError

    def _sum(self) -> ast.Expression:
        raise NotImplementedError

    def _call(self, name: str, *args: ast.Expression, start: Span | None = None) -> ast.FunctionCall:
        return ast.FunctionCall(name=name, args=args, span=self.since(start or args[0].span))

    def _case(self) -> ast.Expression:
        start = self.need_word("CASE").span
        subject = None if self.is_word("WHEN") else self.expression()
        args: list[ast.Expression] = []
        while self.take_word("WHEN"):
            condition = self.expression()
            if subject is not None:
                condition = self._call("=", subject, condition)
                while self.take_symbol(","):
                    condition = self._call("OR", condition, self._call("=", subject, self.expression()))
            args.append(condition)
            self.need_word("THEN")
            args.append(self.expression())
        if not args:
            raise self.unexpected("WHEN")
        args.append(self.expression() if self.take_word("ELSE") else ast.Constant(value=None, span=self.token.span))
        self.need_word("END")
        return self._call("CASE", *args, start=start)

    def _cast(self) -> ast.Expression:
        token = self.advance()
        self.need_symbol("(")
        arg = self.expression()
        self.need_word("AS")
        type_ = parse_type(self)
        self.need_symbol(")")
        return ast.CastTo(arg=arg, type=type_, lenient=token.word == "TRY_CAST", span=self.since(token.span))

    def _unit(self) -> ast.Constant:
        token = self.token
        unit = self.advance().word.removeprefix("SQL_TSI_")
        if not unit:
            raise self.unexpected("a unit such as DAY")
        return ast.Constant(value=unit, span=token.span)

    def _extract(self) -> ast.Expression:
        start = self.advance().span
        self.need_symbol("(")
        unit = self._unit()
        self.need_word("FROM")
        value = self.expression()
        self.need_symbol(")")
        return self._call("EXTRACT", unit, value, start=start)

    def _with_unit(self) -> ast.Expression:
        token = self.advance()
        self.need_symbol("(")
        args: list[ast.Expression] = [self._unit()]
        while self.take_symbol(","):
            args.append(self.expression())
        self.need_symbol(")")
        return self._call(token.word, *args, start=token.span)

    def _to_unit(self) -> ast.Expression:
        token = self.advance()
        self.need_symbol("(")
        args = [self.expression()]
        if self.take_word("TO"):
            args.append(self._unit())
        self.need_symbol(")")
        return self._call(token.word, *args, start=token.span)

    def _trim(self) -> ast.Expression:
        token = self.advance()
        self.need_symbol("(")
        side = self.advance().word if self.token.word in ("BOTH", "LEADING", "TRAILING") else ""
        name = {"LEADING": "LTRIM", "TRAILING": "RTRIM"}.get(side, "TRIM")
        letters = None if self.is_word("FROM") else self.expression()
        if self.take_word("FROM"):
            text = self.expression()
            args = (text,) if letters is None else (text, letters)
        else:
            assert letters is not None
            args = (letters, self.expression()) if self.take_symbol(",") else (letters,)
        self.need_symbol(")")
        return self._call(name, *args, start=token.span)

    def _position(self) -> ast.Expression:
        token = self.advance()
        self.need_symbol("(")
        part = self._sum()
        self.need_word("IN")
        args = [part, self.expression()]
        if self.take_word("FROM"):
            args.append(self.expression())
        self.need_symbol(")")
        return self._call("POSITION", *args, start=token.span)

    def _substring(self) -> ast.Expression:
        token = self.advance()
        self.need_symbol("(")
        args = [self.expression()]
        if self.take_word("FROM"):
            args.append(self.expression())
            if self.take_word("FOR"):
                args.append(self.expression())
        else:
            while self.take_symbol(","):
                args.append(self.expression())
        self.need_symbol(")")
        return self._call("SUBSTRING", *args, start=token.span)

    def _overlay(self) -> ast.Expression:
        token = self.advance()
        self.need_symbol("(")
        args = [self.expression()]
        self.need_word("PLACING")
        args.append(self.expression())
        self.need_word("FROM")
        args.append(self.expression())
        if self.take_word("FOR"):
            args.append(self.expression())
        self.need_symbol(")")
        return self._call("OVERLAY", *args, start=token.span)

    def _exists(self) -> ast.Expression:
        token = self.advance()
        self.need_symbol("(")
        query = self.query()
        self.need_symbol(")")
        return ast.SubQuery(query=query, kind="EXISTS", span=self.since(token.span))
