"""Retention: whole segments go, the oldest first, never the one that is being written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.bus.log.index import index_name

if TYPE_CHECKING:
    from fluxcore.bus.log.options import Retention
    from fluxcore.bus.log.recovery import SegmentState
    from fluxcore.bus.log.writer import LogWriter


def apply(writer: LogWriter) -> int:
    """Remove the segments that are no longer kept and return how many; it runs in the log's thread.

    1. The oldest file goes first, so that a crash in between leaves a log without holes. 2. The folder is synced.
    """
    gone = expired(writer.segments, writer.options.retention, writer.files.now_us())
    for state in gone:
        writer.files.remove(f"{writer.folder}/{state.name}")
        writer.files.remove(f"{writer.folder}/{index_name(state.name)}")
        writer.segments.remove(state)
    if gone:
        writer.files.sync_folder(writer.folder)
    return len(gone)


def expired(segments: list[SegmentState], retention: Retention, now_us: int) -> list[SegmentState]:
    """Return the segments to be removed, the oldest first; what is left fits all bounds, or is the last one."""
    size = sum(each.size for each in segments)
    rows = sum(each.index.rows for each in segments)
    gone = []
    for state in segments[:-1]:
        old = retention.age_us is not None and state.index.time_max_us < now_us - retention.age_us
        large = retention.size_bytes is not None and size > retention.size_bytes
        many = retention.rows is not None and rows - state.index.rows >= retention.rows
        if not (old or large or many):
            break
        gone.append(state)
        size -= state.size
        rows -= state.index.rows
    return gone
