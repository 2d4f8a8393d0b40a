"""Reads a text file in blocks of whole records, each with its place in the file."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.ports import Signal, SplitReader
from fluxcore.errors import DataError, Place
from fluxcore.formats.faults import RowSource
from fluxcore.formats.simd_kernels import PADDING, count_byte
from fluxcore.formats.text import TextBlock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

    from numpy.typing import NDArray

    from fluxcore.core.batch import Batch
    from fluxcore.formats.text import TextDecoder

_MARK = b"\xef\xbb\xbf"
_CODECS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".lz4": "lz4"}
_NEWLINE = 10
_BUFFERS_KEPT = 8


class TextFileReader(SplitReader):
    """Cuts a file (plain, or compressed as its suffix says) into blocks and decodes them."""

    def __init__(self, path: str, decoder: TextDecoder, position: Mapping[str, Any] | None = None) -> None:
        self._path = path
        self._decoder = decoder
        self._request = decoder.request
        self._file = _open(path)
        self._layout: Any = None
        self._offset = 0
        self._line = 1
        self._tail: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._ended = False
        self._buffers: deque[NDArray[np.uint8]] = deque(maxlen=_BUFFERS_KEPT)
        try:
            self._begin()
            if position:
                self._seek(int(position["offset"]), int(position["line"]))
        except BaseException:
            self._file.close()
            raise

    def take(self) -> TextBlock | Signal:
        """Return the next block. Raises: ``DataError`` FX-DAT-0002 for a record beyond all bounds."""
        if self._ended:
            return Signal.END
        buffer = self._buffer(max(self._request.block_bytes, len(self._tail) + 1) + 1)
        filled = len(self._tail)
        buffer[:filled] = self._tail
        while True:
            room = len(buffer) - PADDING - 1
            filled += self._read(buffer, filled, room)
            if filled < room:
                return self._last(buffer, filled)
            end = self._decoder.cut(buffer, filled)
            if end:
                break
            if filled >= self._request.record_bytes_max:
                self._ended = True
                raise DataError(
                    "FX-DAT-0002",
                    f"a record is longer than {self._request.record_bytes_max} bytes",
                    place=Place(file=self._path, line=self._line),
                    hint="is a quote left open, or is this not a file of lines?",
                )
            buffer = _grown(buffer, filled, min(2 * room, self._request.record_bytes_max))
        self._tail = buffer[end:filled].copy()
        return self._cut_off(buffer, end)

    def decode(self, unit: TextBlock) -> Batch:
        """Return the rows of a block."""
        batch = self._decoder.decode(unit)
        self._buffers.append(unit.buffer)
        return batch

    def position(self) -> Mapping[str, Any]:
        """Return the place of the next record: file, byte offset (behind decompression), line."""
        return {"file": self._path, "offset": self._offset, "line": self._line}

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _begin(self) -> None:
        """Read past a byte-order mark, and the header where there is one."""
        start = np.empty(4096, np.uint8)
        filled = self._read(start, 0, max(len(_MARK), min(4096, self._request.block_bytes)))
        first = bytes(start.data[: len(_MARK)])
        if filled >= len(_MARK) and first == _MARK:
            self._offset = len(_MARK)
        self._tail = start[self._offset : filled].copy()
        if self._decoder.has_header():
            self._take_header()

    def _take_header(self) -> None:
        """Cut the first record off and learn the layout from it; a file without any has no rows."""
        while True:
            raw = self._take_first()
            if not raw:
                return
            row = RowSource(self._path, self._line, raw.rstrip(b"\r\n"))
            self._line += raw.count(b"\n")
            self._offset += len(raw)
            self._tail = self._tail[len(raw) :]
            if row.raw and not self._decoder.is_comment(row.raw):
                self._layout = self._decoder.read_header(row)
                return

    def _take_first(self) -> bytes:
        """Return the bytes of the first record that waits, with its line end; nothing at the end of the file."""
        while True:
            size = len(self._tail)
            padded = np.zeros(size + 1 + PADDING, np.uint8)
            padded[:size] = self._tail
            end = self._decoder.cut_first(padded, size)
            if end:
                return bytes(self._tail.data[:end])
            more = np.empty(self._request.block_bytes, np.uint8)
            count = self._read(more, 0, len(more))
            if count == 0 or size > self._request.record_bytes_max:
                return bytes(self._tail.data)
            self._tail = np.concatenate((self._tail, more[:count]))

    def _seek(self, offset: int, line: int) -> None:
        """Go on at a place that ``position`` gave; a compressed file is read up to there."""
        if offset > self._offset + len(self._tail):
            skip = offset - self._offset - len(self._tail)
            self._tail = self._tail[:0]
            if self._file.seekable():
                self._file.seek(offset)
            else:
                waste = np.empty(min(skip, self._request.block_bytes), np.uint8)
                while skip:
                    count = self._read(waste, 0, min(skip, len(waste)))
                    if not count:
                        break
                    skip -= count
        else:
            self._tail = self._tail[offset - self._offset :]
        self._offset, self._line = offset, line

    def _last(self, buffer: NDArray[np.uint8], filled: int) -> TextBlock | Signal:
        self._ended = True
        self._tail = self._tail[:0]
        if filled == 0:
            return Signal.END
        if buffer[filled - 1] != _NEWLINE:
            buffer[filled] = _NEWLINE
            filled += 1
        return self._cut_off(buffer, filled)

    def _cut_off(self, buffer: NDArray[np.uint8], size: int) -> TextBlock:
        block = TextBlock(buffer, size, self._path, self._offset, self._line, self._layout)
        self._offset += size
        self._line += count_byte(buffer, 0, size, _NEWLINE)
        return block

    def _read(self, buffer: NDArray[np.uint8], filled: int, end: int) -> int:
        """Fill ``buffer[filled:end]`` as far as the file goes; return the bytes read."""
        view = buffer.data
        start = filled
        try:
            while filled < end:
                count = self._file.readinto(view[filled:end])  # type: ignore[attr-defined]
                if not count:
                    break
                filled += count
        except (OSError, pa.ArrowInvalid) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise DataError(
                "FX-DAT-0005",
                f"the file can't be decompressed: {error}",
                place=Place(file=self._path),
                hint="its suffix says how it is compressed; is it complete?",
            ) from error
        return filled - start

    def _buffer(self, size: int) -> NDArray[np.uint8]:
        try:
            held = self._buffers.pop()
        except IndexError:
            held = None
        if held is not None and len(held) == size + PADDING:
            return held
        buffer: NDArray[np.uint8] = np.empty(size + PADDING, np.uint8)
        return buffer


def _grown(buffer: NDArray[np.uint8], filled: int, room: int) -> NDArray[np.uint8]:
    larger = np.empty(room + 1 + PADDING, np.uint8)
    larger[:filled] = buffer[:filled]
    return larger


def _open(path: str) -> BinaryIO:
    codec = _CODECS.get(Path(path).suffix.lower())
    file: BinaryIO
    if codec is None:
        file = Path(path).open("rb", buffering=0)  # noqa: SIM115
    else:
        Path(path).open("rb").close()  # a missing file is an OSError of the usual kind
        file = pa.input_stream(path, compression=codec)
    return file
