"""Compiled functions give what Python gives, on random numbers, NULLs, NaN and the extremes, and raise where it raises."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.expr import jit_functions

from fluxcore.api.functions import ScalarUdf
from fluxcore.core.types import BooleanType, FloatType, IntegerType
from fluxcore.errors import DataError
from fluxcore.expr.jit.build import compile_here, write_module
from fluxcore.expr.jit.compiled import compiled_function, note_of
from fluxcore.expr.jit.modules import module_of
from fluxcore.expr.user_kernels import user_kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.types import DataType

FUNCTIONS = {name: each for name, each in vars(jit_functions).items() if isinstance(each, ScalarUdf)}
COMPILE_S = 120.0


def numbers(type_: DataType) -> st.SearchStrategy[Any]:
    if isinstance(type_, BooleanType):
        return st.booleans()
    if isinstance(type_, IntegerType):
        low, high = -(2 ** (type_.bits - 1)), 2 ** (type_.bits - 1) - 1
        return st.one_of(
            st.integers(-20, 20),
            st.integers(low, high),
            st.sampled_from([low, low + 1, high, high - 1, 0, 1, -1]),
            st.integers(-(2**54), 2**54).map(lambda n: max(low, min(high, n))),
        )
    assert isinstance(type_, FloatType)
    return st.one_of(
        st.floats(width=type_.bits),  # type: ignore[arg-type]
        st.floats(-100, 100, width=32).map(lambda x: float(np.float32(x))),
        st.integers(-10, 10).map(float),
        st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 0.5, 1.5, 2.5, 2.0**53, -(2.0**63), 2.0**63]),
    )


def outcome(function: ScalarUdf[..., Any], row: Sequence[Any]) -> tuple[str, Any]:
    """Return what Python gives for a row: a value, or the exception that it is."""
    user = function.user
    if any(value is None and not parameter.optional for value, parameter in zip(row, user.parameters, strict=True)):
        return "value", None
    try:
        found = function.function(*row)
    except Exception as error:  # noqa: BLE001  (whatever it is)
        return "FX-RUN-0212", error
    if found is None:
        return "value", None
    if isinstance(user.result, IntegerType) and not -(2 ** (user.result.bits - 1)) <= found < 2 ** (
        user.result.bits - 1
    ):
        return "FX-RUN-0213", found
    if isinstance(found, complex):
        return "FX-RUN-0213", found
    if isinstance(user.result, FloatType):
        with np.errstate(over="ignore"):
            found = float(np.float32(found)) if user.result.bits == 32 else float(found)
    return "value", found


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return (math.isnan(one) and math.isnan(other)) or struct.pack("d", one) == struct.pack("d", other)
    return type(one) is type(other) and one == other


@pytest.fixture(scope="module")
def kernels() -> dict[str, Any]:
    """All functions, compiled."""
    made = {}
    for name, function in FUNCTIONS.items():
        count = len(function.user.parameters)
        found = compiled_function(function.user, count)
        assert found is not None, note_of(function.user, count)
        compile_here(write_module(module_of(function.user, count)))
        assert found.wait(COMPILE_S), f"{name}: {found.failure}"
        made[name] = (function, found, user_kernel(function.user, count))
    return made


@pytest.mark.parametrize("name", FUNCTIONS)
@given(data=st.data())
def test_compiled_gives_what_python_gives(name: str, kernels: dict[str, Any], data: st.DataObject) -> None:
    function, _, kernel = kernels[name]
    types = [each.type for each in function.user.parameters]
    row = st.tuples(
        *(st.one_of(st.none(), numbers(each)) if data.draw(st.booleans()) else numbers(each) for each in types)
    )
    rows = data.draw(st.lists(row, min_size=1, max_size=30))
    wanted = [outcome(function, each) for each in rows]
    columns = [pa.array([each[i] for each in rows], type_.arrow()) for i, type_ in enumerate(types)]
    wrong = next(((at, kind) for at, (kind, _) in enumerate(wanted) if kind == "FX-RUN-0212"), None)
    wrong = wrong or next(((at, kind) for at, (kind, _) in enumerate(wanted) if kind != "value"), None)
    if wrong is None:
        found = kernel(columns, len(rows))
        assert found.type == function.user.result.arrow()
        for row_, one, (_, other) in zip(rows, found.to_pylist(), wanted, strict=True):
            assert same(one, other), f"{row_}: compiled {one!r}, Python {other!r}"
        return
    with pytest.raises(DataError) as raised:
        kernel(columns, len(rows))
    at, code = wrong
    assert raised.value.code == code
    assert raised.value.hint is not None
    assert repr(tuple(columns[i][at].as_py() for i in range(len(types)))) in raised.value.hint
    if code == "FX-RUN-0212":
        assert "jit_functions.py" in raised.value.hint
        assert type(wanted[at][1]).__name__ in raised.value.message


@pytest.mark.parametrize("name", FUNCTIONS)
def test_ordinary_numbers_are_computed_without_python(name: str, kernels: dict[str, Any]) -> None:
    function, compiled, _ = kernels[name]
    random = np.random.default_rng(7)
    columns = [
        pa.array(random.integers(1, 50, 500) if isinstance(each.type, IntegerType) else random.uniform(0.2, 9, 500))
        if not isinstance(each.type, BooleanType)
        else pa.array(random.integers(0, 2, 500) == 1)
        for each in function.user.parameters
    ]
    columns = [
        each.cast(own.type.arrow(), safe=False) for each, own in zip(columns, function.user.parameters, strict=True)
    ]

    left = 0

    def python(values: Sequence[Any], rows: int) -> pa.Array:
        nonlocal left
        left += rows
        return pa.nulls(rows, function.user.result.arrow())

    assert len(compiled.run(columns, 500, python)) == 500
    assert left <= (15 if name == "whole_or_not" else 0), "its zeros alone may have another sign in Python"
