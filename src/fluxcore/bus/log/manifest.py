"""The manifest of a log: its topic and id, the schemas of its events, and the offsets that were found damaged.

It is replaced as a whole, with its CRC in the first line. It can be made again from the segments, which hold all of it but the
list of damages, and those are found again.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from fluxcore.bus.log.files import read_file, replace_file
from fluxcore.bus.log.frame import VERSION, crc32c
from fluxcore.bus.log.schemas import read_schema, schema_id

if TYPE_CHECKING:
    from fluxcore.bus.log.files import Files

MANIFEST = "manifest.json"


class Lost(msgspec.Struct, frozen=True):
    """Offsets whose events can't be read: from ``first`` up to, not including, ``end``; where they lie, and why."""

    first: int
    end: int
    segment: str
    position: int
    length: int
    reason: str


class Manifest(msgspec.Struct):
    """What a log says of itself. ``schemas`` are Arrow IPC messages in Base64, by id in hexadecimal."""

    topic: str
    log: str
    format: int = VERSION
    schemas: dict[str, str] = {}
    lost: list[Lost] = []

    def schema(self, id_: int) -> pa.Schema | None:
        """Return a schema by its id, or None."""
        content = self.schemas.get(f"{id_:016x}")
        return read_schema(b64decode(content)) if content is not None else None

    def learn(self, content: bytes) -> bool:
        """Take a schema's bytes in; return whether they are new."""
        key = f"{schema_id(content):016x}"
        if key in self.schemas:
            return False
        self.schemas[key] = b64encode(content).decode()
        return True

    def unlearn(self, content: bytes) -> None:
        """Forget a schema that could not be saved."""
        self.schemas.pop(f"{schema_id(content):016x}", None)


def load(files: Files, folder: str) -> Manifest | None:
    """Return the manifest in a folder, or None where it is missing or damaged."""
    content = read_file(files, f"{folder}/{MANIFEST}")
    if content is None:
        return None
    crc, _, text = content.partition(b"\n")
    if crc.strip() != f"{crc32c(text):08x}".encode():
        return None
    try:
        return msgspec.json.decode(text, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def save(files: Files, folder: str, manifest: Manifest) -> None:
    """Put the manifest in place, durably."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    replace_file(files, folder, MANIFEST, f"{crc32c(text):08x}\n".encode() + text)
