"""VARIANT: PARSE_JSON, TRY_PARSE_JSON, and the access to parts that ITEM hands on, ``v['a']`` and ``v[1]``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from fluxcore.core.types import (
    INT,
    VARIANT,
    BooleanType,
    DataType,
    IntegerType,
    NullType,
    StringType,
    VariantType,
)
from fluxcore.errors import DataError
from fluxcore.expr.registry import Function, Inputs, register
from fluxcore.expr.rowwise import each
from fluxcore.expr.rules import any_null
from fluxcore.expr.variants import parse_json, parts_of, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.expr.nodes import Expr
    from fluxcore.expr.registry import Rule

    Resolved = tuple[Sequence[Expr], DataType] | str

_WANTED = "a STRING and, if wanted, a BOOLEAN: whether an object may name a key twice"


def _rule(*, nullable: bool) -> Rule:
    def rule(args: Sequence[Expr]) -> Resolved:
        if not 1 <= len(args) <= 2 or not isinstance(args[0].type, StringType | NullType):
            return _WANTED
        if not isinstance(args[-1].type, BooleanType | NullType) and len(args) == 2:
            return _WANTED
        return args, VARIANT.with_nullable(nullable or any_null(args))

    return rule


def _parsed(text: str, repeated: bool = False) -> str:
    try:
        return parse_json(text, repeated=repeated)
    except ValueError as error:
        hint = "TRY_PARSE_JSON gives NULL instead"
        raise DataError("FX-RUN-0113", f"'{text}' is no JSON: {error}", hint=hint) from error


def _parsed_if_any(text: str, repeated: bool = False) -> str | None:
    try:
        return parse_json(text, repeated=repeated)
    except ValueError:
        return None


def _kernel(parse: Callable[..., str | None]) -> Callable[[Inputs], pa.Array]:
    return lambda inputs: each(inputs, parse, pa.string())


def part_rule(args: Sequence[Expr]) -> Resolved:
    """A VARIANT, and the name of a field of an object or a position in an array; what isn't there is NULL."""
    key = args[1].type
    if not isinstance(key, StringType) and not (isinstance(key, IntegerType) and key.bits <= INT.bits):
        return "a VARIANT and the name of a field, or a position from 1, an INT"
    return args, VARIANT


def part(inputs: Inputs) -> pa.Array:
    """Return the parts of VARIANTs that names or positions ask for."""
    assert isinstance(inputs.types[0], VariantType)
    find = _field if isinstance(inputs.types[1], StringType) else _element
    return each(inputs, find, pa.string())


def _field(text: str, name: str) -> str | None:
    if not text.startswith("{"):
        raise _no_such(f"the VARIANT {text} is no object: it has no field '{name}'")
    found = parts_of(text)
    return whole(found[name]) if name in found else None


def _element(text: str, place: int) -> str | None:
    if not text.startswith("["):
        raise _no_such(f"the VARIANT {text} is no array: it has no elements")
    found = parts_of(text)
    return whole(found[place - 1]) if 1 <= place <= len(found) else None


def _no_such(message: str) -> DataError:
    hint = "JSON_VALUE and JSON_QUERY give NULL for a path that leads nowhere"
    return DataError("FX-RUN-0106", message, hint=hint)


_C = "Variant"
register(
    Function(
        "PARSE_JSON", _C, _rule(nullable=False), _kernel(_parsed),
        "JSON text as a VARIANT; what is no JSON fails. An object that names a key twice is none, unless a second argument says TRUE.",
        ("JSON_STRING(PARSE_JSON('{\"a\": [1, 2]}')['a'][2])", "2"), total=False,
    )
)  # fmt: skip
register(
    Function(
        "TRY_PARSE_JSON", _C, _rule(nullable=True), _kernel(_parsed_if_any),
        "JSON text as a VARIANT; NULL for what is no JSON.", ("TRY_PARSE_JSON('{') IS NULL", "TRUE"),
    )
)  # fmt: skip
