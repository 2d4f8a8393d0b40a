"""Makes scalar and table functions of plain Python ones: their types come from type hints, or are given."""

from __future__ import annotations

import inspect
import typing
from collections import abc
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fluxcore.core.aggregate import AggregateFunction, UserAggregate
from fluxcore.core.type_hints import Hint, fields_of, function_hints, read_hint
from fluxcore.core.types import RowType
from fluxcore.core.user_functions import AnyUserFunction, Form, Parameter, ScalarFunction, TableFunction
from fluxcore.core.user_values import decoder, encoder
from fluxcore.errors import FluxError, ScriptError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.core.type_hints import Parse


@dataclass(frozen=True)
class Wanted:
    """What is said of a function beside its hints: see ``fluxcore.udf`` and ``fluxcore.udtf``."""

    parse: Parse
    args: Sequence[Any] | None = None
    result: Any = None
    name: str | None = None
    deterministic: bool = True
    vectorized: bool = False
    strict: bool | None = None
    compiled: bool = True
    columns: Sequence[str] = field(default=())


def scalar_function(function: Callable[..., Any], wanted: Wanted) -> ScalarFunction:
    """Return the scalar function that a Python function is.

    Raises: ``ScriptError`` FX-API-0050 for hints that are no SQL types, FX-API-0051 where the result's type is not said.
    """
    hints, name = function_hints(function), wanted.name or _name_of(function)
    parameters, rest, forms = _parameters(function, hints, wanted)
    given = wanted.result if wanted.result is not None else hints.get("return")
    found = _read(given, f"the result of {name}", wanted)
    if found.type is None:
        message = f"what type the result of {name} has is not said"
        raise ScriptError("FX-API-0051", message, hint="def f(x: int) -> int, or result='BIGINT'")
    form = Form.ROW
    if wanted.vectorized:
        form = Form.NUMPY if Form.NUMPY in {*forms, found.form} else Form.ARROW
    elif {*forms, found.form} != {Form.ROW}:
        hint = "write @fx.udf(vectorized=True)"
        raise ScriptError("FX-API-0050", f"{name} takes or gives arrays, and is not vectorised", hint=hint)
    return ScalarFunction(
        name, function, parameters, rest, wanted.deterministic,
        result=found.type.with_nullable(True), encode=encoder(found.type, found.python), form=form,
        compiled=wanted.compiled,
    )  # fmt: skip


def table_function(function: Callable[..., Any], wanted: Wanted) -> TableFunction:
    """Return the table function that a Python function is, most often a generator. Raises as :func:`scalar_function`."""
    hints, name = function_hints(function), wanted.name or _name_of(function)
    parameters, rest, _ = _parameters(function, hints, wanted)
    what = f"a row of {name}"
    if wanted.result is not None:
        several = isinstance(wanted.result, list | tuple)
        rows = [_read(each, what, wanted) for each in (wanted.result if several else [wanted.result])]
        row = rows[0] if len(rows) == 1 else None
    else:
        row = _row_hint(hints.get("return"), what, wanted)
        rows = [] if row is None else [row]
    if not rows or any(each.type is None for each in rows):
        message = f"what type the rows of {name} have is not said"
        raise ScriptError(
            "FX-API-0051", message, hint="def f(x: str) -> Iterator[tuple[str, int]], or result=['STRING']"
        )
    single = row is not None and not isinstance(row.type, RowType)
    if row is not None and isinstance(row.type, RowType):
        inner = list((fields_of(row.python) or {}).values()) or list(typing.get_args(row.python))
        pythons = inner if len(inner) == len(row.type.fields) else [None] * len(row.type.fields)
        columns = list(row.type.fields)
    else:
        columns = [(f"f{index}", each.type) for index, each in enumerate(rows) if each.type is not None]
        pythons = [each.python for each in rows]
    if wanted.columns:
        if len(wanted.columns) != len(columns):
            message = f"{name} gives {len(columns)} columns, and {len(wanted.columns)} names"
            raise ScriptError("FX-API-0050", message)
        columns = [(new, type_) for new, (_, type_) in zip(wanted.columns, columns, strict=True)]
    return TableFunction(
        name, function, parameters, rest, wanted.deterministic,
        columns=tuple((column, type_.with_nullable(True)) for column, type_ in columns), single=single,
        encode=tuple(encoder(type_, python) for (_, type_), python in zip(columns, pythons, strict=True)),
    )  # fmt: skip


