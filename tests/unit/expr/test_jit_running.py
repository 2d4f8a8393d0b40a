"""When functions are compiled, what stays with Python and why, and what changes under a compiled function."""

from __future__ import annotations

import importlib
import math
import random
import sys
import types
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

import fluxcore as fx
from fluxcore import limits
from fluxcore.errors import DataError
from fluxcore.expr.jit import build
from fluxcore.expr.jit.compiled import compiled_function, note_of
from fluxcore.expr.user_kernels import user_kernel

if TYPE_CHECKING:
    from pathlib import Path

FACTOR = 2


def scale(x: int) -> int:
    return x * FACTOR


@fx.udf
def scaled(x: int) -> int:
    return scale(x) + 1


@fx.udf
def inverse(x: int) -> float:
    return 1 / x


@fx.udf
def text_of(x: int) -> str:
    return str(x)


@fx.udf
def by_text(x: int) -> int:
    return len(str(x))


@fx.udf
def listed(x: int) -> int:
    return sum([x, x])


@fx.udf
def maybe_unset(x: int) -> int:
    if x > 0:
        y = 1
    return y


@fx.udf
def two_kinds(x: int) -> float:
    y = x > 1
    if x > 2:
        y = 2
    return y


@fx.udf
def wrong_kind(x: int) -> int:
    return x * 0.5


@fx.udf
def endless(x: int) -> int:
    return endless(x - 1) if x else 0


@fx.udf
def by_chance(x: float) -> float:
    return x + random.random()


@fx.udf
def many(*xs: int) -> int:
    return len(xs)


@fx.udf
def caught(x: int) -> float:
    try:
        return 1 / x
    except ZeroDivisionError:
        return 0.0


@fx.udf(compiled=False)
def kept(x: int) -> int:
    return x + 1


@fx.udf
def defaulted(x: int, y: int = 1) -> int:
    return x + y


@fx.udf(vectorized=True)
def on_arrays(x: pa.Int64Array) -> pa.Int64Array:
    return x


@fx.udf
def big(x: float) -> float:
    return x * 10000000000000000000000


REASONS = [
    (text_of, 1, "it gives STRING"),
    (by_text, 1, "str() is not compiled (line"),
    (listed, 1, "List is not compiled (line"),
    (maybe_unset, 1, "y may have no value here (line"),
    (two_kinds, 1, "y is bool and int (line"),
    (wrong_kind, 1, "it gives float for BIGINT"),
    (endless, 1, "endless calls itself (line"),
    (by_chance, 1, "random() is not compiled (line"),
    (many, 2, "it takes any number of arguments"),
    (caught, 1, "Try is not compiled (line"),
    (kept, 1, "compiled=False"),
    (defaulted, 1, "arguments are left out"),
    (on_arrays, 1, "it is vectorised"),
    (big, 1, "a number of more than 64 bits is not compiled"),
]


@pytest.mark.parametrize(("function", "count", "reason"), REASONS, ids=lambda each: getattr(each, "__name__", None))
def test_what_stays_with_python_says_why(function: Any, count: int, reason: str) -> None:
    assert compiled_function(function.user, count) is None
    note = note_of(function.user, count)
    assert note.startswith(f"in Python: {reason}")
    assert "(line" not in reason or note.endswith("of test_jit_running.py)")


def test_a_function_whose_source_is_nowhere_stays_with_python() -> None:
    names: dict[str, Any] = {}
    exec("def f(x: int) -> int:\n    return x", names)
    assert note_of(fx.udf(names["f"]).user, 1) == "in Python: its source can't be read"


class Shy:
    def __hash__(self) -> int:
        raise RuntimeError("not to be looked at")


SHY = Shy()
LAZY = types.ModuleType("lazy")


def not_yet(name: str) -> Any:
    raise RuntimeError(name)


LAZY.__getattr__ = not_yet  # type: ignore[method-assign]


@fx.udf
def of_the_shy(x: int) -> int:
    return SHY(x) if x > 1 else x


@fx.udf
def of_the_lazy(x: int) -> int:
    return LAZY.number if x > 1 else x


def test_names_that_can_not_be_looked_at_are_left_to_python() -> None:
    @fx.udf
    def of_the_unset(x: int) -> int:
        return unset if x > 1 else x

    for function in (of_the_shy, of_the_lazy, of_the_unset):
        assert note_of(function.user, 1).startswith("in Python: what it names can't be read: ")
        assert user_kernel(function.user, 1)([pa.array([1])], 1).to_pylist() == [1]
    unset = 1


