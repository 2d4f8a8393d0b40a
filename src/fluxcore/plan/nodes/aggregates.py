"""Groups that are aggregated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from fluxcore.core.schema import Column, Schema
from fluxcore.plan.nodes.node import OneInput, show_call

if TYPE_CHECKING:
    from fluxcore.expr.nodes import AggCall


@dataclass(frozen=True)
class Aggregate(OneInput):
    """Aggregates per key without a window; its rows are updated as the input goes on. DISTINCT has no calls.

    ``ttl_ms`` is how long by the clock a group is kept that gets no row: 0 for ever, None as the settings say.
    """

    keys: tuple[int, ...]
    calls: tuple[AggCall, ...]
    names: tuple[str, ...]
    ttl_ms: int | None = None

    @cached_property
    def schema(self) -> Schema:
        source = self.input.schema
        keys = tuple(replace(source[index], time=None) for index in self.keys)
        results = tuple(Column(name, call.type) for name, call in zip(self.names, self.calls, strict=True))
        return Schema.of(keys + results)

    def describe(self) -> str:
        source = self.input.schema
        keys = ", ".join(source[index].name for index in self.keys)
        calls = ", ".join(show_call(call, source) for call in self.calls)
        return f"Aggregate(by=[{keys}], calls=[{calls}])"
