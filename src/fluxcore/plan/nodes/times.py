"""Nodes of event time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from fluxcore.core.schema import Schema, TimeKind
from fluxcore.plan.nodes.node import OneInput, show
from fluxcore.plan.nodes.order import SortKey

if TYPE_CHECKING:
    from fluxcore.expr.nodes import Expr


@dataclass(frozen=True)
class AssignWatermark(OneInput):
    """Makes column ``column`` the event-time attribute; each row's watermark candidate is ``expr`` (a timestamp).

    With a ``generator`` it is what that says instead: a function of the batch's event times (ms) and the batch, or a
    ``WatermarkGenerator`` of which each split has a copy.
    """

    column: int
    expr: Expr
    generator: Any = None

    @cached_property
    def schema(self) -> Schema:
        columns = list(self.input.schema.columns)
        columns[self.column] = replace(columns[self.column], time=TimeKind.EVENT)
        return Schema.of(columns)

    def describe(self) -> str:
        name = getattr(self.generator, "__name__", type(self.generator).__name__)
        how = show(self.expr, self.input.schema) if self.generator is None else name
        return f"AssignWatermark({self.input.schema[self.column].name}, {how})"


@dataclass(frozen=True)
class StampTime(OneInput):
    """Writes the time of the clock into column ``column`` as rows pass, and makes it the time that watermarks follow."""

    column: int

    @cached_property
    def schema(self) -> Schema:
        columns = [replace(each, time=None) if each.time is TimeKind.EVENT else each for each in self.input.schema]
        columns[self.column] = replace(columns[self.column], time=TimeKind.EVENT)
        return Schema.of(columns)

    def describe(self) -> str:
        return f"StampTime({self.input.schema[self.column].name})"


@dataclass(frozen=True)
class TimeSort(OneInput):
    """Orders rows that never end by event time, which is the first key; they come out when the watermark passes them."""

    keys: tuple[SortKey, ...]

    def describe(self) -> str:
        return f"TimeSort([{', '.join(key.describe(self.input.schema) for key in self.keys)}])"
