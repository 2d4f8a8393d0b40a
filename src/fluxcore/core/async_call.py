"""An ``async`` function that is called for each row of a stream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
Answer = Row | Iterable[Row] | None


@dataclass(frozen=True)
class AsyncCall:
    """What to call, and how: ``timeout_ms`` for all tries of a row, at most ``capacity`` rows that are not answered and given.

    Not ``ordered``, rows are given as they are answered, but never behind a watermark that they came before. ``on_timeout``
    answers in the place of a call that took too long; without it the job fails.
    """

    function: Callable[[Row], Awaitable[Answer]]
    timeout_ms: int
    capacity: int
    ordered: bool = True
    retries: int = 0
    retry_delay_ms: int = 0
    on_timeout: Callable[[Row], Answer] | None = None

    @property
    def name(self) -> str:
        """Return what messages call the function."""
        return getattr(self.function, "__qualname__", type(self.function).__name__)
