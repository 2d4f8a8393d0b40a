"""Runs functions written in Python over columns: row by row, or a batch at a time.

A row that has NULL where the function doesn't want it gives NULL and is never handed over, but to functions of Arrow arrays,
which see NULLs as Arrow has them. An exception names the function, the user's line and what it was given.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from fluxcore.core.arrays import whole
from fluxcore.core.user_code import user_line
from fluxcore.core.user_functions import Form
from fluxcore.core.user_values import python_values, results, row_values
from fluxcore.errors import DataError, FluxError
from fluxcore.expr.registry import spread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from fluxcore.core.user_functions import Parameter, ScalarFunction, TableFunction, UserFunction

    Rows = tuple[NDArray[np.int64], list[pa.Array]]

_SHOWN_MAX = 200
_RESULT_ERRORS = (TypeError, ValueError, OverflowError, pa.ArrowException)


def user_kernel(user: ScalarFunction, count: int) -> Callable[[Sequence[Any], int], Any]:
    """Return the function that computes a scalar function of ``count`` arguments for each row.

    The function takes the arguments (arrays, or scalars for constants) and the number of rows; of constants it gives a scalar
    where the same arguments always give the same. Raises, when it runs:
    ``DataError`` FX-RUN-0212 for an exception of the user's code, FX-RUN-0213 for a result that is none of its type.
    """
    from fluxcore.expr.jit.compiled import compiled_function  # needed by few plans

    parameters = [user.parameter(index) for index in range(count)]
    compiled = compiled_function(user, count)
    by_rows = {Form.ROW: _by_row, Form.ARROW: _by_arrow, Form.NUMPY: _by_numpy}[user.form]

    def compute(values: Sequence[Any], rows: int) -> Any:
        if values and not any(isinstance(each, pa.Array) for each in values):
            if user.deterministic and rows > 1:
                return compute(values, 1)[0]
            values = [spread(values[0], rows), *values[1:]]
        if user.form is Form.ARROW:
            return by_rows(user, parameters, values, rows)
        if compiled is not None:
            done = compiled.run(values, rows, lambda given, number: _by_row(user, parameters, given, number))
            if done is not None:
                return done
        there = _rows_there(parameters, values, rows)
        if there is None:
            return by_rows(user, parameters, values, rows)
        chosen = pa.array(there)
        given = [each.take(chosen) if isinstance(each, pa.Array) else each for each in values]
        found = by_rows(user, parameters, given, len(there))
        places = np.full(rows, -1, np.int64)
        places[there] = np.arange(len(there))
        return found.take(pa.array(places, mask=places < 0))

    return compute


def table_kernel(user: TableFunction, count: int) -> Callable[[Sequence[Any], int], Rows]:
    """Return the function that gives the rows of a table function: for each its row in the batch, and the columns."""
    parameters = [user.parameter(index) for index in range(count)]

    def compute(values: Sequence[Any], rows: int) -> Rows:
        there = _rows_there(parameters, values, rows)
        if there is not None:
            chosen = pa.array(there)
            values = [each.take(chosen) if isinstance(each, pa.Array) else each for each in values]
        numbers, found = _given_rows(user, parameters, values, rows if there is None else len(there))
        return (numbers if there is None else there[numbers]), _columns(user, found)

    return compute


def _rows_there(parameters: Sequence[Parameter], values: Sequence[Any], rows: int) -> NDArray[np.int64] | None:
    """Return the rows without NULL where the function doesn't want it; None for all of them."""
    mask: NDArray[np.bool_] | None = None
    for parameter, value in zip(parameters, values, strict=True):
        if parameter.optional:
            continue
        if isinstance(value, pa.Scalar):
            if not value.is_valid:
                return np.empty(0, np.int64)
        elif value.null_count:
            valid = np.asarray(value.is_valid())
            mask = valid if mask is None else mask & valid
    if mask is None or len(mask) != rows:
        return None
    return np.flatnonzero(mask)


def _by_row(user: ScalarFunction, parameters: Sequence[Parameter], values: Sequence[Any], rows: int) -> pa.Array:
    columns = _python_columns(parameters, values)
    found: list[Any] = []
    try:
        # what was computed before an exception stays in the list, and tells the row
        found.extend(map(user.function, *columns) if columns else (user.function() for _ in range(rows)))
    except Exception as error:
        raise _failed(user, error, _row(_python_columns(parameters, values), len(found))) from error
    encode = user.encode
    try:
        return results(found if encode is None else [encode(each) for each in found], user.result)
    except _RESULT_ERRORS as error:
        raise _wrong(user, found, _python_columns(parameters, values), error) from error


def _by_arrow(user: ScalarFunction, parameters: Sequence[Parameter], values: Sequence[Any], rows: int) -> pa.Array:  # noqa: ARG001
    arrays = [each if isinstance(each, pa.Array) else spread(each, rows) for each in values]
    return _checked(user, _called(user, arrays, rows), rows)


def _by_numpy(user: ScalarFunction, parameters: Sequence[Parameter], values: Sequence[Any], rows: int) -> pa.Array:  # noqa: ARG001
    arrays = [each if isinstance(each, pa.Array) else spread(each, rows) for each in values]
    given = [each.to_numpy(zero_copy_only=False) for each in arrays]
    return _checked(user, _called(user, given, rows), rows)


