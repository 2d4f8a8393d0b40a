"""Segments: files that are given their room on the disk before use, filled frame by frame, and read through a map.

The name of a segment is its first offset and its generation (compaction makes the next one). It begins with a frame that names
topic, log and segment; then come schemas, each before its first use, events and marks. What was not written yet is zeros.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa

from fluxcore.bus.log.files import write_all
from fluxcore.bus.log.frame import (
    ALIGN,
    CHAIN_BYTES,
    HEADER_BYTES,
    MAGIC,
    VERSION,
    Draft,
    Header,
    Kind,
    Place,
    chain_after,
    decode_header,
    encode,
    parts_hold,
)
from fluxcore.bus.log.schemas import read_schema
from fluxcore.errors import JobError
from fluxcore.limits import LOG_SCAN_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fluxcore.bus.log.files import Files

SUFFIX = ".seg"
_NAME = re.compile(r"^(\d{20})\.(\d{6})\.seg$")


@dataclass(frozen=True, slots=True, order=True)
class SegmentName:
    """The first offset of a segment and its generation, as its file is called."""

    first: int
    generation: int = 0

    def __str__(self) -> str:
        return f"{self.first:020d}.{self.generation:06d}{SUFFIX}"

    @staticmethod
    def of(name: str) -> SegmentName | None:
        """Return what a file's name says, or None for a file that is no segment."""
        found = _NAME.match(name)
        return SegmentName(int(found[1]), int(found[2])) if found else None


class Head(msgspec.Struct, frozen=True):
    """What the first frame of a segment says, as JSON.

    ``end`` is set by compaction: the offset after the last one whose rows the segment stands for. ``chain`` is the chain value
    of the segment before; ``closes`` that of the last segment that compaction replaced, for the one after.
    """

    topic: str
    log: str
    segment: int
    first: int
    generation: int = 0
    end: int | None = None
    chain: str = ""
    closes: str = ""
    created_us: int = 0


@dataclass(slots=True)
class Cursor:
    """Where the next frame of a segment goes, and the chain value that it carries."""

    position: int
    chain: bytes


