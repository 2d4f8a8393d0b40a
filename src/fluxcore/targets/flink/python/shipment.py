"""The files that a job's functions in Python need on a cluster: the runner, a small module for each function, the user's modules.

They are written into a folder that the cluster's SQL gateway can read, named by what is in it; Flink sends them on to wherever
the job runs. Of a user's modules those go along that stand in the folders where they are looked for, and what they import from
there.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import os
import shutil
import time
import uuid
import zipfile
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

from fluxcore.core.folders import cache_folder
from fluxcore.errors import JobError
from fluxcore.limits import FLINK_FUNCTIONS_KEPT_S
from fluxcore.targets.flink.python.specs import NotShipped, spec_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fluxcore.core.user_functions import AnyUserFunction

FILES = "python.files"
FOLDER = "fluxcore.flink.python.folder"
_RUNNER = "fluxcore_on_flink"
_LOCAL = ("localhost", "127.", "[::1]", "::1")


class Shipment:
    """Functions for one job; ``base`` is where the files are written, else the cache folder."""

    def __init__(self, base: str = "") -> None:
        self._base = Path(base).expanduser().resolve() if base else cache_folder("flink", "functions")
        self._given = bool(base)
        self._files: dict[str, bytes] = {}
        self.labels: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.labels)

    def add(self, user: AnyUserFunction, identifier: str, folders: Sequence[Path]) -> str:
        """Take a function, ``module.name``, and the modules that it needs; return what it is called on the cluster.

        Raises: ``NotShipped`` with the reason.
        """
        module, _, name = identifier.rpartition(".")
        maker, spec = spec_of(user, module, name)
        text = f"from {_RUNNER} import {maker}\n\nfunction = {maker}({spec!r})\n"
        own = f"fluxcore_function_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        try:
            modules = _modules(module.partition(".")[0], folders)
        except OSError as error:
            raise NotShipped(f"{error.filename} can't be read: {error.strerror}") from error
        if not modules:
            raise NotShipped(f"the module '{module}' is in none of the folders that functions are looked for in")
        self._files |= {
            f"{own}.py": text.encode(),
            f"{_RUNNER}.py": Path(__file__).with_name("on_flink.py").read_bytes(),
        }
        for file, data in modules.items():
            if file.endswith(".py"):
                self._files[file] = data
            else:
                self._add_archive(file, data)
        self.labels.append(user.name)
        return f"{own}.function"

    def add_file(self, path: Path) -> None:
        """Take a file of the user's own ``python.files``; of modules of one name the one that a function needs goes along.

        Raises: ``JobError`` FX-FLK-0206 when it can't be read.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise JobError("FX-FLK-0206", f"{path} of python.files can't be read: {error.strerror or error}") from error
        if path.suffix == ".py":
            self._files.setdefault(path.name, data)
        else:
            self._add_archive(path.name, data)

    def _add_archive(self, name: str, data: bytes) -> None:
        """Take an archive; behind another one of its name it stands in a folder of its own."""
        taken = self._files.get(name, data) != data
        self._files[f"{hashlib.sha256(data).hexdigest()[:16]}/{name}" if taken else name] = data

    @property
    def folder(self) -> Path:
        """Return where the files are, or will be."""
        told = json.dumps([[name, hashlib.sha256(data).hexdigest()] for name, data in sorted(self._files.items())])
        return self._base / hashlib.sha256(told.encode()).hexdigest()[:16]

    @property
    def paths(self) -> str:
        """Return the files as ``python.files`` names them."""
        return ",".join(str(self.folder / name) for name in sorted(self._files))

    def paths_before(self, others: str) -> str:
        """Return ``python.files`` with the files, and behind them those that it names besides."""
        return ",".join(filter(None, (self.paths, others)))

    def write(self, gateway: str) -> None:
        """Write the files for a gateway, ``host:port``; of the cache folder those go that no job has named for a month.

        Raises: ``JobError`` FX-FLK-0205 for a gateway on another machine, unless a folder that both see is named; FX-FLK-0206
        when they can't be written.
        """
        if not self._given and not gateway.startswith(_LOCAL):
            hint = f"name a folder that this machine and the gateway both see: --set {FOLDER}=/shared/functions"
            message = f"the gateway at {gateway} can't read this machine's files, and the functions {', '.join(self.labels)} are such"
            raise JobError("FX-FLK-0205", message, hint=hint)
        message = f"the functions for the cluster can't be written into {self.folder}"
        if "," in str(self.folder):
            raise JobError("FX-FLK-0206", f"{message}: commas stand between the names of python.files")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            os.utime(self.folder)  # in use from now on, for other programs that look for what is old
            for name, data in self._files.items():
                path = self.folder / name
                if not path.exists() or path.read_bytes() != data:
                    _written(path, data)
            if not self._given:
                _prune(self._base)
        except OSError as error:
            raise JobError("FX-FLK-0206", f"{message}: {error.strerror or error}") from error


def _prune(base: Path) -> None:
    """Remove the folders that no job has named for so long; a job that runs has copies of its own."""
    oldest = time.time() - FLINK_FUNCTIONS_KEPT_S
    for folder in base.iterdir():
        if folder.is_dir() and folder.stat().st_mtime < oldest:
            shutil.rmtree(folder, ignore_errors=True)


def _written(path: Path, data: bytes) -> None:
    """Write a file that a cluster may be reading for another program's job: it is there whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _modules(top: str, folders: Sequence[Path]) -> dict[str, bytes]:
    """Return the file, or the archive, of a module and of those of the same folders that it imports. Raises ``OSError``."""
    found: dict[str, bytes] = {}
    wanted, seen = [top], {top}
    while wanted:
        name = wanted.pop()
        place = _place(name, folders)
        if place is None:
            continue
        data = _zipped(place) if place.is_dir() else place.read_bytes()
        found[f"{name}.zip" if place.is_dir() else place.name] = data
        for each in [data] if place.suffix == ".py" else _sources(data):
            new = set(_imports(each)) - seen
            seen |= new
            wanted += sorted(new)
    return found


def _place(name: str, folders: Sequence[Path]) -> Path | None:
    """Return the file of a module, or the folder of a package, where it stands in one of the folders; or its archive."""
    for folder in folders:
        spec = PathFinder.find_spec(name, [str(folder)])
        if spec is None:
            continue
        if folder.is_file():
            return folder
        if spec.submodule_search_locations:
            return Path(next(iter(spec.submodule_search_locations)))
        if spec.origin is not None and spec.origin.endswith(".py"):
            return Path(spec.origin)
    return None


def _sources(archive: bytes) -> Iterator[bytes]:
    """Yield the modules of an archive."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        yield from (opened.read(name) for name in opened.namelist() if name.endswith(".py"))


def _imports(source: bytes) -> Iterator[str]:
    """Yield the top names that a source imports; ``fluxcore`` is stood in for on the cluster."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # a file of a package that nothing imports, since the function was imported here
        return
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names = [node.module]
        yield from (top for each in names if (top := each.partition(".")[0]) != "fluxcore")


def _zipped(package: Path) -> bytes:
    """Return a package as an archive that is the same each time. Hidden files stay here: some hold secrets."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(package.rglob("*")):
            inside = path.relative_to(package.parent)
            left_out = any(part == "__pycache__" or part.startswith(".") for part in inside.parts)
            if path.is_file() and not left_out:
                info = zipfile.ZipInfo(str(inside))
                archive.writestr(info, path.read_bytes())
    return held.getvalue()
