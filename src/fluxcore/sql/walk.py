"""Walks over the syntax tree."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from fluxcore.sql import ast

if TYPE_CHECKING:
    from collections.abc import Iterator


def parts_of(tree: ast.Tree) -> Iterator[ast.Tree]:
    """Yield a tree and all that it is made of, but for what is inside sub-queries."""
    yield tree
    if isinstance(tree, ast.Query):
        return
    for each in fields(tree):
        value = getattr(tree, each.name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, ast.Tree):
                yield from parts_of(part)


def has_sub_query(tree: ast.Expression) -> bool:
    """Return whether an expression holds a sub-query."""
    return any(isinstance(each, ast.SubQuery) for each in parts_of(tree))
