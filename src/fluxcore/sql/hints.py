"""The hints of a SELECT, ``/*+ STATE_TTL('orders' = '1 d', 'payments' = '12 h') */``, and of a table, ``/*+ OPTIONS(…) */``."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING

from fluxcore.core.duration import duration_ms
from fluxcore.errors import ScriptError, nearest
from fluxcore.sql import ast
from fluxcore.sql.lexer import Kind, tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fluxcore.errors import Span
    from fluxcore.sql.lexer import Token


_KNOWN = ("OPTIONS", "STATE_TTL", "LOOKUP", "BROADCAST", "SHUFFLE_HASH", "SHUFFLE_MERGE", "NEST_LOOP", "MULTI_JOIN")
"""The hints that Flink knows; all but the first two say only how a plan is carried out."""


@dataclass(frozen=True, slots=True)
class Hint:
    """One hint: its name, and what stands in its brackets, each with its key where it has one."""

    name: str
    values: tuple[tuple[str | None, str], ...] = ()


def parse_hints(token: Token) -> list[Hint]:
    """Return the hints of a comment ``/*+ … */``, with commas or without between them. Raises ``ScriptError`` FX-SQL-0111."""
    try:
        inside = tokens(token.text)
    except ScriptError as error:
        error.span = token.span
        raise
    words = chain(inside, repeat(inside[-1]))
    found: list[Hint] = []
    word = next(words)
    while word.kind is not Kind.END:
        if word.kind not in (Kind.WORD, Kind.QUOTED):
            raise _broken(word, token)
        name = word.text
        values: list[tuple[str | None, str]] = []
        word = next(words)
        if _is(word, "("):
            word = next(words)
            while not _is(word, ")"):
                key, word = _value(word, words, token)
                if _is(word, "="):
                    value, word = _value(next(words), words, token)
                    values.append((key, value))
                else:
                    values.append((None, key))
                if _is(word, ","):
                    word = next(words)
                elif not _is(word, ")"):
                    raise _broken(word, token)
            word = next(words)
        if name.upper() not in _KNOWN:
            message = f"there is no hint {name}"
            hint = nearest(name.upper(), _KNOWN) or f"known are {', '.join(_KNOWN)}"
            raise ScriptError("FX-SQL-0111", message, span=token.span, hint=hint)
        found.append(Hint(name, tuple(values)))
        if _is(word, ","):
            word = next(words)
    return found


def state_ttl(token: Token) -> tuple[tuple[str, int], ...]:
    """Return the lifetimes (ms) by table name or alias that a query's hint gives; other hints change no answer.

    Raises: ``ScriptError`` FX-SQL-0111 for what is no such hint.
    """
    found: dict[str, int] = {}
    for hint in parse_hints(token):
        if hint.name.upper() != "STATE_TTL":
            continue
        for key, value in hint.values:
            if key is None:
                raise _needs_pairs("STATE_TTL", "'orders' = '1 d'", token)
            found[key] = _milliseconds(value, token)
    return tuple(found.items())


def table_options(token: Token) -> tuple[ast.OptionPair, ...]:
    """Return the options that a table's hint gives. Raises ``ScriptError`` FX-SQL-0111."""
    found: list[ast.OptionPair] = []
    for hint in parse_hints(token):
        if hint.name.upper() != "OPTIONS":
            continue
        for key, value in hint.values:
            if key is None:
                raise _needs_pairs("OPTIONS", "'key' = 'value'", token)
            found.append(ast.OptionPair(key=key, value=value, span=token.span, value_span=token.span))
    return tuple(found)


def check_names(lifetimes: Mapping[str, int], source: ast.Relation | None, span: Span) -> None:
    """Check that each lifetime is one of a table in FROM. Raises ``ScriptError`` FX-SQL-0203."""
    names = set(_names(source)) if source is not None else set()
    for name in lifetimes:
        if name not in names:
            hint = nearest(name, names) or "the hint takes the tables of FROM, by alias where they have one"
            raise ScriptError("FX-SQL-0203", f"there is no table '{name}' here for STATE_TTL", span=span, hint=hint)


def name_of(tree: ast.Relation) -> str | None:
    """Return the name by which a hint means a relation; None for a join or a sub-query without alias."""
    if isinstance(tree, ast.Aliased):
        return tree.alias
    return tree.parts[-1] if isinstance(tree, ast.TableName) else None


def _names(tree: ast.Relation) -> list[str]:
    if isinstance(tree, ast.Joined):
        return _names(tree.left) + _names(tree.right)
    name = name_of(tree)
    return [] if name is None else [name]


def _is(token: Token, symbol: str) -> bool:
    return token.kind is Kind.SYMBOL and token.text == symbol


def _value(word: Token, words: Iterator[Token], hint: Token) -> tuple[str, Token]:
    """Return a name, string or number, and the word behind it."""
    if word.kind not in (Kind.STRING, Kind.WORD, Kind.QUOTED, Kind.NUMBER):
        raise _broken(word, hint)
    text = word.text
    following = next(words)
    while _is(following, "."):
        text += "." + next(words).text
        following = next(words)
    return text, following


def _milliseconds(text: str, hint: Token) -> int:
    try:
        return duration_ms(text)
    except ValueError as error:
        raise ScriptError("FX-SQL-0111", str(error), span=hint.span) from error


def _broken(token: Token, hint: Token) -> ScriptError:
    message = f"{token.shown()} does not belong into a hint"
    return ScriptError("FX-SQL-0111", message, span=hint.span, hint="write such as /*+ STATE_TTL('orders' = '1 d') */")


def _needs_pairs(name: str, example: str, hint: Token) -> ScriptError:
    return ScriptError(
        "FX-SQL-0111", f"the hint {name} takes keys and values", span=hint.span, hint=f"{name}({example})"
    )
