"""Frames: how the log's bytes are laid out. The design page on the log's format names every field.

A frame starts at a multiple of 128 bytes: a header of 128 bytes with its own CRC-32C, then *meta* and *body*, each filled up
with zeros to a multiple of 128 and covered, with the filling, by a CRC-32C. The header lies in one sector of the disk,
knows its own place (segment and position) and the header before it (chain), so that neither bytes left from before nor an
image of a frame inside an event is ever taken for one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import google_crc32c
import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MAGIC = b"FRYS"
VERSION = 1
ALIGN = 128
SECTOR = 512
HEADER_BYTES = 128
CHAIN_BYTES = 16
SPARSE = 1
"""Flag: rows were taken out, and the last column of the body holds the distance of each row from the first offset."""

_FIELDS = struct.Struct("<4sBBBBQQQIIQIIQQqqQ16sIIII")
_CRC = struct.Struct("<I")
_FILL = bytes(ALIGN)
_ZERO_SECTOR = bytes(SECTOR)
_JOINED_BYTES = 64 * 1024  # a body up to this size is copied next to its meta: fewer pieces cost less than the copy
assert _FIELDS.size == HEADER_BYTES


class Kind(IntEnum):
    """What a frame holds: the head of a segment, a schema, events, or only a newer durable mark."""

    HEAD = 1
    SCHEMA = 2
    DATA = 3
    MARK = 4


class Compression(IntEnum):
    """How a body is compressed, as a whole."""

    NONE = 0
    LZ4 = 1
    ZSTD = 2


class Header(NamedTuple):
    """The fields of a frame's header, in the order of the bytes (the magic and the header's CRC stand around them)."""

    version: int
    kind: int
    compression: int
    flags: int
    segment: int
    position: int
    first_offset: int
    rows: int
    span: int
    schema: int
    meta_length: int
    zero_sectors: int
    body_length: int
    raw_length: int
    time_min_us: int
    time_max_us: int
    durable: int
    chain: bytes
    meta_crc: int
    body_crc: int

    @property
    def end_offset(self) -> int:
        """The offset after the frame's last row."""
        return self.first_offset + self.span

    @property
    def body_position(self) -> int:
        """Where the body starts in the segment."""
        return self.position + HEADER_BYTES + filled(self.meta_length)

    @property
    def next_position(self) -> int:
        """Where the frame after this one starts in the segment."""
        return self.position + HEADER_BYTES + filled(self.meta_length) + filled(self.body_length)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a frame will hold, before it has a place. Lengths, CRCs and zero sectors follow from it."""

    kind: Kind
    first_offset: int
    meta: bytes = b""
    body: bytes | pa.Buffer = b""
    rows: int = 0
    span: int = 0
    schema: int = 0
    flags: int = 0
    compression: Compression = Compression.NONE
    raw_length: int = 0
    time_min_us: int = 0
    time_max_us: int = 0

    @property
    def size(self) -> int:
        """The bytes that the frame takes in a segment."""
        return HEADER_BYTES + filled(len(self.meta)) + filled(len(self.body))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a frame goes: the segment's id, the position in it, the durable mark and the chain at this moment."""

    segment: int
    position: int
    durable: int
    chain: bytes


