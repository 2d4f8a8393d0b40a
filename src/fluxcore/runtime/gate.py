"""Joins the watermarks of several inputs into one: the minimum over those that are active."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.time import MAX_TIME_MS, MIN_TIME_MS

if TYPE_CHECKING:
    from fluxcore.core.batch import Steps


class Gate:
    """Holds the watermark of each input and the combined one (ms).

    An input that has not said anything holds the combined watermark at minus infinity; an idle or ended one leaves the
    minimum. While those that have not ended are all idle the combined watermark stays, and it never falls.
    """

    def __init__(self, inputs: int) -> None:
        self._marks = [MIN_TIME_MS] * inputs
        self._idle = [False] * inputs
        self._ended = [False] * inputs
        self.combined = MIN_TIME_MS

    def add(self) -> int:
        """Add an input and return its number."""
        self._marks.append(MIN_TIME_MS)
        self._idle.append(False)
        self._ended.append(False)
        return len(self._marks) - 1

    @property
    def is_idle(self) -> bool:
        """Return whether nothing is to be expected for a while: some inputs are idle, and the others have ended."""
        return any(self._idle) and all(a or b for a, b in zip(self._idle, self._ended, strict=True))

    def mark(self, source: int) -> int:
        """Return the watermark of one input."""
        return self._marks[source]

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
        """Take a watermark of one input, which is active from now on, and return the combined one."""
        self._idle[source] = False
        self._marks[source] = max(self._marks[source], watermark)
        return self._update()

    def set_idle(self, source: int) -> int:
        """Leave an input out of the minimum until it says something again; return the combined watermark."""
        self._idle[source] = not self._ended[source]
        return self._update()

    def set_active(self, source: int) -> None:
        """Let an input count again: its rows are worth no more than its last watermark."""
        self._idle[source] = False

    def end(self, source: int) -> int:
        """Leave an input out for good; return the combined watermark."""
        self._ended[source] = True
        return self.raise_to(source, MAX_TIME_MS)

    def _bound(self, source: int) -> int:
        marks = self._marks
        if len(marks) == 1:
            return MAX_TIME_MS
        others = (mark for i, mark in enumerate(marks) if i != source and not self._idle[i] and not self._ended[i])
        return min(others, default=MAX_TIME_MS)

    def _update(self) -> int:
        active = [
            mark
            for mark, idle, ended in zip(self._marks, self._idle, self._ended, strict=True)
            if not idle and not ended
        ]
        if active:
            self.combined = max(self.combined, min(active))
        elif all(self._ended):
            self.combined = MAX_TIME_MS
        return self.combined
