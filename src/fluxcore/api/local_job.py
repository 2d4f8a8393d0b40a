"""How one waits for a job whose threads run in this process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fluxcore.errors import FluxError


class LocalJob:
    """The end of a job, and its first error: whoever runs it sets both. All methods may be called from any thread."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._error: FluxError | None = None

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the job has ended; return whether it has. ``timeout`` in seconds."""
        if timeout is not None:
            return self._done.wait(timeout)
        while not self._done.wait(1.0):  # a bounded wait lets signals through on every platform
            pass
        return True

    def result(self) -> None:
        """Wait for the end and raise the job's error, if it failed or was cancelled."""
        self.wait()
        if self._error is not None:
            raise self._error
