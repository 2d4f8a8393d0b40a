"""Nodes between changelogs and rows that tell of changes in a column: TO_CHANGELOG and FROM_CHANGELOG."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import STRING
from fluxcore.plan.nodes import OneInput

Codes = tuple[tuple[str, str], ...]
"""Pairs of a kind of change (INSERT, UPDATE_BEFORE, UPDATE_AFTER, DELETE) and its code in the column."""


@dataclass(frozen=True)
class ToChangelog(OneInput):
    """Gives each change of its input as a row of its own, with the change's code appended; kinds without one are left out."""

    codes: Codes
    name: str

    @cached_property
    def schema(self) -> Schema:
        return Schema.of((*self.input.schema.columns, Column(self.name, STRING.with_nullable(False))))

    def describe(self) -> str:
        return f"ToChangelog({_shown(self.codes)})"


@dataclass(frozen=True)
class FromChangelog(OneInput):
    """Takes rows as the changes that their column ``op`` says; the column stays.

    ``key`` are columns of which there is one row at a time, where that is known.
    """

    op: int
    codes: Codes
    key: tuple[int, ...] = ()

    def describe(self) -> str:
        return f"FromChangelog({self.input.schema[self.op].name}, {_shown(self.codes)})"


def _shown(codes: Codes) -> str:
    return ", ".join(f"{kind}='{code}'" for kind, code in codes)
