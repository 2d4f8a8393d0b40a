"""The registry of scalar functions: each SQL function once, with its type rule, its kernel and its documentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fluxcore.expr.made_text import check_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.core.types import DataType
    from fluxcore.expr.nodes import Expr

    Rule = Callable[[Sequence[Expr]], tuple[Sequence[Expr], DataType] | Expr | str]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a kernel gets: argument values (arrays of ``rows`` rows, or scalars for constants) and types."""

    values: Sequence[Any]
    rows: int
    types: Sequence[DataType]
    result: DataType
    settings: Settings

    def array(self, index: int) -> pa.Array:
        """Return an argument as an array."""
        value = self.values[index]
        return value if isinstance(value, pa.Array) else spread(value, self.rows)


@dataclass(frozen=True, slots=True)
class Function:
    """A scalar function.

    ``rule`` takes the bound arguments and returns them with implicit casts, and the result type; or an expression that does
    the same; or a text that says what it wants. ``kernel`` computes a batch. ``pure`` is false where the value changes from call to call; ``total`` is false
    where the kernel can fail on some values.
    """

    name: str
    category: str
    rule: Rule
    kernel: Callable[[Inputs], Any]
    text: str = ""
    example: tuple[str, str] | None = None
    pure: bool = True
    total: bool = True


REGISTRY: dict[str, Function] = {}
"""All scalar functions by name, upper case."""


def register(function: Function, *aliases: str) -> None:
    """Add a function under its name and aliases."""
    for name in (function.name, *aliases):
        assert name not in REGISTRY, name
        REGISTRY[name] = function


def spread(value: pa.Scalar, rows: int) -> pa.Array:
    """Return an array of ``rows`` times one value."""
    if pa.types.is_null(value.type):
        return pa.nulls(rows)
    if pa.types.is_string(value.type) and value.is_valid:
        check_batch("a constant", value.as_buffer().size * rows)
    return pa.repeat(value, rows)
