"""Aggregates over computed values: JSON_ARRAYAGG and JSON_OBJECTAGG gather JSON that is made of the rows first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.sql import ast

if TYPE_CHECKING:
    from fluxcore.errors import Span


def plain_form(tree: ast.FunctionCall, name: str) -> ast.FunctionCall:
    """Return the call over one argument, the JSON that it gathers."""
    args, span = tree.args, tree.span
    if name == "JSON_ARRAYAGG" and len(args) == 2:
        return replace(tree, args=(_json(args[0], args[1], span),))
    if name == "JSON_OBJECTAGG" and len(args) == 3:
        colon = ast.Constant(value=":", span=span)
        key = _call("JSON_STRING", args[0], span=span)
        pair = _call("||", _call("||", key, colon, span=span), _json(args[1], args[2], span), span=span)
        return replace(tree, args=(pair,))
    return tree


def _json(value: ast.Expression, on_null: ast.Expression, span: Span) -> ast.Expression:
    """Return a value as JSON; NULL stays NULL, and is skipped, where it shall be absent."""
    made = _call("JSON_STRING", value, span=span)
    absent = isinstance(on_null, ast.Constant) and on_null.value == "ABSENT"
    return made if absent else _call("COALESCE", made, ast.Constant(value="null", span=span), span=span)


def _call(name: str, *args: ast.Expression, span: Span) -> ast.FunctionCall:
    return ast.FunctionCall(name=name, args=args, span=span)
