"""Parses expressions by precedence: OR, AND, NOT, comparisons, ||, + -, * / %, signs, access."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from fluxcore.core import types as t
from fluxcore.core.types import DecimalType
from fluxcore.errors import ScriptError
from fluxcore.sql import ast
from fluxcore.sql.lexer import Kind
from fluxcore.sql.parse_calls import CallParser
from fluxcore.sql.parse_json import JSON_CALLS
from fluxcore.sql.reserved import CALLABLE, RESERVED
from fluxcore.sql.text_constants import unicode_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.errors import Span

_NILADIC = {"CURRENT_TIMESTAMP", "CURRENT_DATE", "LOCALTIMESTAMP", "CURRENT_TIME", "LOCALTIME"}


_DIGITS_MAX = 38
_OPPOSITE = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


class ExpressionParser(CallParser):
    """Parses expressions; queries inside them are left to :meth:`query`."""

    def expression(self) -> ast.Expression:
        """Parse an expression."""
        with self.deeper():
            return self._or()

    def _or(self) -> ast.Expression:
        left = self._and()
        while self.take_word("OR"):
            left = self._call("OR", left, self._and())
        return left

    def _and(self) -> ast.Expression:
        left = self._not()
        while self.take_word("AND"):
            left = self._call("AND", left, self._not())
        return left

    def _not(self) -> ast.Expression:
        start = self.token.span
        if self.take_word("NOT"):
            with self.deeper():
                return self._call("NOT", self._not(), start=start)
        return self._comparison()

    def _comparison(self) -> ast.Expression:
        left = self._sum()
        while True:
            token = self.token
            if token.kind is Kind.SYMBOL and token.text in ("=", "<>", "!=", "<", "<=", ">", ">="):
                self.advance()
                sign = "<>" if token.text == "!=" else token.text
                quantified = self.token.word in ("ANY", "SOME", "ALL") and self.is_symbol("(", 1)
                left = self._quantified(left, sign) if quantified else self._compared(left, sign, self._sum())
                continue
            found = self._predicate(left)
            if found is None:
                return left
            left = found

    def _predicate(self, left: ast.Expression) -> ast.Expression | None:
        if self.is_word("IS"):
            return self._is(left)
        if self.is_word("OVERLAPS") and isinstance(left, ast.FunctionCall) and left.name == "ROW":
            self.advance()
            right = self._sum()
            if not (isinstance(right, ast.FunctionCall) and right.name == "ROW"):
                raise self.unexpected("two times in brackets")
            return self._call("OVERLAPS", *left.args, *right.args)
        negated = self.is_word("NOT") and self.ahead().word in ("IN", "LIKE", "BETWEEN", "SIMILAR")
        word = self.ahead(1 if negated else 0).word
        if word not in ("IN", "LIKE", "BETWEEN", "SIMILAR"):
            return None
        if negated:
            self.advance()
        self.advance()
        if word == "IN":
            found = self._in(left)
        elif word == "BETWEEN":
            found = self._between(left)
        else:
            if word == "SIMILAR":
                self.need_word("TO")
            args = [left, self._sum()]
            if self.take_word("ESCAPE"):
                args.append(self._sum())
            found = self._call("SIMILAR TO" if word == "SIMILAR" else "LIKE", *args)
        return self._call("NOT", found) if negated else found

    def _between(self, left: ast.Expression) -> ast.Expression:
        symmetric = self.take_word("SYMMETRIC")
        if not symmetric:
            self.take_word("ASYMMETRIC")
        low = self._sum()
        self.need_word("AND")
        high = self._sum()
        found = self._call("AND", self._call(">=", left, low), self._call("<=", left, high))
        if not symmetric:
            return found
        return self._call("OR", found, self._call("AND", self._call(">=", left, high), self._call("<=", left, low)))

    def _in(self, left: ast.Expression) -> ast.Expression:
        self.need_symbol("(")
        if self._at_query():
            query = self.query()
            self.need_symbol(")")
            return ast.SubQuery(query=query, kind="IN", left=left, span=self.since(left.span))
        values = self.listed(self.expression)
        self.need_symbol(")")
        return self._among(left, values)

    def _compared(self, left: ast.Expression, sign: str, right: ast.Expression) -> ast.Expression:
        if sign not in ("=", "<>") or not _is_row(left) or not _is_row(right):
            return self._call(sign, left, right)
        equal = self._rows_equal(left, right)
        return equal if sign == "=" else self._call("NOT", equal)

    def _among(self, left: ast.Expression, values: Sequence[ast.Expression]) -> ast.Expression:
        """Return IN of a list; rows are compared value by value."""
        if not _is_row(left) or not all(_is_row(each) for each in values):
            return self._call("IN", left, *values)
        found: ast.Expression | None = None
        for each in values:
            equal = self._rows_equal(left, each)
            found = equal if found is None else self._call("OR", found, equal)
        assert found is not None
        return found

    def _rows_equal(self, left: ast.Expression, right: ast.Expression) -> ast.Expression:
        assert isinstance(left, ast.FunctionCall)
        assert isinstance(right, ast.FunctionCall)
        if len(left.args) != len(right.args):
            message = f"a row of {len(left.args)} values can't be compared with one of {len(right.args)}"
            raise ScriptError("FX-SQL-0214", message, span=right.span)
        found: ast.Expression | None = None
        for a, b in zip(left.args, right.args, strict=True):
            equal = self._call("=", a, b)
            found = equal if found is None else self._call("AND", found, equal)
        assert found is not None
        return found

    def _at_query(self) -> bool:
        return self.token.word in ("SELECT", "WITH", "VALUES")

    def _quantified(self, left: ast.Expression, sign: str) -> ast.Expression:
        """Parse ANY, SOME or ALL behind a comparison: ALL is what holds where the opposite holds for none."""
        all_ = self.advance().word == "ALL"
        self.need_symbol("(")
        if self._at_query():
            query = self.query()
            self.need_symbol(")")
            kind = _OPPOSITE[sign] if all_ else sign
            kind = "IN" if kind == "=" else kind
            found: ast.Expression = ast.SubQuery(query=query, kind=kind, left=left, span=self.since(left.span))
            return self._call("NOT", found) if all_ else found
        values = self.listed(self.expression)
        self.need_symbol(")")
        parts = [self._call(sign, left, each) for each in values]
        whole = parts[0]
        for part in parts[1:]:
            whole = self._call("AND" if all_ else "OR", whole, part)
        return whole

    def _is(self, left: ast.Expression) -> ast.Expression:
        self.need_word("IS")
        negated = "NOT " if self.take_word("NOT") else ""
        if self.take_word("DISTINCT", "FROM"):
            return self._call(f"IS {negated}DISTINCT FROM", left, self._sum())
        for word in ("NULL", "TRUE", "FALSE", "UNKNOWN"):
            if self.take_word(word):
                return self._call(f"IS {negated}{word}", left)
        if self.take_word("JSON"):
            found = self._call(f"IS JSON {self.json_kind()}", left)
            return self._call("NOT", found) if negated else found
        raise self.unexpected("NULL, TRUE, FALSE, UNKNOWN, JSON or DISTINCT FROM")

    def _sum(self) -> ast.Expression:
        left = self._product()
        while self.token.kind is Kind.SYMBOL and self.token.text in ("+", "-", "||"):
            symbol = self.advance().text
            left = self._call(symbol, left, self._product())
        return left

    def _product(self) -> ast.Expression:
        left = self._signed()
        while self.token.kind is Kind.SYMBOL and self.token.text in ("*", "/", "%"):
            symbol = self.advance().text
            left = self._call(symbol, left, self._signed())
        return left

    def _signed(self) -> ast.Expression:
        start = self.token.span
        if self.take_symbol("-"):
            with self.deeper():
                inner = self._signed()
            if isinstance(inner, ast.Constant) and isinstance(inner.value, int | float | Decimal):
                span = self.since(start)
                return ast.Constant(value=-inner.value, type=inner.type, span=span)
            return self._call("NEG", inner, start=start)
        if self.take_symbol("+"):
            with self.deeper():
                return self._signed()
        return self._access()

    def _access(self) -> ast.Expression:
        found = self._primary()
        while True:
            if self.take_symbol("["):
                index = self.expression()
                self.need_symbol("]")
                found = self._call("ITEM", found, index)
            elif self.is_symbol(".") and not self.is_symbol("*", 1):
                self.advance()
                field = self.token
                name = ast.Constant(value=self.name("a field"), span=field.span)
                found = self._call("FIELD", found, name)
            else:
                return found

    def _primary(self) -> ast.Expression:
        token = self.token
        match token.kind:
            case Kind.NUMBER:
                self.advance()
                value = _number(token.text)
                type_ = _decimal_type(token.text) if isinstance(value, Decimal) else None
                if not isinstance(value, float) and len(Decimal(value).as_tuple().digits) > _DIGITS_MAX:
                    message = f"a number of more than {_DIGITS_MAX} digits fits no type"
                    raise ScriptError("FX-SQL-0303", message, span=token.span, hint="write it as a DOUBLE: 1.5E40")
                return ast.Constant(value=value, type=type_, span=token.span)
            case Kind.STRING | Kind.UNICODE:
                return self._text()
            case Kind.HEX:
                self.advance()
                if len(token.text) % 2:
                    raise ScriptError(
                        "FX-SQL-0103", "a hexadecimal string needs an even number of digits", span=token.span
                    )
                return ast.Constant(value=bytes.fromhex(token.text), span=token.span)
            case Kind.SYMBOL if token.text == "(":
                return self._brackets()
            case Kind.QUOTED:
                return self._name_or_call()
            case Kind.WORD:
                return self._word()
        raise self.unexpected("an expression")

    def _text(self) -> ast.Expression:
        """Parse a string and those that follow it on lines of their own, which it is put together with."""
        first = self.token
        text = self._text_part()
        while self.token.kind in (Kind.STRING, Kind.UNICODE) and self.token.span.line > first.span.line:
            text += self._text_part()
        return ast.Constant(value=text, span=self.since(first.span))

    def _text_part(self) -> str:
        token = self.advance()
        if token.kind is Kind.STRING:
            return token.text
        escape = self.string("an escape character") if self.take_word("UESCAPE") else "\\"
        return unicode_text(token.text, escape, token.span)

    def _brackets(self) -> ast.Expression:
        start = self.need_symbol("(").span
        if self._at_query():
            query = self.query()
            self.need_symbol(")")
            return ast.SubQuery(query=query, kind="SCALAR", span=self.since(start))
        values = self.listed(self.expression)
        self.need_symbol(")")
        return values[0] if len(values) == 1 else self._call("ROW", *values, start=start)

    def _word(self) -> ast.Expression:
        token = self.token
        word = token.word
        special: dict[str, Callable[[], ast.Expression]] = {
            "CASE": self._case, "CAST": self._cast, "TRY_CAST": self._cast, "EXTRACT": self._extract,
            "INTERVAL": self._interval, "TRIM": self._trim, "POSITION": self._position, "EXISTS": self._exists,
            "SUBSTRING": self._substring, "TIMESTAMPADD": self._with_unit, "TIMESTAMPDIFF": self._with_unit,
            "FLOOR": self._to_unit, "CEIL": self._to_unit, "OVERLAY": self._overlay,
        }  # fmt: skip
        if word in ("TRUE", "FALSE", "UNKNOWN", "NULL"):
            self.advance()
            value = {"TRUE": True, "FALSE": False}.get(word)
            return ast.Constant(value=value, type=t.BOOLEAN if word == "UNKNOWN" else None, span=token.span)
        if word in ("DATE", "TIME", "TIMESTAMP") and self.ahead().kind is Kind.STRING:
            return self._time_constant()
        if word in _NILADIC and not self.is_symbol("(", 1):
            self.advance()
            return ast.FunctionCall(name=word, args=(), span=token.span)
        if word in special and (word in ("CASE", "INTERVAL") or self.is_symbol("(", 1)):
            return special[word]()
        if word in JSON_CALLS and self.is_symbol("(", 1):
            return self._followed(self.json_call())
        if word in ("ARRAY", "MAP") and self.is_symbol("[", 1):
            self.advance()
            self.advance()
            values = () if self.is_symbol("]") else self.listed(self.expression)
            self.need_symbol("]")
            return self._call(word, *values, start=token.span)
        if word == "DESCRIPTOR":
            self.advance()
            return ast.Descriptor(columns=self.bracketed(self.name), span=self.since(token.span))
        if word == "TABLE":
            return self._table_argument()
        return self._name_or_call()

    def _table_argument(self) -> ast.Expression:
        start = self.need_word("TABLE").span
        table = ast.TableName(parts=self.names(), span=self.since(start))
        partition: tuple[ast.Expression, ...] = ()
        if self.is_word("PARTITION"):
            self.advance()
            self.need_word("BY")
            columns = self.bracketed(self.expression) if self.is_symbol("(") else [self.expression()]
            partition = tuple(columns)
        return ast.TableArgument(table=table, partition=partition, span=self.since(start))

    def _name_or_call(self) -> ast.Expression:
        token = self.token
        if self.is_symbol("(", 1) and (token.word not in RESERVED or token.word in CALLABLE):
            self.advance()
            return self._function(token.text if token.kind is Kind.QUOTED else token.word, token.span)
        names = self.names()
        if self.is_symbol("(") and len(names) > 1:
            call = self._function(names[-1], token.span)
            return replace(call, qualifier=names[:-1]) if isinstance(call, ast.FunctionCall) else call
        return ast.Name(parts=names, span=self.since(token.span))

    def _function(self, name: str, start: Span) -> ast.Expression:
        self.need_symbol("(")
        distinct = self.take_word("DISTINCT")
        if not distinct:
            self.take_word("ALL")
        star = self.take_symbol("*")
        args: tuple[ast.Expression, ...] = ()
        named: list[tuple[str, ast.Expression]] = []
        if not star and not self.is_symbol(")"):
            if self.is_symbol("=>", 1):
                named = list(self.listed(self._named_argument))
            else:
                args = self.listed(self.expression)
        known = name.upper() == "ARRAY_AGG" and self._ignores_nulls()
        self.need_symbol(")")
        call = ast.FunctionCall(
            name=name, args=args, distinct=distinct, star=star, named=tuple(named), span=self.since(start)
        )
        call = self._followed(call)
        if not known:
            return call
        where = self._call("IS NOT NULL", args[0])  # NULLs that are ignored are filtered
        return replace(call, where=where if call.where is None else self._call("AND", call.where, where))

    def _ignores_nulls(self) -> bool:
        """Parse IGNORE NULLS or RESPECT NULLS, which is usual, and return whether it was the first."""
        return not self.take_word("RESPECT", "NULLS") and self.take_word("IGNORE", "NULLS")

    def _followed(self, call: ast.FunctionCall) -> ast.FunctionCall:
        """Parse FILTER and OVER behind a call."""
        where = None
        if self.is_word("FILTER") and self.is_symbol("(", 1):
            self.advance()
            self.advance()
            self.need_word("WHERE")
            where = self.expression()
            self.need_symbol(")")
        over = self._over() if self.is_word("OVER") else None
        return replace(call, where=where, over=over, span=self.since(call.span))

    def _named_argument(self) -> tuple[str, ast.Expression]:
        name = self.advance().text.upper()
        self.need_symbol("=>")
        return name, self.expression()

    def _over(self) -> ast.OverClause:
        start = self.need_word("OVER").span
        if not self.is_symbol("("):
            return ast.OverClause(window=self.name(), span=self.since(start))
        return self.window_definition()

    def window_definition(self) -> ast.OverClause:
        """Parse what stands in the brackets of OVER or of WINDOW."""
        start = self.need_symbol("(").span
        named = self.token.kind is Kind.QUOTED or (
            self.token.kind is Kind.WORD and self.token.word not in RESERVED and self.token.word != "RANGE"
        )
        base = self.name() if named else None
        partition: tuple[ast.Expression, ...] = ()
        if self.take_word("PARTITION", "BY"):
            partition = self.listed(self.expression)
        order = self.order_items() if self.is_word("ORDER") else ()
        rows, first, last = None, None, None
        if self.is_word("ROWS") or self.is_word("RANGE"):
            rows = self.advance().word == "ROWS"
            first, last = self._frame()
        self.need_symbol(")")
        return ast.OverClause(
            partition=partition, order=order, rows=rows, start=first, end=last, window=base, span=self.since(start)
        )  # fmt: skip

    def _frame(self) -> tuple[ast.FrameBound, ast.FrameBound]:
        if not self.take_word("BETWEEN"):
            first = self._frame_bound()
            last = ast.FrameBound(reach=None, current=True, span=first.span)
        else:
            first = self._frame_bound()
            self.need_word("AND")
            last = self._frame_bound()
        for bound, following in ((first, True), (last, False)):
            if bound.reach is None and not bound.current and bound.following == following:
                message = f"a frame can't {'start' if following else 'end'} there"
                raise ScriptError("FX-SQL-0407", message, span=bound.span)
        return first, last

    def _frame_bound(self) -> ast.FrameBound:
        start = self.token.span
        if self.take_word("CURRENT", "ROW"):
            return ast.FrameBound(reach=None, current=True, span=self.since(start))
        reach = None if self.take_word("UNBOUNDED") else self._sum()
        following = self.take_word("FOLLOWING")
        if not following:
            self.need_word("PRECEDING")
        return ast.FrameBound(reach=reach, following=following, span=self.since(start))

    def order_items(self) -> tuple[ast.OrderItem, ...]:
        """Parse ORDER BY."""
        self.need_word("ORDER", "BY")
        return self.listed(self._order_item)

    def _order_item(self) -> ast.OrderItem:
        expr = self.expression()
        descending = self.take_word("DESC")
        if not descending:
            self.take_word("ASC")
        nulls = None
        if self.take_word("NULLS"):
            nulls = self.take_word("FIRST")
            if not nulls:
                self.need_word("LAST")
        return ast.OrderItem(expr=expr, descending=descending, nulls_first=nulls, span=self.since(expr.span))


def _is_row(tree: ast.Expression) -> bool:
    return isinstance(tree, ast.FunctionCall) and tree.name == "ROW"


def _number(text: str) -> int | float | Decimal:
    if "e" in text.lower():
        return float(text)
    return Decimal(text) if "." in text.rstrip(".") else int(text.rstrip("."))


def _decimal_type(text: str) -> DecimalType:
    """Return the type of a number with a point: as many digits as are written, zeros in front too."""
    before, after = text.split(".")
    precision = min(len(before) + len(after), _DIGITS_MAX)
    return DecimalType(precision=precision, scale=min(len(after), precision))
