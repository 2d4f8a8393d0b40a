"""Compiles a module's kernel: in a child process into the cache of kernels, from where this process loads it.

The child writes and then reads its own cache, so that "done" means that the next process finds it. Children of several
programs that want the same kernel take turns, and those behind the first find it there.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numba import config

from fluxcore.core.folders import cache_folder
from fluxcore.limits import JIT_COMPILE_S, JIT_MODULES_MAX

if TYPE_CHECKING:
    from fluxcore.expr.jit.modules import Module

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ONE_AT_A_TIME = threading.Lock()


class BuildError(Exception):
    """Why a kernel could not be compiled."""


def write_module(module: Module) -> Path:
    """Write a module beside the kernels, unless it is there whole; the least recently used ones make room. Raises ``OSError``."""
    folder = cache_folder("functions")
    path = folder / f"{module.name}.py"
    text = module.text.encode()
    if path.exists() and path.read_bytes() == text:
        found = path.stat()
        os.utime(path, ns=(time.time_ns(), found.st_mtime_ns))  # Numba knows a file by its time of writing
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as part:
        try:
            part.write(text)
            part.flush()
            Path(part.name).replace(path)
        except OSError:
            Path(part.name).unlink(missing_ok=True)
            raise
    _make_room(folder)
    return path


def _make_room(folder: Path) -> None:
    """Delete modules, and the kernels beside them, beyond the number that are kept."""
    modules = sorted(folder.glob("udf_*.py"), key=_last_used)
    for old in modules[:-JIT_MODULES_MAX]:
        old.unlink(missing_ok=True)
        _forget(old.stem)


def _last_used(path: Path) -> int:
    """Return when a module was used (ns); 0 for one that another process has just deleted."""
    try:
        return path.stat().st_atime_ns
    except FileNotFoundError:
        return 0


def _forget(name: str) -> None:
    """Delete the kernels of a module."""
    for folder in (cache_folder("functions"), Path(config.CACHE_DIR or cache_folder("functions"))):
        for each in folder.rglob(f"{name}.*.nb?"):
            each.unlink(missing_ok=True)


def load(path: Path) -> Any:
    """Return the kernel of a module from the cache, ready to be called. Raises ``BuildError`` where it isn't there."""
    try:
        kernel, signature = _kernel(path)
        kernel._compiler.compile = _not_there
        kernel.compile(signature)
    except BuildError:
        raise
    except Exception as error:  # whatever a damaged file makes of itself, or Numba of a folder that it can't write into
        raise BuildError(f"its kernel can't be read: {error}") from error
    kernel.disable_compile()
    return kernel


def _kernel(path: Path) -> tuple[Any, Any]:
    name = f"fluxcore_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where Numba looks for it when it loads a kernel
    spec.loader.exec_module(module)
    return module.kernel, module.SIGNATURE


def _not_there(*_: Any) -> Any:
    raise BuildError("its kernel is not in the cache of kernels")


def compile_in_child(path: Path) -> None:
    """Compile a module's kernel into the cache, in a process of its own. Raises ``BuildError``."""
    search = os.pathsep.join(str(Path(each).resolve()) for each in sys.path if each)
    command = [sys.executable, "-P", "-m", "fluxcore.expr.jit.build", str(path)]
    try:
        with _ONE_AT_A_TIME:
            done = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": search, "NUMBA_CACHE_DIR": config.CACHE_DIR}, stdin=subprocess.DEVNULL, capture_output=True,
            timeout=JIT_COMPILE_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"the compiler had not ended after {JIT_COMPILE_S:g} s") from error
    except OSError as error:
        raise BuildError(str(error)) from error
    if done.returncode:
        lines = [_COLOUR.sub("", each).strip() for each in done.stderr.decode("utf-8", "replace").splitlines()]
        told = [each for each in lines if "Error" in each] or [each for each in lines if each]
        raise BuildError(told[-1] if told else "the compiler ended")


def compile_here(path: Path) -> None:
    """Compile a module's kernel into the cache, in this process, and read it from there, unless another process has."""
    with path.open("r+b") as module:
        fcntl.flock(module, fcntl.LOCK_EX)
        with suppress(BuildError):
            load(path)
            return
        _forget(path.stem)
        kernel, signature = _kernel(path)
        kernel.compile(signature)
        load(path)


if __name__ == "__main__":
    compile_here(Path(sys.argv[1]))
