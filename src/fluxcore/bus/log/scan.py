"""Reads a segment from end to end and says which frames are good, and of what is bad whether it is torn or damaged.

A bad stretch is *torn* when it starts at or above the durable mark and a sector of it was never written: nothing there was ever
acknowledged with ``disk``. Everything else is *damaged*: it may have been acknowledged. A mark can stand in any later frame, so
the whole segment is read before anything is judged. No bytes make it raise, except those of a newer format.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fluxcore.bus.log.frame import HEADER_BYTES, SECTOR, Header, Kind, count_zero_sectors
from fluxcore.bus.log.schemas import schema_id
from fluxcore.limits import LOG_FRAME_ROWS_MAX, LOG_SCAN_BYTES

if TYPE_CHECKING:
    from fluxcore.bus.log.segment import SegmentView

_FRAME_BYTES_MIN = 256


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch that can't be read: where, which offsets at most, whether their number is only a bound, and why."""

    position: int
    end_position: int
    first: int
    end: int
    torn: bool
    bounded: bool
    reason: str


@dataclass(slots=True)
class Scan:
    """What was found: the good frames in order, the damages, the schemas, and the place where writing may go on.

    ``torn`` is the stretch to be cut; everything after it goes with it.
    """

    headers: list[Header] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)
    schemas: dict[int, bytes] = field(default_factory=dict)
    torn: Damage | None = None
    end: int = 0
    used: int = 0
    durable: int = 0


def scan(view: SegmentView, durable: int) -> Scan:
    """Return what a segment holds, given that everything below ``durable`` is known to have been made durable.

    1. Find good frames, passing over what is bad. 2. Take the highest mark of all. 3. Judge each bad stretch.
    """
    good, gaps = _frames(view)
    mark = max([durable, *(header.durable for header in good)])
    found = Scan(end=view.name.first, durable=mark)
    position = 0
    for header in [*good, None]:
        gap = gaps.get(position)
        if gap is not None:
            damage = _judge(view, gap, found.end, header, mark)
            if damage.torn:
                found.torn = damage
                return found
            found.damages.append(damage)
            found.end = max(found.end, damage.end)
            found.used = damage.end_position
        if header is not None:
            found.headers.append(header)
            if header.kind == Kind.SCHEMA:
                content = view.body(header).to_pybytes()
                if schema_id(content) == header.schema:
                    found.schemas[header.schema] = content
            found.end = max(found.end, header.end_offset)
            found.used = position = header.next_position
    return found


@dataclass(frozen=True, slots=True)
class _Gap:
    """A bad stretch: up to the next good frame, or up to its last byte that is not zero."""

    position: int
    end: int
    last: bool


def _frames(view: SegmentView) -> tuple[list[Header], dict[int, _Gap]]:
    good: list[Header] = []
    gaps: dict[int, _Gap] = {}
    position = 0
    chain: bytes | None = None  # of the frame before, where there is one right before
    while True:
        header = view.header(position)
        if header is not None and view.holds(header) and chain in {None, header.chain}:
            good.append(header)
            position = header.next_position
            chain = view.chain_after(header)
            continue
        start = header.next_position if header is not None else position + HEADER_BYTES
        following = _next_good(view, start)
        if following is None:
            end = last_byte(view, position)
            if end > position:
                gaps[position] = _Gap(position, end, True)
            return good, gaps
        gaps[position] = _Gap(position, following.position, False)
        position, chain = following.position, None


def _next_good(view: SegmentView, position: int) -> Header | None:
    """Return the next good frame. A header whose parts are bad is stepped over; the frame after it is looked at next."""
    while (header := view.next_header(position)) is not None:
        if view.holds(header):
            return header
        position = header.next_position
    return None


def _judge(view: SegmentView, gap: _Gap, first: int, following: Header | None, mark: int) -> Damage:
    """Say what a bad stretch is. In: the offset it starts with, and the good frame after it."""
    header = view.header(gap.position) or view.cut_header(gap.position)
    if first >= mark and _unwritten(view, gap, header):
        return Damage(gap.position, gap.end, first, first, True, False, "a write that did not finish")
    if following is not None:
        end, bounded = following.first_offset, False
    else:
        end, bounded = _bound(gap, first, header, mark)
    reason = "its bytes are damaged" if header is not None else "the header is damaged"
    end_position = max(gap.end, min(header.next_position, view.size)) if header is not None and gap.last else gap.end
    return Damage(gap.position, end_position, first, max(first, end), False, bounded, reason)


def _bound(gap: _Gap, first: int, header: Header | None, mark: int) -> tuple[int, bool]:
    """Return an offset that no event of a damaged end had, and whether it is only a bound."""
    if header is not None and header.next_position >= gap.end:
        return max(header.end_offset, mark), False
    frames = max(1, -(-(gap.end - gap.position) // _FRAME_BYTES_MIN))
    return max(mark, first + frames * LOG_FRAME_ROWS_MAX), True


def _unwritten(view: SegmentView, gap: _Gap, header: Header | None) -> bool:
    """Return whether a sector of the bad frame was never written."""
    if header is None:
        raw = np.frombuffer(view.content.slice(gap.position, min(HEADER_BYTES, view.size - gap.position)), np.uint8)
        return not raw.any()
    if header.next_position > view.size:
        return True  # the file ends inside the frame
    frame = np.frombuffer(view.frame(header), np.uint8)
    return count_zero_sectors(frame, header.position % SECTOR) > header.zero_sectors


def last_byte(view: SegmentView, position: int) -> int:
    """Return the position after the last byte, from this one on, that is not zero."""
    end = view.size
    while end > position:
        start = max(position, end - LOG_SCAN_BYTES)
        block = np.frombuffer(view.content.slice(start, end - start), np.uint8)
        if block.any():
            return start + int(np.flatnonzero(block)[-1]) + 1
        end = start
    return position
