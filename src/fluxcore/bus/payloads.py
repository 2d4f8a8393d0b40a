"""Payloads of every kind: msgspec structs, dataclasses, pydantic models, dicts and other plain values, bytes.

As bytes all of them are JSON but bytes themselves; a handler's annotation says as what it wants them.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import TYPE_CHECKING, Any, get_origin

import msgspec

from fluxcore.bus.errors import BusError

if TYPE_CHECKING:
    from collections.abc import Callable

_ENCODER = msgspec.json.Encoder(decimal_format="string")
RAW = (bytes, bytearray, memoryview)
"""The types of payloads that are stored as they are. A tuple: a union of types costs three times as much to ask."""

_ANY = (Any, object, None)
_UNFIT = (msgspec.MsgspecError, ValueError, TypeError)


def encode(data: Any) -> bytes:
    """Return a payload as bytes. Raises ``BusError`` FX-BUS-0202 for a value that has no form in JSON."""
    if isinstance(data, RAW):
        return bytes(data)
    if data.__class__ is not dict and hasattr(data, "model_dump_json"):
        return str(data.model_dump_json()).encode()
    try:
        return _ENCODER.encode(data)
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        hint = "publish a dict, a dataclass, a msgspec Struct, a pydantic model, bytes or an Arrow batch"
        raise BusError(
            "FX-BUS-0202", f"a payload of type {type(data).__name__} can't be written: {error}", hint=hint
        ) from error


def convert(data: Any, wanted: Any) -> Any:
    """Return a payload as the type that a handler wants. Raises ``BusError`` FX-BUS-0201 when it isn't one."""
    if wanted in _ANY or (isinstance(wanted, type) and type(data) is wanted):
        return data
    try:
        if wanted is bytes:
            return encode(data)
        return decoder(wanted)(data) if isinstance(data, bytes) else _from_value(data, wanted)
    except _UNFIT as error:
        raise _no(wanted, error) from error


def decode(raw: bytes, wanted: Any) -> Any:
    """Return a payload that is JSON as a type, or as plain values. Raises ``BusError`` FX-BUS-0201 when it isn't one."""
    try:
        return decoder(wanted)(raw)
    except _UNFIT as error:
        raise _no(wanted, error) from error


@lru_cache(maxsize=1024)
def decoder(wanted: Any) -> Callable[[bytes], Any]:
    """Return the function that reads a payload's bytes as a type; errors are msgspec's or ``ValueError``."""
    if wanted is bytes:
        return bytes
    if hasattr(wanted, "model_validate_json"):
        return wanted.model_validate_json
    if wanted in _ANY:
        return msgspec.json.Decoder().decode
    return msgspec.json.Decoder(wanted).decode


def plain(data: Any) -> Any:
    """Return a payload as dicts, lists and plain values."""
    if isinstance(data, bytes):
        return msgspec.json.decode(data)
    if hasattr(data, "model_dump"):
        return data.model_dump()
    if isinstance(data, msgspec.Struct) or dataclasses.is_dataclass(data):
        return msgspec.to_builtins(data, builtin_types=())
    return data


def field(data: Any, name: str) -> Any:
    """Return a field of a payload by name, None where it has none."""
    if isinstance(data, dict):
        return data.get(name)
    if isinstance(data, bytes):
        return field(msgspec.json.decode(data), name)
    return getattr(data, name, None)


def _no(wanted: Any, error: Exception) -> BusError:
    name = getattr(wanted, "__name__", str(wanted))
    return BusError("FX-BUS-0201", f"the payload is no {name}: {error}")


def _from_value(data: Any, wanted: Any) -> Any:
    origin = get_origin(wanted)
    if isinstance(wanted, type) and origin is None and isinstance(data, wanted):
        return data
    if hasattr(wanted, "model_validate"):
        return wanted.model_validate(plain(data))
    return msgspec.convert(plain(data), wanted, from_attributes=True)
