"""The schema of a topic as programs say it: a class, a SQL list of columns, or Arrow's own."""

from __future__ import annotations

import typing
from typing import Any

import msgspec
import pyarrow as pa

from fluxcore.bus.errors import BusError
from fluxcore.core.type_hints import fields_of, read_hint
from fluxcore.errors import FluxError
from fluxcore.sql.lexer import tokens
from fluxcore.sql.parse_types import parse_type
from fluxcore.sql.parser import Parser

if typing.TYPE_CHECKING:
    from fluxcore.core.types import DataType


def schema_of(given: Any) -> pa.Schema:
    """Return a schema. In: a dataclass, msgspec Struct, pydantic model, NamedTuple or TypedDict; ``"id STRING NOT NULL, amount DOUBLE"``; or a ``pa.Schema``.

    A field is nullable where its type says ``| None``, or the column does not say NOT NULL.

    Raises: ``BusError`` FX-BUS-0118 for what is no schema or a field without a type of SQL; ``ScriptError`` for wrong columns.
    """
    if isinstance(given, pa.Schema):
        return given
    if isinstance(given, str):
        return pa.schema([pa.field(name, type_.arrow(), type_.nullable) for name, type_ in _columns(given)])
    hints = _hints(given)
    if not hints:
        hint = "give a dataclass, a msgspec Struct, a pydantic model, 'id STRING, amount DOUBLE' or a pa.Schema"
        raise BusError("FX-BUS-0118", f"{given!r} is no schema", hint=hint)
    fields = []
    for name, each in hints.items():
        try:
            found = read_hint(each, _type)
        except TypeError as error:
            raise BusError("FX-BUS-0118", f"the field '{name}' of {given.__name__}: {error}") from error
        if found.type is None:
            raise BusError(
                "FX-BUS-0118", f"the field '{name}' of {given.__name__} may be anything", hint="give it a type"
            )
        fields.append(pa.field(name, found.type.arrow(), found.optional))
    return pa.schema(fields)


def _hints(given: Any) -> dict[str, Any]:
    """Return the fields of a class, with their type hints."""
    found = fields_of(given)
    if (
        found is None
        and isinstance(given, type)
        and (issubclass(given, msgspec.Struct) or hasattr(given, "model_fields"))
    ):
        names = given.__struct_fields__ if issubclass(given, msgspec.Struct) else given.model_fields
        hints = typing.get_type_hints(given, include_extras=True)
        found = {name: hints[name] for name in names}
    return found or {}


def _columns(text: str) -> list[tuple[str, DataType]]:
    try:
        parser = Parser(tokens(text))
        found = list(parser.listed(lambda: (parser.name("a column"), parse_type(parser))))
        if not parser.at_end():
            raise parser.unexpected("a comma and another column")
    except FluxError as error:
        raise error.located(text) from None
    return found


def _type(text: str) -> DataType:
    return parse_type(Parser(tokens(text)))
