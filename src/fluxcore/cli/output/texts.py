"""The JSON and text forms of values, column by column (see "Results" in the command-line reference)."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import (
    ArrayType,
    BooleanType,
    BytesType,
    DataType,
    DateType,
    DecimalType,
    FloatType,
    IntegerType,
    IntervalType,
    MapType,
    NullType,
    RowType,
    StringType,
    TimestampType,
    TimeType,
    VariantType,
)
from fluxcore.expr.variants import json_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def json_texts(array: pa.Array, type_: DataType) -> pa.Array:
    """Return each value as JSON text; NULL is ``null``."""
    return pc.fill_null(_json(array, type_), "null")


def _json(array: pa.Array, type_: DataType) -> pa.Array:
    if isinstance(type_, NullType):
        return pa.nulls(len(array), pa.string())
    if isinstance(type_, BooleanType | IntegerType | IntervalType):
        return array.cast(pa.string())
    if isinstance(type_, FloatType):
        return _floats(array, single=type_.bits == 32)
    if isinstance(type_, VariantType):
        return json_of(array)
    if isinstance(type_, StringType):
        return _quoted(array)
    if isinstance(type_, ArrayType | MapType | RowType):
        plain = [None if v is None else json.dumps(nested(v, type_), ensure_ascii=False) for v in array.to_pylist()]
        return pa.array(plain, pa.string())
    return pc.binary_join_element_wise('"', plain_texts(array, type_), '"', "")


def plain_texts(array: pa.Array, type_: DataType) -> pa.Array:
    """Return each value as the text inside the quotes of JSON, as CSV and tables show it; NULL stays null."""
    if isinstance(type_, TimestampType):
        return _timestamps(array, type_)
    if isinstance(type_, TimeType):
        return _trimmed(array.cast(pa.string()), 8)
    if isinstance(type_, DateType | StringType | DecimalType):
        return array.cast(pa.string()) if not isinstance(type_, DecimalType) else _decimals(array)
    if isinstance(type_, BytesType):
        return pa.array([None if v is None else base64.b64encode(v).decode() for v in array.to_pylist()], pa.string())
    if isinstance(type_, FloatType):
        return pc.utf8_trim(_floats(array, single=type_.bits == 32), characters='"')
    return _json(array, type_)


def _decimals(array: pa.Array) -> pa.Array:
    return pa.array([None if value is None else format(value, "f") for value in array.to_pylist()], pa.string())


def _floats(array: pa.Array, *, single: bool) -> pa.Array:
    """Return the shortest text that reads back as the same number."""
    values = np.asarray(array.fill_null(0.0))
    finite = np.isfinite(values)
    texts = [_float32(value) for value in values] if single else [repr(value) for value in values.tolist()]
    if not finite.all():
        names = {"nan": '"NaN"', "inf": '"Infinity"', "-inf": '"-Infinity"'}
        texts = [
            text if ok else names[str(float(value))] for text, ok, value in zip(texts, finite, values, strict=True)
        ]
    found = pa.array(texts, pa.string())
    return pc.if_else(array.is_null(), pa.scalar(None, pa.string()), found) if array.null_count else found


def _float32(value: Any) -> str:
    text = str(value)
    return text if "." in text or "e" in text or "n" in text else text + ".0"


def _quoted(array: pa.Array) -> pa.Array:
    special = pc.match_substring_regex(array, r'[\x00-\x1f"\\]')
    if pc.any(special).as_py():
        texts = [None if v is None else json.dumps(v, ensure_ascii=False) for v in array.to_pylist()]
        return pa.array(texts, pa.string())
    return pc.binary_join_element_wise('"', array, '"', "")


def _timestamps(array: pa.Array, type_: TimestampType) -> pa.Array:
    whole = array.cast(pa.timestamp(array.type.unit)) if type_.local else array
    text = _trimmed(pc.strftime(whole, "%Y-%m-%dT%H:%M:%S"), 19)
    return pc.binary_join_element_wise(text, "Z", "") if type_.local else text


def _trimmed(text: pa.Array, whole: int) -> pa.Array:
    """Cut a fraction of a second to milliseconds, microseconds or nanoseconds, whatever it needs; none when it is 0."""
    rest = pc.utf8_slice_codeunits(text, whole)
    if not len(text) or pc.all(pc.match_substring_regex(pc.fill_null(rest, ""), r"^(\.0+)?$")).as_py():
        return pc.utf8_slice_codeunits(text, 0, whole)
    need = pc.replace_substring_regex(rest, r"^\.0+$", "")
    three = pc.replace_substring_regex(need, r"^(\.\d{3})0+$", r"\1")
    six = pc.replace_substring_regex(three, r"^(\.\d{6})0+$", r"\1")
    return pc.binary_join_element_wise(pc.utf8_slice_codeunits(text, 0, whole), six, "")


def nested(value: Any, type_: DataType) -> Any:
    """Return a value of a nested type as plain JSON values."""
    if value is None:
        return None
    if isinstance(type_, ArrayType):
        return [nested(each, type_.element) for each in value]
    if isinstance(type_, MapType):
        return {_key(key, type_.key): nested(each, type_.value) for key, each in value}
    if isinstance(type_, RowType):
        return {name: nested(value[name], field) for name, field in type_.fields}
    if isinstance(type_, BooleanType | IntegerType | IntervalType):
        return value
    text = _json(pa.array([value], type_.arrow()), type_)[0].as_py()
    return json.loads(text)


def _key(value: Any, type_: DataType) -> str:
    found = nested(value, type_)
    return found if isinstance(found, str) else json.dumps(found)


def joined(parts: Sequence[Any]) -> pa.Array:
    """Return texts put together, row by row."""
    return pc.binary_join_element_wise(*parts, "")
