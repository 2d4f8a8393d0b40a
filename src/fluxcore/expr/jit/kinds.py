"""The few kinds of values that compiled functions have, and how one becomes another."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """``NUM`` is a float64 that may be a whole number in Python, where its arithmetic is that of whole numbers."""

    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    NUM = "int or float"

    @property
    def zero(self) -> str:
        """Return the code of a value of this kind."""
        return {Kind.BOOL: "False", Kind.INT: "np.int64(0)"}.get(self, "0.0")


@dataclass(frozen=True)
class Typed:
    """The code of a value, and its kind."""

    kind: Kind
    code: str


def joined(one: Kind | None, other: Kind) -> Kind | None:
    """Return the kind that holds both; None where there is none."""
    if one is None or one is other:
        return other
    return None if Kind.BOOL in (one, other) else Kind.NUM


def coerced(value: Typed, kind: Kind) -> str:
    """Return the code of a value as another kind; a float is a num as it is."""
    if value.kind is kind:
        return value.code
    if kind is Kind.INT and value.kind is Kind.BOOL:
        return f"np.int64({value.code})"
    if kind is Kind.NUM and value.kind is Kind.INT:
        return f"to_num({value.code}, t)"
    if kind is Kind.FLOAT and value.kind is Kind.INT:
        return f"np.float64({value.code})"
    assert {kind, value.kind} <= {Kind.FLOAT, Kind.NUM}, (value, kind)
    return value.code


def numeric(value: Typed) -> Typed:
    """Return a value as a number: in arithmetic a truth is 0 or 1."""
    return Typed(Kind.INT, coerced(value, Kind.INT)) if value.kind is Kind.BOOL else value
