"""The plan node of a join that asks a table outside, or a function, by key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from fluxcore.core.schema import Schema
from fluxcore.plan.nodes import JoinKind, OneInput, show

if TYPE_CHECKING:
    from fluxcore.core.lookups import Asked
    from fluxcore.expr.nodes import Expr


@dataclass(frozen=True)
class LookupJoin(OneInput):
    """Gives each row with the rows that a table outside has for its key as it passes (INNER or LEFT).

    ``asked`` is what finds them; ``columns`` are those that it gives, of which a condition may speak (the input's first).
    """

    kind: JoinKind
    keys: tuple[int, ...]
    asked: Asked
    columns: Schema
    condition: Expr | None = None

    @cached_property
    def schema(self) -> Schema:
        right = tuple(replace(column, time=None) for column in self.columns)
        if self.kind is JoinKind.LEFT:
            right = tuple(replace(column, type=column.type.with_nullable(True)) for column in right)
        return Schema.of(self.input.schema.columns + right)

    def describe(self) -> str:
        source = self.input.schema
        pairs = zip(self.keys, self.asked.key_names, strict=True)
        keys = ", ".join(f"{source[a].name} = {name}" for a, name in pairs)
        both = Schema.of(source.columns + self.columns.columns)
        rest = f", where={show(self.condition, both)}" if self.condition is not None else ""
        return f"LookupJoin({self.asked.name}, {self.kind.value}, on=[{keys}]{rest})"
