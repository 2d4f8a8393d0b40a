"""Values of VARIANT: JSON text in one form, so that equal values are equal texts.

There are no blanks, the keys of an object stand in order, and a number's text tells its kind: a DOUBLE has an exponent (``2.5E0``), a
DECIMAL a point or more digits than a BIGINT, and what is left is an integer. So any reader of JSON can read the text.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.expr.json_text import Raw, first_value, java_numbers, refused, storable, write
from fluxcore.expr.rowwise import mapped
from fluxcore.expr.texts import double_text

if TYPE_CHECKING:
    from collections.abc import Callable

_DIGITS_MAX = 38
_BIGINT = 2**63
_NESTED_TOO_DEEP = "it is nested too deeply"


def parse_json(text: str, *, repeated: bool = False) -> str:
    """Return JSON text as a VARIANT. In: ``repeated`` whether an object may name a key twice; the last one counts.

    Raises: ``ValueError`` for what is no JSON.
    """
    try:
        return storable(write(first_value(text, _LENIENT if repeated else _STRICT)))
    except RecursionError as error:
        raise ValueError(_NESTED_TOO_DEEP) from error


def json_of(array: pa.Array) -> pa.Array:
    """Return the JSON text of VARIANTs, as Flink writes it."""
    if not pc.any(pc.match_substring_regex(array, "[E.]"), min_count=0).as_py():
        return array
    return mapped(array, java_numbers, pa.string())


def value_of(text: str) -> Any:
    """Return a VARIANT as a plain value: None, bool, int, Decimal, float, str, list or dict."""
    return _PLAIN.decode(text)


def parts_of(text: str) -> Any:
    """Return a VARIANT as a list or a dict whose parts :func:`whole` takes; as it is where it is neither."""
    return _PARTS.decode(text)


def whole(part: Any) -> str:
    """Return a part of a value as a VARIANT."""
    return write(part)


def _integer(text: str) -> Raw:
    value = int(text) if len(text) <= _DIGITS_MAX + 1 else None
    if value is not None and -_BIGINT <= value < _BIGINT:
        return Raw(str(value))
    return _number(text)


def _number(text: str) -> Raw:
    """Return a DECIMAL where 38 digits hold the number as it is written, else a DOUBLE."""
    if "e" not in text and "E" not in text:
        exact = Decimal(text)
        _, digits, exponent = exact.as_tuple()
        if isinstance(exponent, int) and len(digits) <= _DIGITS_MAX and -exponent <= _DIGITS_MAX:
            return Raw(format(exact if exact else abs(exact), "f"))
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is too large for a number")
    shown = double_text(value)
    return Raw(shown if "E" in shown else f"{shown}E0")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object names a key twice")
    return found


def _double_or_decimal(text: str) -> Any:
    return float(text) if "E" in text else Decimal(text)


def _decoder(number: Callable[[str], Any], whole_number: Callable[[str], Any], pairs: Any = None) -> json.JSONDecoder:
    return json.JSONDecoder(parse_float=number, parse_int=whole_number, parse_constant=refused, object_pairs_hook=pairs)


_STRICT, _LENIENT = _decoder(_number, _integer, _once), _decoder(_number, _integer)
_PARTS, _PLAIN = _decoder(Raw, Raw), _decoder(_double_or_decimal, int)
