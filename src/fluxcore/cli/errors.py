"""How commands end: messages on standard error, and exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from fluxcore.errors import Cancelled, FluxError

if TYPE_CHECKING:
    from collections.abc import Iterator

INTERRUPTED = 130
TERMINATED = 143


class TerminatedError(BaseException):
    """SIGTERM arrived."""


def tell(text: str) -> None:
    """Print a line to standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def leave(code: int) -> NoReturn:
    """End the process at once, with all output written; threads that still wait for input don't hold it back."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os._exit(code)


@contextmanager
def told(*, debug: bool) -> Iterator[None]:
    """Turn whatever ends a command into a message and an exit code; tracebacks come only with ``debug``."""
    try:
        yield
    except (SystemExit, GeneratorExit):
        raise
    except (KeyboardInterrupt, Cancelled):
        tell("interrupted")
        leave(INTERRUPTED)
    except TerminatedError:
        tell("terminated")
        leave(TERMINATED)
    except FluxError as error:
        if broken_pipe(error):
            leave(0)
        tell(error.render())
        if debug:
            traceback.print_exception(error)
        leave(error.exit_code)
    except BrokenPipeError:
        leave(0)
    except Exception as error:  # noqa: BLE001  (the last net: no traceback without --debug)
        tell(f"error[FX-INT-0001]: internal error: {type(error).__name__}: {error}")
        tell("  hint: this is a fault of FluxCore; run again with --debug and report it")
        if debug:
            traceback.print_exception(error)
        leave(1)


def broken_pipe(error: BaseException | None) -> bool:
    """Return whether an error came of a reader that went away, as ``| head`` does."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        if isinstance(error, BrokenPipeError):
            return True
        seen.append(error)
        error = error.__cause__
    return False
