"""The functions that golden queries call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

import fluxcore as fx


@dataclass
class Span:
    low: int
    high: int


@fx.udf
def collatz(n: int) -> int:
    """Count the steps to 1."""
    steps = 0
    while n != 1:
        n = 3 * n + 1 if n % 2 else n // 2
        steps += 1
    return steps


@fx.udf
def shown(n: int | None) -> str:
    return "none" if n is None else f"<{n}>"


@fx.udf
def third(amount: Annotated[Decimal, "DECIMAL(10, 2)"]) -> Annotated[Decimal, "DECIMAL(10, 4)"]:
    return amount / 3


@fx.udf
def span(values: list[int]) -> Span:
    return Span(min(values), max(values))


@fx.udf
def counted(text: str) -> dict[str, int]:
    return {letter: text.count(letter) for letter in text}


@fx.udf(vectorized=True)
def clipped(x: pa.Int32Array) -> pa.Int32Array:
    return pc.min_element_wise(x, pa.scalar(3, pa.int32()), skip_nulls=False)


@fx.udf(vectorized=True)
def scaled(x: npt.NDArray[np.float64], factor: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return x * factor


@fx.udtf
def cut(text: str, sep: str) -> Iterator[tuple[str, int]]:
    for number, part in enumerate(text.split(sep)):
        yield part, number


@fx.udtf
def upto(n: int) -> Iterator[int]:
    yield from range(1, n + 1)


class Longest(fx.AggregateFunction):
    """The longest text; of equally long ones the first."""

    def create(self) -> list[str]:
        return []

    def accumulate(self, accumulator: list[str], text: str | None) -> None:
        if text is not None:
            accumulator.append(text)

    def retract(self, accumulator: list[str], text: str | None) -> None:
        if text is not None:
            accumulator.remove(text)

    def merge(self, accumulator: list[str], other: list[str]) -> None:
        accumulator.extend(other)

    def result(self, accumulator: list[str]) -> str | None:
        return max(accumulator, key=len, default=None)
