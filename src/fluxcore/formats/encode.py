"""Turns columns into columns of text, the common part of the CSV and JSON encoders."""

from __future__ import annotations

import base64
import datetime
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import BytesType, FloatType, StringType, TimestampType, TimeType
from fluxcore.errors import JobError
from fluxcore.formats import encode_kernels
from fluxcore.formats.base import Encoder
from fluxcore.formats.simd_kernels import PADDING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fluxcore.core.schema import Schema
    from fluxcore.core.types import DataType

    Array = NDArray[Any]

_BYTES_AT_ONCE = 128 * 1024 * 1024
_EPOCH = datetime.datetime(1970, 1, 1)


class TextEncoder(Encoder):
    """Writes rows as lines: each column becomes a column of text, then Arrow joins them."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    @abstractmethod
    def pieces(self, batch: pa.RecordBatch, end: str) -> list[Any]:
        """Return the texts (columns and constants) that make up each row when joined, ``end`` included."""

    def lines(self, joined: pa.Array) -> pa.Array:
        """Return the rows as they are written, made of what was joined."""
        return joined

    def encode(self, batch: pa.RecordBatch) -> pa.Buffer:
        """Return the rows with a line feed behind each."""
        if batch.num_rows == 0:
            return pa.py_buffer(b"")
        if batch.nbytes > _BYTES_AT_ONCE and batch.num_rows > 1:
            half = batch.num_rows // 2
            first, second = self.encode(batch.slice(0, half)), self.encode(batch.slice(half))
            return pa.py_buffer(first.to_pybytes() + second.to_pybytes())
        offsets, data = text_parts(self.lines(self._joined(batch, "\n")))
        return pa.py_buffer(data[offsets[0] : offsets[-1]])

    def encode_messages(self, batch: pa.RecordBatch) -> pa.BinaryArray:
        """Return a message for each row, without a line end."""
        if batch.num_rows == 0:
            return pa.array([], pa.binary())
        return self.lines(self._joined(batch, "")).cast(pa.binary())

    def _joined(self, batch: pa.RecordBatch, end: str) -> pa.Array:
        pieces = self.pieces(batch, end)
        if all(isinstance(each, str) for each in pieces):
            return pa.array(["".join(pieces)] * batch.num_rows, pa.string())
        return pc.binary_join_element_wise(*pieces, "")


def text_parts(array: pa.StringArray) -> tuple[Array, Array]:
    """Return offsets (int32) and bytes of an Arrow text array as NumPy views, for its own rows."""
    _, offsets, data = array.buffers()
    found = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
    return found, np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)


def padded_parts(array: pa.Array) -> tuple[Array, Array]:
    """Return offsets from zero on and bytes with padding behind, as the kernels want them."""
    offsets, data = text_parts(array)
    size = int(offsets[-1]) - int(offsets[0])
    padded = np.empty(size + PADDING, np.uint8)
    padded[:size] = data[offsets[0] : offsets[-1]]
    return offsets - offsets[0], padded


def text_array(count: int, offsets: Array, data: Array, used: int) -> pa.StringArray:
    """Return an Arrow text array over what a kernel wrote."""
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data).slice(0, used)]
    return pa.Array.from_buffers(pa.string(), count, buffers)


def with_nulls_of(text: pa.Array, source: pa.Array) -> pa.Array:
    """Return ``text`` with null where ``source`` is null."""
    return text if source.null_count == 0 else pc.if_else(source.is_valid(), text, pa.scalar(None, pa.string()))


def plain_text(type_: DataType, column: pa.Array, between: str, quoted: bool) -> pa.Array | None:
    """Return a column of simple values as text, nulls kept; None for texts, bytes and nested types.

    In: ``between`` what separates date and time; ``quoted`` whether what is no number gets double quotes (JSON).
    """
    if isinstance(type_, TimestampType):
        return _timestamps(type_, column, between, quoted)
    if isinstance(type_, TimeType):
        filled = np.ascontiguousarray(pc.fill_null(column, pa.scalar(0, column.type)).cast(pa.int32()).to_numpy())
        offsets, out = np.empty(len(filled) + 1, np.int32), np.empty(16 * len(filled), np.uint8)
        used = encode_kernels.write_times(filled, int(quoted), offsets, out)
        return with_nulls_of(text_array(len(filled), offsets, out, used), column)
    if isinstance(type_, StringType | BytesType) or pa.types.is_nested(column.type):
        return None
    text = column.cast(pa.string())
    if isinstance(type_, FloatType):
        return _named_floats(column, text, quoted)
    if quoted and pa.types.is_date(column.type):
        return pc.binary_join_element_wise('"', text, '"', "")
    return text


def base64_text(column: pa.Array) -> pa.Array:
    """Return bytes as base64 text, nulls kept."""
    texts = [None if each is None else base64.b64encode(each).decode() for each in column.to_pylist()]
    return pa.array(texts, pa.string())


def timestamp_text(value: int, type_: TimestampType, between: str) -> str:
    """Return one timestamp, given in units of its Arrow form, as text."""
    unit = 10**9 if type_.precision > 6 else 10**6
    seconds, rest = divmod(value, unit)
    try:
        moment = _EPOCH + datetime.timedelta(seconds=seconds)
    except OverflowError as error:
        raise JobError("FX-FMT-0004", "a timestamp lies outside of the years 1 to 9999") from error
    fraction = str(rest).rjust(len(str(unit)) - 1, "0").rstrip("0")
    text = moment.isoformat(between, "seconds")
    return text + ("." + fraction if fraction else "") + ("Z" if type_.local else "")


def _timestamps(type_: TimestampType, column: pa.Array, between: str, quoted: bool) -> pa.Array:
    values = pc.fill_null(column.cast(pa.int64()), 0).to_numpy()
    digits = 9 if type_.precision > 6 else 6
    shape = np.array([10**digits, digits, ord(between), type_.local, quoted], np.int64)
    offsets, out = np.empty(len(values) + 1, np.int32), np.empty(40 * len(values), np.uint8)
    used = encode_kernels.write_timestamps(np.ascontiguousarray(values), shape, offsets, out)
    if used < 0:
        raise JobError("FX-FMT-0004", "a timestamp lies outside of the years 0 to 9999")
    return with_nulls_of(text_array(len(values), offsets, out, used), column)


def _named_floats(column: pa.Array, text: pa.Array, quoted: bool) -> pa.Array:
    finite = pc.is_finite(column)
    if pc.all(pc.fill_null(finite, True)).as_py():
        return text
    mark = '"' if quoted else ""
    names = pc.if_else(
        pc.is_nan(column),
        f"{mark}NaN{mark}",
        pc.if_else(pc.greater(column, pa.scalar(0, column.type)), f"{mark}Infinity{mark}", f"{mark}-Infinity{mark}"),
    )
    return pc.if_else(finite, text, names)
