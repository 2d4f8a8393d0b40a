"""What an earlier process did of a group's events beyond those that it has passed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fluxcore.bus.batch_event import BatchEvent, end_of
from fluxcore.bus.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fluxcore.bus.event import Event


class Done:
    """``left`` gives what is left of an event; at ``until`` and above nothing was done."""

    def __init__(self, progress: Progress) -> None:
        self._starts = np.array([start for start, _ in progress.done], np.int64)
        self._stops = np.array([stop for _, stop in progress.done], np.int64)
        self._attempts = progress.attempts
        self._died = sorted(progress.died)
        ends = [*self._stops.tolist(), *(each + 1 for each in progress.attempts), *(stop for _, stop, _ in self._died)]
        self.until = max([progress.position, *ends])

    def left(self, event: Event) -> list[Event]:
        """Return what is left to be done of an event: nothing, itself, or parts of a batch, with the attempts that they have had."""
        if isinstance(event, BatchEvent):
            mask = ~self._are_done(event.offsets())
            if not mask.any():
                return []
            found: list[Event] = list(self._parts(event if mask.all() else event.select(mask)))
        elif self._are_done(np.array([event.offset]))[0]:
            return []
        else:
            found = [event]
        for each in found:
            failed = self._attempts.get(each.offset, 0)
            died = next((n for first, stop, n in self._died if first <= each.offset < stop), 0)
            if failed or died:
                each.attempt = failed + died + 1
                each.died = died
        return found

    def above(self, offset: int) -> Progress:
        """Return what was done from an offset on."""
        ranges = zip(self._starts.tolist(), self._stops.tolist(), strict=True)
        return Progress(
            offset,
            [(max(start, offset), stop) for start, stop in ranges if stop > offset],
            {each: count for each, count in self._attempts.items() if each >= offset},
            [(max(first, offset), stop, n) for first, stop, n in self._died if stop > offset],
        )

    def _parts(self, event: BatchEvent) -> Iterator[BatchEvent]:
        """Cut out of a batch what was in hand when the process died, so that this comes as it came then."""
        borders = sorted({border for first, stop, _ in self._died for border in (first, stop)})
        rest: BatchEvent | None = event
        for border in borders:
            if rest is None or border >= end_of(rest):
                break
            before = rest.until(border)
            if before is not None:
                yield before
            rest = rest.since(border)
        if rest is not None:
            yield rest

    def _are_done(self, offsets: np.ndarray) -> np.ndarray:
        range_ = np.searchsorted(self._starts, offsets, side="right") - 1
        found: np.ndarray = (range_ >= 0) & (offsets < np.append(self._stops, 0)[range_])
        return found
