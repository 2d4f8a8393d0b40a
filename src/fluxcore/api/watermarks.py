"""Watermark strategies in Python: ``watermark=("ts", fx.bounded("5 s"))``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fluxcore.api.expressions import Term, term
from fluxcore.core.duration import duration_ms
from fluxcore.core.types import IntervalType, TimestampType
from fluxcore.core.watermarks import WatermarkGenerator
from fluxcore.errors import ScriptError, nearest
from fluxcore.expr import build
from fluxcore.expr.nodes import Call, ColumnRef, Literal
from fluxcore.plan import nodes
from fluxcore.plan.columns import references

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Duration = str | int | dt.timedelta
    Candidates = Callable[[NDArray[np.int64], pa.RecordBatch], NDArray[np.int64] | pa.Array]


@dataclass(frozen=True)
class Bounded:
    """Rows come at most ``delay_ms`` out of order."""

    delay_ms: int


@dataclass(frozen=True)
class Punctuated:
    """Where ``marker`` is not NULL, it is the watermark."""

    marker: Term


@dataclass(frozen=True)
class IngestionTime:
    """The column ``name`` with the clock's time at which each row came in, rising."""

    name: str


Strategy = Bounded | Punctuated | Term | WatermarkGenerator | str | int
Watermark = tuple[str, Any] | IngestionTime
"""What ``watermark=`` takes: the event-time column and how its watermark follows it, or the time of ingestion."""


def bounded(delay: Duration) -> Bounded:
    """Return the watermark of rows that come at most ``delay`` out of order, as ``ts - delay`` in SQL."""
    try:
        return Bounded(duration_ms(delay))
    except ValueError as error:
        raise ScriptError("FX-API-0003", str(error)) from error


def monotonous() -> Bounded:
    """Return the watermark of rows whose times never fall; rows of one time may follow each other."""
    return Bounded(1)


def punctuated(marker: Any) -> Punctuated:
    """Return the watermark that marked rows carry: where the term is not NULL, it is the watermark.

    Such as ``fx.punctuated(fx.call("IF", fx.col("kind") == "mark", fx.col("ts"), fx.lit(None)))``.
    """
    return Punctuated(term(marker))


def ingestion_time(name: str = "ingested") -> IngestionTime:
    """Return the time at which rows come in, as an appended column that is the event time: never late."""
    return IngestionTime(name)


def with_watermark(node: nodes.Node, watermark: Watermark) -> nodes.Node:
    """Return the rows of a source with their watermark.

    Raises: ``ScriptError`` FX-API-0001, 0003 and 0010 for a wrong column, duration or strategy.
    """
    if isinstance(watermark, IngestionTime):
        return _stamped(node, watermark.name)
    column, strategy = watermark
    index = node.schema.find(column)
    if index is None:
        hint = nearest(column, node.schema.names)
        raise ScriptError("FX-API-0001", f"there is no column '{column}'", hint=hint)
    type_ = node.schema[index].type
    if not isinstance(type_, TimestampType):
        raise ScriptError("FX-API-0010", f"column '{column}' is {type_.name()}, an event time must be a TIMESTAMP")
    here = ColumnRef(index=index, name=column, type=type_)
    if isinstance(strategy, WatermarkGenerator) or (callable(strategy) and not isinstance(strategy, Term)):
        return nodes.AssignWatermark(node, index, here, strategy)
    if isinstance(strategy, Punctuated | Term):
        expr = (strategy.marker if isinstance(strategy, Punctuated) else strategy).bind(node.schema)
        if not isinstance(expr.type, TimestampType):
            raise ScriptError("FX-API-0010", f"a watermark must be a TIMESTAMP, and this is {expr.type.name()}")
        return nodes.AssignWatermark(node, index, expr)
    delay = strategy if isinstance(strategy, Bounded) else bounded(strategy)
    lag = Literal(type=IntervalType(months=False, nullable=False), value=delay.delay_ms)
    return nodes.AssignWatermark(node, index, build.call("-", [here, lag]))


def _stamped(node: nodes.Node, name: str) -> nodes.Node:
    if name in node.schema.names:
        hint = f"give it another one: fx.ingestion_time('{name}_at')"
        raise ScriptError("FX-API-0010", f"there is a column '{name}' already", hint=hint)
    now = build.call("PROCTIME", [])
    assert isinstance(now, Call)
    wide = nodes.Project(node, (*references(node), now), (*node.schema.names, name))
    return nodes.StampTime(wide, len(node.schema))
