"""Walks over syntax trees: all nodes of a tree, and a tree with some of them replaced."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from fluxcore.core.types import StringType
from fluxcore.sql import ast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


def nodes(tree: Any) -> Iterator[Any]:
    """Yield a tree and all trees inside it."""
    if isinstance(tree, tuple):
        for each in tree:
            yield from nodes(each)
    elif isinstance(tree, ast.Tree):
        yield tree
        for field in fields(tree):
            if field.compare:
                yield from nodes(getattr(tree, field.name))


def mapped(tree: T, change: Callable[[ast.Tree], ast.Tree]) -> T:
    """Return a tree with each tree inside it, innermost first, put through ``change``."""
    if isinstance(tree, tuple):
        return tuple(mapped(each, change) for each in tree)  # type: ignore[return-value]
    if not isinstance(tree, ast.Tree):
        return tree
    changed = {}
    for field in fields(tree):
        if field.compare:
            old = getattr(tree, field.name)
            new = mapped(old, change)
            if new is not old and new != old:
                changed[field.name] = new
    found = replace(tree, **changed) if changed else tree
    return change(found)  # type: ignore[return-value]


def with_database(query: ast.Query, database: str) -> ast.Query:
    """Return a query with CURRENT_DATABASE() as the name that it has now."""

    def change(tree: ast.Tree) -> ast.Tree:
        if isinstance(tree, ast.FunctionCall) and tree.name.upper() == "CURRENT_DATABASE" and not tree.args:
            return ast.CastTo(arg=ast.Constant(value=database, span=tree.span), type=_TEXT, span=tree.span)
        return tree

    return mapped(query, change)


_TEXT = StringType(nullable=False)
