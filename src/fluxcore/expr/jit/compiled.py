"""Runs compiled functions over columns, once they are there; until then, and where they can't say, Python does.

1. A function is translated when a plan asks for it. Where it can't be, the reason is kept, and Python runs it.
2. When it has computed enough rows, a thread has it compiled in a child process, and loads it. No query waits for that.
3. A batch goes through the kernel, which does not hold the interpreter's lock. Rows that it leaves open are Python's.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore import limits
from fluxcore.core.types import FloatType
from fluxcore.expr.jit.build import BuildError, compile_in_child, load, write_module
from fluxcore.expr.jit.kinds import Kind
from fluxcore.expr.jit.modules import module_of
from fluxcore.expr.jit.source import NotCompiledError
from fluxcore.expr.registry import spread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from fluxcore.core.user_functions import ScalarFunction
    from fluxcore.expr.jit.modules import Module

_PYTHON: dict[Kind, Any] = {Kind.BOOL: bool, Kind.INT: int, Kind.FLOAT: float}
_NO_BITS = np.empty(0, np.uint8)
_NO_BITS.setflags(write=False)
_DONE, _PYTHONS, _NULL = 0, 1, 2


class Compiled:
    """A function called with so many arguments: translated, and compiled when it is worth it."""

    def __init__(self, user: ScalarFunction, module: Module) -> None:
        self._result = user.result
        self._module = module
        self._kernel: Any = None
        self._rows = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.failure: str | None = None

    def run(
        self, values: Sequence[Any], rows: int, python: Callable[[Sequence[Any], int], pa.Array]
    ) -> pa.Array | None:
        """Return the results of a batch; None while there is no kernel, or where it can't be used.

        In: ``python`` computes rows as Python does.
        """
        if not rows:
            return None
        if self._kernel is None:
            self._count(rows)
            return None
        outside = self._outside()
        if outside is None:
            return None
        columns: list[Any] = []
        for value in values:
            columns += _column(value)
        state = np.empty(rows, np.uint8)
        out = np.zeros(rows, _element(self._result.arrow()))
        troubles = self._kernel(rows, np.array([0.0, 1.0]), state, out, *columns, *outside)
        if isinstance(self._result, FloatType) and self._result.bits == 32:
            with np.errstate(over="ignore"):
                out = out.astype(np.float32)
        none = state == _NULL
        found = pa.array(out, mask=none) if none.any() else pa.array(out)
        if not troubles:
            return found
        left = state == _PYTHONS
        chosen = pa.array(np.flatnonzero(left))
        given = [each.take(chosen) if isinstance(each, pa.Array) else each for each in values]
        return pc.replace_with_mask(found, pa.array(left), python(given, len(chosen)))

    def start(self) -> None:
        """Begin to compile, in the background, unless that has begun."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._build, name="fluxcore compiles a function", daemon=True)
                self._thread.start()

    def wait(self, timeout: float) -> bool:
        """Compile now and wait for it; return whether the kernel is there. ``timeout`` in seconds."""
        self.start()
        assert self._thread is not None
        self._thread.join(timeout)
        return self._kernel is not None

    def _count(self, rows: int) -> None:
        if self._thread is None:
            self._rows += rows
            if self._rows >= limits.JIT_AFTER_ROWS:
                self.start()

    def _build(self) -> None:
        try:
            self._kernel = _built(write_module(self._module))
        except (BuildError, OSError) as error:
            self.failure = (
                f"it could not be compiled: {str(error).strip().splitlines()[0] if str(error) else 'no reason'}"
            )

    def _outside(self) -> list[Any] | None:
        """Return the numbers from outside; None where a name has come to mean something else."""
        try:
            if any(read() is not meant for read, meant in self._module.program.guards):
                return None
            found = [each.read() for each in self._module.outside]
        except Exception:  # Python meets the same, and tells it of a row  # noqa: BLE001
            return None
        kinds = [each.kind for each in self._module.outside]
        return found if all(_is_of(value, kind) for value, kind in zip(found, kinds, strict=True)) else None


def _is_of(value: Any, kind: Kind) -> bool:
    return type(value) is _PYTHON[kind] and (kind is not Kind.INT or -(2**63) <= value < 2**63)


def _built(path: Path) -> Any:
    try:
        return load(path)
    except BuildError:
        compile_in_child(path)
        return load(path)


def _column(value: Any) -> tuple[Any, Any, int, int]:
    """Return a column as the kernel takes it: values, bits of those that are there, first bit, and step (0: one for all)."""
    step = 1
    if not isinstance(value, pa.Array):
        value, step = spread(value, 1), 0
    bits, data = value.buffers()
    present = _NO_BITS if not value.null_count else np.frombuffer(bits, np.uint8)
    if pa.types.is_boolean(value.type):
        values = (value.fill_null(False) if value.null_count else value).to_numpy(zero_copy_only=False)
        values.setflags(write=False)
    else:
        element = _element(value.type)
        values = np.frombuffer(data, element, len(value), value.offset * element.itemsize)
    return values, present, value.offset, step


def _element(type_: pa.DataType) -> Any:
    """Return the element in which the kernel takes or gives a type."""
    return np.bool_ if pa.types.is_boolean(type_) else np.dtype(type_.to_pandas_dtype())


_KNOWN: WeakKeyDictionary[ScalarFunction, dict[int, Compiled | str]] = WeakKeyDictionary()


def compiled_function(user: ScalarFunction, count: int) -> Compiled | None:
    """Return the compiled form of a function of so many arguments; None where it stays with Python."""
    found = _found(user, count)
    return found if isinstance(found, Compiled) else None


def note_of(user: ScalarFunction, count: int) -> str:
    """Return how a function runs, for people: compiled, or in Python and why."""
    found = _found(user, count)
    if isinstance(found, Compiled):
        return "compiled" if found.failure is None else f"in Python: {found.failure}"
    return f"in Python: {found}"


def _found(user: ScalarFunction, count: int) -> Compiled | str:
    known = _KNOWN.setdefault(user, {})
    found = known.get(count)
    if found is None:
        try:
            found = Compiled(user, module_of(user, count))
        except NotCompiledError as error:
            found = str(error)
        except RecursionError:
            found = "its expressions are too deep"
        except Exception as error:  # what the objects that it names do when they are looked at  # noqa: BLE001
            found = f"what it names can't be read: {type(error).__name__}"
        known[count] = found
    return found
