"""What lies where in the folder of a bus, and the small files in it; readable without a bus.

``topics/NAME/`` is the log of a topic with its declaration, ``topic.json``; ``groups/NAME.json`` says how far a group has come in
each topic, and whoever runs its handlers holds the lock of ``groups/NAME.lock``, and has in ``hands/NAME/TOPIC`` the offsets that
they have in hand. Names stand as in URLs: what isn't a letter, a
digit or one of ``_-`` is ``%`` and its number.
"""

from __future__ import annotations

import contextlib
import time
from base64 import b64decode, b64encode
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, unquote

import msgspec
import pyarrow as pa

from fluxcore.bus.errors import BusError
from fluxcore.bus.event import ID, KEY
from fluxcore.bus.log.files import Files, OsFiles, read_file, replace_file
from fluxcore.bus.log.options import LogOptions, Retention
from fluxcore.bus.progress import Progress
from fluxcore.bus.rows import PLAIN, columnar
from fluxcore.limits import BUS_DEDUP_IDS_MAX, BUS_SEGMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

Kind = TypeVar("Kind", bound=msgspec.Struct)

DECLARATION = "topic.json"
_FORMAT = 1
_SUFFIX = ".json"
_REVIVED, _REVIVED_LOCK = "revived.json", "revived.lock"
_NAME_MOST = 255 - len(".json.new")  # what file systems take, as long as the longest of the names that are made of it


def _check_format(found: int) -> None:
    if found != _FORMAT:
        raise ValueError(f"its format is {found}, and this version knows {_FORMAT}")


