"""Functions written in Python over rows, or over the rows of keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.core.schema import Schema
from fluxcore.core.user_code import title_of
from fluxcore.plan.nodes.node import OneInput, TwoInputs

if TYPE_CHECKING:
    from fluxcore.core.async_call import AsyncCall
    from fluxcore.core.batch_function import BatchFunction
    from fluxcore.core.ports import CustomOperator
    from fluxcore.core.process import BroadcastFunction, ProcessFunction, TwoInputFunction
    from fluxcore.core.row_function import RowFunction


@dataclass(frozen=True)
class Process(OneInput):
    """Hands the rows of each key to a function written in Python, which keeps state and gives rows of its own."""

    function: ProcessFunction | BatchFunction | AsyncCall | CustomOperator
    keys: tuple[int, ...]
    columns: Schema

    @property
    def schema(self) -> Schema:
        return self.columns

    def describe(self) -> str:
        keys = ", ".join(self.input.schema[index].name for index in self.keys)
        return f"Process({title_of(self.function)}, by=[{keys}])"


@dataclass(frozen=True)
class Map(OneInput):
    """Hands each row, or each batch, to a function written in Python that keeps nothing, and gives the rows that it makes."""

    function: RowFunction
    columns: Schema

    @property
    def schema(self) -> Schema:
        return self.columns

    def describe(self) -> str:
        return f"Map({self.function.name})"


@dataclass(frozen=True)
class Connect(TwoInputs):
    """Hands the rows of two inputs to one function written in Python: by key, or with ``broadcast`` all right rows to all."""

    function: TwoInputFunction | BroadcastFunction
    left_keys: tuple[int, ...]
    right_keys: tuple[int, ...]
    columns: Schema
    broadcast: bool = False

    @property
    def schema(self) -> Schema:
        return self.columns

    def describe(self) -> str:
        left, right = self.left.schema, self.right.schema
        pairs = zip(self.left_keys, self.right_keys or self.left_keys, strict=True)
        keys = ", ".join(left[a].name if self.broadcast else f"{left[a].name} = {right[b].name}" for a, b in pairs)
        return f"{'Broadcast' if self.broadcast else 'Connect'}({type(self.function).__name__}, by=[{keys}])"
