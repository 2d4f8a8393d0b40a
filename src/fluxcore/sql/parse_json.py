"""Parses the JSON functions' clauses: RETURNING, ON EMPTY, ON ERROR, wrappers, KEY … VALUE, ON NULL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core import types as t
from fluxcore.sql import ast
from fluxcore.sql.parse_constants import ConstantParser
from fluxcore.sql.parse_types import parse_type

if TYPE_CHECKING:
    from fluxcore.core.types import DataType
    from fluxcore.errors import Span

JSON_CALLS = frozenset(
    {"JSON_EXISTS", "JSON_VALUE", "JSON_QUERY", "JSON_OBJECT", "JSON_ARRAY", "JSON_OBJECTAGG", "JSON_ARRAYAGG"}
)
_KINDS = ("VALUE", "OBJECT", "ARRAY", "SCALAR")


class JsonParser(ConstantParser):
    """Parses calls of JSON functions; expressions inside them are left to :meth:`expression`."""

    def json_kind(self) -> str:
        """Parse what stands behind IS [NOT] JSON, and return it."""
        return next((kind for kind in _KINDS if self.take_word(kind)), "VALUE")

    def json_call(self) -> ast.FunctionCall:
        """Parse a call of one of ``JSON_CALLS``."""
        token = self.advance()
        name = token.word
        self.need_symbol("(")
        parse = {
            "JSON_EXISTS": self._json_exists, "JSON_VALUE": self._json_value, "JSON_QUERY": self._json_query,
            "JSON_OBJECT": self._json_object, "JSON_ARRAY": self._json_array, "JSON_OBJECTAGG": self._json_object_agg,
            "JSON_ARRAYAGG": self._json_array_agg,
        }[name]  # fmt: skip
        name, args = parse()
        self.need_symbol(")")
        return ast.FunctionCall(name=name, args=args, span=self.since(token.span))

    def _text_and_path(self) -> list[ast.Expression]:
        text = self.expression()
        self.need_symbol(",")
        return [text, self.expression()]

    def _json_exists(self) -> tuple[str, tuple[ast.Expression, ...]]:
        args = self._text_and_path()
        behaviour = "FALSE"
        for each in ("TRUE", "FALSE", "UNKNOWN", "ERROR"):
            if self.take_word(each):
                self.need_word("ON", "ERROR")
                behaviour = each
                break
        return "JSON_EXISTS", (*args, self._constant(behaviour))

    def _json_value(self) -> tuple[str, tuple[ast.Expression, ...]]:
        args = [*self._text_and_path(), self._returning()]
        given: dict[str, tuple[str, ast.Expression]] = {}
        while not self.is_symbol(")"):
            default: ast.Expression = self._constant(None)
            if self.take_word("DEFAULT"):
                what, default = "DEFAULT", self.expression()
            else:
                what = next((each for each in ("NULL", "ERROR") if self.take_word(each)), "")
            if not what or self.token.word != "ON" or (event := self._event()) in given:
                raise self.unexpected("NULL, ERROR or DEFAULT … with ON EMPTY or ON ERROR, or ')'")
            given[event] = what, default
        for event in ("EMPTY", "ERROR"):
            what, default = given.get(event, ("NULL", self._constant(None)))
            args += [self._constant(what), default]
        return "JSON_VALUE", tuple(args)

    def _json_query(self) -> tuple[str, tuple[ast.Expression, ...]]:
        args = [*self._text_and_path(), self._returning()]
        wrapper = "WITHOUT"
        if self.take_word("WITHOUT"):
            self.take_word("ARRAY")
            self.need_word("WRAPPER")
        elif self.take_word("WITH"):
            wrapper = "CONDITIONAL" if self.take_word("CONDITIONAL") else "UNCONDITIONAL"
            self.take_word("UNCONDITIONAL")
            self.take_word("ARRAY")
            self.need_word("WRAPPER")
        given: dict[str, str] = {}
        while not self.is_symbol(")"):
            words = ("NULL",), ("ERROR",), ("EMPTY", "ARRAY"), ("EMPTY", "OBJECT"), ("EMPTY",)
            what = next((" ".join(each) for each in words if self.take_word(*each)), "")
            if not what or self.token.word != "ON" or (event := self._event()) in given:
                raise self.unexpected("NULL, EMPTY ARRAY, EMPTY OBJECT or ERROR with ON EMPTY or ON ERROR, or ')'")
            given[event] = "EMPTY ARRAY" if what == "EMPTY" else what
        behaviours = [self._constant(given.get(event, "NULL")) for event in ("EMPTY", "ERROR")]
        return "JSON_QUERY", (*args, self._constant(wrapper), *behaviours)

    def _event(self) -> str:
        self.need_word("ON")
        return "EMPTY" if self.take_word("EMPTY") else self.need_word("ERROR").word

    def _returning(self) -> ast.Expression:
        start = self.token.span
        type_: DataType = parse_type(self) if self.take_word("RETURNING") else t.STRING
        return self._typed_null(type_, start)

    def _typed_null(self, type_: DataType, start: Span) -> ast.Expression:
        return ast.CastTo(arg=self._constant(None), type=type_, lenient=False, span=self.since(start))

    def _constant(self, value: str | None) -> ast.Constant:
        return ast.Constant(value=value, span=self.token.span)

    def _pair(self) -> tuple[ast.Expression, ast.Expression]:
        is_key = self.is_word("KEY") and not self.is_symbol(",", 1) and not self.is_symbol(".", 1)
        if is_key and self.ahead().word != "VALUE":
            self.advance()
        key = self.expression()
        if not self.take_symbol(":"):
            self.need_word("VALUE")
        return key, self.expression()

    def _on_null(self, usual: str) -> ast.Constant:
        what = usual
        for each in ("NULL", "ABSENT"):
            if self.is_word(each) and self.ahead().word == "ON":
                self.advance()
                self.need_word("ON", "NULL")
                what = each
        return self._constant(what)

    def _json_object(self) -> tuple[str, tuple[ast.Expression, ...]]:
        pairs: list[ast.Expression] = []
        if not self.is_symbol(")") and not self._is_on_null():
            for key, value in self.listed(self._pair):
                pairs += [key, value]
        return "JSON_OBJECT", (self._on_null("NULL"), self._constant(""), *pairs)

    def _json_array(self) -> tuple[str, tuple[ast.Expression, ...]]:
        values = () if self.is_symbol(")") else self.listed(self.expression)
        return "JSON_ARRAY", (self._on_null("ABSENT"), self._constant(""), *values)

    def _is_on_null(self) -> bool:
        return self.token.word in ("NULL", "ABSENT") and self.ahead().word == "ON"

    def _json_object_agg(self) -> tuple[str, tuple[ast.Expression, ...]]:
        key, value = self._pair()
        return "JSON_OBJECTAGG", (key, value, self._on_null("NULL"))

    def _json_array_agg(self) -> tuple[str, tuple[ast.Expression, ...]]:
        value = self.expression()
        return "JSON_ARRAYAGG", (value, self._on_null("ABSENT"))
