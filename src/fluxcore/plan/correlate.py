"""The plan node of UNNEST and of table functions: each row meets the rows that a call over its columns gives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from fluxcore.core.schema import Column, Schema
from fluxcore.plan.nodes import OneInput

if TYPE_CHECKING:
    from fluxcore.expr.table_calls import TableCall


@dataclass(frozen=True)
class Correlate(OneInput):
    """Gives each row once for every row that ``call`` gives for it, with that one's columns appended under ``names``.

    A row for which the call gives none is left out, or with ``outer`` comes out with NULLs.
    """

    call: TableCall
    names: tuple[str, ...]
    outer: bool = False

    @cached_property
    def schema(self) -> Schema:
        added = (
            Column(name, type_.with_nullable(type_.nullable or self.outer))
            for name, (_, type_) in zip(self.names, self.call.columns, strict=True)
        )
        return Schema.of((*self.input.schema.columns, *added))

    def describe(self) -> str:
        kind = "LEFT" if self.outer else "INNER"
        return f"Correlate({self.call.show(self.input.schema.names)}, {kind}, gives=[{', '.join(self.names)}])"
