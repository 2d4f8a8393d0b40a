"""Functions of the user's in Python: ``@fx.udf``, ``@fx.udtf`` and ``fx.udaf`` make what SQL and streams call."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeAlias, TypeVar, overload

from fluxcore.api.aggregates import Aggregate, AggregateFunction
from fluxcore.api.expressions import Term, named, term
from fluxcore.core.describe_function import Wanted, aggregate_function, scalar_function, table_function
from fluxcore.errors import ScriptError
from fluxcore.expr.table_calls import unnest_call
from fluxcore.expr.user_calls import user_call, user_table_call
from fluxcore.sql.parse_types import type_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from fluxcore.core.schema import Schema
    from fluxcore.core.types import DataType
    from fluxcore.core.user_functions import ScalarFunction, TableFunction
    from fluxcore.expr.nodes import Expr
    from fluxcore.expr.table_calls import TableCall

    TypeLike: TypeAlias = str | pa.DataType | DataType | type

P = ParamSpec("P")
R = TypeVar("R")


class ScalarUdf(Generic[P, R]):
    """A scalar function. Called with columns it gives a column, called with values it is the plain Python function."""

    def __init__(self, function: Callable[P, R], user: ScalarFunction) -> None:
        self.function = function
        self.user = user
        update_wrapper(self, function)

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def __call__(self, *args: Any) -> Term: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the column of a call over columns, or the function's own result for values."""
        if any(isinstance(each, Term) for each in args):
            return _ScalarCall(self.user, tuple(term(each) for each in args))
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<udf {self.user.name}{self.user.signature()} -> {self.user.result.name()}>"


class TableUdf(Generic[P, R]):
    """A table function. Called with columns it gives what ``join_lateral`` takes, called with values it is the plain function."""

    def __init__(self, function: Callable[P, R], user: TableFunction) -> None:
        self.function = function
        self.user = user
        update_wrapper(self, function)

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def __call__(self, *args: Any) -> TableTerm: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the rows of a call over columns, or the function's own result for values."""
        if any(isinstance(each, Term) for each in args):
            user, terms = self.user, tuple(term(each) for each in args)
            return TableTerm(lambda schema: user_table_call(user, [each.bind(schema) for each in terms]))
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        columns = ", ".join(f"{name} {type_.name()}" for name, type_ in self.user.columns)
        return f"<udtf {self.user.name}{self.user.signature()} -> ({columns})>"


@dataclass(frozen=True)
class TableTerm:
    """Rows for each row of a stream: what ``join_lateral`` takes. ``names`` are those of its columns, where they are given."""

    call: Callable[[Schema], TableCall]
    names: tuple[str, ...] = ()

    def alias(self, *names: str) -> TableTerm:
        """Return the same rows under other names of their columns."""
        return replace(self, names=names)

    def bind(self, schema: Schema) -> TableCall:
        """Return the call over a schema's columns. Raises ``ScriptError``."""
        return self.call(schema)


@dataclass(frozen=True, eq=False)
class _ScalarCall(Term):
    user: ScalarFunction
    args: tuple[Term, ...]

    def bind(self, schema: Schema) -> Expr:
        return user_call(self.user, [arg.bind(schema) for arg in self.args])


@overload
def udf(function: Callable[P, R], /) -> ScalarUdf[P, R]: ...
@overload
def udf(
    *,
    args: Sequence[TypeLike] | None = ...,
    result: TypeLike | None = ...,
    deterministic: bool = ...,
    vectorized: bool = ...,
    strict: bool | None = ...,
    compiled: bool = ...,
    name: str | None = ...,
) -> Callable[[Callable[P, R]], ScalarUdf[P, R]]: ...
def udf(function: Callable[..., Any] | None = None, /, **said: Any) -> Any:
    """Make a scalar function of a Python function; its types come from its hints.

    ``args`` and ``result`` name types where hints don't: ``"DECIMAL(10, 2)"``, or Arrow's. ``deterministic=False`` keeps calls
    from being computed once for all. ``vectorized``: the function takes and gives Arrow arrays, or NumPy's where its hints say
    so. A row with NULL in an argument gives NULL, unless the hint says ``X | None`` or ``strict=False``. Plain arithmetic is
    compiled in the background, and gives what Python gives; ``compiled=False`` keeps it from that.

    Example: ``@fx.udf`` before ``def half(x: int) -> float: return x / 2``, then ``half(fx.col("n"))``.

    Raises: ``ScriptError`` FX-API-0050 for hints that are no SQL types, FX-API-0051 where the result's type is not said.
    """
    wanted = _wanted(said, "args", "result", "deterministic", "vectorized", "strict", "compiled", "name")

    def make(function: Callable[..., Any]) -> ScalarUdf[..., Any]:
        return ScalarUdf(function, scalar_function(function, wanted))

    return make if function is None else make(function)


@overload
def udtf(function: Callable[P, R], /) -> TableUdf[P, R]: ...
@overload
def udtf(
    *,
    args: Sequence[TypeLike] | None = ...,
    result: TypeLike | Sequence[TypeLike] | None = ...,
    columns: Sequence[str] = ...,
    deterministic: bool = ...,
    strict: bool | None = ...,
    name: str | None = ...,
) -> Callable[[Callable[P, R]], TableUdf[P, R]]: ...
def udtf(function: Callable[..., Any] | None = None, /, **said: Any) -> Any:
    """Make a table function of a generator, or of a function that gives a list: any number of rows for each row.

    Rows are tuples, dataclasses, dicts, or plain values where there is one column; the hint of the result says which:
    ``Iterator[tuple[str, int]]``. ``result`` names the types of the columns instead, ``columns`` their names. The rest is as
    in :func:`udf`; a row with NULL in an argument gives no rows, unless the hint says ``X | None``.

    Raises: ``ScriptError`` as :func:`udf`.
    """
    wanted = _wanted(said, "args", "result", "columns", "deterministic", "strict", "name")

    def make(function: Callable[..., Any]) -> TableUdf[..., Any]:
        return TableUdf(function, table_function(function, wanted))

    return make if function is None else make(function)


def udaf(function: AggregateFunction, type: TypeLike | None = None) -> Callable[..., Aggregate]:
    """Return an aggregate function made of one written in Python.

    ``type`` is that of its results, as Arrow or SQL names it; left out, the hint of its method ``result`` says it.
    ``spread = fx.udaf(Range(), pa.float64())`` gives ``spread("price")``, for ``agg`` and ``over``.
    """
    user = aggregate_function(function, type, type_of)

    def of(*values: str | Term) -> Aggregate:
        if not values:
            raise ScriptError("FX-API-0011", f"{user.name} needs an argument")
        return Aggregate(user.name, tuple(named(each) for each in values), user=user)

    of.user = user  # type: ignore[attr-defined]
    return of


def unnest(value: str | Term, *, ordinality: bool = False) -> TableTerm:
    """Return the rows of an array, a map or a multiset, for ``join_lateral``; with ``ordinality`` numbered from 1."""
    collection = named(value)
    return TableTerm(lambda schema: unnest_call(collection.bind(schema), ordinality=ordinality))


def _wanted(said: dict[str, Any], *known: str) -> Wanted:
    unknown = set(said) - set(known)
    if unknown:
        raise TypeError(f"there is no option {unknown.pop()!r}")
    return Wanted(type_of, **said)
