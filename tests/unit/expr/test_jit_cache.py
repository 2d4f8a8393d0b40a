"""What the cache of compiled functions survives: damage, a full disk, a compiler that hangs or is killed, two that compile the same."""

from __future__ import annotations

import resource
import sys
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

import fluxcore as fx
from fluxcore.expr.jit import build
from fluxcore.expr.jit.compiled import compiled_function, note_of
from fluxcore.expr.jit.modules import module_of
from fluxcore.expr.user_kernels import user_kernel

if TYPE_CHECKING:
    from pathlib import Path

    from fluxcore.core.user_functions import ScalarFunction


def tripled(x: int) -> int:
    return x * 3 - 1


def function() -> ScalarFunction:
    """Return the function as a program that has just begun knows it."""
    return fx.udf(tripled).user


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLUXCORE_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("numba.config.CACHE_DIR", "")
    return tmp_path


def test_what_is_damaged_is_made_anew(cache: Path) -> None:
    module = module_of(function(), 1)
    path = build.write_module(module)
    build.compile_here(path)
    (kernel,) = cache.rglob(f"{module.name}.*.nbc")
    for damaged, text in ((path, b""), (path, module.text.encode()[:500]), (kernel, b"junk")):
        damaged.write_bytes(text)
        user = function()
        compiled = compiled_function(user, 1)
        assert compiled is not None
        assert compiled.wait(120), compiled.failure
        assert path.read_text() == module.text
        assert user_kernel(user, 1)([pa.array([1, None, 2**62])], 2).to_pylist()[:2] == [2, None]


def test_a_kernel_that_another_process_has_compiled_stays_there(cache: Path) -> None:
    path = build.write_module(module_of(function(), 1))
    build.compile_here(path)
    before = {each: each.stat().st_mtime_ns for each in cache.rglob("*.nb?")}
    build.compile_here(path)
    assert {each: each.stat().st_mtime_ns for each in cache.rglob("*.nb?")} == before


def test_a_full_disk_leaves_no_pieces(cache: Path) -> None:
    module = module_of(function(), 1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            build.write_module(module)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not [each for each in cache.rglob("*") if each.is_file()]


@pytest.mark.parametrize(
    ("compiler", "told"),
    [("exec sleep 60", "the compiler had not ended after 0.5 s"), ("kill -9 $$", "the compiler ended")],
)
def test_without_its_compiler_a_function_is_pythons(
    compiler: str, told: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = cache / "python"
    script.write_text(f"#!/bin/sh\n{compiler}\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    monkeypatch.setattr(build, "JIT_COMPILE_S", 0.5)
    user = function()
    compiled = compiled_function(user, 1)
    assert compiled is not None
    assert not compiled.wait(120)
    assert note_of(user, 1) == f"in Python: it could not be compiled: {told}"
    assert user_kernel(user, 1)([pa.array([1, 2])], 2).to_pylist() == [2, 5]


@pytest.mark.parametrize("name", ["a b", "x\n", "f'"])
def test_a_name_that_is_none_of_python_is_compiled_too(
    name: str,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user = function()
    monkeypatch.setattr(tripled, "__name__", name)
    compile(module_of(user, 1).text, "module", "exec")


def test_a_buffer_that_ends_within_a_value_is_read_up_to_there(cache: Path) -> None:
    user = function()
    compiled = compiled_function(user, 1)
    assert compiled is not None
    build.compile_here(build.write_module(module_of(user, 1)))
    assert compiled.wait(120), compiled.failure
    data = pa.py_buffer(np.arange(6).tobytes()[:44])
    column = pa.Array.from_buffers(pa.int64(), 5, [None, data])
    assert user_kernel(user, 1)([column.slice(1)], 4).to_pylist() == [2, 5, 8, 11]
