"""Filters of JSON paths: `?(@.price < 10 && @.name =~ /a.*/i)`."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Test = Callable[[Any, Any], bool]
    Value = Callable[[Any, Any], Any]

MISSING = object()
"""What a path gives that leads nowhere."""

_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_OPERATOR = re.compile(r"\s*(==|!=|<=|>=|=~|<|>|in\b|nin\b)\s*", re.IGNORECASE)
_PATH = re.compile(r"[@$](?:\.\.?[^\s.\[\]()<>=!&|,]+|\[(?:'[^']*'|\"[^\"]*\"|[^\]'\"]*)\]|\.\*)*(?:\(\))?")


class FilterParser:
    """Reads the condition of a filter from ``at`` on; ``path`` makes a reader of a path's text."""

    def __init__(self, text: str, at: int, path: Callable[[str], Callable[[Any], Any]]) -> None:
        self.text = text
        self.at = at
        self._path = path

    def parse(self) -> Test:
        """Return the condition up to its closing bracket, which is passed over. Raises ``ValueError``."""
        test = self._or()
        self._need(")")
        return test

    def _or(self) -> Test:
        tests = [self._and()]
        while self._take("||"):
            tests.append(self._and())
        return tests[0] if len(tests) == 1 else lambda value, root: any(test(value, root) for test in tests)

    def _and(self) -> Test:
        tests = [self._not()]
        while self._take("&&"):
            tests.append(self._not())
        return tests[0] if len(tests) == 1 else lambda value, root: all(test(value, root) for test in tests)

    def _not(self) -> Test:
        if self._take("!"):
            inner = self._not()
            return lambda value, root: not inner(value, root)
        if self._take("("):
            return self.parse()
        return self._compared()

    def _compared(self) -> Test:
        left, is_path = self._value()
        found = _OPERATOR.match(self.text, self.at)
        if not found:
            if not is_path:
                raise ValueError("a filter needs a path or a comparison")
            return lambda value, root: left(value, root) is not MISSING
        self.at = found.end()
        right, _ = self._value()
        operator = found[1].lower()
        return lambda value, root: _holds(operator, left(value, root), right(value, root))

    def _value(self) -> tuple[Value, bool]:
        self._blanks()
        letter = self.text[self.at : self.at + 1]
        if letter in ("@", "$") and letter:
            return self._read_path(letter), True
        constant = self._constant(letter)
        return lambda _value, _root: constant, False

    def _read_path(self, letter: str) -> Value:
        found = _PATH.match(self.text, self.at)
        assert found is not None
        self.at = found.end()
        read = self._path(found[0])

        def value(value: Any, root: Any) -> Any:
            try:
                return read(value if letter == "@" else root)
            except ValueError:
                return MISSING

        return value

    def _constant(self, letter: str) -> Any:
        if letter and letter in "'\"/":
            return self._between(letter)
        if letter == "[":
            self.at += 1
            items: list[Any] = []
            while not self._take("]"):
                self._blanks()
                items.append(self._constant(self.text[self.at : self.at + 1]))
                self._take(",")
            return items
        for word, value in (("true", True), ("false", False), ("null", None)):
            if self._take(word):
                return value
        found = _NUMBER.match(self.text, self.at)
        if not found:
            raise ValueError("a filter compares with a number, a text, true, false or null")
        self.at = found.end()
        return Decimal(found[0])

    def _between(self, quote: str) -> Any:
        end = self.at + 1
        while end < len(self.text) and self.text[end] != quote:
            end += 2 if self.text[end] == "\\" else 1
        if end >= len(self.text):
            raise ValueError(f"{quote} is missing")
        inside = self.text[self.at + 1 : end]
        self.at = end + 1
        if quote != "/":
            return re.sub(r"\\(.)", r"\1", inside)
        flags = re.IGNORECASE if self._take("i") else 0
        return re.compile(inside, flags)

    def _blanks(self) -> None:
        while self.text.startswith(" ", self.at):
            self.at += 1

    def _take(self, wanted: str) -> bool:
        self._blanks()
        if self.text.startswith(wanted, self.at) and not (wanted == "!" and self.text.startswith("!=", self.at)):
            self.at += len(wanted)
            return True
        return False

    def _need(self, wanted: str) -> None:
        if not self._take(wanted):
            raise ValueError(f"'{wanted}' is missing")


def _holds(operator: str, left: Any, right: Any) -> bool:
    if operator == "=~":
        return isinstance(left, str) and isinstance(right, re.Pattern) and right.fullmatch(left) is not None
    if operator in ("in", "nin"):
        return isinstance(right, list) and any(_equal(left, each) for each in right) == (operator == "in")
    if operator in ("==", "!="):
        return _equal(left, right) == (operator == "==")
    numbers = _is_number(left) and _is_number(right)
    if not numbers and not (isinstance(left, str) and isinstance(right, str)):
        return False
    return bool({"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator])


def _equal(left: Any, right: Any) -> bool:
    if left is MISSING or right is MISSING:
        return left is right
    if _is_number(left) or _is_number(right):
        return _is_number(left) and _is_number(right) and left == right
    return type(left) is type(right) and left == right


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)
