"""Functions in Python as ``on_flink`` wants them described: where they are, and their types as PyFlink and as values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fluxcore.core import types as t
from fluxcore.core.aggregate import UserAggregate, VectorAggregateFunction
from fluxcore.core.user_functions import Form, ScalarFunction, TableFunction
from fluxcore.targets.flink.sql.type_names import type_name

if TYPE_CHECKING:
    from fluxcore.core.types import DataType
    from fluxcore.core.user_functions import AnyUserFunction, Parameter, UserFunction

_ARROW = frozenset({"int8", "int16", "int32", "int64", "float", "double", "bool", "string", "binary", "date32[day]"})


class NotShipped(Exception):
    """Why a function can't be sent to a cluster."""


def spec_of(user: AnyUserFunction, module: str, name: str) -> tuple[str, dict[str, Any]]:
    """Return which maker of ``on_flink`` a function needs, and its description. Raises ``NotShipped``."""
    where = {"module": module, "name": name, "label": user.name, "form": "row"}
    if isinstance(user, UserAggregate):
        if isinstance(user.function, VectorAggregateFunction):
            raise NotShipped("PyFlink has no aggregate functions that take batches of several groups")
        return "aggregate", {**where, "result": _kind(user.type), "result_type": type_name(user.type)}
    spec = {**where, "deterministic": user.deterministic, **_parameters(user)}
    if isinstance(user, TableFunction):
        return "table", {
            **spec,
            "columns": [[column, _kind(type_)] for column, type_ in user.columns],
            "single": user.single,
            "result_types": [type_name(type_) for _, type_ in user.columns],
        }
    if user.form is not Form.ROW:
        spec |= {"form": "arrow" if user.form is Form.ARROW else "numpy", "arrow": _arrow(user)}
    return "scalar", {**spec, "result": _kind(user.result), "result_type": type_name(user.result)}


def _parameters(user: UserFunction) -> dict[str, Any]:
    """Return what is said of parameters; their types for the planner only where each call has all of them."""
    several: list[Parameter] = [*user.parameters, *([user.rest] if user.rest is not None else [])]
    typed = all(each.type is not None and each.required for each in user.parameters) and user.rest is None
    return {
        "names": [each.name for each in several],
        "types": [None if each.type is None else _kind(each.type) for each in several],
        "optional": [each.optional for each in several] or [True],
        "inputs": [type_name(each.type) for each in several if each.type is not None] if typed and several else None,
    }


def _arrow(user: ScalarFunction) -> list[str]:
    if user.rest is not None:
        raise NotShipped("it takes any number of arrays")
    found = []
    for each in user.parameters:
        name = str(each.type.arrow()) if each.type is not None else "any"
        if name not in _ARROW and not name.startswith("timestamp["):
            raise NotShipped(f"it takes arrays of {each.type.name() if each.type else 'any type'}")
        found.append("date32" if name.startswith("date32") else name)
    return found


def _kind(type_: DataType) -> list[Any]:
    """Return a type as ``on_flink`` reads it: its kind first, its name for people last where values are checked."""
    match type_:
        case t.IntegerType():
            return ["int", type_.bits, type_.name()]
        case t.FloatType():
            return ["float", type_.name()]
        case t.BooleanType() | t.StringType() | t.BytesType():
            kind = {t.BooleanType: "bool", t.StringType: "str", t.BytesType: "bytes"}[type(type_)]
            return [kind, type_.name()]
        case t.DecimalType():
            return ["decimal", type_.precision, type_.scale]
        case t.ArrayType():
            return ["array", _kind(type_.element)]
        case t.MapType() if not type_.multiset:
            return ["map", _kind(type_.key), _kind(type_.value)]
        case t.RowType():
            return ["row", [name for name, _ in type_.fields], [_kind(each) for _, each in type_.fields]]
        case t.DateType() | t.TimeType():
            return ["plain"]
        case t.TimestampType() if not type_.local:
            return ["plain"]
    raise NotShipped(f"PyFlink has no values of {type_.name()}")
