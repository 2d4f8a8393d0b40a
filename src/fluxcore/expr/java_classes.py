r"""Classes of characters (``[…]``) and escapes of single characters in Java's regular expressions."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Protocol

from fluxcore.expr import char_sets as sets

if TYPE_CHECKING:
    from fluxcore.expr.char_sets import Ranges

_PLAIN = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "a": "\a", "e": "\x1b"}
_OCTAL = re.compile("[0-3]?[0-7]{1,2}")
_CODE = re.compile(r"x([0-9a-fA-F]{2})|x\{([0-9a-fA-F]+)\}|u([0-9a-fA-F]{4})")
_SURROGATES = re.compile(r"u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")


class Flags(Protocol):
    """The flags that a class asks for."""

    @property
    def i(self) -> bool:
        """Return whether case does not count."""
        ...

    @property
    def u(self) -> bool:
        """Return whether all of Unicode's cases are meant."""
        ...

    @property
    def U(self) -> bool:  # noqa: N802 Java's letter
        """Return whether classes hold all of Unicode."""
        ...

    @property
    def x(self) -> bool:
        """Return whether blanks mean nothing."""
        ...


class Context(Protocol):
    """Who tells what is wrong."""

    def wrong(self, why: str) -> Exception:
        """Return the error for the pattern."""
        ...


def class_escape(pattern: str, at: int, flags: Flags, context: Context) -> tuple[Ranges, int, bool]:
    r"""Return the set that an escape stands for, the place behind it, and whether it is a single letter; ``at`` is behind the ``\``."""
    if at >= len(pattern):
        raise context.wrong("nothing stands behind the last '\\'")
    letter = pattern[at]
    predefined = _predefined(letter, flags)
    if predefined is not None:
        return predefined, at + 1, False
    if letter in "pP":
        found, end = _property(pattern, at + 1, flags, context)
        return sets.inverted(found) if letter == "P" else found, end, False
    if letter in _PLAIN:
        return sets.of(_PLAIN[letter]), at + 1, True
    if letter == "0":
        octal = _OCTAL.match(pattern, at + 1)
        if octal is None:
            raise context.wrong("\\0 wants octal digits")
        return sets.of(chr(int(octal[0], 8))), octal.end(), True
    if letter == "c":
        if at + 1 >= len(pattern):
            raise context.wrong("\\c wants a letter")
        return sets.of(chr(ord(pattern[at + 1]) ^ 64)), at + 2, True
    if letter == "N":
        return _by_name(pattern, at, context)
    pair = _SURROGATES.match(pattern, at)
    if pair:
        return sets.of(chr(0x10000 + ((int(pair[1], 16) & 0x3FF) << 10) + (int(pair[2], 16) & 0x3FF))), pair.end(), True
    code = _CODE.match(pattern, at)
    if code:
        value = int(code[1] or code[2] or code[3], 16)
        if value > sets.LAST:
            raise context.wrong("there is no such character")
        return ((value, value),), code.end(), True
    if letter.isascii() and letter.isalpha():
        raise context.wrong(f"\\{letter} has no meaning")
    return sets.of(letter), at + 1, True


def _predefined(letter: str, flags: Flags) -> Ranges | None:
    kind = letter.lower()
    if kind not in "dswhv":
        return None
    if flags.U and kind in "dsw":
        found = {"d": sets.named("IsDigit"), "s": sets.named("IsWhiteSpace"), "w": _unicode_word()}[kind]
    else:
        found = {"d": sets.DIGIT, "s": sets.SPACE, "w": sets.WORD, "h": sets.HORIZONTAL, "v": sets.VERTICAL}[kind]
    assert found is not None
    return sets.inverted(found) if letter.isupper() else found


def _unicode_word() -> Ranges:
    alphabetic = sets.named("IsAlphabetic")
    assert alphabetic is not None
    return sets.union(alphabetic, sets.category("M"), sets.category("Nd"), sets.category("Pc"), sets.of("\u200c\u200d"))


_UNICODE_POSIX = {"Lower": "IsLowercase", "Upper": "IsUppercase", "Alpha": "IsAlphabetic", "Digit": "IsDigit", "Space": "IsWhiteSpace",
                  "Punct": "IsPunctuation", "Cntrl": "IsControl"}  # fmt: skip


