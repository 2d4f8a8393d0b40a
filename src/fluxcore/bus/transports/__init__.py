"""Where events of the bus live: one transport a module, found by the address of a bus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.bus.errors import BusError
from fluxcore.bus.transports.file.layout import folder_of
from fluxcore.bus.transports.file.transport import FileTransport
from fluxcore.bus.transports.memory import MemoryTransport

if TYPE_CHECKING:
    from fluxcore.bus.ports import Transport


def transport_of(url: str) -> Transport:
    """Return the transport of a bus. Raises ``BusError`` FX-BUS-0001 for an address that none has, FX-BUS-0403."""
    scheme, colon, rest = url.partition(":")
    if url == "memory:":
        return MemoryTransport()
    if scheme == "file" and colon and rest:
        return FileTransport(folder_of(url).root)
    raise BusError("FX-BUS-0001", f"there is no bus at '{url}'", hint="write memory: or file:./folder")