def filled(length: int) -> int:
    """Return a length rounded up to the next bound of a frame's parts."""
    return -(-length // ALIGN) * ALIGN


def crc32c(data: bytes | pa.Buffer, crc: int = 0) -> int:
    """Return the CRC-32C of bytes, going on from ``crc``."""
    return google_crc32c.extend(crc, data)


def chain_after(header: bytes) -> bytes:
    """Return the chain value of the frame after one with this header."""
    return blake2b(header, digest_size=CHAIN_BYTES).digest()


def encode(draft: Draft, place: Place) -> tuple[Header, bytes, list[bytes | pa.Buffer]]:
    """Return a frame's header, the bytes of it, and all pieces of the frame in order, these bytes first."""
    meta = draft.meta + _FILL[: -len(draft.meta) % ALIGN]
    body_length = len(draft.body)
    fill = _FILL[: -body_length % ALIGN]
    if body_length <= _JOINED_BYTES:
        content = b"".join((meta, draft.body, fill))
        pieces: list[bytes | pa.Buffer] = [content]
        zero_sectors = _zero_sectors_joined(content, place.position)
    else:
        pieces = [piece for piece in (meta, draft.body, fill) if len(piece)]
        zero_sectors = _zero_sectors(meta, draft.body, fill, place.position)
    header = Header(
        VERSION,
        draft.kind,
        draft.compression,
        draft.flags,
        place.segment,
        place.position,
        draft.first_offset,
        draft.rows,
        draft.span,
        draft.schema,
        len(draft.meta),
        zero_sectors,
        body_length,
        draft.raw_length,
        draft.time_min_us,
        draft.time_max_us,
        place.durable,
        place.chain,
        crc32c(meta) if meta else 0,
        crc32c(fill, crc32c(draft.body)) if body_length else 0,
    )
    fields = _FIELDS.pack(MAGIC, *header, 0, 0)[:-4]
    raw = fields + _CRC.pack(crc32c(fields))
    return header, raw, [raw, *pieces]


def decode_header(data: bytes | pa.Buffer, at: int = 0) -> Header | None:
    """Return the header in these bytes, or None where they are none; the version may be one that is not known."""
    raw = bytes(memoryview(data)[at : at + HEADER_BYTES])
    if len(raw) < HEADER_BYTES or raw[:4] != MAGIC:
        return None
    if google_crc32c.value(raw[:-4]) != _CRC.unpack_from(raw, HEADER_BYTES - 4)[0]:
        return None
    return Header._make(_FIELDS.unpack(raw)[1:-2])


def parts_hold(header: Header, frame: bytes | pa.Buffer) -> bool:
    """Return whether meta and body, given with the header as one piece, are what was written."""
    body_at = header.body_position - header.position
    end = header.next_position - header.position
    if len(memoryview(frame)) < end:
        return False
    data = frame if isinstance(frame, pa.Buffer) else pa.py_buffer(frame)
    meta = data.slice(HEADER_BYTES, body_at - HEADER_BYTES)
    return crc32c(meta) == header.meta_crc and crc32c(data.slice(body_at, end - body_at)) == header.body_crc


def count_zero_sectors(data: NDArray[np.uint8], phase: int) -> int:
    """Return how many sectors have nothing but zeros in these bytes, which start ``phase`` bytes into a sector.

    A sector at the edge counts by its part inside.
    """
    lead = min(-phase % SECTOR, len(data))
    count = int(lead > 0 and not data[:lead].any())
    whole = (len(data) - lead) // SECTOR
    if whole:
        sectors = data[lead : lead + whole * SECTOR].reshape(whole, SECTOR)
        if not sectors[:, 0].all():
            maybe = np.flatnonzero(sectors[:, 0] == 0)
            count += int((~sectors[maybe].any(axis=1)).sum())
    tail = data[lead + whole * SECTOR :]
    return count + int(len(tail) > 0 and not tail.any())


def _zero_sectors_joined(content: bytes, position: int) -> int:
    """Count over a frame's bytes behind its header; the sector of the header is none."""
    shared = -(position + HEADER_BYTES) % SECTOR
    if shared >= len(content) or (_ZERO_SECTOR not in content and content[-ALIGN:].strip(b"\0")):
        return 0  # the quick look: no zeros that fill a sector, nor the part of one at the end
    return count_zero_sectors(np.frombuffer(content, np.uint8, -1, shared), 0)


def _zero_sectors(meta: bytes, body: bytes | pa.Buffer, fill: bytes, position: int) -> int:
    """Count over a large frame without joining its pieces: what shares a sector with the meta, and the rest of the body."""
    shared = -(position + HEADER_BYTES + len(meta)) % SECTOR
    whole = memoryview(body).cast("B")
    count = _zero_sectors_joined(meta + bytes(whole[:shared]), position)
    last = (len(whole) - shared) // SECTOR * SECTOR + shared
    count += count_zero_sectors(np.frombuffer(whole[shared:last], np.uint8), 0)
    return count + count_zero_sectors(np.frombuffer(bytes(whole[last:]) + fill, np.uint8), 0)


def joined(pieces: Sequence[bytes | pa.Buffer]) -> bytes:
    """Return pieces as one."""
    return b"".join(bytes(memoryview(piece)) for piece in pieces)
