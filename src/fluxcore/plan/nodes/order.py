"""Order: sorting, rankings and functions over ordered rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import BIGINT
from fluxcore.plan.nodes.node import OneInput, show_call
from fluxcore.plan.nodes.windows import Attached

if TYPE_CHECKING:
    from fluxcore.expr.nodes import AggCall


@dataclass(frozen=True)
class SortKey:
    """One key of an order. Flink's default: NULLs first when ascending, last when descending."""

    column: int
    descending: bool = False
    nulls_first: bool = True

    def describe(self, schema: Schema) -> str:
        """Return the key as in ORDER BY."""
        nulls = "" if self.nulls_first != self.descending else f" NULLS {'FIRST' if self.nulls_first else 'LAST'}"
        return f"{schema[self.column].name}{' DESC' if self.descending else ''}{nulls}"


@dataclass(frozen=True)
class Sort(OneInput):
    """Orders bounded input at its end; ``limit`` and ``offset`` keep a part of it (limit None keeps all)."""

    keys: tuple[SortKey, ...]
    limit: int | None = None
    offset: int = 0

    def describe(self) -> str:
        order = ", ".join(key.describe(self.input.schema) for key in self.keys)
        limit = f", limit={self.limit}" if self.limit is not None else ""
        offset = f", offset={self.offset}" if self.offset else ""
        return f"Sort([{order}]{limit}{offset})"


@dataclass(frozen=True)
class Rank(OneInput):
    """Keeps rows ``first..last`` (from 1) of each partition in an order; ``number`` names an appended row-number column.

    With ``window`` the ranking is within each window and comes out when it fires; otherwise it is updated for ever. Of equal
    rows the one that came first ranks first, or with ``later_first`` the last one: so the last of a time is kept. Without a
    window ``ttl_ms`` is how long by the clock a partition is kept that doesn't change: 0 for ever, None as the settings say.
    """

    partition: tuple[int, ...]
    order: tuple[SortKey, ...]
    last: int
    first: int = 1
    number: str | None = None
    window: Attached | None = None
    later_first: bool = False
    ttl_ms: int | None = None

    @cached_property
    def schema(self) -> Schema:
        columns = self.input.schema.columns
        if self.number is not None:
            columns = (*columns, Column(self.number, BIGINT.with_nullable(False)))
        return Schema.of(columns)

    def describe(self) -> str:
        source = self.input.schema
        partition = ", ".join(source[index].name for index in self.partition)
        order = ", ".join(key.describe(source) for key in self.order)
        where = "Window" if self.window else ""
        ties = ", ties=[later first]" if self.later_first else ""
        return f"{where}Rank(by=[{partition}], order=[{order}], rows={self.first}..{self.last}{ties})"


@dataclass(frozen=True)
class OverCall:
    """One function over an ordered partition and its frame; ``call.parameters`` holds constants such as LAG's offset.

    ``preceding`` and ``following`` say how far the frame reaches before and behind the current row: in rows, or with a RANGE
    frame in what the order counts in (ms of a time). None is the partition's edge, a negative number points the other way; a
    RANGE frame of 0 ends at the last peer of the current row.
    """

    call: AggCall
    rows: bool = True
    preceding: float | None = None
    following: float | None = 0

    def describe(self, source: Schema) -> str:
        """Return the call and its frame as in SQL."""
        kind = "ROWS" if self.rows else "RANGE"
        bounds = [_bound(self.preceding, "PRECEDING", "FOLLOWING"), _bound(self.following, "FOLLOWING", "PRECEDING")]
        plain = self.preceding is None and self.following == 0 and not self.rows
        return show_call(self.call, source) + ("" if plain else f" {kind} {bounds[0]}..{bounds[1]}")


def _bound(reach: float | None, ahead: str, back: str) -> str:
    if reach is None:
        return f"UNBOUNDED {ahead}"
    return "CURRENT ROW" if reach == 0 else f"{abs(reach)} {ahead if reach > 0 else back}"


@dataclass(frozen=True)
class Over(OneInput):
    """Appends functions over each partition in event-time order; rows come out when the watermark passes them.

    Without a ``time`` it is ``order`` instead, of bounded input: all rows come out at its end.
    """

    partition: tuple[int, ...]
    time: int | None
    calls: tuple[OverCall, ...]
    names: tuple[str, ...]
    order: tuple[SortKey, ...] = ()

    @property
    def at_end(self) -> bool:
        """Return whether all rows come out at the end of the input."""
        return self.time is None

    @cached_property
    def schema(self) -> Schema:
        columns = self.input.schema.columns
        if self.at_end:  # no watermark goes by their times any more
            columns = tuple(replace(column, time=None) for column in columns)
        results = tuple(Column(name, over.call.type) for name, over in zip(self.names, self.calls, strict=True))
        return Schema.of(columns + results)

    def describe(self) -> str:
        source = self.input.schema
        partition = ", ".join(source[index].name for index in self.partition)
        calls = ", ".join(over.describe(source) for over in self.calls)
        order = (
            source[self.time].name if self.time is not None else ", ".join(each.describe(source) for each in self.order)
        )
        return f"Over(by=[{partition}], order=[{order}], calls=[{calls}])"
