"""Runs FluxCore's functions in PyFlink. This file goes to the cluster with them, under the name ``fluxcore_on_flink``.

It needs only PyFlink and Python's own library, so it says again what it shares with the package (``core.user_values``). Modules
of functions import ``fluxcore``; where a cluster doesn't have it, a few names stand in for it, which only note what they are
given. A function is described by a dict, which ``specs`` makes.
"""

from __future__ import annotations

import dataclasses
import importlib
import pickle
import sys
import traceback
import types
import typing
from decimal import ROUND_HALF_UP, Context, Decimal
from pathlib import Path
from typing import Any

from pyflink.common import Row
from pyflink.table.udf import AggregateFunction, ScalarFunction, TableFunction, udaf, udf, udtf

_WIDE = Context(prec=80, rounding=ROUND_HALF_UP)
_SHOWN_MAX = 200
_NO_KIND = object()


class FunctionError(Exception):
    """What a function raised, or gave that is no value of its type: with the line, and what it was given."""


class _StandIn(types.ModuleType):
    """What ``import fluxcore`` finds on a cluster without it."""

    class AggregateFunction:
        """The base of aggregate functions."""

    class VectorAggregateFunction(AggregateFunction):
        """The base of aggregate functions that take batches."""

    @staticmethod
    def udf(function: Any = None, /, **_: Any) -> Any:
        """Note a scalar function."""
        return _Noted(function) if function is not None else _Noted

    udtf = udf

    @staticmethod
    def udaf(function: Any, type: Any = None) -> Any:  # noqa: ARG004
        """Note an aggregate function."""
        return types.SimpleNamespace(user=types.SimpleNamespace(function=function))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"fluxcore.{name} is not on this cluster: it has no package fluxcore")


class _Noted:
    def __init__(self, function: Any) -> None:
        self.function = function
        self.__name__ = function.__name__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


def _load(spec: dict[str, Any]) -> Any:
    """Return the object that a description names."""
    try:
        importlib.import_module("fluxcore")
    except ImportError:
        sys.modules["fluxcore"] = _StandIn("fluxcore")
    found = importlib.import_module(spec["module"])
    for part in spec["name"].split("."):
        found = getattr(found, part)
    return found


