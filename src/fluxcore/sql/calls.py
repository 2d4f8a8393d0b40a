"""Aggregate and OVER calls as written, turned into calls over columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.types import MapType, RowType, VariantType
from fluxcore.errors import ScriptError
from fluxcore.expr.nodes import AggCall
from fluxcore.plan.nodes import SortKey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fluxcore.core.types import DataType
    from fluxcore.expr.nodes import Expr
    from fluxcore.sql import ast
    from fluxcore.sql.bind_expressions import Asked


def inputs_of(asked: Asked) -> list[Expr]:
    """Return the expressions that a call reads: its arguments, and the condition of FILTER."""
    return [*asked.args, *([] if asked.where is None else [asked.where])]


def agg_call(asked: Asked, places: Iterator[int]) -> AggCall:
    """Return the call over columns; ``places`` yields where its inputs are."""
    args = tuple(next(places) for _ in asked.args)
    where = None if asked.where is None else next(places)
    return AggCall(
        function=asked.function, type=asked.type, args=args, parameters=asked.parameters, distinct=asked.distinct,
        where=where, user=asked.user, span=asked.span,
    )  # fmt: skip


def sort_key(item: ast.OrderItem, column: int, type_: DataType) -> SortKey:
    """Return the key of an ORDER BY item whose value stands in a column; NULLs are the lowest, as in Flink.

    Raises: ``ScriptError`` FX-SQL-0216 for a type whose values have no order.
    """
    if isinstance(type_, VariantType | RowType | MapType):
        hint = "CAST a part of it to a type with an order" if isinstance(type_, VariantType) else None
        raise ScriptError("FX-SQL-0216", f"values of {type_.name()} have no order", span=item.span, hint=hint)
    nulls = (not item.descending) if item.nulls_first is None else item.nulls_first
    return SortKey(column, item.descending, nulls)
