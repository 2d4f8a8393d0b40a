"""The hints of a SELECT: ``/*+ STATE_TTL('orders' = '1 d', 'payments' = '12 h') */``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.duration import duration_ms
from fluxcore.errors import ScriptError, nearest, not_supported
from fluxcore.sql import ast
from fluxcore.sql.lexer import Kind, tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fluxcore.errors import Span
    from fluxcore.sql.lexer import Token


def state_ttl(hint: Token) -> tuple[tuple[str, int], ...]:
    """Return the lifetimes (ms) by table name or alias that a query's hint gives.

    Raises: ``ScriptError`` FX-SQL-0900 for other hints, FX-SQL-0111 for what is no such hint.
    """
    inside = iter(tokens(hint.text))
    found: dict[str, int] = {}
    token = next(inside)
    while token.kind is not Kind.END:
        if token.word != "STATE_TTL":
            raise not_supported(f"the query hint {token.text}", span=hint.span)
        _need(next(inside), "(", hint)
        while True:
            name = _text(next(inside), hint)
            _need(next(inside), "=", hint)
            found[name] = _milliseconds(_text(next(inside), hint), hint)
            token = next(inside)
            if token.text != ",":
                break
        _need(token, ")", hint)
        token = next(inside)
        if token.text == ",":
            token = next(inside)
    return tuple(found.items())


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


def _need(token: Token, symbol: str, hint: Token) -> None:
    if token.kind is not Kind.SYMBOL or token.text != symbol:
        raise _broken(token, hint)


def _text(token: Token, hint: Token) -> str:
    if token.kind not in (Kind.STRING, Kind.WORD, Kind.QUOTED):
        raise _broken(token, hint)
    return token.text


def _milliseconds(text: str, hint: Token) -> int:
    try:
        return duration_ms(text)
    except ValueError as error:
        raise ScriptError("FX-SQL-0111", str(error), span=hint.span) from error


def _broken(token: Token, hint: Token) -> ScriptError:
    message = f"{token.shown()} does not belong into the hint STATE_TTL"
    return ScriptError("FX-SQL-0111", message, span=hint.span, hint="write /*+ STATE_TTL('orders' = '1 d') */")
