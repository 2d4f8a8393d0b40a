"""Control elements that travel in order with batches on a channel."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Watermark:
    """No earlier event time than ``ms`` + 1 is expected any more."""

    ms: int


@dataclass(frozen=True, slots=True)
class Barrier:
    """The cut of checkpoint ``id``."""

    id: int


@dataclass(frozen=True, slots=True)
class Idle:
    """The sender has nothing to say for a while and must not hold the watermark back."""


@dataclass(frozen=True, slots=True)
class End:
    """Nothing follows."""


Control = Watermark | Barrier | Idle | End
