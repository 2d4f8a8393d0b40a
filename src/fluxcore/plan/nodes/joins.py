"""Joins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

from fluxcore.core.schema import Schema
from fluxcore.plan.nodes.node import TwoInputs, show
from fluxcore.plan.nodes.windows import Attached

if TYPE_CHECKING:
    from fluxcore.expr.nodes import Expr


class JoinKind(Enum):
    """Which rows without a partner come out too."""

    INNER = "INNER"
    LEFT = "LEFT"
    RIGHT = "RIGHT"
    FULL = "FULL"
    SEMI = "SEMI"
    ANTI = "ANTI"


@dataclass(frozen=True)
class Interval:
    """How far apart two rows may be in event time: right time - left time is from ``low`` to ``high`` ms, both included.

    ``left`` and ``right`` are the positions of the times in their inputs.
    """

    left: int
    right: int
    low: int
    high: int


@dataclass(frozen=True)
class Join(TwoInputs):
    """Joins on equal keys and a condition over both sides' columns (left's first).

    ``left_window`` and ``right_window`` (positions of start and end) make it a window join: rows meet only within the
    same window, and a window's rows come out when it fires. With an ``interval`` of append-only rows each row is forgotten
    when no partner can come any more, and comes out alone only then. Otherwise it is a regular join over changelogs, whose
    rows are kept for ``ttl_ms`` (left, right) by the clock: 0 for ever, None as the settings say.
    """

    kind: JoinKind
    left_keys: tuple[int, ...]
    right_keys: tuple[int, ...]
    condition: Expr | None = None
    left_window: Attached | None = None
    right_window: Attached | None = None
    interval: Interval | None = None
    ttl_ms: tuple[int | None, int | None] = (None, None)

    @cached_property
    def schema(self) -> Schema:
        left, right = self.left.schema.columns, self.right.schema.columns
        if self.kind in (JoinKind.SEMI, JoinKind.ANTI):
            return Schema.of(left if self.left_window else tuple(replace(column, time=None) for column in left))
        if self.kind in (JoinKind.RIGHT, JoinKind.FULL):
            left = tuple(replace(column, type=column.type.with_nullable(True)) for column in left)
        if self.kind in (JoinKind.LEFT, JoinKind.FULL):
            right = tuple(replace(column, type=column.type.with_nullable(True)) for column in right)
        if self.left_window is None:
            kept = (self.kind in (JoinKind.INNER, JoinKind.LEFT), self.kind in (JoinKind.INNER, JoinKind.RIGHT))
            left, right = (
                side if self.interval and never_null else tuple(replace(column, time=None) for column in side)
                for side, never_null in zip((left, right), kept, strict=True)
            )
        return Schema.of(left + right)

    def describe(self) -> str:
        left, right = self.left.schema, self.right.schema
        keys = ", ".join(
            f"{left[a].name} = {right[b].name}" for a, b in zip(self.left_keys, self.right_keys, strict=True)
        )
        both = Schema.of(left.columns + right.columns)
        rest = f", where={show(self.condition, both)}" if self.condition is not None else ""
        if self.interval:
            rest += f", apart=[{self.interval.low} ms, {self.interval.high} ms]"
        form = "Window" if self.left_window else "Interval" if self.interval else ""
        return f"{form}Join({self.kind.value}, on=[{keys}]{rest})"


@dataclass(frozen=True)
class TemporalJoin(TwoInputs):
    """Gives each left row with the right rows of its key as they were at the left row's time (INNER or LEFT).

    With ``times`` (positions of event times) the right side is versions, of which the last one not after the left row counts;
    without, it is as it stands. ``right_key`` are columns of which it has one row at a time, where they are known.
    """

    kind: JoinKind
    left_keys: tuple[int, ...]
    right_keys: tuple[int, ...]
    times: tuple[int, int] | None = None
    condition: Expr | None = None
    right_key: tuple[int, ...] = ()

    @cached_property
    def schema(self) -> Schema:
        right = tuple(replace(column, time=None) for column in self.right.schema.columns)
        if self.kind is JoinKind.LEFT:
            right = tuple(replace(column, type=column.type.with_nullable(True)) for column in right)
        return Schema.of(self.left.schema.columns + right)

    def describe(self) -> str:
        left, right = self.left.schema, self.right.schema
        pairs = zip(self.left_keys, self.right_keys, strict=True)
        keys = ", ".join(f"{left[a].name} = {right[b].name}" for a, b in pairs)
        both = Schema.of(left.columns + right.columns)
        rest = f", where={show(self.condition, both)}" if self.condition is not None else ""
        at = f"as of {left[self.times[0]].name}" if self.times else "as it stands"
        return f"TemporalJoin({self.kind.value}, on=[{keys}], {at}{rest})"
