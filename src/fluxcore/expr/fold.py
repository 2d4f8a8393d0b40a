"""Computes constant sub-expressions, and simplifies AND, OR and NOT with constants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from fluxcore.core.types import BOOLEAN, ArrayType, FloatType, MapType, NullType, RowType, TimestampType
from fluxcore.errors import FluxError
from fluxcore.expr.compile import compile_expr
from fluxcore.expr.nodes import Call, Cast, ColumnRef, Expr, Literal, UserCall, transform, walk
from fluxcore.expr.pushdown import is_pure

if TYPE_CHECKING:
    from fluxcore.core.settings import Settings

_ONE_ROW = pa.RecordBatch.from_arrays([pa.array([0])], ["none"])


def fold(expr: Expr, settings: Settings | None = None) -> Expr:
    """Return an equivalent expression with constant parts computed.

    What changes from call to call, and what fails, stays as it is: a failure belongs to the rows that meet it. So does, without
    ``settings``, what may depend on the session's zone.
    """
    return transform(expr, lambda node: _fold(node, settings))


def waits_for_the_zone(expr: Expr) -> bool:
    """Return whether an expression is a constant but for what the session's zone makes of it."""
    nodes = list(walk(expr))
    calls = [node for node in nodes if isinstance(node, Call)]
    constant = not any(isinstance(node, ColumnRef | UserCall) for node in nodes) and all(map(is_pure, calls))
    return constant and any(isinstance(node, Call | Cast) and _asks_the_zone(node) for node in nodes)


def _fold(node: Expr, settings: Settings | None) -> Expr:
    if isinstance(node, Call) and node.function in ("AND", "OR"):
        return _simplify(node)
    if isinstance(node, Call) and node.function in _SAME:
        node = _of_itself(node)
    if not isinstance(node, Call | Cast | UserCall) or not node.children or not is_pure(node):
        return node
    if not all(isinstance(child, Literal) for child in node.children):
        return node
    if settings is None and _asks_the_zone(node):
        return node
    if isinstance(node.type, ArrayType | MapType | RowType | NullType):
        return node
    try:
        value = compile_expr(node, settings)(_ONE_ROW)[0].as_py()
    except (FluxError, pa.ArrowException, ValueError, OverflowError):
        return node
    return Literal(type=node.type, value=value, span=node.span)


def _asks_the_zone(node: Call | Cast | UserCall) -> bool:
    """Return whether the value may depend on the session's zone: whatever turns instants into other values, or back."""
    types = [node.type, *(child.type for child in node.children)]
    instants = [isinstance(type_, TimestampType) and type_.local for type_ in types]
    return any(instants) or (isinstance(node, Call) and node.function == "FROM_UNIXTIME")


_SAME = {"=": True, "<=": True, ">=": True, "<>": False, "<": False, ">": False, "IS NOT DISTINCT FROM": True,
         "IS DISTINCT FROM": False}  # fmt: skip


def _of_itself(node: Call) -> Expr:
    """Compare a float with itself as Flink's planner does: it is equal even where it is NaN, and NULL where it is NULL."""
    value, other = node.args
    pure = all(is_pure(each) for each in walk(value))
    if value != other or not isinstance(value.type, FloatType) or not pure:
        return node
    result = Literal(type=BOOLEAN.with_nullable(False), value=_SAME[node.function], span=node.span)
    if not node.type.nullable:
        return result
    known = Call(function="IS NOT NULL", args=(value,), type=BOOLEAN.with_nullable(False), span=node.span)
    unknown = Literal(type=BOOLEAN, value=None, span=node.span)
    return Call(function="CASE", args=(known, result, unknown), type=node.type, span=node.span)


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
