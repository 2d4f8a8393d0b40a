"""Walks over tokens: what all parsers share."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from fluxcore.errors import ScriptError, not_supported
from fluxcore.sql.lexer import Kind, Token
from fluxcore.sql.reserved import RESERVED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fluxcore.errors import Span

T = TypeVar("T")

DEPTH_MAX = 100
"""How deep brackets, CASE and sub-queries may nest."""


class Cursor:
    """A position in a list of tokens."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    @property
    def token(self) -> Token:
        """Return the token at the position."""
        return self._tokens[self._at]

    def ahead(self, count: int = 1) -> Token:
        """Return a later token."""
        return self._tokens[min(self._at + count, len(self._tokens) - 1)]

    def advance(self) -> Token:
        """Return the token and move behind it."""
        token = self.token
        if token.kind is not Kind.END:
            self._at += 1
        return token

    def at_end(self) -> bool:
        """Return whether nothing follows."""
        return self.token.kind is Kind.END

    def is_word(self, *words: str) -> bool:
        """Return whether these keywords stand here, one after the other."""
        return all(self.ahead(index).word == word for index, word in enumerate(words))

    def is_symbol(self, symbol: str, ahead: int = 0) -> bool:
        """Return whether a symbol stands here."""
        token = self.ahead(ahead)
        return token.kind is Kind.SYMBOL and token.text == symbol

    def take_word(self, *words: str) -> bool:
        """Move behind these keywords if they stand here."""
        if not self.is_word(*words):
            return False
        for _ in words:
            self.advance()
        return True

    def take_symbol(self, symbol: str) -> bool:
        """Move behind a symbol if it stands here."""
        if not self.is_symbol(symbol):
            return False
        self.advance()
        return True

    def need_word(self, *words: str) -> Token:
        """Move behind keywords that must stand here; return the first."""
        first = self.token
        for word in words:
            if self.token.word != word:
                raise self.unexpected(word)
            self.advance()
        return first

    def need_symbol(self, symbol: str) -> Token:
        """Move behind a symbol that must stand here."""
        if not self.is_symbol(symbol):
            raise self.unexpected(f"'{symbol}'")
        return self.advance()

    def name(self, what: str = "a name") -> str:
        """Move behind a name that must stand here, and return it."""
        token = self.token
        if token.kind is Kind.QUOTED:
            return self.advance().text
        if token.kind is Kind.WORD and token.word not in RESERVED:
            return self.advance().text
        error = self.unexpected(what)
        if token.kind is Kind.WORD:
            error.hint = f"{token.text} is a reserved word; as a name it stands in backquotes: `{token.text}`"
        raise error

    def names(self) -> tuple[str, ...]:
        """Move behind a name with its qualifiers."""
        parts = [self.name()]
        while self.is_symbol(".") and not self.is_symbol("*", 1):
            self.advance()
            parts.append(self.name())
        return tuple(parts)

    def string(self, what: str = "a string") -> str:
        """Move behind a string that must stand here."""
        if self.token.kind is not Kind.STRING:
            raise self.unexpected(what)
        return self.advance().text

    def integer(self, what: str = "a whole number") -> int:
        """Move behind a whole number that must stand here."""
        if self.token.kind is not Kind.NUMBER or not self.token.text.isdecimal():
            raise self.unexpected(what)
        return int(self.advance().text)

    def listed(self, item: Callable[[], T]) -> tuple[T, ...]:
        """Read items with commas between them."""
        found = [item()]
        while self.take_symbol(","):
            found.append(item())
        return tuple(found)

    def bracketed(self, item: Callable[[], T]) -> tuple[T, ...]:
        """Read items in brackets with commas between them."""
        self.need_symbol("(")
        found = self.listed(item)
        self.need_symbol(")")
        return found

    def text_of(self, start: Span) -> str:
        """Return the token that begins at a place that was passed."""
        return next((token.text for token in self._tokens[: self._at] if token.span.start == start.start), "")

    def since(self, start: Span) -> Span:
        """Return the stretch from ``start`` to the token before the position."""
        return start.to(self._tokens[max(self._at - 1, 0)].span)

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """Count one level of nesting. Raises ``ScriptError`` FX-SQL-0105 where there are too many."""
        self._depth += 1
        if self._depth > DEPTH_MAX:
            message = f"this nests deeper than {DEPTH_MAX} levels"
            raise ScriptError("FX-SQL-0105", message, span=self.token.span, hint="use WITH or views")
        try:
            yield
        finally:
            self._depth -= 1

    def unexpected(self, wanted: str) -> ScriptError:
        """Return the error for a token that can't stand here."""
        message = f"expected {wanted}, found {self.token.shown()}"
        return ScriptError("FX-SQL-0104", message, span=self.token.span)

    def unsupported(self, what: str, hint: str | None = None) -> ScriptError:
        """Return the error for what Flink knows and FluxCore doesn't execute yet."""
        return not_supported(what, span=self.token.span, hint=hint)
