"""Finds the files that a path names."""

from __future__ import annotations

import os
from difflib import get_close_matches
from glob import glob, has_magic
from pathlib import Path
from urllib.parse import unquote, urlparse

from fluxcore.errors import JobError, Place, ScriptError


def local_path(text: str) -> str | None:
    """Return the local path that a path or a ``file:`` URL names; None for another system's URL."""
    if "://" not in text and not text.startswith("file:"):
        return text
    url = urlparse(text)
    if url.scheme != "file" or url.netloc not in ("", "localhost"):
        return None
    return unquote(url.path)


def files_of(path: str) -> list[str]:
    """Return the files at a path, in the order of their names: itself, all below a folder, or all that a pattern matches.

    Files and folders whose names begin with ``.`` or ``_`` are left out, as in Flink. Raises: ``JobError`` FX-CON-0101
    for a path that doesn't exist, FX-CON-0102 for one that can't be read.
    """
    try:
        if Path(path).is_dir():
            return files_below(path)
        if Path(path).exists():
            return [path]
        if has_magic(path):
            found = [
                each
                for each in sorted(glob(path, recursive=True))  # noqa: PTH207  (an absolute pattern)
                if not hidden(Path(each).name)
            ]
            return [file for each in found for file in (files_below(each) if Path(each).is_dir() else [each])]
    except OSError as error:
        raise cannot("read", path, error) from error
    raise missing(path)


def missing(path: str) -> JobError:
    """Return the error for a path that there is not."""
    return JobError("FX-CON-0101", f"there is no file or folder '{path}'", hint=_near(path))


def cannot(what: str, path: str, error: OSError) -> JobError:
    """Return the error FX-CON-0102 (reading) or FX-CON-0104 (writing) for a failed call of the system."""
    code = "FX-CON-0102" if what == "read" else "FX-CON-0104"
    reason = error.strerror or str(error)
    hints = {
        PermissionError: "check the rights of the file and of the folders above it",
        IsADirectoryError: "the path is a folder",
        NotADirectoryError: "a part of the path is a file, not a folder",
    }
    hint = next((text for kind, text in hints.items() if isinstance(error, kind)), None)
    return JobError(code, f"'{path}' can't be {'read' if what == 'read' else 'written'}: {reason}", hint=hint)


def require_local(text: str, place: Place | None = None) -> str:
    """Return the local path of the option. Raises: ``ScriptError`` FX-SQL-0900 for another file system."""
    path = local_path(text)
    if path is None:
        scheme = text.split(":", 1)[0]
        raise ScriptError("FX-SQL-0900", f"file system '{scheme}' is not supported yet", place=place)
    return path


def hidden(name: str) -> bool:
    """Return whether a file or folder of this name is left out, as in Flink."""
    return name.startswith((".", "_"))


def files_below(folder: str) -> list[str]:
    """Return all files below a folder but hidden ones, in the order of their names. Raises: ``OSError``."""
    found: list[str] = []

    def refuse(error: OSError) -> None:
        raise error

    for root, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        folders[:] = [name for name in folders if not hidden(name)]
        found += [str(Path(root, name)) for name in files if not hidden(name)]
    return sorted(found)


def _near(path: str) -> str:
    folder = Path(path).parent
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    missing = Path(path).parent if folder != Path(path).parent else None
    if missing is not None:
        return f"the folder '{missing}' does not exist; '{folder.resolve()}' does"
    try:
        names = sorted(each.name for each in folder.iterdir())
    except OSError:
        names = []
    near = get_close_matches(Path(path).name, names, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(f"'{folder / name}'" for name in near) + "?"
    return f"the folder is '{folder.resolve()}'"
