"""Functions that no Arrow kernel offers, computed in Python: each different text once, constants taken apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.expr.made_text import check_batch
from fluxcore.limits import MADE_BATCH_CHARACTERS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.expr.registry import Inputs

_MANY = 1000
"""Rows from which on it may pay to look for equal values."""


def constant(inputs: Inputs, index: int) -> Any:
    """Return an argument's value if it is a constant that is not NULL, else None."""
    value = inputs.values[index] if index < len(inputs.values) else None
    return value.as_py() if isinstance(value, pa.Scalar) else None


def each(inputs: Inputs, compute: Callable[..., Any], wanted: pa.DataType) -> pa.Array:
    """Compute row by row, NULL where any argument is; for functions that no kernel offers."""
    varying = [index for index, value in enumerate(inputs.values) if not isinstance(value, pa.Scalar)]
    fixed = [value.as_py() if isinstance(value, pa.Scalar) else None for value in inputs.values]
    if any(value is None for index, value in enumerate(fixed) if index not in varying):
        return pa.nulls(inputs.rows, wanted)
    if len(varying) == 1:
        (place,) = varying

        def one(value: Any) -> Any:
            return compute(*fixed[:place], value, *fixed[place + 1 :])

        return mapped(inputs.array(place), one, wanted)
    columns = [inputs.array(index).to_pylist() for index in range(len(inputs.values))]
    return pa.array([None if None in row else compute(*row) for row in zip(*columns, strict=True)], wanted)


def mapped(array: pa.Array, compute: Callable[[Any], Any], wanted: pa.DataType) -> pa.Array:
    """Return ``compute`` of each value, NULL for NULL; where few values differ, of each of them once."""
    if len(array) > _MANY and not pa.types.is_nested(array.type):
        encoded = array.dictionary_encode()
        if len(encoded.dictionary) * 2 < len(array):
            return taken(mapped(encoded.dictionary, compute, wanted), encoded.indices)
    return pa.array([None if value is None else compute(value) for value in array.to_pylist()], wanted)


def taken(values: pa.Array, places: pa.Array) -> pa.Array:
    """Return the values at places. Raises ``DataError`` FX-RUN-0114 for more text than a batch may hold."""
    if pa.types.is_string(values.type) and values.nbytes * len(places) > MADE_BATCH_CHARACTERS_MAX:
        check_batch("a function", pc.sum(pc.binary_length(values).take(places).cast(pa.int64())).as_py() or 0)
    return values.take(places)


def any_null(inputs: Inputs) -> pa.Array:
    """Return for each row whether any argument is NULL."""
    found = inputs.array(0).is_null()
    for index in range(1, len(inputs.values)):
        found = pc.or_(found, inputs.array(index).is_null())
    return found
