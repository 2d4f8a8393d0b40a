"""What the parts of a durable bus share: its folder, the event loop, and threads for the disk."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from fluxcore.bus.errors import BusError
from fluxcore.bus.transports.file.mail import Mail

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from concurrent.futures import Future

    from fluxcore.bus.log.files import Files
    from fluxcore.bus.transports.file.layout import Folder

_THREADS = 4


class Desk:
    """``run`` does something on a thread for the disk; ``mail`` tells the event loop. ``own_files`` are those of a test, or None."""

    def __init__(self, folder: Folder, loop: asyncio.AbstractEventLoop, own_files: Files | None) -> None:
        self.folder = folder
        self.own_files = own_files
        self.loop = loop
        self.loop_thread = threading.get_ident()
        self.mail = Mail(loop)
        self._process = os.getpid()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="fluxcore bus disk")

    def run(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Call a function on a thread for the disk. Raises ``BusError`` FX-BUS-0307 in a process that was forked."""
        if os.getpid() != self._process:
            hint = "make a bus in the child, after the parent's is closed"
            raise BusError("FX-BUS-0307", "the bus was opened before this process was forked", hint=hint)
        return self._threads.submit(function, *args)

    async def wait(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function on a thread for the disk, and return its result."""
        return await self.loop.run_in_executor(self._threads, function, *args)

    def close(self) -> None:
        """End the threads when they have done what was asked of them."""
        self._threads.shutdown(wait=False)