def _hints(function: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception:  # a hint that can't be read makes no row of a class  # noqa: BLE001
        return {}


class Scalar(ScalarFunction):
    """A scalar function: NULL where it doesn't take None, else its own result."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self._spec = spec
        self._call: Any = None

    def open(self, _: Any) -> None:
        """Load the function."""
        self._call = _prepared(self._spec)

    def is_deterministic(self) -> bool:
        """Return whether equal arguments give equal results."""
        return bool(self._spec["deterministic"])

    def eval(self, *args: Any) -> Any:
        """Compute one row."""
        return self._call(args)


class Table(TableFunction):
    """A table function: any number of rows for each row."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self._spec = spec
        self._function: Any = None

    def open(self, _: Any) -> None:
        """Load the function."""
        self._function = _plain(_load(self._spec))
        self._decoders = _decoders(self._spec, self._function)
        self._names = [name for name, _ in self._spec["columns"]]
        self._encoders = [_encoder(each) for _, each in self._spec["columns"]]

    def is_deterministic(self) -> bool:
        """Return whether equal arguments give equal rows."""
        return bool(self._spec["deterministic"])

    def eval(self, *args: Any) -> Any:
        """Yield the rows of one row."""
        if _is_null(self._spec, args):
            return
        given = _decoded(self._decoders, args)
        try:
            for found in self._function(*given) or ():
                yield self._row(found)
        except FunctionError:
            raise
        except Exception as error:
            raise _told(self._spec, error, given) from error

    def _row(self, found: Any) -> Any:
        if self._spec["single"]:
            one = found[0] if isinstance(found, tuple) and len(found) == 1 else found
            return self._encoders[0](one)
        values = _values(found, self._names)
        if len(values) != len(self._names):
            raise TypeError(f"{found!r} has {len(values)} values, and there are {len(self._names)} columns")
        return tuple(encode(value) for encode, value in zip(self._encoders, values))  # noqa: B905  (as long)


class Aggregate(AggregateFunction):
    """An aggregate function; its accumulator is kept pickled in a row of one field."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self._spec = spec
        self._function: Any = None

    def open(self, _: Any) -> None:
        """Load the function."""
        self._ready()

    def _ready(self) -> Any:
        if self._function is None:
            found = _load(self._spec)
            found = found.user.function if hasattr(found, "user") else found
            self._function = found() if isinstance(found, type) else found
            self._encode = _encoder(self._spec["result"])
        return self._function

    def _changed(self, method: str, held: Any, args: Any) -> None:
        accumulator = pickle.loads(held[0])  # noqa: S301  (the job's own state)
        try:
            found = getattr(self._ready(), method)(accumulator, *args)
        except Exception as error:
            raise _told(self._spec, error, args) from error
        held[0] = pickle.dumps(accumulator if found is None else found)

    def create_accumulator(self) -> Any:
        """Return the accumulator of no rows."""
        return [pickle.dumps(self._ready().create())]

    def accumulate(self, held: Any, *args: Any) -> None:
        """Take a row."""
        self._changed("accumulate", held, args)

    def retract(self, held: Any, *args: Any) -> None:
        """Take a row back."""
        self._changed("retract", held, args)

    def merge(self, held: Any, others: Any) -> None:
        """Add what other accumulators hold."""
        for each in others:
            self._changed("merge", held, (pickle.loads(each[0]),))  # noqa: S301  (the job's own state)

    def get_value(self, held: Any) -> Any:
        """Return the result."""
        accumulator = pickle.loads(held[0])  # noqa: S301  (the job's own state)
        try:
            return self._encode(self._ready().result(accumulator))
        except Exception as error:
            raise _told(self._spec, error, (accumulator,)) from error


def scalar(spec: dict[str, Any]) -> Any:
    """Return a scalar function for PyFlink."""
    return udf(Scalar(spec), input_types=spec["inputs"], result_type=spec["result_type"], name=spec["label"])


def table(spec: dict[str, Any]) -> Any:
    """Return a table function for PyFlink."""
    return udtf(Table(spec), input_types=spec["inputs"], result_types=spec["result_types"], name=spec["label"])


def aggregate(spec: dict[str, Any]) -> Any:
    """Return an aggregate function for PyFlink."""
    return udaf(
        Aggregate(spec), result_type=spec["result_type"], accumulator_type="ROW<state BYTES>", name=spec["label"]
    )


def _plain(found: Any) -> Any:
    return getattr(found, "function", found)


def _prepared(spec: dict[str, Any]) -> Any:
    """Return what computes a scalar function of a row's values."""
    function = _plain(_load(spec))
    decoders, encode = _decoders(spec, function), _encoder(spec["result"])
    call = function if spec["form"] == "row" else _on_arrays(spec, function)

    def run(args: Any) -> Any:
        if _is_null(spec, args):
            return None
        given = _decoded(decoders, args)
        try:
            return encode(call(*given))
        except Exception as error:
            raise _told(spec, error, given) from error

    return run


def _on_arrays(spec: dict[str, Any], function: Any) -> Any:
    """Return a function of arrays as one of values: arrays of one element."""
    import pyarrow as pa

    kinds = [pa.type_for_alias(each) for each in spec["arrow"]]

    def call(*args: Any) -> Any:
        arrays = [pa.array([value], kind) for value, kind in zip(args, kinds)]  # noqa: B905  (as long)
        if spec["form"] == "numpy":
            arrays = [each.to_numpy(zero_copy_only=False) for each in arrays]
        found = function(*arrays)
        if len(found) != 1:
            raise TypeError(f"it gave {len(found)} values for 1 row")
        value = found[0]
        if hasattr(value, "as_py"):
            return value.as_py()
        return value.item() if hasattr(value, "item") else value

    return call


def _is_null(spec: dict[str, Any], args: Any) -> bool:
    """Return whether None stands where a function doesn't take it."""
    if spec["form"] == "arrow":
        return False
    optional = spec["optional"]
    return any(value is None and not optional[min(at, len(optional) - 1)] for at, value in enumerate(args))


def _decoders(spec: dict[str, Any], function: Any) -> list[Any]:
    hints = _hints(function)
    found = [_decoder(each, hints.get(name)) for name, each in zip(spec["names"], spec["types"])]  # noqa: B905
    return found if any(each is not None for each in found) else []


def _decoded(decoders: list[Any], args: Any) -> Any:
    if not decoders:
        return args
    last = len(decoders) - 1
    return tuple(
        value if value is None or decoders[min(at, last)] is None else decoders[min(at, last)](value)
        for at, value in enumerate(args)
    )


def _decoder(kind: Any, hint: Any = None) -> Any:
    """Return what makes a value as FluxCore gives it of PyFlink's; None where they are the same."""
    if kind is None:
        return None
    if kind[0] == "float":
        return float
    if kind[0] == "bytes":
        return bytes
    if kind[0] == "array":
        each = _decoder(kind[1], _inner(hint, 0)) or _same
        return lambda values: [None if value is None else each(value) for value in values]
    if kind[0] == "map":
        key, value = _decoder(kind[1], _inner(hint, 0)) or _same, _decoder(kind[2], _inner(hint, 1)) or _same
        return lambda pairs: {key(k): None if v is None else value(v) for k, v in dict(pairs).items()}
    if kind[0] == "row":
        return _row_decoder(kind, hint)
    return None


def _row_decoder(kind: Any, hint: Any) -> Any:
    names = kind[1]
    hint = next((each for each in typing.get_args(hint) if each is not type(None)), hint) if _is_union(hint) else hint
    fields = list(_hints(hint).values()) if isinstance(hint, type) else list(typing.get_args(hint))
    fields = fields if len(fields) == len(names) else [None] * len(names)
    parts = [_decoder(each, own) or _same for each, own in zip(kind[2], fields)]  # noqa: B905  (as long)

    def decode(row: Any) -> Any:
        values = [None if value is None else part(value) for part, value in zip(parts, row)]  # noqa: B905  (as long)
        if isinstance(hint, type) and (dataclasses.is_dataclass(hint) or hasattr(hint, "_fields")):
            return hint(*values)
        return tuple(values) if typing.get_origin(hint) is tuple else dict(zip(names, values))  # noqa: B905

    return decode


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, getattr(types, "UnionType", _NO_KIND))


