"""SQL types of Python's type hints, and how values go between Arrow and a function that has them.

``int`` is BIGINT, ``float`` DOUBLE, ``str`` STRING, ``list[int]`` ARRAY<BIGINT>, a dataclass a ROW, and so on; ``X | None`` may be
NULL; ``Annotated[Decimal, "DECIMAL(10, 2)"]`` names a type itself.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import types
import typing
from collections import abc
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core import types as t
from fluxcore.core.user_functions import Form
from fluxcore.errors import ScriptError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.core.types import DataType

    Parse = Callable[[str], DataType]

_PLAIN: dict[Any, DataType] = {
    bool: t.BOOLEAN, int: t.BIGINT, float: t.DOUBLE, str: t.STRING, bytes: t.BYTES, dt.date: t.DATE,
    dt.datetime: t.TimestampType(precision=6), dt.time: t.TimeType(precision=3), dt.timedelta: t.IntervalType(),
    Decimal: t.DecimalType(precision=38, scale=18), np.int8: t.TINYINT, np.int16: t.SMALLINT, np.int32: t.INT,
    np.int64: t.BIGINT, np.float32: t.FLOAT, np.float64: t.DOUBLE, np.bool_: t.BOOLEAN, np.str_: t.STRING,
}  # fmt: skip
_ARROW: dict[Any, DataType] = {
    pa.BooleanArray: t.BOOLEAN, pa.Int8Array: t.TINYINT, pa.Int16Array: t.SMALLINT, pa.Int32Array: t.INT,
    pa.Int64Array: t.BIGINT, pa.FloatArray: t.FLOAT, pa.DoubleArray: t.DOUBLE, pa.StringArray: t.STRING,
    pa.BinaryArray: t.BYTES, pa.Date32Array: t.DATE, pa.Time32Array: t.TimeType(precision=3),
}  # fmt: skip


@dataclass(frozen=True)
class Hint:
    """What a hint says: ``type`` None is any; ``optional`` that None may come; ``python`` the class of the values."""

    type: DataType | None
    optional: bool = False
    python: Any = None
    form: Form = Form.ROW


def read_hint(hint: Any, parse: Parse) -> Hint:
    """Return what a type hint, or the text or Arrow form of a type, says.

    In: ``parse`` reads the text of a SQL type. Raises: ``TypeError`` for what is no type of SQL.
    """
    if hint is Any or hint is None or hint is abc.Callable or isinstance(hint, typing.TypeVar):
        return Hint(None)
    if isinstance(hint, str | t.DataType | pa.DataType):
        return Hint(_named(hint, parse))
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _annotated(args, parse)
    if origin in (typing.Union, types.UnionType):
        rest = [each for each in args if each is not type(None)]
        if len(rest) == 1:
            return dataclasses.replace(read_hint(rest[0], parse), optional=True)
    if hasattr(hint, "__supertype__"):
        return read_hint(hint.__supertype__, parse)
    if origin is typing.Literal:
        return read_hint(type(args[0]), parse)
    columnar = _columnar(hint, origin, args, parse)
    return columnar or Hint(_type_of(hint, origin, args, parse), python=hint)


def _named(given: str | DataType | pa.DataType, parse: Parse) -> DataType:
    if isinstance(given, str):
        return parse(given)
    return given if isinstance(given, t.DataType) else t.from_arrow(given)


def _annotated(args: tuple[Any, ...], parse: Parse) -> Hint:
    inner, *notes = args
    for note in notes:
        if isinstance(note, str | t.DataType | pa.DataType):
            below = read_hint(inner, parse) if _is_columnar(inner) else Hint(None, _takes_none(inner), _bare(inner))
            return dataclasses.replace(below, type=_named(note, parse))
    return read_hint(inner, parse)


def _takes_none(hint: Any) -> bool:
    return type(None) in typing.get_args(hint)


def _bare(hint: Any) -> Any:
    rest = [each for each in typing.get_args(hint) if each is not type(None)]
    return rest[0] if _takes_none(hint) and len(rest) == 1 else hint


def _is_columnar(hint: Any) -> bool:
    plain = typing.get_origin(hint) or hint
    return isinstance(plain, type) and issubclass(plain, pa.Array | pa.ChunkedArray | np.ndarray)


def _columnar(hint: Any, origin: Any, args: tuple[Any, ...], parse: Parse) -> Hint | None:
    if not _is_columnar(hint):
        return None
    plain = origin or hint
    if not issubclass(plain, np.ndarray):
        return Hint(_ARROW.get(hint), form=Form.ARROW)
    element = typing.get_args(args[-1])[0] if args and typing.get_args(args[-1]) else None
    known = element if element in _PLAIN else None
    return Hint(None if known is None else read_hint(known, parse).type, form=Form.NUMPY)


def _type_of(hint: Any, origin: Any, args: tuple[Any, ...], parse: Parse) -> DataType:
    def inner(each: Any) -> DataType:
        found = read_hint(each, parse)
        if found.type is None:
            raise TypeError("Any has no SQL type inside another")
        return found.type.with_nullable(True)

    if hint in _PLAIN:
        return _PLAIN[hint]
    if origin in (list, abc.Sequence, abc.Iterable, set, frozenset) and args:
        return t.ArrayType(element=inner(args[0]))
    if origin in (dict, abc.Mapping) and len(args) == 2:
        return t.MapType(key=inner(args[0]), value=inner(args[1]))
    if origin is tuple and args and Ellipsis not in args:
        return t.RowType(fields=tuple((f"f{index}", inner(each)) for index, each in enumerate(args)))
    if origin is tuple and len(args) == 2:
        return t.ArrayType(element=inner(args[0]))
    fields = fields_of(hint)
    if fields is not None:
        return t.RowType(fields=tuple((name, inner(each)) for name, each in fields.items()))
    if isinstance(hint, type):
        for base in (bool, int, float, str, bytes, dt.datetime, dt.date):
            if issubclass(hint, base):
                return _PLAIN[base]
    raise TypeError(f"{getattr(hint, '__name__', hint)} is no type of SQL")


def fields_of(hint: Any) -> dict[str, Any] | None:
    """Return the fields, with their hints, of a dataclass, a NamedTuple or a TypedDict; None of anything else."""
    named = isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields")
    if dataclasses.is_dataclass(hint):
        names = [each.name for each in dataclasses.fields(hint)]
    elif named or typing.is_typeddict(hint):
        names = list(hint.__annotations__)
    else:
        return None
    hints = typing.get_type_hints(hint, include_extras=True)
    return {name: hints[name] for name in names}


def function_hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the hints of a function. Raises ``ScriptError`` FX-API-0050 where one can't be found out."""
    try:
        return typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        message = f"a type hint of {function.__name__} can't be read: {error}"
        hint = "import the name in the function's module, outside of TYPE_CHECKING"
        raise ScriptError("FX-API-0050", message, hint=hint) from error
    except TypeError:  # a callable object without hints of its own
        return {}
