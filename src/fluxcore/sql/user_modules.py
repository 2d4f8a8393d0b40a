"""Finds the functions that ``CREATE FUNCTION … LANGUAGE PYTHON`` names: modules beside the script, and anywhere Python looks.

A module that was loaded from another folder, or that has changed since, is loaded anew, so that scripts of one process don't
meet each other's.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fluxcore.core.describe_function import described
from fluxcore.core.user_code import user_line
from fluxcore.errors import FluxError, ScriptError, nearest
from fluxcore.sql.parse_types import type_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

    from fluxcore.core.settings import Settings
    from fluxcore.core.user_functions import AnyUserFunction
    from fluxcore.errors import Span

_LOADED: dict[str, tuple[str, int]] = {}
"""The top modules that were loaded here: where from, and when that was written (ns)."""


def folders_of(file: str | None, settings: Settings) -> list[Path]:
    """Return where modules are looked for, first ones first: beside the script, in ``python.files``, in the working folder.

    Raises: ``ScriptError`` FX-SQL-0608 for a file that isn't there.
    """
    found = [Path(file).resolve().parent] if file is not None else []
    for name in settings.text("python.files").split(","):
        if not name.strip():
            continue
        path = Path(name.strip().removeprefix("file://")).resolve()
        if not path.exists():
            raise ScriptError("FX-SQL-0608", f"python.files names '{name.strip()}', which is not there")
        found.append(path.parent if path.suffix == ".py" else path)
    return [*found, Path.cwd()]


def load_function(identifier: str, folders: Sequence[Path], span: Span | None = None) -> AnyUserFunction:
    """Return the function ``module.name``.

    Raises: ``ScriptError`` FX-SQL-0601 for a missing module, FX-SQL-0602 for a name that it doesn't have, FX-SQL-0603 for what
    is no function, FX-SQL-0604 for a module that can't be imported, all at ``span``.
    """
    module_name, _, name = identifier.rpartition(".")
    if not module_name or not all(part.isidentifier() for part in identifier.split(".")):
        message = f"'{identifier}' names no function of a module"
        raise ScriptError("FX-SQL-0603", message, span=span, hint="write 'module.function'")
    module = _module(module_name, folders, span)
    if not hasattr(module, name):
        own = [each for each in vars(module) if not each.startswith("_")]
        message = f"the module '{module_name}' has no '{name}'"
        raise ScriptError("FX-SQL-0602", message, span=span, hint=nearest(name, own) or _where(module))
    try:
        return described(getattr(module, name), type_of)
    except FluxError as error:
        code = "FX-SQL-0603" if error.code.startswith("FX-API") else error.code
        raise ScriptError(code, f"'{identifier}': {error.message}", span=span, hint=error.hint) from error


def _where(module: ModuleType) -> str | None:
    return f"it is {module.__file__}" if getattr(module, "__file__", None) else None


def _module(name: str, folders: Sequence[Path], span: Span | None) -> ModuleType:
    top = name.partition(".")[0]
    importlib.invalidate_caches()
    folder = _folder_of(top, folders, span)
    try:
        with _looking_in(folder):
            module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            looked = ", ".join(str(each) for each in folders)
            hint = f"it was looked for in {looked}, and where Python looks; python.files adds more"
            raise ScriptError("FX-SQL-0601", f"there is no Python module '{name}'", span=span, hint=hint) from error
        raise _not_imported(name, error, span) from error
    except Exception as error:
        raise _not_imported(name, error, span) from error
    return module


def _not_imported(name: str, error: Exception, span: Span | None) -> ScriptError:
    line = user_line(error)
    message = f"the Python module '{name}' can't be imported: {type(error).__name__}: {error}"
    if isinstance(error, FluxError):
        message = f"the Python module '{name}' can't be imported: {error.message}"
    hint = ", ".join(each for each in (line, getattr(error, "hint", None)) if each)
    return ScriptError("FX-SQL-0604", message, span=span, hint=hint or None)


def _folder_of(top: str, folders: Sequence[Path], span: Span | None) -> Path | None:
    """Return the folder that holds a module, and forget one of the same name from elsewhere; None where Python looks."""
    for folder in folders:
        spec = PathFinder.find_spec(top, [str(folder)])
        if spec is None or (spec.origin is None and not spec.submodule_search_locations):
            continue
        origin = spec.origin or str(next(iter(spec.submodule_search_locations or ())))
        known: Any = sys.modules.get(top)
        changed = Path(origin).stat().st_mtime_ns if Path(origin).exists() else 0
        if known is not None and _LOADED.get(top) != (origin, changed):
            if top not in _LOADED and getattr(known, "__file__", None) != origin:
                message = f"there is another Python module '{top}' than that of {folder}"
                raise ScriptError("FX-SQL-0604", message, span=span, hint="give the file another name")
            if top in _LOADED:
                for name in [each for each in sys.modules if each == top or each.startswith(f"{top}.")]:
                    del sys.modules[name]
        if top in _LOADED or known is None:
            _LOADED[top] = (origin, changed)
        return folder
    return None


@contextmanager
def _looking_in(folder: Path | None) -> Iterator[None]:
    """Look in a folder first while a module is imported, and last from then on."""
    if folder is None:
        yield
        return
    place = str(folder)
    sys.path.insert(0, place)
    try:
        yield
    finally:
        sys.path.remove(place)
        if place not in sys.path:
            sys.path.append(place)
