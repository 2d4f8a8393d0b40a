"""The sparse index of a segment: from an offset or a time to a place near it, and what the segment holds in all.

Beside a segment that is full lies its index (``.idx``); one that is missing or damaged is made again from the headers. The
index by key are the Bloom filters in the frames.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fluxcore.bus.log.files import read_file, replace_file
from fluxcore.bus.log.frame import CHAIN_BYTES, Header, Kind, chain_after, crc32c
from fluxcore.bus.log.ranges import FRAMES_MAX, Ranges, collect
from fluxcore.bus.log.segment import SUFFIX, SegmentName, SegmentView
from fluxcore.limits import LOG_INDEX_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fluxcore.bus.log.files import Files

_MAGIC = b"FRYSIDX1"
_TOTALS = struct.Struct("<8sQQQQQQqqQ16sI")


@dataclass(slots=True)
class SegmentIndex:
    """What is known of a segment's frames.

    ``offsets``, ``positions`` and ``times`` are the entries: a frame's first offset, its place, and the latest append time of all
    frames before it. The rest are totals; ``used`` is the position after the last frame and ``chain`` the value it leaves.
    ``ranges`` are those of a full segment, where it has any.
    """

    segment: int = 0
    end: int = 0
    frames: int = 0
    rows: int = 0
    used: int = 0
    durable: int = 0
    time_min_us: int = 0
    time_max_us: int = 0
    chain: bytes = bytes(CHAIN_BYTES)
    offsets: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    ranges: Ranges | None = None

    def add(self, header: Header, raw: bytes) -> None:
        """Take the next frame in; ``raw`` are the bytes of its header."""
        self.note(header)
        self.chain = chain_after(raw)

    def note(self, header: Header) -> None:
        """Take the next frame in, but for its chain."""
        if not self.positions or header.position >= self.positions[-1] + LOG_INDEX_BYTES:
            self.offsets.append(header.first_offset)
            self.positions.append(header.position)
            self.times.append(self.time_max_us)
        self.segment = header.segment
        self.end = header.end_offset
        self.used = header.next_position
        self.durable = max(self.durable, header.durable)
        if header.kind == Kind.DATA:
            self.frames += 1
            self.rows += header.rows
            self.time_min_us = self.time_min_us or header.time_min_us
            self.time_max_us = max(self.time_max_us, header.time_max_us)

    def position_of(self, offset: int) -> int:
        """Return a place at or before the frame that holds an offset."""
        found = bisect_right(self.offsets, offset) - 1
        while found > 0 and self.offsets[found] == offset:
            found -= 1  # frames without rows share the offset of the next one
        return self.positions[found] if found >= 0 else 0

    def position_of_time(self, time_us: int) -> int:
        """Return a place such that every frame before it was appended before a time."""
        found = bisect_right(self.times, time_us - 1) - 1
        return self.positions[found] if found >= 0 else 0

    def drop_entries(self) -> None:
        """Keep the totals only: readers take the entries from the file."""
        self.offsets, self.positions, self.times, self.ranges = [], [], [], None

    def encode(self) -> bytes:
        """Return the bytes of the index's file, with their CRC at the end."""
        totals = _TOTALS.pack(
            _MAGIC,
            self.segment,
            self.end,
            self.frames,
            self.rows,
            self.used,
            self.durable,
            self.time_min_us,
            self.time_max_us,
            len(self.positions),
            self.chain,
            0,
        )
        entries = np.array([self.offsets, self.positions, self.times], "<i8").tobytes()
        content = totals + entries + (self.ranges.encode() if self.ranges is not None else b"")
        return content + crc32c(content).to_bytes(4, "little")

    @staticmethod
    def decode(content: bytes | None) -> SegmentIndex | None:
        """Return the index in these bytes, or None where they are none."""
        if content is None or len(content) < _TOTALS.size + 4 or content[:8] != _MAGIC:
            return None
        if crc32c(content[:-4]) != int.from_bytes(content[-4:], "little"):
            return None
        _, segment, end, frames, rows, used, durable, low, high, count, chain, _ = _TOTALS.unpack_from(content)
        entries = np.frombuffer(content, "<i8", 3 * count, _TOTALS.size).reshape(3, count).tolist()
        index = SegmentIndex(segment, end, frames, rows, used, durable, low, high, chain)
        index.offsets, index.positions, index.times = entries
        index.ranges = Ranges.decode(content[_TOTALS.size + 24 * count : -4])
        return index


def index_name(name: SegmentName) -> str:
    """Return the name of the file beside a segment that holds its index."""
    return str(name).removesuffix(SUFFIX) + ".idx"


def save_index(files: Files, folder: str, name: SegmentName, index: SegmentIndex) -> None:
    """Write the index of a segment that is full, with the ranges of its frames."""
    if 0 < index.frames <= FRAMES_MAX:
        index.ranges = collect(SegmentView(files, folder, name))
    replace_file(files, folder, index_name(name), index.encode())


def load_index(view: SegmentView) -> SegmentIndex | None:
    """Return the saved index of a segment, or None where there is none that fits."""
    index = SegmentIndex.decode(read_file(view.files, f"{view.folder}/{index_name(view.name)}"))
    return index if index is not None and index.segment == view.segment else None


def make_index(view: SegmentView, headers: Iterable[Header]) -> SegmentIndex:
    """Return the index of a segment with these good frames, in order."""
    index = SegmentIndex(segment=view.segment, end=view.name.first)
    for header in headers:
        index.note(header)
        index.chain = view.chain_after(header)
    return index
