"""Joins the watermarks of several inputs into one: the minimum over those that are active."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.time import MAX_TIME_MS, MIN_TIME_MS

if TYPE_CHECKING:
    from fluxcore.core.batch import Steps


class Gate:
    """Holds the watermark of each input and the combined one (ms).

    An input that has not said anything holds the combined watermark at minus infinity; an idle or ended one leaves the
    minimum. The combined watermark never falls.
    """

    def __init__(self, inputs: int) -> None:
        self._marks = [MIN_TIME_MS] * inputs
        self._idle = [False] * inputs
        self.combined = MIN_TIME_MS

    def add(self) -> int:
        """Add an input and return its number."""
        self._marks.append(MIN_TIME_MS)
        self._idle.append(False)
        return len(self._marks) - 1

    def steps(self, source: int, steps: Steps | None) -> Steps | None:
        """Return the steps of the combined watermark that the steps of one input's batch cause; the gate stays as it is."""
        if steps is None:
            return None
        rising = steps.after(self.combined)
        if rising is None:
            return None
        bound = self._bound(source)
        return rising.below(bound) if bound > self.combined else None

    def raise_to(self, source: int, watermark: int) -> int:
        """Take a watermark of one input and return the combined one."""
        self._idle[source] = False
        self._marks[source] = max(self._marks[source], watermark)
        return self._update()

    def set_idle(self, source: int) -> int:
        """Leave an input out of the minimum until it says something again; return the combined watermark."""
        self._idle[source] = True
        return self._update()

    def end(self, source: int) -> int:
        """Leave an input out for good; return the combined watermark."""
        return self.raise_to(source, MAX_TIME_MS)

    def _bound(self, source: int) -> int:
        marks = self._marks
        if len(marks) == 1:
            return MAX_TIME_MS
        others = (mark for i, mark in enumerate(marks) if i != source and not self._idle[i])
        return min(others, default=MAX_TIME_MS)

    def _update(self) -> int:
        active = [mark for i, mark in enumerate(self._marks) if not self._idle[i]]
        if active:
            self.combined = max(self.combined, min(active))
        return self.combined
