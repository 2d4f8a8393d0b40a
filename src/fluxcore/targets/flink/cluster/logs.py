"""Why a process of Flink ended: a few lines out of its log instead of two hundred."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fluxcore.limits import FLINK_LOG_READ_BYTES
from fluxcore.targets.flink.traces import root_cause

if TYPE_CHECKING:
    from pathlib import Path

_ENTRY = re.compile(r"^(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} )", re.MULTILINE)
_FRAME = re.compile(r"^\s+at \S", re.MULTILINE)
_FAULT = re.compile(r"^\S+ \S+ (ERROR|FATAL) ")
_SAID = re.compile(r"^\S+ \S+ [A-Z]+ +\S+ +\[.*?\] - ")
_JVM = re.compile(
    r"^(Error: .*|Error occurred during .*|Unrecognized .*|Invalid .*|.*insufficient memory.*)$", re.MULTILINE
)
_JVM_LINES, _LAST_LINES, _CHARACTERS_MAX = 3, 2, 600


def cause_in_logs(*logs: Path) -> str:
    """Return why a process ended, from the first of its logs that tells; an empty text when none says anything.

    What the JVM itself complains about comes first, then the innermost cause of the last error with a stack trace, then the
    last error, then the last lines of the last log.
    """
    texts = [_end_of(log) for log in logs if log.is_file()]
    for look in (_complaint, _traced, _fault, _last):
        for text in reversed(texts) if look is _last else texts:
            found = look(text)
            if found:
                return found if len(found) <= _CHARACTERS_MAX else found[: _CHARACTERS_MAX - 1] + "…"
    return ""


def _end_of(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - FLINK_LOG_READ_BYTES))
        return file.read().decode("utf-8", "replace")


def _complaint(text: str) -> str:
    """Return what a JVM says that can't go on; in a log of Flink's such lines would begin with a time."""
    if _ENTRY.search(text):
        return ""
    return "\n".join([found[0].strip() for found in _JVM.finditer(text)][:_JVM_LINES])


def _traced(text: str) -> str:
    entries = [entry for entry in _ENTRY.split(text) if _FRAME.search(entry)]
    faults = [entry for entry in entries if _FAULT.match(entry)]
    return root_cause((faults or entries)[-1]) if entries else ""


def _fault(text: str) -> str:
    faults = [entry for entry in _ENTRY.split(text) if _FAULT.match(entry)]
    return _SAID.sub("", faults[-1]).strip() if faults else ""


def _last(text: str) -> str:
    return "\n".join([_SAID.sub("", line) for line in text.splitlines() if line.strip()][-_LAST_LINES:])