class SegmentFile:
    """A segment being written, by one thread."""

    def __init__(self, files: Files, folder: str, head: Head, handle: int, size: int) -> None:
        self.files = files
        self.folder = folder
        self.head = head
        self.name = SegmentName(head.first, head.generation)
        self.size = size
        self.cursor = Cursor(0, bytes(CHAIN_BYTES))
        self.schemas: set[int] = set()
        self.first: list[tuple[Header, bytes]] = []
        self._handle = handle
        self._pieces: list[bytes | pa.Buffer] = []
        self._headers: list[tuple[Header, bytes]] = []
        self._start = self.cursor

    @staticmethod
    def create(files: Files, folder: str, head: Head, size: int, *, publish: bool = True) -> SegmentFile:
        """Make a segment, durably, before anything is written to it.

        1. Its room is allocated under a hidden name and its head written. 2. It is synced, renamed, and the folder synced.
        A compaction publishes only when all its rows are in: ``publish`` is then False.
        """
        name = SegmentName(head.first, head.generation)
        hidden = f"{folder}/{name}.new"
        files.remove(hidden)
        handle = files.open(hidden, create=True, write=True)
        try:
            files.allocate(handle, size)
            made = SegmentFile(files, folder, head, handle, size)
            made.stage(Draft(Kind.HEAD, head.first, body=msgspec.json.encode(head)), head.first)
            made.first = made.write()
            if publish:
                made.publish()
        except BaseException:
            files.close(handle)
            files.remove(hidden)
            raise
        return made

    @staticmethod
    def reopen(files: Files, folder: str, head: Head, view: SegmentView) -> SegmentFile:
        """Return a segment that exists, to be written on; the caller says where."""
        return SegmentFile(files, folder, head, files.open(view.path, write=True), view.size)

    def allocate(self, size: int) -> None:
        """Give the file its room again, where it was cut short."""
        if self.size < size:
            self.files.allocate(self._handle, size)
            self.size = size

    def publish(self) -> None:
        """Give the segment its name: from here on it is a part of the log."""
        self.sync()
        self.files.rename(f"{self.folder}/{self.name}.new", self.path)
        self.files.sync_folder(self.folder)

    @property
    def path(self) -> str:
        """Where the file lies."""
        return f"{self.folder}/{self.name}"

    def room(self, size: int) -> bool:
        """Return whether frames of this many bytes in all still fit, with an empty header after them."""
        return self.cursor.position + size + HEADER_BYTES <= self.size

    def fits(self, size: int) -> bool:
        """Return whether so many bytes fit at all: what ``room`` leaves is for the mark that ends a segment."""
        return self.cursor.position + size <= self.size

    def stage(self, draft: Draft, durable: int) -> Header:
        """Put a frame behind those that ``write`` will write."""
        if not self._pieces:
            self._start = Cursor(self.cursor.position, self.cursor.chain)
        place = Place(self.head.segment, self.cursor.position, durable, self.cursor.chain)
        header, raw, pieces = encode(draft, place)
        self._pieces += pieces
        self._headers.append((header, raw))
        if draft.kind == Kind.SCHEMA:
            self.schemas.add(draft.schema)
        self.cursor = Cursor(header.next_position, chain_after(raw))
        return header

    def write(self) -> list[tuple[Header, bytes]]:
        """Write what was staged and return its headers with their bytes. A write that fails leaves no trace, or ``BrokenFile`` is raised."""
        headers, pieces, start = self._headers, self._pieces, self._start
        self._headers, self._pieces = [], []
        if not pieces:
            return []
        end = self.cursor.position
        try:
            write_all(self.files, self._handle, pieces, start.position)
        except OSError as error:
            self.cursor = start
            self._unlearn(headers)
            self._clear(start.position, end, error)
            raise
        return headers

    def forget(self) -> None:
        """Drop what was staged and not written."""
        if self._pieces:
            self.cursor = self._start
            self._unlearn(self._headers)
        self._headers, self._pieces = [], []

    def rewrite(self, content: pa.Buffer, position: int) -> None:
        """Write bytes that stand in the file already once more, so that the next sync covers them."""
        write_all(self.files, self._handle, [content], position)

    def clear(self, start: int, end: int) -> None:
        """Fill a stretch with zeros, durably."""
        step = min(end - start, LOG_SCAN_BYTES)
        zeros = bytes(step)
        for position in range(start, end, max(step, 1)):
            write_all(self.files, self._handle, [zeros[: end - position]], position)
        self.sync()

    def sync(self) -> None:
        """Return when all that was written is on the disk."""
        self.files.sync(self._handle)

    def close(self) -> None:
        """Give the handle back."""
        self.files.close(self._handle)

    def _unlearn(self, headers: list[tuple[Header, bytes]]) -> None:
        self.schemas.difference_update(each.schema for each, _ in headers if each.kind == Kind.SCHEMA)

    def _clear(self, start: int, end: int, cause: OSError) -> None:
        """Take back what a failed write may have left, and make that durable before the place is used again."""
        try:
            self.clear(start, min(end, self.size))
        except OSError as error:
            raise BrokenFile(f"{cause}; and taking the write back: {error}") from error


class BrokenFile(Exception):
    """A segment may hold a part of a frame that could not be taken back: nothing more may be written."""


