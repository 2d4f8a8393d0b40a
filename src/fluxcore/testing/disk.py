"""A disk in memory that remembers what was made durable, and shows what a crash may leave.

``SimulatedDisk`` implements the port ``fluxcore.bus.log.files.Files``. It keeps two things apart: what programs see (the page
cache) and what is on the disk. A crash may legally leave

1. of each file any subset of the 512-byte sectors written since its last sync, each whole, and of a sector that was written several
   times any of its versions;
2. of the names (created, renamed, removed) in a folder since it was last synced any number of the first ones: a journal keeps
   their order, but tells nothing of the files' bytes;
3. as the length of a file since its last sync the old or the new one.

Nothing that a completed sync covered is ever lost. The disk keeps a journal of every change, so that a crash can be tried after
each of them: ``replay`` gives the disk as it was then. ``note`` puts a mark of the program's own into the journal, such as a receipt.
"""

from __future__ import annotations

import errno
import itertools
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fluxcore.bus.log.files import Piece
    from fluxcore.testing.faults import Faults

SECTOR = 512


class Entry(NamedTuple):
    """One change of a disk: its kind, the number of the file, names, a position or length, and bytes or a note."""

    kind: str
    file: int = 0
    path: str = ""
    target: str = ""
    position: int = 0
    data: Any = b""


