"""Aggregates and conditions as a program writes them, bound to the columns of a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.api.windowing import COMPUTED
from fluxcore.core.types import BOOLEAN, same
from fluxcore.errors import ScriptError
from fluxcore.expr import aggregates, build
from fluxcore.expr.nodes import AggCall, ColumnRef, Expr, Literal
from fluxcore.plan import nodes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.api.aggregates import Aggregate


def bind_calls(
    node: nodes.Node, functions: dict[str, Aggregate], keys: Sequence[Expr] = ()
) -> tuple[nodes.Node, tuple[AggCall, ...]]:
    """Return the node with computed keys and arguments appended as columns, and the calls over it."""
    schema = node.schema
    extra: list[Expr] = [key for key in keys if not isinstance(key, ColumnRef)]

    def place(expr: Expr) -> int:
        if isinstance(expr, ColumnRef):
            return expr.index
        extra.append(expr)
        return len(schema) + len(extra) - 1

    calls = []
    for function in functions.values():
        args = [arg.bind(schema) for arg in function.args]
        constants = [build.literal(value) for value in function.parameters]
        if function.user is not None:
            type_ = function.user.result_type([arg.type for arg in args])
        else:
            given = [arg.type for arg in (*args, *constants)]
            type_ = aggregates.aggregate_type(function.function, given, distinct=function.is_distinct)
        parameters = aggregates.call_parameters(function.function, constants, type_) if constants else ()
        where = None if function.condition is None else place(boolean(function.condition.bind(schema)))
        calls.append(
            AggCall(
                function=function.function,
                type=type_,
                args=tuple(place(arg) for arg in args),
                parameters=parameters,
                distinct=function.is_distinct,
                where=where,
                user=function.user,
            )
        )
    if not extra:
        return node, tuple(calls)
    refs = [ColumnRef(index=i, name=column.name, type=column.type) for i, column in enumerate(schema)]
    names = schema.names + [f"{COMPUTED}{index}" for index in range(len(extra))]
    return nodes.Project(node, (*refs, *extra), tuple(names)), tuple(calls)


def over_call(call: AggCall, function: Aggregate, order: Sequence[nodes.SortKey]) -> nodes.OverCall:
    """Return an aggregate as a function over a frame. Raises ``ScriptError`` FX-API-0012 for a frame that it can't have."""
    frame = function.frame
    if aggregates.is_over_function(call.function) and call.function != "NTH_VALUE":
        if not order:
            raise ScriptError("FX-API-0012", f"{call.function} needs order_by")
        if frame is not None or call.distinct or call.where is not None:
            raise ScriptError("FX-API-0012", f"{call.function} takes no frame, no condition and no distinct values")
        return nodes.OverCall(call, rows=False)
    if frame is None:
        return nodes.OverCall(call, rows=False, following=0 if order else None)
    if frame.preceding is not None and frame.following is not None and -frame.preceding > frame.following:
        raise ScriptError("FX-API-0012", "the frame ends before it starts")
    if not frame.by_rows and not order and (frame.preceding or frame.following):
        raise ScriptError("FX-API-0012", "a range with a bound needs order_by")
    return nodes.OverCall(call, frame.by_rows, frame.preceding, frame.following)


def boolean(expr: Expr) -> Expr:
    """Return a condition, which must be BOOLEAN."""
    if not same(expr.type, BOOLEAN) and not (isinstance(expr, Literal) and expr.value is None):
        raise ScriptError("FX-API-0006", f"a condition must be BOOLEAN, not {expr.type.name()}")
    return expr
