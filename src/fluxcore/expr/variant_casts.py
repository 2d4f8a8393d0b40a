"""CAST of a VARIANT: it gives the value that is there, or none; a text is never read as a number, nor a number as another one.

Source: Flink 2.4's "Data Types"; Flink 2.3 has no such CAST.
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fluxcore.core.types import BooleanType, DataType, DecimalType, FloatType, IntegerType, StringType
from fluxcore.errors import DataError
from fluxcore.expr.rowwise import mapped
from fluxcore.expr.texts import double_text
from fluxcore.expr.variants import value_of

if TYPE_CHECKING:
    from collections.abc import Callable

_EXACT = Context(prec=400, Emax=999_999, Emin=-999_999)
"""Digits for any DOUBLE in full beside those of a DECIMAL."""


def from_variant(array: pa.Array, target: DataType, *, lenient: bool) -> pa.Array:
    """Return the values that VARIANTs hold; JSON's null is NULL.

    Raises: ``DataError`` FX-RUN-0102, where it is not ``lenient``, for a value that the target can't hold as it is.
    """
    convert = _converter(target)

    def one(text: str) -> Any:
        value = value_of(text)
        if value is None:
            return None
        try:
            return convert(value)
        except (ValueError, OverflowError) as error:
            if lenient:
                return None
            hint = "TRY_CAST gives NULL instead"
            raise DataError("FX-RUN-0102", f"the VARIANT {text} is no {target.name()}", hint=hint) from error

    return mapped(array, one, target.arrow())


def _converter(target: DataType) -> Callable[[Any], Any]:
    match target:
        case StringType():
            return _text
        case BooleanType():
            return _boolean
        case IntegerType(bits=bits):
            return lambda value: _integer(value, bits)
        case FloatType():
            return lambda value: float(_number(value))
        case DecimalType():
            return lambda value: _decimal(value, target)
    raise AssertionError(target)


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("not a number")
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("not a truth value")
    return value


def _integer(value: Any, bits: int) -> int:
    found = int(_number(value))
    if found != value or not -(1 << (bits - 1)) <= found < 1 << (bits - 1):
        raise ValueError("out of range")
    return found


def _decimal(value: Any, target: DecimalType) -> Decimal:
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(_number(value))
    found = exact.quantize(Decimal(1).scaleb(-target.scale), context=_EXACT)
    if found != exact or (len(found.as_tuple().digits) > target.precision and found):
        raise ValueError("more digits than the type has")
    return found


def _text(value: Any) -> str:
    """Return a value as CAST of its own type does; an object or an array as that of a MAP or an ARRAY."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return double_text(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_text(each)}" for key, each in value.items()) + "}"
    if isinstance(value, Decimal):
        shown = format(value, "f")
        return shown.rstrip("0").rstrip(".") if "." in shown else shown
    return "NULL" if value is None else str(value)