@dataclass(eq=False)
class _File:
    """The bytes of a file as seen and as durable, and of the sectors that differ every version since the last sync."""

    seen: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    versions: dict[int, list[bytes]] = field(default_factory=dict)

    def put(self, position: int, data: bytes) -> None:
        end = position + len(data)
        if end > len(self.seen):
            self.seen = self.seen + bytes(end - len(self.seen))
        self.seen[position:end] = data
        for sector in range(position // SECTOR, -(-end // SECTOR) if data else 0):
            self.versions.setdefault(sector, []).append(bytes(self.seen[sector * SECTOR : (sector + 1) * SECTOR]))

    def resize(self, size: int) -> None:
        self.seen = self.seen[:size] + bytes(max(0, size - len(self.seen)))
        self.versions = {sector: each for sector, each in self.versions.items() if sector * SECTOR < size}

    def sync(self) -> None:
        if len(self.durable) == len(self.seen) and not self.versions:
            return
        self.durable = bytes(self.seen)
        self.versions = {}

    def after_crash(self, length: int, kept: dict[int, int]) -> bytes:
        """Return the bytes with so many first versions of each sector."""
        content = bytearray(self.durable[:length] + bytes(max(0, length - len(self.durable))))
        for sector, number in kept.items():
            start = sector * SECTOR
            if number and start < length:
                piece = self.versions[sector][number - 1][: length - start]
                content[start : start + len(piece)] = piece
        return bytes(content)


class SimulatedDisk:
    """A file system in memory with crash states and faults.

    In: ``faults`` decides which calls fail (default: none); ``seed`` makes random ids and the clock repeatable.
    """

    def __init__(self, faults: Faults | None = None, seed: int = 0) -> None:
        self.faults = faults
        self.journal: list[Entry] = []
        self._files: dict[int, _File] = {}
        self._names: dict[str, int] = {}
        self._durable_names: dict[str, int] = {}
        self._pending: list[Entry] = []
        self._handles: dict[int, tuple[int, str]] = {}
        self._locks: dict[str, int] = {}
        self._next = 3
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._now = 1_700_000_000_000_000

    # -- the port ---------------------------------------------------------------------------------------------------

    def make_folder(self, path: str) -> None:
        self._check("make_folder", path)

    def names(self, folder: str) -> list[str]:
        prefix = folder.rstrip("/") + "/"
        return sorted(name[len(prefix) :] for name in self._names if name.startswith(prefix))

    def folders(self, folder: str) -> list[str]:
        prefix = folder.rstrip("/") + "/"
        inside = (name[len(prefix) :].split("/") for name in self._names if name.startswith(prefix))
        return sorted({parts[0] for parts in inside if len(parts) > 1})

    def open(self, path: str, *, create: bool = False, write: bool = False) -> int:
        self._check("open", path)
        if path not in self._names:
            if not create or not write:
                raise FileNotFoundError(errno.ENOENT, "no such file", path)
            self._do(Entry("create", len(self._files) + 1, path))
        self._next += 1
        self._handles[self._next] = (self._names[path], path)
        return self._next

    def close(self, handle: int) -> None:
        _, path = self._handles.pop(handle)
        if self._locks.get(path) == handle:
            del self._locks[path]

    def size(self, handle: int) -> int:
        return len(self._files[self._handles[handle][0]].seen)

    def read(self, handle: int, position: int, length: int) -> bytes:
        number, path = self._handles[handle]
        self._check("read", path, length)
        return bytes(self._files[number].seen[position : position + length])

    def write(self, handle: int, pieces: Sequence[Piece], position: int) -> int:
        number, path = self._handles[handle]
        data = b"".join(bytes(piece) for piece in pieces)
        data = data[: self._check("write", path, len(data))]
        self._do(Entry("write", number, path, position=position, data=data))
        return len(data)

    def allocate(self, handle: int, size: int) -> None:
        number, path = self._handles[handle]
        self._check("allocate", path)
        self._do(Entry("resize", number, path, position=max(size, len(self._files[number].seen))))

    def truncate(self, handle: int, size: int) -> None:
        number, path = self._handles[handle]
        self._check("truncate", path)
        self._do(Entry("resize", number, path, position=size))

    def sync(self, handle: int) -> None:
        number, path = self._handles[handle]
        self._check("sync", path)
        self._do(Entry("sync", number, path))

    def sync_folder(self, path: str) -> None:
        self._check("sync_folder", path)
        self._do(Entry("sync_folder", path=path))

    def rename(self, source: str, target: str) -> None:
        self._check("rename", target)
        self._do(Entry("rename", self._names[source], source, target))

    def remove(self, path: str) -> None:
        self._check("remove", path)
        if path in self._names:
            self._do(Entry("remove", self._names[path], path))

    def map(self, path: str) -> pa.Buffer:
        if path not in self._names:
            raise FileNotFoundError(errno.ENOENT, "no such file", path)
        return pa.py_buffer(self._files[self._names[path]].seen)

    def lock(self, path: str) -> int:
        if path in self._locks:
            raise BlockingIOError(errno.EWOULDBLOCK, "locked", path)
        handle = self.open(path, create=True, write=True)
        self._locks[path] = handle
        return handle

    def now_us(self) -> int:
        self._now += 1000
        return self._now

    def random_id(self) -> int:
        return self._random.getrandbits(64) or 1

    # -- what tests ask ---------------------------------------------------------------------------------------------

    def note(self, what: Any) -> None:
        """Put a mark into the journal."""
        self.journal.append(Entry("note", data=what))

    def content(self, path: str) -> bytes:
        """Return the bytes of a file as programs see them."""
        return bytes(self._files[self._names[path]].seen)

    def put(self, path: str, content: bytes) -> None:
        """Give a name to a new file with these bytes, durably."""
        number = len(self._files) + 1
        self._files[number] = _File(bytearray(content), bytes(content))
        self._names[path] = self._durable_names[path] = number

    def advance(self, us: int) -> None:
        """Move the clock on."""
        self._now += us

    def copy(self) -> SimulatedDisk:
        """Return a disk with the same files as programs see them now, all durable: what a killed process leaves."""
        return self._made({path: bytes(self._files[number].seen) for path, number in self._names.items()})

    def replay(self, start: SimulatedDisk | None = None) -> Iterator[tuple[SimulatedDisk, Entry]]:
        """Give the disk as it was after each change, always the same object, and the change. In: the disk at the beginning."""
        disk = start.copy() if start is not None else SimulatedDisk()
        disk._now = self._now
        for entry in self.journal:
            if entry.kind != "note":
                disk._do(entry)
            yield disk, entry

    def states(self) -> int:
        """Return how many states a crash may leave now, counting equal ones several times."""
        total = 0
        for kept in range(len(self._pending) + 1):
            product = 1
            for number in set(self._after(kept).values()):
                product *= len(_lengths(self._files[number]))
                for versions in self._files[number].versions.values():
                    product *= len(versions) + 1
            total += product
        return total

    def crashes(self, most: int, choose: random.Random) -> Iterator[SimulatedDisk]:
        """Give every state that a crash may leave now where there are at most so many, else so many that are chosen."""
        if self.states() > most:
            for _ in range(most):
                yield self.crash(choose)
            return
        for kept in range(len(self._pending) + 1):
            names = self._after(kept)
            numbers = sorted(set(names.values()))
            options = [list(_file_states(self._files[number])) for number in numbers]
            for contents in itertools.product(*options):
                by_number = dict(zip(numbers, contents, strict=True))
                yield self._made({path: by_number[number] for path, number in names.items()})

    def crash(self, choose: random.Random) -> SimulatedDisk:
        """Return a disk as a loss of power may leave it now; ``choose`` picks among the legal states.

        Half of the time every sector is decided for itself; otherwise only the first ones are kept, or all but one, since such
        states find more.
        """
        names = self._after(choose.randint(0, len(self._pending)))
        contents = {number: _crashed(self._files[number], choose) for number in sorted(set(names.values()))}
        return self._made({path: contents[number] for path, number in names.items()})

    # -- inside -----------------------------------------------------------------------------------------------------

    def _do(self, entry: Entry) -> None:
        self.journal.append(entry)
        if entry.kind == "create":
            self._files[entry.file] = _File()
        elif entry.kind == "write":
            self._files[entry.file].put(entry.position, entry.data)
        elif entry.kind == "resize":
            self._files[entry.file].resize(entry.position)
        elif entry.kind == "sync":
            self._files[entry.file].sync()
        elif entry.kind == "sync_folder":
            inside = f"{entry.path}/"
            for each in self._pending:
                if each.path.startswith(inside):
                    _apply(self._durable_names, each)
            self._pending = [each for each in self._pending if not each.path.startswith(inside)]
        if entry.kind in {"create", "rename", "remove"}:
            _apply(self._names, entry)
            self._pending.append(entry)

    def _after(self, kept: int) -> dict[str, int]:
        names = dict(self._durable_names)
        for entry in self._pending[:kept]:
            _apply(names, entry)
        return names

    def _made(self, contents: dict[str, bytes]) -> SimulatedDisk:
        disk = SimulatedDisk(seed=self._random.getrandbits(32))
        disk._now = self._now
        for path, content in contents.items():
            disk.put(path, content)
        return disk

    def _check(self, kind: str, path: str, length: int = 0) -> int:
        return self.faults.check(kind, path, length) if self.faults is not None else length


def _apply(names: dict[str, int], entry: Entry) -> None:
    """Change names as a call did."""
    if entry.kind == "create":
        names[entry.path] = entry.file
    elif entry.kind == "rename":
        names.pop(entry.path, None)
        names[entry.target] = entry.file
    else:
        names.pop(entry.path, None)


def _lengths(file: _File) -> list[int]:
    return sorted({len(file.durable), len(file.seen)})


def _file_states(file: _File) -> Iterator[bytes]:
    """Give every state of one file."""
    sectors = sorted(file.versions)
    for length in _lengths(file):
        for kept in itertools.product(*(range(len(file.versions[sector]) + 1) for sector in sectors)):
            yield file.after_crash(length, dict(zip(sectors, kept, strict=True)))


def _crashed(file: _File, choose: random.Random) -> bytes:
    """Return one state of a file."""
    sectors = sorted(file.versions)
    how = choose.random()
    cut = choose.randint(0, len(sectors))
    kept = {}
    for place, sector in enumerate(sectors):
        most = len(file.versions[sector])
        if how < 0.5:
            kept[sector] = choose.randint(0, most)
        elif how < 0.75:
            kept[sector] = most if place < cut else 0
        else:
            kept[sector] = 0 if place == cut else most
    return file.after_crash(choose.choice(_lengths(file)), kept)
