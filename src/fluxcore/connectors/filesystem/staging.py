"""A hidden folder in a table's folder, in which files wait until all of them appear at once.

1. Files are written below ``.staging-…/new``, where no reader looks, in the folders in which they will stand.
2. ``publish`` writes down what it is about to do, in ``.staging-…/journal``; from there on the new files are the table's.
3. It moves what is replaced to ``.staging-…/old``, then the new files to their places. Each step is a renaming within one file
   system; one that fails undoes those before it, so that the table is as it was.
4. The hidden folder is removed. What a process left of it that was killed before step 2 is never read; where it was killed
   behind that, :func:`finish` takes the steps that are left, before anybody reads or writes the table.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fluxcore.connectors.filesystem.paths import cannot, hidden
from fluxcore.errors import JobError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Undo = list[Callable[[], object]]


@dataclass(frozen=True, slots=True)
class _Journal:
    """What is done to a table besides taking all new files: paths in its folder that go, and empty files that are left."""

    replaced: list[str]
    marks: list[str]


class Staging:
    """The files of one insert. All methods raise ``OSError`` for what the system refuses."""

    def __init__(self, folder: Path, own: Path | None = None) -> None:
        self._folder = folder
        self._own = own or folder / f".staging-{uuid.uuid4()}"
        self._new = self._own / "new"
        self._old = self._own / "old"
        self._journal = self._own / "journal"
        self._made_folder = False

    def open(self) -> None:
        """Make the table's folder. Raises: ``JobError`` FX-CON-0103 where a file is in its place."""
        if self._folder.exists() and not self._folder.is_dir():
            raise _in_the_way(self._folder)
        self._made_folder = not self._folder.exists()
        self._folder.mkdir(parents=True, exist_ok=True)
        finish(self._folder)

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
        directories = self._directories(sorted(replaced))
        if not directories:
            return
        self._own.mkdir(exist_ok=True)
        with self._journal.open("x") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed: nobody else takes the steps of one who lives
            undo: Undo = []
            try:
                for directory in directories:
                    self._make(self._folder / directory, undo)
                marks = [] if mark is None else [os.path.normpath(f"{each}/{mark}") for each in directories]
                journal = _Journal(self._standing(replaced), marks)
                json.dump(asdict(journal), file)
                file.flush()
                os.fsync(file.fileno())
                self._apply(journal, undo)
            except BaseException:
                self._undo(undo)
                raise
            self._end(journal)

    def discard(self) -> None:
        """Remove all files, and the table's folder if it was made here and is empty."""
        self._remove()
        if self._made_folder and self._folder.is_dir() and not any(self._folder.iterdir()):
            self._folder.rmdir()

    def resume(self) -> None:
        """Take the steps that a killed process had left; nothing where there are none, or where it still lives."""
        try:
            file = self._journal.open()
        except FileNotFoundError:
            return
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            if self._journal.exists() and (journal := self._read(file.read())) is not None:
                self._apply(journal, [])
                self._end(journal)

    def _read(self, text: str) -> _Journal | None:
        """Return what a journal says; None for one that was not written to its end: nothing was moved then.

        Raises: ``JobError`` FX-CON-0109 for one that reaches beyond the table's folder.
        """
        try:
            found = json.loads(text)
        except ValueError:
            return None
        match found:
            case {"replaced": [*replaced], "marks": [*marks]} if all(_is_inside(path) for path in (*replaced, *marks)):
                return _Journal(replaced, marks)
        message = f"'{self._journal}' names what are no files of the table"
        raise JobError("FX-CON-0109", message, hint="FluxCore writes no such thing: remove it")

    def _standing(self, replaced: Iterable[str]) -> list[str]:
        """Return what stands in directories and will go."""
        return [
            os.path.normpath(f"{directory or '.'}/{entry.name}")
            for directory in sorted(replaced)
            for entry in sorted((self._folder / directory).iterdir())
            if not hidden(entry.name)
        ]

    def _directories(self, replaced: list[str]) -> list[str]:
        """Return the directories of the table that have new files, and those of ``replaced`` that have none."""
        found = [os.path.relpath(root, self._new) for root, _, names in os.walk(self._new) if names]
        return list(dict.fromkeys((*found, *(directory or "." for directory in replaced))))

    def _apply(self, journal: _Journal, undo: Undo) -> None:
        """Move what was not moved yet."""
        for path in journal.replaced:
            if os.path.lexists(self._folder / path):
                self._move(self._folder / path, self._old / path, undo)
        for root, _, names in os.walk(self._new):
            for name in sorted(names):
                source = Path(root, name)
                self._move(source, self._folder / source.relative_to(self._new), undo)
        for path in journal.marks:
            (self._folder / path).touch()

    def _undo(self, undo: Undo) -> None:
        """Put everything back; where that fails too, the journal stays, and what it says is done later."""
        whole = True
        for step in reversed(undo):
            try:
                step()
            except OSError:  # the first error says what is wrong
                whole = False
        if whole:
            self._journal.unlink()

    def _end(self, journal: _Journal) -> None:
        """Make the names survive a power failure, and remove the hidden folder."""
        changed = {Path(root).relative_to(self._new) for root, _, _ in os.walk(self._new)}
        for directory in changed | {Path(path).parent for path in journal.replaced}:
            sync(self._folder / directory)
        self._journal.unlink()
        self._remove()

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
        if self._own.exists() and not self._journal.exists():
            shutil.rmtree(self._own)


def finish(folder: Path) -> None:
    """Take the steps that killed processes had left in a table's folder.

    Raises: ``OSError``; ``JobError`` FX-CON-0109 for a journal that is none.
    """
    for journal in folder.glob(".staging-*/journal"):
        Staging(folder, journal.parent).resume()


def finish_for_reader(path: str) -> None:
    """Do the same before the table at a path is read. Raises: ``JobError`` FX-CON-0102 and 0109."""
    try:
        finish(Path(path))
    except OSError as error:
        raise cannot("read", path, error) from error


def sync(folder: Path) -> None:
    """Make sure that the names in a folder survive a power failure."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_inside(path: object) -> bool:
    """Return whether a path of a journal can only be one in the table's folder."""
    return isinstance(path, str) and not Path(path).is_absolute() and ".." not in Path(path).parts


def _in_the_way(folder: Path) -> JobError:
    message = f"'{folder}' is a file; a table is written as a folder"
    return JobError("FX-CON-0103", message, hint="choose another path, or remove the file")
