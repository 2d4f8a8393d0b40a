"""How windows are cut into slices that they share. All times are whole milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Int64s = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Slicing:
    """TUMBLE, HOP and CUMULATE windows of ``size``, every ``slide`` (CUMULATE: growing by ``slide``), from ``offset`` on.

    A slice is named by its start. ``attached`` rows carry their window already: a slice is then the window's end.
    """

    kind: str
    size: int
    slide: int
    offset: int = 0
    attached: bool = False

    @property
    def pane(self) -> int:
        """Return the length of a slice."""
        return gcd(self.size, self.slide)

    @property
    def step(self) -> int:
        """Return the distance of two windows of one slice."""
        return self.size if self.kind == "TUMBLE" else self.slide

    @property
    def shared(self) -> bool:
        """Return whether windows are made of several slices."""
        return not self.attached and self.pane < self.size

    @property
    def has_gaps(self) -> bool:
        """Return whether some times fall in no window."""
        return self.kind == "HOP" and self.slide > self.size and not self.attached

    @property
    def starts_in_key(self) -> bool:
        """Return whether windows of one end have different starts, which the keys tell apart: attached sessions."""
        return self.kind == "SESSION"

    def slices(self, times: Int64s) -> Int64s:
        """Return the slice of each time."""
        if self.attached:
            return times
        pane = self.pane
        return (times - self.offset) // pane * pane + self.offset

    def first_ends(self, slices: Int64s) -> Int64s:
        """Return the end of the earliest window of each slice; smaller than its start where HOP leaves gaps."""
        if self.attached:
            return slices
        if self.kind != "HOP":
            return slices + self.pane
        earliest = slices + self.pane - self.size - self.offset
        return -(-earliest // self.slide) * self.slide + self.offset + self.size

    def last_ends(self, slices: Int64s) -> Int64s:
        """Return the end of the latest window of each slice."""
        if self.attached:
            return slices
        step = self.size if self.kind == "CUMULATE" else self.slide
        return (slices - self.offset) // step * step + self.offset + self.size

    def ends(self, slice_: int) -> range:
        """Return the ends of all windows of a slice."""
        one = np.array([slice_], np.int64)
        first, last = int(self.first_ends(one)[0]), int(self.last_ends(one)[0])
        return range(first, last + 1, self.step)

    def starts_of(self, ends: Int64s) -> Int64s:
        """Return the starts of the windows that end at ``ends``."""
        if self.kind == "CUMULATE":
            return (ends - 1 - self.offset) // self.size * self.size + self.offset
        return ends - self.size

    def fired(self, slices: Int64s, watermarks: Int64s) -> Int64s:
        """Return how many windows of each slice have fired at a watermark (ms)."""
        first, last = self.first_ends(slices), self.last_ends(slices)
        bounded = np.minimum(watermarks, last)
        count = (bounded + 1 - first) // self.step + 1
        total = (last - first) // self.step + 1
        return np.where(watermarks < first - 1, 0, np.minimum(count, total))