def _name_of(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _read(hint: Any, what: str, wanted: Wanted) -> Hint:
    try:
        return read_hint(hint, wanted.parse)
    except TypeError as error:
        raise ScriptError("FX-API-0050", f"{what} has no SQL type: {error}") from error
    except FluxError as error:
        raise ScriptError("FX-API-0050", f"{what} has no SQL type: {error.message}", hint=error.hint) from error


def _row_hint(hint: Any, what: str, wanted: Wanted) -> Hint | None:
    """Return what the rows are by the hint of a generator or of a function that gives a collection of them."""
    if hint is None:
        return None
    iterables = (abc.Iterator, abc.Iterable, abc.Generator, abc.Sequence, abc.Collection, list)
    args = typing.get_args(hint)
    if type(None) in args and len(args) == 2:
        return _row_hint(next(each for each in args if each is not type(None)), what, wanted)
    if typing.get_origin(hint) in iterables and args:
        return _read(args[0], what, wanted)
    message = f"{what} has no SQL type: the hint of the result is no Iterator, Generator or list"
    raise ScriptError("FX-API-0050", message, hint="def f(x: str) -> Iterator[tuple[str, int]]")


def _parameters(
    function: Callable[..., Any], hints: dict[str, Any], wanted: Wanted
) -> tuple[tuple[Parameter, ...], Parameter | None, list[Form]]:
    """Return the parameters, that of ``*args``, and in which form each is taken."""
    found: list[Parameter] = []
    rest: Parameter | None = None
    forms: list[Form] = []
    name = wanted.name or _name_of(function)
    own = list(inspect.signature(function).parameters.values())
    positional = [each for each in own if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    for each in own:
        if each.kind is each.KEYWORD_ONLY and each.default is each.empty:
            message = f"SQL can't give {name} its keyword '{each.name}'"
            raise ScriptError("FX-API-0050", message, hint="make it positional, or give it a default")
    variadic = any(each.kind is each.VAR_POSITIONAL for each in own)
    if wanted.args is not None and not variadic and len(wanted.args) > len(positional):
        message = f"{name} takes {len(positional)} arguments, and {len(wanted.args)} types are given"
        raise ScriptError("FX-API-0050", message)
    for index, each in enumerate(positional):
        hint = _argument(each.name, index, hints, wanted)
        forms.append(hint.form)
        found.append(_parameter(each.name, hint, wanted, required=each.default is each.empty))
    for each in own:
        if each.kind is each.VAR_POSITIONAL:
            hint = _argument(each.name, len(positional), hints, wanted)
            forms.append(hint.form)
            rest = _parameter(each.name, hint, wanted, required=False)
    return tuple(found), rest, forms


def _argument(name: str, index: int, hints: dict[str, Any], wanted: Wanted) -> Hint:
    hint = _read(hints.get(name, Any), f"the argument '{name}'", wanted)
    if wanted.args is None or index >= len(wanted.args):
        return hint
    given = _read(wanted.args[index], f"the argument '{name}'", wanted)
    return Hint(given.type, hint.optional, hint.python, hint.form)


def _parameter(name: str, hint: Hint, wanted: Wanted, *, required: bool) -> Parameter:
    optional = hint.optional if wanted.strict is None else not wanted.strict
    type_ = None if hint.type is None else hint.type.with_nullable(True)
    return Parameter(name, type_, optional, required, decoder(type_, hint.python))


def described(value: Any, parse: Parse) -> AnyUserFunction:
    """Return what kind of function a Python object is: one of fluxcore's own, an aggregate, or a plain function with hints.

    Raises: ``ScriptError`` FX-API-0052 for any other object; FX-API-0050 and 0051 as :func:`scalar_function`.
    """
    user = getattr(value, "user", None)
    if isinstance(user, AnyUserFunction):
        return user
    if isinstance(value, AggregateFunction) or (isinstance(value, type) and issubclass(value, AggregateFunction)):
        return aggregate_function(value() if isinstance(value, type) else value, None, parse)
    if isinstance(value, type) or not callable(value):
        what = f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"
        hint = "a function with @fx.udf or @fx.udtf, or a class of fx.AggregateFunction"
        raise ScriptError("FX-API-0052", f"this is {what}, and no function for SQL", hint=hint)
    returned = typing.get_origin(function_hints(value).get("return"))
    gives_rows = inspect.isgeneratorfunction(value) or returned in (abc.Iterator, abc.Generator)
    make = table_function if gives_rows else scalar_function
    return make(value, Wanted(parse))


def aggregate_function(function: AggregateFunction, result: Any, parse: Parse) -> UserAggregate:
    """Return an aggregate function with the type of its results, by the hint of ``result`` where it isn't given.

    Raises: ``ScriptError`` FX-API-0050 or FX-API-0051.
    """
    name = type(function).__name__
    given = result if result is not None else function_hints(function.result).get("return")
    found = _read(given, f"the result of {name}", Wanted(parse))
    if found.type is None:
        message = f"what type the result of {name} has is not said"
        raise ScriptError("FX-API-0051", message, hint="def result(self, accumulator) -> float, or result='DOUBLE'")
    return UserAggregate(function, found.type.with_nullable(True))
