"""What the segments of a log hold, as their indexes say: quick, and nothing is checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.bus.log.index import load_index, make_index
from fluxcore.bus.log.recovery import live_segments
from fluxcore.bus.log.segment import SegmentView

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fluxcore.bus.log.files import Files


@dataclass(frozen=True, slots=True)
class SegmentSummary:
    """Offsets from ``first`` up to, not including, ``end``; what is stored in bytes; append times in microseconds since 1970."""

    name: str
    first: int
    end: int
    frames: int
    rows: int
    used_bytes: int
    time_min_us: int
    time_max_us: int


def survey(folder: str, files: Files) -> Iterator[SegmentSummary]:
    """Give the segments in order; none where there is no log. Cost: the headers of the last segment are read."""
    try:
        names = live_segments(files, folder)
    except FileNotFoundError:
        return
    for name in names:
        try:
            view = SegmentView(files, folder, name)
        except FileNotFoundError:
            continue  # removed since it was listed
        index = load_index(view) or make_index(view, view.headers())
        yield SegmentSummary(
            str(name), name.first, max(index.end, name.first), index.frames, index.rows, index.used,
            index.time_min_us, index.time_max_us,
        )  # fmt: skip
