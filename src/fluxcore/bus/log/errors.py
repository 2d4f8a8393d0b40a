"""The errors of the log, each made in one place. Closed, ended and broken are three errors."""

from __future__ import annotations

from fluxcore.errors import DataError, JobError, Place, ScriptError


def in_use(folder: str, holder: str) -> JobError:
    """Another opener holds the log."""
    return JobError(
        "FX-LOG-0001",
        f"the log in '{folder}' is open for writing already{f', by {holder}' if holder else ''}",
        hint="a log has one writer: close the other one, or read with Reader.open",
    )


def closed(folder: str) -> JobError:
    """The log was closed."""
    return JobError("FX-LOG-0002", f"the log in '{folder}' is closed")


def forked(folder: str) -> JobError:
    """A child process has a copy of a log that its parent opened."""
    return JobError(
        "FX-LOG-0003",
        f"the log in '{folder}' was opened before this process was forked",
        hint="open it in the child, after the parent has closed it; or read with Reader.open",
    )


def broken(folder: str, cause: str) -> JobError:
    """The disk failed in a way after which nothing may be written."""
    return JobError(
        "FX-LOG-0004",
        f"the log in '{folder}' takes no more events, since the disk failed: {cause}",
        hint="what has a receipt with 'disk' is safe and can be read; check the disk, then open the log again",
    )


def not_written(folder: str, cause: str) -> JobError:
    """The disk refused a write, and the write was taken back."""
    return JobError(
        "FX-LOG-0005",
        f"the events were not written to '{folder}': {cause}",
        hint="make room on the disk and publish them again; the log goes on",
    )


def full(waiting: int) -> JobError:
    """Too much waits for the disk."""
    return JobError(
        "FX-LOG-0006",
        f"{waiting} bytes of events wait for the disk already",
        hint="publish again when some are written",
    )


def too_large(size: int, most: int) -> ScriptError:
    """An event can't be stored."""
    return ScriptError("FX-LOG-0007", f"an event of {size} bytes is more than a frame may hold ({most})")


def conflict(key: object, expected: int | None, found: int | None) -> JobError:
    """Another event of the key came first."""
    return JobError(
        "FX-LOG-0009",
        f"the last event of key {key!r} is {_shown(found)}, not {_shown(expected)}",
        hint="read the key's events again and decide anew",
    )


def lost(path: str, first: int, end: int, reason: str) -> DataError:
    """Events are damaged."""
    return DataError(
        "FX-LOG-0010",
        f"events {first} to {end - 1} can't be read: {reason}",
        place=Place(file=path),
        hint="later events are whole: read on from the offset after them, or pass on_lost to be told and go on",
    )


def gone(offset: int, start: int) -> JobError:
    """Retention removed what was asked for."""
    return JobError("FX-LOG-0011", f"events before {start} were removed, and {offset} was asked for")


def missing(folder: str) -> ScriptError:
    """There is no log."""
    return ScriptError("FX-LOG-0013", f"there is no log in '{folder}'")


def wrong_option(what: str) -> ScriptError:
    """An option makes no sense."""
    return ScriptError("FX-LOG-0014", f"{what}")


def not_encoded(cause: str) -> DataError:
    """Single events could not be turned into columns."""
    return DataError("FX-LOG-0015", f"the events don't fit the log's columns: {cause}")


def not_opened(folder: str, cause: str) -> JobError:
    """The disk refused when the log was opened."""
    return JobError("FX-LOG-0016", f"the log in '{folder}' can't be opened: {cause}")


def _shown(version: int | None) -> str:
    return "none" if version is None else f"event {version}"
