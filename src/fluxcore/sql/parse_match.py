"""Parses MATCH_RECOGNIZE."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.errors import ScriptError
from fluxcore.sql import ast
from fluxcore.sql.lexer import Kind
from fluxcore.sql.parse_expressions import ExpressionParser

if TYPE_CHECKING:
    from fluxcore.errors import Span


class MatchParser(ExpressionParser):
    """Parses the clauses of MATCH_RECOGNIZE in the order in which they must stand."""

    def _match(self, relation: ast.Relation, start: Span) -> ast.Relation:
        self.need_word("MATCH_RECOGNIZE")
        self.need_symbol("(")
        partition = self.listed(self.expression) if self.take_word("PARTITION", "BY") else ()
        order = self.order_items() if self.is_word("ORDER") else ()
        measures = self.listed(self._measure) if self.take_word("MEASURES") else ()
        all_rows = self._rows_per_match()
        skip = self._skip() if self.take_word("AFTER", "MATCH") else ("PAST LAST ROW", "")
        self.need_word("PATTERN")
        self.need_symbol("(")
        pattern = self._pattern()
        self.need_symbol(")")
        within = self._within() if self.take_word("WITHIN") else None
        subsets = self.listed(self._subset) if self.take_word("SUBSET") else ()
        self.need_word("DEFINE")
        defines = self.listed(self._define)
        self.need_symbol(")")
        return ast.MatchRecognize(
            relation=relation, partition=partition, order=order, measures=measures, pattern=pattern, defines=defines,
            all_rows=all_rows, skip=skip, within=within, subsets=subsets, span=self.since(start),
        )  # fmt: skip

    def _measure(self) -> ast.SelectItem:
        start = self.token.span
        expr = self.expression()
        self.need_word("AS")
        return ast.SelectItem(expr=expr, alias=self.name("a name"), span=self.since(start))

    def _rows_per_match(self) -> bool:
        if self.take_word("ONE", "ROW", "PER", "MATCH"):
            return False
        if not self.take_word("ALL", "ROWS", "PER", "MATCH"):
            return False
        _ = (
            self.take_word("SHOW", "EMPTY", "MATCHES")
            or self.take_word("OMIT", "EMPTY", "MATCHES")
            or self.take_word("WITH", "UNMATCHED", "ROWS")
        )
        return True

    def _skip(self) -> tuple[str, str]:
        self.need_word("SKIP")
        if self.take_word("PAST", "LAST", "ROW"):
            return "PAST LAST ROW", ""
        self.need_word("TO")
        if self.take_word("NEXT", "ROW"):
            return "TO NEXT ROW", ""
        if self.is_word("FIRST") or self.is_word("LAST"):
            word = self.advance().word
            return f"TO {word}", self.name("a variable of the pattern")
        return "TO LAST", self.name("a variable of the pattern")

    def _pattern(self) -> ast.RowPattern:
        """Parse alternatives with | between them."""
        start = self.token.span
        parts = [self._sequence()]
        while self.take_symbol("|"):
            parts.append(self._sequence())
        if len(parts) == 1:
            return parts[0]
        return ast.RowPattern(kind="CHOICE", parts=tuple(parts), span=self.since(start))

    def _sequence(self) -> ast.RowPattern:
        start = self.token.span
        with self.deeper():
            parts = [self._part()]
            while not (self.is_symbol(")") or self.is_symbol("|") or self.is_symbol(",") or self._excluded_ends()):
                parts.append(self._part())
        if len(parts) == 1:
            return parts[0]
        return ast.RowPattern(kind="SEQUENCE", parts=tuple(parts), span=self.since(start))

    def _excluded_ends(self) -> bool:
        return self.is_symbol("-") and self.is_symbol("}", 1)

    def _part(self) -> ast.RowPattern:
        start = self.token.span
        if self.is_word("PERMUTE") and self.is_symbol("(", 1):
            self.advance()
            parts = self.bracketed(self._pattern)
            found = ast.RowPattern(kind="PERMUTE", parts=parts, span=self.since(start))
        elif self.take_symbol("("):
            inner = self._pattern()
            self.need_symbol(")")
            found = ast.RowPattern(kind="SEQUENCE", parts=(inner,), span=self.since(start))
        elif self.is_symbol("{") and self.is_symbol("-", 1):
            self.advance()
            self.advance()
            inner = self._pattern()
            self.need_symbol("-")
            self.need_symbol("}")
            found = ast.RowPattern(kind="EXCLUDED", parts=(inner,), span=self.since(start))
        else:
            found = ast.RowPattern(kind="NAME", name=self.name("a variable of the pattern"), span=self.since(start))
        return self._quantified_part(found, start)

    def _quantified_part(self, part: ast.RowPattern, start: Span) -> ast.RowPattern:
        bounds: tuple[int, int | None] | None = None
        for symbol, each in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self.take_symbol(symbol):
                bounds = each
                break
        if bounds is None and self.is_symbol("{") and not self.is_symbol("-", 1):
            bounds = self._bounds()
        if bounds is None:
            return part
        greedy = not self.take_symbol("?")
        return replace(part, least=bounds[0], most=bounds[1], greedy=greedy, span=self.since(start))

    def _bounds(self) -> tuple[int, int | None]:
        start = self.need_symbol("{").span
        least = self.integer() if self.token.kind is Kind.NUMBER else 0
        most: int | None = least
        if self.take_symbol(","):
            most = self.integer() if self.token.kind is Kind.NUMBER else None
        self.need_symbol("}")
        if most is not None and (most < least or most == 0):
            raise ScriptError("FX-SQL-0416", "a part of the pattern can't stand so often", span=self.since(start))
        return least, most

    def _within(self) -> ast.Constant:
        tree = self.expression()
        if not isinstance(tree, ast.Constant):
            raise ScriptError("FX-SQL-0416", "WITHIN takes an interval", span=tree.span, hint="INTERVAL '1' HOUR")
        return tree

    def _subset(self) -> tuple[str, tuple[str, ...]]:
        name = self.name("a variable")
        self.need_symbol("=")
        return name, self.bracketed(self.name)

    def _define(self) -> tuple[str, ast.Expression]:
        name = self.name("a variable of the pattern")
        self.need_word("AS")
        return name, self.expression()