def _inner(hint: Any, at: int) -> Any:
    args = typing.get_args(hint)
    if _is_union(hint):
        return _inner(next((each for each in args if each is not type(None)), None), at)
    return args[at] if at < len(args) else None


def _encoder(kind: Any) -> Any:
    """Return what makes a value for PyFlink of a function's; it raises for what is no value of the type."""
    checks = {"int": _whole, "float": _float, "str": _text, "bytes": _bytes, "bool": _truth}
    if kind[0] in checks:
        check = checks[kind[0]]
        return lambda value: None if value is None else check(value, kind)
    if kind[0] == "decimal":
        return lambda value: None if value is None else _decimal(value, kind)
    if kind[0] == "array":
        each = _encoder(kind[1])
        return lambda values: None if values is None else [each(value) for value in values]
    if kind[0] == "map":
        key, item = _encoder(kind[1]), _encoder(kind[2])
        return lambda pairs: None if pairs is None else {key(k): item(v) for k, v in dict(pairs).items()}
    if kind[0] == "row":
        parts = [_encoder(each) for each in kind[2]]
        return lambda row: None if row is None else _row(row, kind[1], parts)
    return _same


def _row(row: Any, names: list[str], parts: list[Any]) -> Row:
    """Return a row as PyFlink has it."""
    found = Row(*(encode(value) for encode, value in zip(parts, _values(row, names))))  # noqa: B905  (as long)
    found.set_field_names(names)
    return found


def _wrong(value: Any, kind: Any) -> TypeError:
    return TypeError(f"it gave {value!r:.100}, which is no {kind[-1]}")


def _whole(value: Any, kind: Any) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise _wrong(value, kind)
    found = int(value)
    if not -(2 ** (kind[1] - 1)) <= found < 2 ** (kind[1] - 1):
        raise _wrong(value, kind)
    return found


def _float(value: Any, kind: Any) -> float:
    if isinstance(value, bool | Decimal | str | bytes) or not hasattr(value, "__float__"):
        raise _wrong(value, kind)
    return float(value)


def _text(value: Any, kind: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(value, kind)
    return str(value)


def _bytes(value: Any, kind: Any) -> bytes:
    if not isinstance(value, bytes | bytearray):
        raise _wrong(value, kind)
    return bytes(value)


def _truth(value: Any, kind: Any) -> bool:
    if type(value).__name__ not in ("bool", "bool_"):
        raise _wrong(value, kind)
    return bool(value)


def _decimal(value: Any, kind: Any) -> Decimal | None:
    """Return a number at a decimal's scale, half up; None for one that doesn't fit."""
    found = Decimal(value).quantize(Decimal(1).scaleb(-kind[2]), context=_WIDE)
    return found if _WIDE.abs(found) < Decimal(10) ** (kind[1] - kind[2]) else None


def _values(row: Any, names: list[str]) -> Any:
    """Return the values of a row as a function may give it."""
    if isinstance(row, tuple | list):
        return row
    if isinstance(row, dict):
        return [row[name] for name in names]
    if dataclasses.is_dataclass(row):
        return [getattr(row, each.name) for each in dataclasses.fields(row)]
    raise TypeError(f"{row!r} is no row: give a tuple, a dataclass or a dict")


def _told(spec: dict[str, Any], error: Exception, given: Any) -> FunctionError:
    """Return the error with the user's line, and what the function was given."""
    places = [each for each in traceback.extract_tb(error.__traceback__) if each.filename != __file__]
    place = f", line {places[-1].lineno} of {Path(places[-1].filename).name}" if places else ""
    shown = repr(tuple(given))
    shown = shown if len(shown) <= _SHOWN_MAX else shown[:_SHOWN_MAX] + "..."
    return FunctionError(f"{type(error).__name__}: {error} (in {spec['label']}{place}, given {shown})")


def _same(value: Any) -> Any:
    return value
