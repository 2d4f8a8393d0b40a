"""Runs a keyed function over one stream, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.operators.process.keyed import KeyedOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from fluxcore.core.batch import Batch
    from fluxcore.core.process import ProcessFunction
    from fluxcore.core.types import DataType


@dataclass(frozen=True)
class ProcessOptions:
    """``types`` of the input's columns, the positions of the keys, and the schema of the rows that the function gives."""

    function: ProcessFunction
    types: tuple[DataType, ...]
    keys: tuple[int, ...]
    output: pa.Schema


class ProcessOperator(KeyedOperator):
    """Hands rows to a :class:`ProcessFunction`."""

    _function: ProcessFunction

    def __init__(self, options: ProcessOptions) -> None:
        super().__init__(options.function, [options.types[index] for index in options.keys], options.output)
        self._positions = options.keys

    def process(self, batch: Batch, port: int = 0) -> Sequence[Batch]:  # noqa: ARG002
        """Hand the rows to the function, one by one."""
        return self._hand_over(self._function.process, batch, self._positions)
