"""Calls of JSON functions, with their clauses, as SQL text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.sql import ast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Show = Callable[[ast.Expression], str]


def json_call(name: str, args: Sequence[ast.Expression], show: Show) -> str | None:
    """Return what stands in the brackets of a JSON function; None for another function, or other arguments."""
    makers: dict[str, tuple[int, Callable[[Sequence[ast.Expression], Show], str]]] = {
        "JSON_EXISTS": (3, _exists), "JSON_VALUE": (7, _value), "JSON_QUERY": (6, _query), "JSON_OBJECT": (2, _object),
        "JSON_ARRAY": (2, _array), "JSON_OBJECTAGG": (3, _object_agg), "JSON_ARRAYAGG": (2, _array_agg),
    }  # fmt: skip
    known = makers.get(name)
    return known[1](args, show) if known is not None and len(args) >= known[0] else None


def _word(tree: ast.Expression) -> str:
    assert isinstance(tree, ast.Constant), tree
    return str(tree.value)


def _returning(tree: ast.Expression) -> str:
    assert isinstance(tree, ast.CastTo), tree
    return f" RETURNING {tree.type.sql()}"


def _exists(args: Sequence[ast.Expression], show: Show) -> str:
    return f"{show(args[0])}, {show(args[1])} {_word(args[2])} ON ERROR"


def _value(args: Sequence[ast.Expression], show: Show) -> str:
    shown = f"{show(args[0])}, {show(args[1])}{_returning(args[2])}"
    for event, what, default in (("EMPTY", args[3], args[4]), ("ERROR", args[5], args[6])):
        word = _word(what)
        shown += f" {word}{f' {show(default)}' if word == 'DEFAULT' else ''} ON {event}"
    return shown


def _query(args: Sequence[ast.Expression], show: Show) -> str:
    wrapper = {"WITHOUT": "WITHOUT ARRAY WRAPPER"}.get(_word(args[3]), f"WITH {_word(args[3])} ARRAY WRAPPER")
    events = f"{_word(args[4])} ON EMPTY {_word(args[5])} ON ERROR"
    return f"{show(args[0])}, {show(args[1])}{_returning(args[2])} {wrapper} {events}"


def _pairs(args: Sequence[ast.Expression], show: Show) -> str:
    return ", ".join(f"KEY {show(key)} VALUE {show(value)}" for key, value in zip(args[::2], args[1::2], strict=True))


def _object(args: Sequence[ast.Expression], show: Show) -> str:
    pairs = _pairs(args[2:], show)
    return f"{pairs}{' ' if pairs else ''}{_word(args[0])} ON NULL"


def _array(args: Sequence[ast.Expression], show: Show) -> str:
    values = ", ".join(show(each) for each in args[2:])
    return f"{values} {_word(args[0])} ON NULL" if values else ""


def _object_agg(args: Sequence[ast.Expression], show: Show) -> str:
    return f"{_pairs(args[:2], show)} {_word(args[2])} ON NULL"


def _array_agg(args: Sequence[ast.Expression], show: Show) -> str:
    return f"{show(args[0])} {_word(args[1])} ON NULL"
