"""Reads one JSON object at a time, with the conversions of Flink's reader."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn

from fluxcore.core.types import (
    ArrayType,
    BooleanType,
    BytesType,
    DecimalType,
    IntegerType,
    MapType,
    RowType,
    StringType,
    VariantType,
)
from fluxcore.formats.faults import RowError
from fluxcore.formats.values import parse_text

if TYPE_CHECKING:
    from fluxcore.core.types import DataType


class Number(str):
    """A JSON number, as it is spelled."""

    __slots__ = ()


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=_refuse)


def parse_json(text: str) -> Any:
    """Return the value of a JSON text; numbers stay text (:class:`Number`). Raises: ``RowError``."""
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise RowError(f"not JSON: {error.msg} at column {error.colno}") from error
    except (ValueError, RecursionError) as error:
        raise RowError(f"not JSON: {error or 'nested too deeply'}") from error


def write_json(value: Any) -> str:
    """Return the compact text of a parsed value."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        inside = ",".join(f"{json.dumps(key, ensure_ascii=False)}:{write_json(each)}" for key, each in value.items())
        return "{" + inside + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(write_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def json_value(type_: DataType, value: Any, required: bool = False) -> Any:
    """Return a parsed value in the physical form of ``type_`` (see ``values.parse_text``).

    In: ``required`` whether a field of a ROW may not be missing. Raises: ``RowError``.
    """
    if value is None:
        return None
    if isinstance(type_, RowType | ArrayType | MapType):
        return _nested(type_, value, required)
    if isinstance(value, dict | list):
        if isinstance(type_, StringType):
            return write_json(value)
        raise RowError(f"not a value of type {type_.name()}", value=write_json(value))
    if isinstance(value, bool):
        if isinstance(type_, BooleanType):
            return value
        return parse_text(type_, "true" if value else "false")
    if isinstance(type_, StringType):
        return str(value).encode("utf-8", "replace").decode() if not str(value).isascii() else str(value)
    if isinstance(value, Number):
        if isinstance(type_, IntegerType) and type_.bits >= 32 and not value.lstrip("-").isdigit():
            exact = Decimal(value)
            return parse_text(type_, str(int(exact)) if abs(exact) < 2**64 else value)
        if isinstance(type_, BytesType):
            raise RowError(f"not the base64 text of a {type_.name()}", value=value)
    elif isinstance(type_, DecimalType):
        return parse_text(type_, value.strip())
    return parse_text(type_, str(value))


def _nested(type_: RowType | ArrayType | MapType, value: Any, required: bool) -> Any:
    if isinstance(type_, ArrayType):
        if not isinstance(value, list):
            raise RowError("not an array", value=write_json(value))
        return [json_value(type_.element, each, required) for each in value]
    if not isinstance(value, dict):
        raise RowError("not an object", value=write_json(value))
    if isinstance(type_, MapType):
        return [(parse_text(type_.key, key), json_value(type_.value, each, required)) for key, each in value.items()]
    for name, _ in type_.fields:
        if required and name not in value:
            raise RowError(f"the field '{name}' is missing", value=write_json(value))
    return {name: json_value(kind, value.get(name), required) for name, kind in type_.fields}


def type_problem(type_: DataType) -> str | None:
    """Return why Flink's JSON can't hold a type, or None when it can: keys of maps must be text, and nothing a VARIANT."""
    if isinstance(type_, MapType):
        if not isinstance(type_.key, StringType):
            return f"JSON can't hold {type_.name()}: its keys must be strings"
        return type_problem(type_.value)
    if isinstance(type_, VariantType):
        return "JSON can't hold a VARIANT"
    if isinstance(type_, ArrayType):
        return type_problem(type_.element)
    if isinstance(type_, RowType):
        return next((found for _, kind in type_.fields if (found := type_problem(kind))), None)
    return None
