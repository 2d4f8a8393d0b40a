"""Cuts SQL text into tokens with their places."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from fluxcore.errors import ScriptError, Span
from fluxcore.sql.text_constants import plain_text


class Kind(Enum):
    """What a token is."""

    WORD = "word"
    QUOTED = "quoted name"
    NUMBER = "number"
    STRING = "string"
    UNICODE = "string with escapes"
    HEX = "hexadecimal string"
    SYMBOL = "symbol"
    HINT = "hint"
    END = "end of the script"


@dataclass(frozen=True, slots=True)
class Token:
    """One token. ``text`` is the name, number, symbol or the string's content; ``word`` its upper case for keywords."""

    kind: Kind
    text: str
    span: Span

    @property
    def word(self) -> str:
        """Return the keyword that the token may be, upper case; empty for anything but a plain word."""
        return self.text.upper() if self.kind is Kind.WORD else ""

    def shown(self) -> str:
        """Return the token for a message."""
        return "the end" if self.kind is Kind.END else f"'{self.text}'"


_PARTS = re.compile(
    r"""
    (?P<space>[\s]+)
  | (?P<comment>--[^\n]*|/\*(?!\+)(?:.|\n)*?\*/)
  | (?P<hint>/\*\+(?:.|\n)*?\*/)
  | (?P<hex>[xX]'[0-9a-fA-F]*')
  | (?P<number>(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?)
  | (?P<prefixed>[eE]'(?:[^'\\]|''|\\.)*'|(?:[uU]&|[nN]|_[A-Za-z][\w-]*)'(?:[^']|'')*')
  | (?P<word>[^\W\d][\w$]*)
  | (?P<quoted>`(?:[^`]|``)*`)
  | (?P<string>'(?:[^']|'')*')
  | (?P<symbol><>|!=|<=|>=|=>|\|\||/(?!\*)|[-+*%=<>().,;\[\]{}?:|])
    """,
    re.VERBOSE,
)


def tokens(text: str) -> list[Token]:
    """Return the tokens of a script, an END token last. Raises ``ScriptError`` FX-SQL-0101 to 0103."""
    found: list[Token] = []
    position, line, line_start = 0, 1, 0
    while position < len(text):
        match = _PARTS.match(text, position)
        if match is None:
            raise _broken(text, position, Span(position, position + 1, line, position - line_start + 1))
        group, piece = match.lastgroup, match[0]
        span = Span(position, match.end(), line, position - line_start + 1)
        if group not in ("space", "comment"):
            found.append(_token(str(group), piece, span))
        breaks = piece.count("\n")
        if breaks:
            line += breaks
            line_start = position + piece.rindex("\n") + 1
        position = match.end()
    found.append(Token(Kind.END, "", Span(position, position, line, position - line_start + 1)))
    return found


def _token(group: str, piece: str, span: Span) -> Token:
    match group:
        case "quoted":
            return Token(Kind.QUOTED, piece[1:-1].replace("``", "`"), span)
        case "string":
            return Token(Kind.STRING, piece[1:-1].replace("''", "'"), span)
        case "prefixed" if piece[:2] in ("U&", "u&"):
            return Token(Kind.UNICODE, piece[3:-1].replace("''", "'"), span)
        case "prefixed":
            return Token(Kind.STRING, plain_text(piece, span), span)
        case "hex":
            return Token(Kind.HEX, piece[2:-1], span)
        case "hint":
            return Token(Kind.HINT, piece[3:-2], span)
    return Token(Kind[group.upper()], piece, span)


def _broken(text: str, position: int, span: Span) -> ScriptError:
    start = text[position]
    if start == "'":
        return ScriptError("FX-SQL-0102", "this string has no end", span=span, hint="close it with '")
    if start == "`":
        return ScriptError("FX-SQL-0102", "this quoted name has no end", span=span, hint="close it with `")
    if text.startswith("/*", position):
        return ScriptError("FX-SQL-0102", "this comment has no end", span=span, hint="close it with */")
    hint = "names with special letters stand in backquotes: `name`" if start == '"' else None
    return ScriptError("FX-SQL-0101", f"the character {start!r} has no meaning here", span=span, hint=hint)


def is_complete(text: str) -> bool:
    """Return whether the text ends with a ``;`` outside quotes and comments, so that a shell may run it."""
    try:
        found = tokens(text)
    except ScriptError:
        return False
    return len(found) >= 2 and found[-2].kind is Kind.SYMBOL and found[-2].text == ";"
