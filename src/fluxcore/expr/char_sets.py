"""Sets of characters as sorted ranges of code points, and the named ones of Java's regular expressions."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Ranges = tuple[tuple[int, int], ...]
"""Sorted ranges of code points that neither touch nor overlap, both ends included."""

LAST = 0x10FFFF
_MOST_FOLDED = 3_000
"""A set of more characters than these is closed under ASCII's letters only, where case does not count."""


def union(*sets: Iterable[tuple[int, int]]) -> Ranges:
    """Return what is in any of the sets."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(pair for each in sets for pair in each):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return tuple(found)


def inverted(ranges: Ranges) -> Ranges:
    """Return all other characters."""
    found, start = [], 0
    for low, high in ranges:
        if low > start:
            found.append((start, low - 1))
        start = high + 1
    if start <= LAST:
        found.append((start, LAST))
    return tuple(found)


def intersection(left: Ranges, right: Ranges) -> Ranges:
    """Return what is in both sets."""
    return inverted(union(inverted(left), inverted(right)))


def of(text: str) -> Ranges:
    """Return the set of a text's characters."""
    return union((ord(letter), ord(letter)) for letter in text)


def between(*pairs: str) -> Ranges:
    """Return the set of ranges, each written as its two ends, such as ``"az"``."""
    return union((ord(pair[0]), ord(pair[1])) for pair in pairs)


def without_case(ranges: Ranges, *, unicode: bool) -> Ranges:
    """Return the set with the other case of each of its letters: of ASCII's, or of all."""
    more: list[tuple[int, int]] = []
    for low, high in ranges:
        for a, z, shift in ((65, 90, 32), (97, 122, -32)):
            first, last = max(low, a), min(high, z)
            if first <= last:
                more.append((first + shift, last + shift))
    if unicode and sum(high - low + 1 for low, high in ranges) <= _MOST_FOLDED:
        for low, high in ranges:
            for code in range(low, high + 1):
                letter = chr(code)
                more += [(ord(each), ord(each)) for each in (letter.lower(), letter.upper()) if len(each) == 1]
    return union(ranges, more)


def _where(test: Callable[[str], bool]) -> Ranges:
    return union((code, code) for code in range(LAST + 1) if not 0xD800 <= code <= 0xDFFF and test(chr(code)))


@cache
def category(name: str) -> Ranges:
    """Return the characters whose general category begins with ``name``, such as ``L`` or ``Lu``."""
    return _where(lambda letter: unicodedata.category(letter).startswith(name))


@cache
def script(name: str) -> Ranges:
    """Return the letters and marks whose Unicode names begin with a script's name."""
    start = {"HAN": ("CJK UNIFIED IDEOGRAPH", "CJK COMPATIBILITY IDEOGRAPH", "CJK RADICAL", "KANGXI RADICAL")}.get(
        name, (f"{name} ", f"FULLWIDTH {name} ")
    )
    return _where(lambda letter: unicodedata.name(letter, "").startswith(start))


TERMINATORS = of("\n\r\x85\u2028\u2029")
DIGIT = between("09")
WORD = union(between("az", "AZ", "09"), of("_"))
SPACE = of(" \t\n\x0b\f\r")
HORIZONTAL = union(of(" \t\xa0\u1680\u180e\u202f\u205f\u3000"), between("\u2000\u200a"))
VERTICAL = of("\n\x0b\f\r\x85\u2028\u2029")
ANY: Ranges = ((0, LAST),)
_PUNCTUATION = of("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")

POSIX: dict[str, Ranges] = {
    "Lower": between("az"),
    "Upper": between("AZ"),
    "ASCII": ((0, 127),),
    "Alpha": between("az", "AZ"),
    "Digit": DIGIT,
    "Alnum": between("az", "AZ", "09"),
    "Punct": _PUNCTUATION,
    "Graph": ((0x21, 0x7E),),
    "Print": ((0x20, 0x7E),),
    "Blank": of(" \t"),
    "Cntrl": ((0, 0x1F), (0x7F, 0x7F)),
    "XDigit": between("09", "af", "AF"),
    "Space": SPACE,
}
_CATEGORIES = re.compile(r"C[cfosn]?|L[ulmto]?|M[nec]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?")
_SCRIPTS = ("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "HEBREW", "ARABIC", "DEVANAGARI", "THAI", "HANGUL", "HIRAGANA",
            "KATAKANA", "HAN", "GEORGIAN", "BENGALI", "TAMIL")  # fmt: skip
