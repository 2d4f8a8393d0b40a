"""A hidden folder in a table's folder, in which files wait until all of them appear at once.

1. Files are written below ``.staging-…/new``, where no reader looks, in the folders in which they will stand.
2. ``publish`` moves what is replaced to ``.staging-…/old``, then the new files to their places. Each step is a renaming within
   one file system; one that fails undoes those before it, so that the table is as it was.
3. The hidden folder is removed. What a killed process left of it is never read.
"""

from __future__ import annotations

import os
import shutil
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fluxcore.connectors.filesystem.paths import hidden
from fluxcore.errors import JobError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Staging:
    """The files of one insert. All methods raise ``OSError`` for what the system refuses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = folder / f".staging-{uuid.uuid4()}"
        self._new = self._own / "new"
        self._old = self._own / "old"
        self._made_folder = False

    def open(self) -> None:
        """Make the table's folder. Raises: ``JobError`` FX-CON-0103 where a file is in its place."""
        if self._folder.exists() and not self._folder.is_dir():
            raise _in_the_way(self._folder)
        self._made_folder = not self._folder.exists()
        self._folder.mkdir(parents=True, exist_ok=True)

    def make(self, directory: str) -> None:
        """Make room for files of a directory of the table ('' is the table itself)."""
        (self._new / directory).mkdir(parents=True, exist_ok=True)

    def place(self, directory: str, name: str) -> Path:
        """Return where to write a file that will stand in a directory that was made."""
        return self._new / directory / name

    def publish(self, replaced: Iterable[str], mark: str | None) -> None:
        """Show all files, in the place of what stands in the directories ``replaced``.

        ``mark`` names an empty file that is left in each directory that was written. Raises: ``JobError`` FX-CON-0103.
        """
        undo: list[Callable[[], object]] = []
        try:
            written = self._publish(sorted(replaced), mark, undo)
        except BaseException:
            for step in reversed(undo):
                with suppress(OSError):  # the first error says what is wrong
                    step()
            raise
        for folder in written:
            sync(folder)
        self._remove()

    def discard(self) -> None:
        """Remove all files, and the table's folder if it was made here and is empty."""
        self._remove()
        if self._made_folder and self._folder.is_dir() and not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _publish(self, replaced: list[str], mark: str | None, undo: list[Callable[[], object]]) -> list[Path]:
        directories = {os.path.relpath(root, self._new): names for root, _, names in os.walk(self._new) if names}
        for directory in replaced:
            directories.setdefault(directory or ".", [])
        for directory in directories:
            self._make(self._folder / directory, undo)
        for directory in replaced:
            for entry in sorted((self._folder / directory).iterdir()):
                if not hidden(entry.name):
                    self._move(entry, self._old / directory / entry.name, undo)
        for directory, names in directories.items():
            for name in sorted(names):
                self._move(self._new / directory / name, self._folder / directory / name, undo)
        if mark is not None:
            for directory in directories:
                (self._folder / directory / mark).touch()
        inside = {parent for directory in directories for parent in (Path(directory), *Path(directory).parents)}
        return [self._folder / each for each in inside]

    def _make(self, folder: Path, undo: list[Callable[[], object]]) -> None:
        for each in reversed((folder, *folder.parents)):
            if not each.exists():
                each.mkdir()
                undo.append(each.rmdir)
            elif not each.is_dir():
                raise _in_the_way(each)

    def _move(self, source: Path, target: Path, undo: list[Callable[[], object]]) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
        undo.append(lambda: target.rename(source))

    def _remove(self) -> None:
        if self._own.exists():
            shutil.rmtree(self._own)


def sync(folder: Path) -> None:
    """Make sure that the names in a folder survive a power failure."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _in_the_way(folder: Path) -> JobError:
    message = f"'{folder}' is a file; a table is written as a folder"
    return JobError("FX-CON-0103", message, hint="choose another path, or remove the file")
