"""Walks over syntax trees."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from fluxcore.sql import ast

if TYPE_CHECKING:
    from collections.abc import Iterator


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
