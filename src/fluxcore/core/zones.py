"""Local times: what the clocks of the session's time zone show, a whole array at once.

Local times are milliseconds too: those since 1970-01-01 00:00 on the wall. When clocks go forward some of them never are (a
gap), and when they go back some are twice. Instants become local times and back as Flink's ``TimeWindowUtil`` has it
(flink-table-runtime, org.apache.flink.table.runtime.util, 2.3): :meth:`Zone.local` is ``toUtcTimestampMills``,
:meth:`Zone.instants` is ``toEpochMills`` (Java's ``LocalDateTime.atZone``: the earlier of two instants, and from a gap as far
behind it as the time is within it), and :meth:`Zone.passed` is ``toEpochMillsForTimer``: the later of two instants, and from
a gap its end.

There it differs where Flink's formula, which knows changes by a whole hour at a whole hour of UTC only, would let windows
fire before their rows have come: by another amount (Lord Howe), at another minute (Adelaide, St John's), or where clocks don't
change any more today (São Paulo).
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import numpy as np

from fluxcore.core.batch import Steps
from fluxcore.core.time import MAX_TIME_MS
from fluxcore.core.tz_files import clock_changes

if TYPE_CHECKING:
    from fluxcore.core.batch import Int64s

_FIXED = re.compile(r"GMT([+-])(\d{1,2})(?::?(\d{2}))?")
_LAST_YEAR: Final = 2501
_FOLD_MS: Final = int(np.datetime64("2500-01-01", "ms").astype(np.int64))
"""From here on clocks do what they did 400 years before: the calendar repeats itself, and no rule ends so late."""
_PERIOD_MS: Final = 146_097 * 86_400_000
_FAR_MS: Final = 1 << 60
"""Beyond it stand marks such as the end of time, which no clock shows."""


class Zone:
    """The clocks of a place. Cost: a search among the place's changes for each value, some hundreds at the most."""

    def __init__(self, name: str, first_s: int, changes_s: Int64s, offsets_s: Int64s) -> None:
        self.name = name
        offsets = np.concatenate([[first_s], offsets_s]) * 1_000
        changes = changes_s * 1_000
        self._offsets, self._changes = offsets, changes
        # up to the later of the two local times of a change, the offset before it counts
        self._before = np.maximum.accumulate(changes + np.maximum(offsets[:-1], offsets[1:]))
        self._lows = np.concatenate([np.minimum.accumulate((changes + offsets[1:])[::-1])[::-1], [MAX_TIME_MS]])
        shown = np.concatenate([changes + offsets[:-1] - 1, [MAX_TIME_MS]])
        self._reached = np.minimum(shown, self._lows - 1)
        self._starts = np.concatenate([[-_FAR_MS], changes])

    @property
    def is_utc(self) -> bool:
        """Return whether local times are the instants themselves."""
        return not len(self._changes) and not self._offsets[0]

    @property
    def tzinfo(self) -> dt.tzinfo:
        """Return the zone as Python's own times know it."""
        if not _FIXED.fullmatch(self.name):
            return ZoneInfo(self.name)
        return dt.timezone(dt.timedelta(milliseconds=int(self._offsets[0])))

    def offsets(self, instants: Int64s) -> Int64s:
        """Return how far local time is ahead at each instant (ms)."""
        found: Int64s = self._offsets[np.searchsorted(self._changes, _folded(instants), side="right")]
        return found

    def local(self, instants: Int64s) -> Int64s:
        """Return the local times at instants."""
        return instants + self.offsets(instants)

    def instants(self, local: Int64s) -> Int64s:
        """Return the instants of local times: the earlier of two; one in a gap counts on with the offset before it."""
        return local - self._offsets[np.searchsorted(self._before, _folded(local), side="right")]

    def passed(self, local: Int64s) -> Int64s:
        """Return the first instants at which local times are over: shown for the last time, or left out by then."""
        folded = _folded(local)
        part = np.searchsorted(self._reached, folded, side="left")
        return np.maximum(folded - self._offsets[part], self._starts[part]) + (local - folded)

    def progress(self, instants: Int64s) -> Int64s:
        """Return watermarks as local ones: the greatest local times that are over by then, as :meth:`passed` has it.

        They never fall, and stand still while clocks show again what they showed before. Marks such as the end of time stay.
        """
        folded = _folded(np.clip(instants, -_FAR_MS, _FAR_MS))
        part = np.searchsorted(self._changes, folded, side="right")
        reached = np.minimum(folded + self._offsets[part], self._lows[part] - 1)
        shown = (instants > -_FAR_MS) & (instants < _FAR_MS)
        return np.where(shown, reached - folded + instants, instants)

    def progress_at(self, watermark: int) -> int:
        """Return one watermark as a local one."""
        return int(self.progress(np.array([watermark], np.int64))[0])

    def progress_of(self, steps: Steps) -> Steps:
        """Return the steps of a watermark as those of the local one."""
        values = self.progress(steps.values)
        rises = np.concatenate([[True], values[1:] > values[:-1]])
        return Steps(steps.rows[rises], values[rises])


@lru_cache(maxsize=64)
def zone_of(name: str) -> Zone:
    """Return a zone by its name in the time zone database, or by its distance from UTC: ``GMT+05:30``.

    Raises: ``OSError`` or ``ValueError`` where there is none of this name.
    """
    none = np.zeros(0, np.int64)
    if name == "UTC":
        return Zone(name, 0, none, none)
    fixed = _FIXED.fullmatch(name)
    if fixed:
        hours, minutes = int(fixed[2]), int(fixed[3] or 0)
        if minutes > 59 or hours * 60 + minutes > 18 * 60:
            raise ValueError(f"'{name}' is too far from UTC")
        seconds = hours * 3_600 + minutes * 60
        return Zone(name, -seconds if fixed[1] == "-" else seconds, none, none)
    return Zone(name, *clock_changes(name, _LAST_YEAR))


def _folded(times: Int64s) -> Int64s:
    """Return times as many whole periods earlier as bring them before the end of the table."""
    if not len(times) or int(times.max()) < _FOLD_MS:
        return times
    return times - np.maximum(-(-(times - _FOLD_MS + 1) // _PERIOD_MS), 0) * _PERIOD_MS
