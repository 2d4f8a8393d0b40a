"""Long output in a pager, as ``less`` is one: what fits on the screen is printed as it is."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Sequence


def pager_command() -> list[str]:
    """Return the pager that ``PAGER`` names, or ``less``; empty where there is none."""
    named = shlex.split(os.environ.get("PAGER", "less"))
    return named if named and shutil.which(named[0]) else []


class Paged:
    """A binary stream that begins to write to a pager when it was given more lines than the screen has.

    Who leaves the pager early ends the writing: ``BrokenPipeError``, as ``| head`` does.
    """

    def __init__(self, out: BinaryIO, height: int, command: Sequence[str]) -> None:
        self._out = out
        self._room = height - 2  # the prompt and what was typed stay on the screen
        self._command = list(command)
        self._waiting: list[bytes] = []
        self._lines = 0
        self._pager: subprocess.Popen[bytes] | None = None

    def write(self, data: bytes) -> int:
        """Write, or keep until it is known whether a pager is needed."""
        if self._pager is None:
            self._waiting.append(data)
            self._lines += data.count(b"\n")
            if self._lines <= self._room:
                return len(data)
            self._pager = subprocess.Popen(self._command, stdin=subprocess.PIPE, env={"LESS": "-SR", **os.environ})
            data = b"".join(self._waiting)
        assert self._pager.stdin is not None
        self._pager.stdin.write(data)
        return len(data)

    def flush(self) -> None:
        """Hand what was written to the pager."""
        if self._pager is not None and self._pager.stdin is not None:
            self._pager.stdin.flush()

    def close(self) -> None:
        """Print what fits on the screen, or wait until the pager is left; Ctrl-C is the pager's."""
        if self._pager is None:
            self._out.write(b"".join(self._waiting))
            self._out.flush()
            return
        while True:
            try:
                self._pager.communicate()
            except BrokenPipeError:
                continue
            except KeyboardInterrupt:
                continue
            return
