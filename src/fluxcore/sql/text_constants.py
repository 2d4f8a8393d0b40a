r"""Constants of text with something in front: ``U&'\00e9'``, ``E'a\n'``, ``N'a'``, ``_UTF8'a'``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fluxcore.errors import ScriptError

if TYPE_CHECKING:
    from fluxcore.errors import Span

_CHARSETS = frozenset(["UTF8", "UTF16", "UTF-8", "UTF-16", "UTF-16LE", "UTF-16BE", "UTF-32", "UTF32", "LATIN1", "ISO-8859-1",
                       "US-ASCII", "ASCII", "UTF_8", "UTF_16", "BIG5", "GBK", "WINDOWS-1252"])  # fmt: skip
_SIMPLE = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_C_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{1,3})|(.))", re.DOTALL)


def plain_text(piece: str, span: Span) -> str:
    """Return the text of a prefixed constant but for ``U&``. Raises ``ScriptError`` FX-SQL-0103."""
    prefix, _, rest = piece.partition("'")
    text = rest[:-1].replace("''", "'")
    if prefix in ("e", "E"):
        return _C_ESCAPE.sub(_escaped, text)
    if prefix.startswith("_") and prefix[1:].upper() not in _CHARSETS:
        raise ScriptError("FX-SQL-0103", f"there is no character set '{prefix[1:]}'", span=span, hint="such as _UTF8")
    return text


def _escaped(found: re.Match[str]) -> str:
    code = found[1] or found[2] or found[3]
    if code:
        return chr(int(code, 16))
    return chr(int(found[4], 8)) if found[4] else _SIMPLE.get(found[5], found[5])


def unicode_text(text: str, escape: str, span: Span) -> str:
    """Return what stands in ``U&'…'`` with its escapes of four digits done. Raises ``ScriptError`` FX-SQL-0103."""
    if len(escape) != 1 or escape in "+'\" \t\n" or escape in "0123456789abcdefABCDEF":
        raise ScriptError("FX-SQL-0103", f"'{escape}' can't be an escape character", span=span)
    parts, at = [], 0
    while at < len(text):
        if text[at] != escape:
            parts.append(text[at])
            at += 1
        elif text.startswith(escape, at + 1):
            parts.append(escape)
            at += 2
        else:
            digits = text[at + 1 : at + 5]
            if not re.fullmatch("[0-9a-fA-F]{4}", digits):
                message = f"'{escape}{digits}' is no character"
                raise ScriptError(
                    "FX-SQL-0103", message, span=span, hint=f"write four hexadecimal digits: {escape}00e9"
                )
            parts.append(chr(int(digits, 16)))
            at += 5
    whole = "".join(parts)
    return whole.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