_BLOCKS: dict[str, Ranges] = {
    "BASICLATIN": ((0, 0x7F),),
    "LATIN1SUPPLEMENT": ((0x80, 0xFF),),
    "LATINEXTENDEDA": ((0x100, 0x17F),),
    "LATINEXTENDEDB": ((0x180, 0x24F),),
    "GREEK": ((0x370, 0x3FF),),
    "GREEKANDCOPTIC": ((0x370, 0x3FF),),
    "CYRILLIC": ((0x400, 0x4FF),),
    "HEBREW": ((0x590, 0x5FF),),
    "ARABIC": ((0x600, 0x6FF),),
    "DEVANAGARI": ((0x900, 0x97F),),
    "THAI": ((0xE00, 0xE7F),),
    "HIRAGANA": ((0x3040, 0x309F),),
    "KATAKANA": ((0x30A0, 0x30FF),),
    "CJKUNIFIEDIDEOGRAPHS": ((0x4E00, 0x9FFF),),
    "HANGULSYLLABLES": ((0xAC00, 0xD7AF),),
    "EMOTICONS": ((0x1F600, 0x1F64F),),
}
_BINARY: dict[str, Callable[[str], bool]] = {
    "ALPHABETIC": lambda c: c.isalpha() or unicodedata.category(c) == "Nl",
    "LETTER": str.isalpha,
    "IDEOGRAPHIC": lambda c: unicodedata.name(c, "").startswith("CJK UNIFIED"),
    "LOWERCASE": str.islower,
    "UPPERCASE": str.isupper,
    "WHITESPACE": str.isspace,
    "WHITE_SPACE": str.isspace,
    "DIGIT": lambda c: unicodedata.category(c) == "Nd",
    "PUNCTUATION": lambda c: unicodedata.category(c)[0] == "P",
    "CONTROL": lambda c: unicodedata.category(c) == "Cc",
}
_JAVA: dict[str, Callable[[str], bool]] = {
    "javaLowerCase": str.islower,
    "javaUpperCase": str.isupper,
    "javaWhitespace": lambda c: c.isspace() and c not in "\xa0\u2007\u202f\x85",
    "javaLetter": str.isalpha,
    "javaDigit": lambda c: unicodedata.category(c) == "Nd",
    "javaLetterOrDigit": lambda c: c.isalpha() or unicodedata.category(c) == "Nd",
    "javaAlphabetic": lambda c: c.isalpha() or unicodedata.category(c) == "Nl",
    "javaSpaceChar": lambda c: unicodedata.category(c)[0] == "Z",
    "javaISOControl": lambda c: unicodedata.category(c) == "Cc",
}


@cache
def named(name: str) -> Ranges | None:
    r"""Return the set that ``\p{name}`` stands for in Java, or None where Java, or this module, knows no such name."""
    key, equals, value = name.partition("=")
    if equals:
        kind = key.lower()
        if kind in ("gc", "general_category"):
            return named(value) if _CATEGORIES.fullmatch(value) else None
        if kind in ("sc", "script"):
            return script(value.upper()) if value.upper() in _SCRIPTS else None
        return _block(value) if kind in ("blk", "block") else None
    if name in POSIX:
        return POSIX[name]
    if name in _JAVA:
        return _where(_JAVA[name])
    if name.startswith("In"):
        return _block(name[2:])
    plain = name.removeprefix("Is")
    if _CATEGORIES.fullmatch(plain):
        return category(plain)
    if plain == "LC":
        return union(category("Lu"), category("Ll"), category("Lt"))
    if plain == name:
        return ((0, 0xFF),) if name == "L1" else ANY if name == "all" else None
    if plain.upper() in _BINARY:
        return _where(_BINARY[plain.upper()])
    return script(plain.upper()) if plain.upper() in _SCRIPTS else None


def _block(name: str) -> Ranges | None:
    return _BLOCKS.get(re.sub(r"[ _-]", "", name).upper())