def _property(pattern: str, at: int, flags: Flags, context: Context) -> tuple[Ranges, int]:
    if at >= len(pattern):
        raise context.wrong("\\p wants a name")
    if pattern[at] == "{":
        end = pattern.find("}", at)
        if end < 0:
            raise context.wrong("the name behind \\p{ has no end")
        name, end = pattern[at + 1 : end], end + 1
    else:
        name, end = pattern[at], at + 1
    found = sets.named(_UNICODE_POSIX.get(name, name) if flags.U else name)
    if found is None:
        raise context.wrong(f"\\p{{{name}}} is an unknown class")
    if flags.i and name in (
        "Lower",
        "Upper",
        "Lu",
        "Ll",
        "Lt",
        "IsLu",
        "IsLl",
        "IsLt",
        "javaLowerCase",
        "javaUpperCase",
    ):
        found = sets.POSIX["Alpha"] if name in ("Lower", "Upper") else sets.named("LC") or found
    return found, end


def _by_name(pattern: str, at: int, context: Context) -> tuple[Ranges, int, bool]:
    end = pattern.find("}", at)
    if not pattern.startswith("N{", at) or end < 0:
        raise context.wrong("\\N wants a character's name in braces")
    try:
        return sets.of(unicodedata.lookup(pattern[at + 2 : end])), end + 1, True
    except KeyError as error:
        raise context.wrong("there is no character of that name") from error


class ClassParser:
    """Parses a class; ``context.at`` moves behind it."""

    def __init__(self, pattern: str, at: int, flags: Flags, context: Context) -> None:
        self._pattern, self._at, self._flags, self._context = pattern, at, flags, context

    def whole(self) -> Ranges:
        """Return the set of a class whose ``[`` is behind the position."""
        found = self._class()
        self._context.at = self._at  # type: ignore[attr-defined]
        return found

    def _class(self) -> Ranges:
        negated = self._take("^")
        found = self._united(first=True)
        while self._take("&&"):
            while self._take("&&"):
                continue
            right = self._united(first=False)
            found = sets.intersection(found, right) if right is not None else found or ()
        if not self._take("]"):
            raise self._context.wrong("a '[' is not closed")
        return sets.inverted(found or ()) if negated else found or ()

    def _united(self, *, first: bool) -> Ranges:
        parts: list[Ranges] = []
        while self._at < len(self._pattern):
            if self._pattern.startswith("&&", self._at) or (self._pattern[self._at] == "]" and (parts or not first)):
                break
            if self._flags.x and self._pattern[self._at] in " \t\n\x0b\f\r":
                self._at += 1
            elif self._take("["):
                parts.append(self._class())
            else:
                parts.append(self._item())
        return sets.union(*parts)

    def _item(self) -> Ranges:
        found, single = self._single()
        if not single or not self._pattern.startswith("-", self._at):
            return self._cased(found) if single else found
        behind = self._pattern[self._at + 1 : self._at + 2]
        if behind in ("]", "[", ""):
            return self._cased(found)
        self._at += 1
        last, is_letter = self._single()
        if not is_letter:
            raise self._context.wrong("a range of characters ends in a class")
        low, high = found[0][0], last[0][0]
        if high < low:
            raise self._context.wrong("a range of characters is the wrong way round")
        return self._cased(((low, high),))

    def _single(self) -> tuple[Ranges, bool]:
        if self._at >= len(self._pattern):
            raise self._context.wrong("a '[' is not closed")
        if not self._take("\\"):
            self._at += 1
            return sets.of(self._pattern[self._at - 1]), True
        if self._take("Q"):
            end = self._pattern.find(r"\E", self._at)
            text = self._pattern[self._at : len(self._pattern) if end < 0 else end]
            self._at = len(self._pattern) if end < 0 else end + 2
            return sets.of(text), False
        found, self._at, single = class_escape(self._pattern, self._at, self._flags, self._context)
        return found, single

    def _cased(self, ranges: Ranges) -> Ranges:
        return sets.without_case(ranges, unicode=self._flags.u) if self._flags.i else ranges

    def _take(self, text: str) -> bool:
        if not self._pattern.startswith(text, self._at):
            return False
        self._at += len(text)
        return True
