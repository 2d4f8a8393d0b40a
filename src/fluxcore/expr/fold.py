"""Computes constant sub-expressions, and simplifies AND, OR and NOT with constants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from fluxcore.core.types import ArrayType, MapType, NullType, RowType
from fluxcore.errors import FluxError
from fluxcore.expr.compile import compile_expr
from fluxcore.expr.nodes import Call, Cast, Expr, Literal, transform
from fluxcore.expr.registry import REGISTRY

if TYPE_CHECKING:
    from fluxcore.core.settings import Settings

_ONE_ROW = pa.RecordBatch.from_arrays([pa.array([0])], ["none"])


def fold(expr: Expr, settings: Settings | None = None) -> Expr:
    """Return an equivalent expression with constant parts computed.

    What changes from call to call, and what fails, stays as it is: a failure belongs to the rows that meet it.
    """
    return transform(expr, lambda node: _fold(node, settings))


def _fold(node: Expr, settings: Settings | None) -> Expr:
    if isinstance(node, Call) and node.function in ("AND", "OR"):
        return _simplify(node)
    if not isinstance(node, Call | Cast) or not node.children:
        return node
    if isinstance(node, Call) and not REGISTRY[node.function].pure:
        return node
    if not all(isinstance(child, Literal) for child in node.children):
        return node
    if isinstance(node.type, ArrayType | MapType | RowType | NullType):
        return node
    try:
        value = compile_expr(node, settings)(_ONE_ROW)[0].as_py()
    except (FluxError, pa.ArrowException, ValueError, OverflowError):
        return node
    return Literal(type=node.type, value=value, span=node.span)


def _simplify(node: Call) -> Expr:
    """Drop TRUE from AND and FALSE from OR; FALSE decides AND and TRUE decides OR."""
    decides = node.function == "OR"
    kept: list[Expr] = []
    for arg in node.args:
        if isinstance(arg, Literal) and arg.value is not None:
            if arg.value is decides:
                return arg
            continue
        kept.append(arg)
    if not kept:
        return node.args[0]
    if len(kept) == 1:
        return kept[0]
    return node