class Declaration(msgspec.Struct, frozen=True):
    """A topic as ``topic.json`` declares it.

    ``schema`` is Arrow's IPC message in Base64, ``columns`` the same for people; ``made_ms`` when the topic was made, milliseconds
    since 1970.
    """

    name: str
    subjects: tuple[str, ...]
    acks: str = "disk"
    priorities: bool = False
    dedup_ms: int = 120_000
    versions: bool = False
    compact: bool = False
    compression: str = "none"
    retain_ms: int | None = None
    retain_bytes: int | None = None
    retain_events: int | None = None
    segment_bytes: int = BUS_SEGMENT_BYTES
    schema: str | None = None
    columns: dict[str, str] = {}
    made_ms: int = 0
    format: int = _FORMAT

    def __post_init__(self) -> None:
        _check_format(self.format)
        self.payload_schema()

    @staticmethod
    def undeclared(name: str) -> Declaration:
        """Return the declaration of a topic that comes to be now, with its first event."""
        return Declaration(name, (name, f"{name}.>"), made_ms=time.time_ns() // 1_000_000)

    def payload_schema(self) -> pa.Schema | None:
        """Return the schema of the topic's payloads, or None where it has none. Raises ``ValueError`` where it is damaged."""
        if self.schema is None:
            return None
        try:
            return pa.ipc.read_schema(pa.py_buffer(b64decode(self.schema)))
        except OSError as error:  # one of Arrow's own
            raise ValueError(str(error)) from error

    def log_options(self) -> LogOptions:
        """Return how the log of the topic is to be opened."""
        schema = self.payload_schema()
        return LogOptions(
            topic=self.name,
            row_schema=PLAIN if schema is None else columnar(schema),
            compression=self.compression,
            keys=(KEY,),
            key_column=KEY if self.versions or self.compact else None,
            id_column=ID,
            id_rows=BUS_DEDUP_IDS_MAX,
            id_us=self.dedup_ms * 1000,
            retention=Retention(
                None if self.retain_ms is None else self.retain_ms * 1000, self.retain_bytes, self.retain_events
            ),
            segment_bytes=self.segment_bytes,
        )


def schema_text(schema: pa.Schema) -> tuple[str, dict[str, str]]:
    """Return a schema as a declaration holds it: for programs, and for people."""
    return b64encode(schema.serialize().to_pybytes()).decode(), {field.name: str(field.type) for field in schema}


class GroupState(msgspec.Struct, omit_defaults=True):
    """What ``groups/NAME.json`` holds: the group's name, its progress by topic, whether it is paused, when it was saved and made."""

    group: str
    topics: dict[str, Progress] = {}
    paused: bool = False
    saved_ms: int = 0
    made_ms: int = 0
    format: int = _FORMAT

    def __post_init__(self) -> None:
        _check_format(self.format)


class Revived(msgspec.Struct):
    """What ``revived.json`` holds: the ranges of dead letters that were given back, by topic."""

    topics: dict[str, list[tuple[int, int]]] = {}


class Folder:
    """The folder of a bus. ``Folder(root).topics()`` lists what is there; nothing is made before something is saved.

    Raises, wherever it reads: ``BusError`` FX-BUS-0401 for a small file that can't be understood; wherever it is given a name,
    FX-BUS-0120 for one that no file can have; and everywhere FX-BUS-0404 for a disk that refuses.
    """

    def __init__(self, root: str, files: Files | None = None) -> None:
        self.root = str(root).rstrip("/") or "/"
        self.files = files or OsFiles()

    # -- topics -----------------------------------------------------------------------------------------------------

    @property
    def topics_folder(self) -> str:
        """Where the topics are."""
        return f"{self.root}/topics"

    def topic(self, name: str) -> str:
        """Return the folder of a topic's log."""
        return f"{self.topics_folder}/{file_name(name)}"

    def topics(self, known: Container[str] = ()) -> list[str]:
        """Return the names of the topics that are declared and not ``known`` yet, sorted."""
        with disk_calls(self.topics_folder):
            names = ((each, plain_name(each)) for each in self.files.folders(self.topics_folder))
            return sorted(name for each, name in names if name not in known and self._is_declared(each))

    def declaration(self, name: str) -> Declaration | None:
        """Return the declaration of a topic, or None where there is none."""
        path = self.declaration_path(name)
        found = self._read(path, Declaration)
        if found is not None and found.name != name:
            raise damaged(path, f"it declares the topic '{found.name}'")
        return found

    def declaration_path(self, name: str) -> str:
        """Return the path of a topic's declaration."""
        return f"{self.topic(name)}/{DECLARATION}"

    def declare(self, found: Declaration) -> None:
        """Save the declaration of a topic, durably."""
        try:
            self._save(self.topic(found.name), DECLARATION, found)
        except FileNotFoundError:  # another process put its own in place at the same moment
            if self.declaration(found.name) is None:
                raise
        with disk_calls(self.root):
            for folder in (self.topics_folder, self.root):  # so that the new folders are found after a failure of power
                self.files.sync_folder(folder)

    # -- groups -----------------------------------------------------------------------------------------------------

    @property
    def groups_folder(self) -> str:
        """Where the groups are."""
        return f"{self.root}/groups"

    def groups(self) -> list[str]:
        """Return the names of the groups, sorted."""
        try:
            names = self.files.names(self.groups_folder)
        except FileNotFoundError:
            return []
        return sorted(plain_name(each.removesuffix(_SUFFIX)) for each in names if each.endswith(_SUFFIX))

    def group(self, name: str) -> GroupState | None:
        """Return how far a group has come, or None where there is none."""
        return self._read(f"{self.groups_folder}/{file_name(name)}{_SUFFIX}", GroupState)

    def hands(self, group: str, topic: str) -> str:
        """Return the path of the file that notes what the workers of a group have in hand in a topic."""
        return f"{self.root}/hands/{file_name(group)}/{file_name(topic)}"

    def save_group(self, state: GroupState) -> None:
        """Save how far a group has come, durably and in one step."""
        self._save(self.groups_folder, f"{file_name(state.group)}{_SUFFIX}", state)

    def group_lock(self, name: str) -> str:
        """Return the path of the file whose lock is held by the process that runs a group."""
        path = f"{self.groups_folder}/{file_name(name)}.lock"
        with disk_calls(path):
            self.files.make_folder(self.groups_folder)
        return path

    def revived(self) -> Revived:
        """Return which dead letters were given back."""
        return self._read(f"{self.root}/{_REVIVED}", Revived) or Revived()

    def revived_lock(self) -> str:
        """Return the path of the file whose lock is held by the process that gives dead letters back."""
        path = f"{self.root}/{_REVIVED_LOCK}"
        with disk_calls(path):
            self.files.make_folder(self.root)
        return path

    def save_revived(self, found: Revived) -> None:
        """Save which dead letters were given back, durably and in one step."""
        self._save(self.root, _REVIVED, found)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _is_declared(self, name: str) -> bool:
        return read_file(self.files, f"{self.topics_folder}/{name}/{DECLARATION}") is not None

    def _read(self, path: str, kind: type[Kind]) -> Kind | None:
        with disk_calls(path):
            content = read_file(self.files, path)
        if content is None:
            return None
        try:
            return msgspec.json.decode(content, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise damaged(path, str(error)) from error

    def _save(self, folder: str, name: str, content: msgspec.Struct) -> None:
        text = msgspec.json.format(msgspec.json.encode(content), indent=1)
        with disk_calls(f"{folder}/{name}"):
            self.files.make_folder(folder)
            replace_file(self.files, folder, name, text + b"\n")


@contextlib.contextmanager
def disk_calls(path: str) -> Iterator[None]:
    """Turn what the disk refuses into ``BusError`` FX-BUS-0404; a missing file, and a lock that another one has, stay as they are."""
    try:
        yield
    except (FileNotFoundError, BlockingIOError):
        raise
    except OSError as error:
        hint = "see to the disk, its room and its permissions; what was saved before is as it was"
        message = f"'{path}' can't be read or written: {error.strerror or error}"
        raise BusError("FX-BUS-0404", message, hint=hint) from error


def damaged(path: str, reason: str) -> BusError:
    """Return the error of a small file that can't be understood."""
    hint = "put a good copy in its place, or remove it to begin anew"
    return BusError("FX-BUS-0401", f"'{path}' can't be understood: {reason}", hint=hint)


def folder_of(url: str) -> Folder:
    """Return the folder of a bus at ``file:PATH`` or ``file:///PATH``; a path that begins with ``~`` is in the user's home.

    Raises: ``BusError`` FX-BUS-0403 where a file stands at that place.
    """
    root = Path(url.removeprefix("file:").removeprefix("//")).expanduser().absolute()
    if root.exists() and not root.is_dir():
        raise BusError("FX-BUS-0403", f"'{root}' is a file, and a bus is in a folder", hint="name another folder")
    return Folder(str(root))


def file_name(name: str) -> str:
    """Return the name of a topic or group as a file has it. Raises ``BusError`` FX-BUS-0120 for one that no file can have."""
    try:
        found = quote(name, safe="").replace(".", "%2E").replace("~", "%7E")
    except UnicodeEncodeError as error:
        raise BusError("FX-BUS-0120", f"{name!r} can't be the name of a topic or group: {error.reason}") from error
    if not 0 < len(found) <= _NAME_MOST:
        hint = f"a name has 1 to {_NAME_MOST} characters, where each that is no letter, digit, _ or - counts as three or more"
        raise BusError("FX-BUS-0120", f"'{name[:40]}' can't be the name of a topic or group in a folder", hint=hint)
    return found


def plain_name(name: str) -> str:
    """Return the name of the topic or group whose file this is."""
    return unquote(name)
