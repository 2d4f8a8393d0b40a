"""What a trigger decides about rows and timers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fluxcore.core.batch import Batch, Int64s


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision a row (int8): 0 to continue, bit 1 to fire, bit 2 to purge."""

    kinds: NDArray[np.int8]

    @property
    def none(self) -> bool:
        """Return whether all rows are only added."""
        return not self.kinds.any()


@dataclass(frozen=True, slots=True)
class Placed:
    """Rows that were put into windows, a row for each window: their ``slots`` and event ``times``; ``batch`` has the same rows.

    ``starts`` and ``lasts`` are the window's first and last millisecond as they were with the row: a session may have grown
    since.
    """

    batch: Batch
    slots: Int64s
    times: Int64s
    starts: Int64s
    lasts: Int64s
