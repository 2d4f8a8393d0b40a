"""Payloads as rows of a topic that has a schema: checked when they are published."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import pyarrow as pa

from fluxcore.bus.errors import BusError
from fluxcore.bus.payloads import plain

if TYPE_CHECKING:
    from collections.abc import Callable

_NATIVE = (bytes, bytearray, dt.datetime, dt.date, dt.time, dt.timedelta, Decimal)
_BITS = {pa.types.is_int8: (8, True), pa.types.is_int16: (16, True), pa.types.is_int32: (32, True), pa.types.is_int64: (64, True),
         pa.types.is_uint8: (8, False), pa.types.is_uint16: (16, False), pa.types.is_uint32: (32, False)}  # fmt: skip
_KINDS: dict[Callable[[pa.DataType], bool], Any] = {
    pa.types.is_boolean: bool, pa.types.is_floating: float, pa.types.is_decimal: Decimal, pa.types.is_string: str,
    pa.types.is_large_string: str, pa.types.is_binary: bytes, pa.types.is_large_binary: bytes, pa.types.is_date: dt.date,
    pa.types.is_time: dt.time, pa.types.is_timestamp: dt.datetime, pa.types.is_duration: dt.timedelta,
    pa.types.is_uint64: Annotated[int, msgspec.Meta(ge=0)],
}  # fmt: skip


class Rows:
    """Makes rows of payloads. In: the columns of the payload, and the name of the topic for errors."""

    def __init__(self, schema: pa.Schema, topic: str) -> None:
        self.schema = schema
        self._topic = topic
        self._kind = _struct("Row", list(schema))
        nested = [_is_nested(field.type) for field in schema]
        self._nested = [number for number, each in enumerate(nested) if each]
        self._maps = [number for number, field in enumerate(schema) if pa.types.is_map(field.type)]
        names = _safe([field.name for field in schema])
        self._values: Callable[[Any], tuple[Any, ...]] = (
            attrgetter(*names) if len(names) > 1 else lambda row: (getattr(row, names[0]),)
        )

    def row(self, data: Any) -> tuple[Any, ...]:
        """Return a payload as the values of its columns. Raises ``BusError`` FX-BUS-0207 for one that doesn't fit."""
        try:
            if isinstance(data, bytes) or hasattr(data, "model_dump"):
                data = plain(data)
            found = msgspec.convert(data, self._kind, from_attributes=True)
        except (msgspec.MsgspecError, ValueError, TypeError) as error:
            hint = f"it has {', '.join(f'{field.name} {field.type}' for field in self.schema)}"
            raise BusError(
                "FX-BUS-0207", f"a payload for '{self._topic}' doesn't fit its schema: {error}", hint=hint
            ) from error
        values = self._values(found)
        if self._nested:
            changed = list(values)
            for number in self._nested:
                changed[number] = msgspec.to_builtins(values[number], builtin_types=_NATIVE)
            for number in self._maps:
                changed[number] = None if values[number] is None else list(changed[number].items())
            return tuple(changed)
        return values

    def batch(self, payload: pa.RecordBatch) -> pa.RecordBatch:
        """Return rows as the schema has them, without copies where their types fit. Raises ``BusError`` FX-BUS-0207."""
        if payload.schema.equals(self.schema):
            return payload
        hint = f"it has {', '.join(self.schema.names)}"
        for name in payload.schema.names:
            if self.schema.get_field_index(name) < 0:
                raise BusError("FX-BUS-0207", f"the schema of '{self._topic}' has no column '{name}'", hint=hint)
        arrays = []
        for field in self.schema:
            number = payload.schema.get_field_index(field.name)
            array = pa.nulls(payload.num_rows, field.type) if number < 0 else payload.column(number)
            try:
                array = array.cast(field.type)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                message = f"the column '{field.name}' is no {field.type} as '{self._topic}' wants it: {error}"
                raise BusError("FX-BUS-0207", message, hint="cast it first") from error
            if array.null_count and not field.nullable:
                raise BusError("FX-BUS-0207", f"the column '{field.name}' of '{self._topic}' takes no nulls", hint=hint)
            arrays.append(array)
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def _struct(name: str, fields: list[pa.Field]) -> type[msgspec.Struct]:
    """Return a type of records for columns; what may be null may be left out."""
    safe = _safe([field.name for field in fields])
    kinds: list[Any] = []
    for field, attribute in zip(fields, safe, strict=True):
        kind = _kind(field)
        default = (None,) if field.nullable else ()
        kinds.append((attribute, (kind | None) if field.nullable else kind, *default))
    renamed = {attribute: field.name for field, attribute in zip(fields, safe, strict=True) if attribute != field.name}
    return msgspec.defstruct(name, kinds, kw_only=True, forbid_unknown_fields=True, rename=renamed or None)


def _safe(names: list[str]) -> list[str]:
    """Return names that attributes may have."""
    return [
        name if name.isidentifier() and not name.startswith("_") else f"column{place}_"
        for place, name in enumerate(names)
    ]


def _kind(field: pa.Field) -> Any:
    type_ = field.type
    for is_one, (bits, signed) in _BITS.items():
        if is_one(type_):
            low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
            return Annotated[int, msgspec.Meta(ge=low, le=high)]
    if pa.types.is_struct(type_):
        return _struct(field.name.capitalize() or "Row", [type_.field(number) for number in range(type_.num_fields)])
    if pa.types.is_map(type_):
        return dict[_element(type_.key_field), _element(type_.item_field)]  # type: ignore[misc]
    if pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_):
        return list[_element(type_.value_field)]  # type: ignore[misc]
    return next((kind for is_one, kind in _KINDS.items() if is_one(type_)), Any)


def _element(field: pa.Field) -> Any:
    return _kind(field) | None if field.nullable else _kind(field)


def _is_nested(type_: pa.DataType) -> bool:
    return bool(pa.types.is_nested(type_))
