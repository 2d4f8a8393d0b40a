"""Text as Java's strings count it: in units of UTF-16, of which a character beyond U+FFFF takes two."""

from __future__ import annotations

import re

_LONE = re.compile("[\ud800-\udfff]")


def is_plain(text: str) -> bool:
    """Return whether each character is one unit."""
    return text.isascii() or max(text, default="") <= "\uffff"


def length(text: str) -> int:
    """Return how many units a text has."""
    return len(text) if is_plain(text) else len(text) + sum(letter > "\uffff" for letter in text)


def units(text: str) -> str:
    """Return a text with each unit as a character of its own."""
    if is_plain(text):
        return text
    data = text.encode("utf-16-le")
    return "".join(chr(data[at] | data[at + 1] << 8) for at in range(0, len(data), 2))


def text_of(parts: str) -> str:
    """Return units as text; a half of a character becomes ``?``, as where Java writes it down."""
    if is_plain(parts) and _LONE.search(parts) is None:
        return parts
    whole = parts.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return _LONE.sub("?", whole)
