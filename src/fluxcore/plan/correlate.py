"""The plan node of UNNEST and of table functions: each row meets the rows that a call over its columns gives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from fluxcore.core.schema import Column, Schema
from fluxcore.plan.nodes import OneInput, show

if TYPE_CHECKING:
    from fluxcore.expr.nodes import Expr
    from fluxcore.expr.table_calls import TableCall


@dataclass(frozen=True)
class Correlate(OneInput):
    """Gives each row once for every row that ``call`` gives for it, with that one's columns appended under ``names``.

    A row for which the call gives none is left out, or with ``outer`` comes out with NULLs. A ``condition`` over the input's and
    the call's columns says which of its rows count.
    """

    call: TableCall
    names: tuple[str, ...]
    outer: bool = False
    condition: Expr | None = None

    @cached_property
    def schema(self) -> Schema:
        added = (
            Column(name, type_.with_nullable(type_.nullable or self.outer))
            for name, (_, type_) in zip(self.names, self.call.columns, strict=True)
        )
        return Schema.of((*self.input.schema.columns, *added))

    def describe(self) -> str:
        kind = "LEFT" if self.outer else "INNER"
        rest = f", where={show(self.condition, self.schema)}" if self.condition is not None else ""
        call = self.call.show(self.input.schema.names)
        return f"Correlate({call}, {kind}, gives=[{', '.join(self.names)}]{rest})"
