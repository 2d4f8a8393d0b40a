"""Finds the functions of the user's that a statement calls, before it is bound."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from fluxcore.sql import ast

if TYPE_CHECKING:
    from collections.abc import Hashable

    from fluxcore.sql.functions import FunctionCatalog

T = TypeVar("T", bound=ast.Tree)


def with_functions(tree: T, functions: FunctionCatalog) -> T:
    """Return the tree with each call of a user's function knowing it; built-in functions stay names."""
    return _changed(tree, functions) if functions else tree


@cache
def _names(kind: Hashable) -> tuple[str, ...]:
    return tuple(each.name for each in fields(cast("type[ast.Tree]", kind)) if each.name != "span")


def _changed(value: Any, functions: FunctionCatalog) -> Any:
    if isinstance(value, tuple):
        parts = tuple(_changed(each, functions) for each in value)
        return parts if any(new is not old for new, old in zip(parts, value, strict=True)) else value
    if not isinstance(value, ast.Tree):
        return value
    changes = {}
    for name in _names(cast("Hashable", type(value))):
        old = getattr(value, name)
        if isinstance(old, tuple | ast.Tree):
            new = _changed(old, functions)
            if new is not old:
                changes[name] = new
    if isinstance(value, ast.FunctionCall):
        found = functions.get(value.name, qualified=bool(value.qualifier))
        if found is not None:
            changes["user"] = found.function
    return replace(value, **changes) if changes else value