def _called(user: ScalarFunction, arrays: Sequence[Any], rows: int) -> Any:
    if not rows:
        return pa.array([], user.result.arrow())
    try:
        return user.function(*arrays)
    except Exception as error:
        raise _failed(user, error, f"a batch of {rows} rows") from error


def _checked(user: ScalarFunction, found: Any, rows: int) -> pa.Array:
    """Return what a function of arrays gave as an array of the result's type, one value for each row."""
    wanted = user.result.arrow()
    try:
        if isinstance(found, pa.ChunkedArray):
            found = whole(found)
        if not isinstance(found, pa.Array):
            found = pa.array(found) if isinstance(found, np.ndarray) and found.ndim else pa.array(list(found), wanted)
        array = found if found.type == wanted else found.cast(wanted)
    except _RESULT_ERRORS as error:
        message = f"{user.name} gave a result that is no array of {user.result.name()}: {error}"
        raise DataError("FX-RUN-0213", message, hint="give an array of the type of the result") from error
    if len(array) != rows:
        message = f"{user.name} gave {len(array)} values for {rows} rows"
        raise DataError("FX-RUN-0213", message, hint="give one value for each row")
    return array


def _python_columns(parameters: Sequence[Parameter], values: Sequence[Any]) -> list[Iterable[Any]]:
    """Return the arguments as Python values: a list for a column, the same value again and again for a constant."""
    columns: list[Iterable[Any]] = []
    for parameter, value in zip(parameters, values, strict=True):
        decode = parameter.decode
        if isinstance(value, pa.Scalar):
            (one,) = python_values(spread(value, 1))
            columns.append(itertools.repeat(one if decode is None else decode(one)))
            continue
        column = python_values(value)
        columns.append(column if decode is None else [decode(each) for each in column])
    return columns


def _given_rows(
    user: TableFunction, parameters: Sequence[Parameter], values: Sequence[Any], rows: int
) -> tuple[NDArray[np.int64], list[Any]]:
    """Return what the function gave, and for each of it the row that it was given for."""
    columns = [each if isinstance(each, pa.Array) else spread(each, rows) for each in values]
    arguments = zip(*_python_columns(parameters, columns), strict=True) if columns else iter([()] * rows)
    found: list[Any] = []
    counts = np.zeros(rows, np.int64)
    for number, row in enumerate(arguments):
        before = len(found)
        try:
            given = user.function(*row)
            if given is not None:
                found.extend(given)
        except Exception as error:
            raise _failed(user, error, row) from error
        counts[number] = len(found) - before
    return np.repeat(np.arange(rows, dtype=np.int64), counts), found


def _columns(user: TableFunction, found: list[Any]) -> list[pa.Array]:
    names = [name for name, _ in user.columns]
    try:
        if user.single:
            parts: list[Sequence[Any]] = [[_one(each) for each in found]]
        else:
            rows = [row_values(each, names) for each in found]
            for row in rows:
                if len(row) != len(names):
                    raise TypeError(f"{row!r} has {len(row)} values, and there are {len(names)} columns")
            parts = list(zip(*rows, strict=True)) if rows else [[] for _ in names]
        return [
            results([each if encode is None else encode(each) for each in part], type_)
            for part, encode, (_, type_) in zip(parts, user.encode, user.columns, strict=True)
        ]
    except (*_RESULT_ERRORS, KeyError, AttributeError) as error:
        shown = ", ".join(f"{name} {type_.name()}" for name, type_ in user.columns)
        message = f"{user.name} gave a row that is no ({shown}): {error}"
        raise DataError("FX-RUN-0213", message, hint="give rows as the function's hints or result= say") from error


def _one(value: Any) -> Any:
    """Return the value of a row of one column, which may be given as a tuple."""
    return value[0] if isinstance(value, tuple) and len(value) == 1 else value


def _row(columns: Sequence[Iterable[Any]], number: int) -> tuple[Any, ...]:
    return tuple(next(itertools.islice(column, number, None)) for column in columns)


def _failed(user: UserFunction, error: Exception, given: object) -> FluxError:
    """Return the error that names the function, the user's line and what it was given."""
    if isinstance(error, FluxError):
        return error
    line = user_line(error, or_library=True)
    shown = repr(given) if isinstance(given, tuple) else str(given)
    shown = shown if len(shown) <= _SHOWN_MAX else shown[:_SHOWN_MAX] + "…"
    hint = f"in {user.name}{f', {line}' if line else ''}, given {shown}"
    return DataError("FX-RUN-0212", f"{type(error).__name__}: {error}", hint=hint)


def _wrong(user: ScalarFunction, found: Sequence[Any], columns: Sequence[Iterable[Any]], error: Exception) -> FluxError:
    """Return the error of the first result that is none of the declared type."""
    for number, value in enumerate(found):
        try:
            results([value if user.encode is None else user.encode(value)], user.result)
        except _RESULT_ERRORS as problem:
            message = f"{user.name} gave {value!r:.100}, which is no {user.result.name()}: {problem}"
            hint = f"given {_row(columns, number)!r:.{_SHOWN_MAX}}; the hint of the result, or result=, says the type"
            return DataError("FX-RUN-0213", message, hint=hint)
    return DataError("FX-RUN-0213", f"{user.name} gave no values of {user.result.name()}: {error}")