CHANGES = [("x + 1", "x + 2"), ("x + ONE", "x + TWO"), ("math.sin(x)", "math.cos(x)"), ("abs(x)", "float(x)")]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_a_function_whose_file_has_changed_stays_with_python(
    before: str, after: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "changing_functions.py"
    text = "import math\nONE, TWO = 1, 2\n\n\ndef f(x: float) -> float:\n    return {}\n"
    file.write_text(text.format(before))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "changing_functions", raising=False)
    module = importlib.import_module("changing_functions")
    assert note_of(fx.udf(module.f).user, 1) == "compiled"
    file.write_text(text.format(after))
    assert note_of(fx.udf(module.f).user, 1) == "in Python: its file has changed since it was loaded"


def test_explain_says_how_each_function_runs() -> None:
    session = fx.Session()
    session.from_arrow(pa.table({"x": [1]}), name="t")
    for each in (scaled, by_text, on_arrays):
        session.register_function(each.__name__, each)
    shown = session.sql("SELECT scaled(x), by_text(x), on_arrays(x) FROM t WHERE scaled(x) > 0").explain()
    notes = shown.split("functions:\n")[1].split("\n\n")[0].splitlines()
    assert notes[0] == "  scaled: compiled"
    assert notes[1].startswith("  by_text: in Python: str() is not compiled (line")
    assert notes[2] == "  on_arrays: a batch at a time, on arrow arrays"


def test_python_computes_until_the_kernel_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUXCORE_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(limits, "JIT_AFTER_ROWS", 5)
    calls = 0

    def counted(x: int) -> int:
        return x * 3 - 1

    function = fx.udf(counted)
    compiled = compiled_function(function.user, 1)
    assert compiled is not None

    def python(_: Any, rows: int) -> pa.Array:
        nonlocal calls
        calls += 1
        return pa.nulls(rows, pa.int64())

    values = [pa.array([1, 2, 3])]
    assert compiled.run(values, 3, python) is None
    assert not list(tmp_path.rglob("udf_*.py")), "too few rows to be worth it"
    assert compiled.run(values, 3, python) is None
    assert compiled.wait(120), compiled.failure
    assert list(tmp_path.rglob("udf_*.py"))
    found = compiled.run(values, 3, python)
    assert found is not None
    assert found.to_pylist() == [2, 5, 8]
    assert not calls


def test_what_cannot_be_compiled_after_all_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Any) -> None:
        raise build.BuildError("no compiler")

    def unheard(x: int) -> int:
        return x * 31 - 77

    monkeypatch.setattr("fluxcore.expr.jit.compiled.compile_in_child", broken)
    function = fx.udf(unheard)
    compiled = compiled_function(function.user, 1)
    assert compiled is not None
    assert not compiled.wait(120)
    assert note_of(function.user, 1) == "in Python: it could not be compiled: no compiler"
    assert user_kernel(function.user, 1)([pa.array([1, None])], 2).to_pylist() == [-46, None]


@pytest.fixture
def ready() -> Any:
    compiled = compiled_function(scaled.user, 1)
    assert compiled is not None
    assert compiled.wait(120), compiled.failure
    return user_kernel(scaled.user, 1)


def test_a_number_of_the_module_is_read_for_each_batch(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ready([pa.array([1, 2])], 2).to_pylist() == [3, 5]
    monkeypatch.setitem(globals(), "FACTOR", 10)
    assert ready([pa.array([1, 2])], 2).to_pylist() == [11, 21]
    monkeypatch.setitem(globals(), "FACTOR", 2**70)
    assert ready([pa.array([0])], 1).to_pylist() == [1]
    monkeypatch.setitem(globals(), "FACTOR", -1)
    monkeypatch.setitem(globals(), "scale", lambda x: x - FACTOR)
    assert ready([pa.array([1, 2])], 2).to_pylist() == [3, 4]


def test_slices_constants_and_nulls(ready: Any) -> None:
    column = pa.array([5, None, 7, None, 9] * 5).slice(1, 12)
    assert ready([column], 12).to_pylist() == [None if v is None else v * 2 + 1 for v in column.to_pylist()]
    assert ready([pa.scalar(4, pa.int64())], 3).as_py() == 9
    assert ready([pa.scalar(None, pa.int64())], 3).as_py() is None


def test_an_exception_names_line_and_row() -> None:
    compiled = compiled_function(inverse.user, 1)
    assert compiled is not None
    assert compiled.wait(120), compiled.failure
    kernel = user_kernel(inverse.user, 1)
    assert kernel([pa.array([4, None, 2**60 + 1])], 3).to_pylist() == [0.25, None, 1 / (2**60 + 1)]
    with pytest.raises(DataError, match="ZeroDivisionError: division by zero") as raised:
        kernel([pa.array([4, 0, 1])], 3)
    line = inverse.function.__code__.co_firstlineno + 2
    assert raised.value.code == "FX-RUN-0212"
    assert raised.value.hint == f"in inverse, line {line} of {__file__}, given (0,)"
    assert math.isclose(kernel([pa.array([3])], 1)[0].as_py(), 1 / 3)