class SegmentView:
    """A segment being read: through a map of the file, which sees what is written later as well."""

    def __init__(self, files: Files, folder: str, name: SegmentName) -> None:
        self.files = files
        self.folder = folder
        self.name = name
        self.content = files.map(f"{folder}/{name}")
        self.segment, self.head = self._identity()
        self._schemas: dict[int, pa.Schema] = {}

    @property
    def path(self) -> str:
        """Where the file lies."""
        return f"{self.folder}/{self.name}"

    @property
    def size(self) -> int:
        """The bytes of the file when it was opened."""
        return self.content.size

    def header(self, position: int) -> Header | None:
        """Return the header at a position if it is one of this segment's that stands where it was written."""
        if position + HEADER_BYTES > self.size:
            return None
        found = decode_header(self.content, position)
        if found is None or found.position != position or found.segment != self.segment:
            return None
        if found.version != VERSION:
            raise newer_format(self.path, found.version)
        return found if found.next_position <= max(self.size, position) else None

    def cut_header(self, position: int) -> Header | None:
        """Return a header whose frame goes beyond the file's end, as after a file was cut short."""
        found = decode_header(self.content, position) if position + HEADER_BYTES <= self.size else None
        return found if found is not None and found.position == position and found.segment == self.segment else None

    def headers(self, position: int = 0) -> Iterator[Header]:
        """Return the headers from a position on, up to the first place without one."""
        while (header := self.header(position)) is not None:
            yield header
            position = header.next_position

    def frame(self, header: Header) -> pa.Buffer:
        """Return a frame's bytes, without copying."""
        return self.content.slice(header.position, header.next_position - header.position)

    def holds(self, header: Header) -> bool:
        """Return whether a frame's meta and body are what was written."""
        return parts_hold(header, self.frame(header))

    def chain_after(self, header: Header) -> bytes:
        """Return the chain value that the frame after this one must carry."""
        return chain_after(self.content.slice(header.position, HEADER_BYTES).to_pybytes())

    def meta(self, header: Header) -> bytes:
        """Return a frame's meta."""
        return self.content.slice(header.position + HEADER_BYTES, header.meta_length).to_pybytes()

    def body(self, header: Header) -> pa.Buffer:
        """Return a frame's body as it is stored, without copying."""
        return self.content.slice(header.body_position, header.body_length)

    def schema(self, header: Header) -> pa.Schema | None:
        """Return the schema in a frame that holds one, or None where it is damaged."""
        return read_schema(self.body(header).to_pybytes()) if self.holds(header) else None

    def next_header(self, position: int) -> Header | None:
        """Return the first header that stands at this position or after it, passing over whatever is in between."""
        handle = self.files.open(self.path)
        try:
            while position < self.size:
                block = self.files.read(handle, position, LOG_SCAN_BYTES)
                if not block:
                    return None
                words = np.frombuffer(block[: len(block) // ALIGN * ALIGN], "<u4")[:: ALIGN // 4]
                for hit in np.flatnonzero(words == int.from_bytes(MAGIC, "little")).tolist():
                    found = self.header(position + hit * ALIGN)
                    if found is not None:
                        return found
                position += max(len(block) // ALIGN, 1) * ALIGN
        finally:
            self.files.close(handle)
        return None

    def _identity(self) -> tuple[int, Head | None]:
        """Return the segment's id and its head; where the head is damaged, the id that its other frames carry."""
        first = decode_header(self.content, 0) if self.size >= HEADER_BYTES else None
        if first is not None and first.version != VERSION:
            raise newer_format(self.path, first.version)
        if first is not None and first.position == 0:
            head = None
            if first.next_position <= self.size and parts_hold(first, self.content.slice(0, first.next_position)):
                head = _read_head(self.content.slice(first.body_position, first.body_length).to_pybytes())
            return first.segment, head
        words = np.frombuffer(self.content, "<u4", self.size // 4)[:: ALIGN // 4]
        for hit in np.flatnonzero(words == int.from_bytes(MAGIC, "little")).tolist():
            found = decode_header(self.content, hit * ALIGN)
            if found is not None and found.position == hit * ALIGN:
                return found.segment, None
        return 0, None


def _read_head(content: bytes) -> Head | None:
    try:
        return msgspec.json.decode(content, type=Head)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def newer_format(path: str, version: int) -> JobError:
    """Return the error for a log that a newer FluxCore wrote."""
    return JobError(
        "FX-LOG-0012",
        f"'{path}' is in version {version} of the log's format, and this is FluxCore for version {VERSION}",
        hint="upgrade FluxCore",
    )
