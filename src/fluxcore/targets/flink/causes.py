"""The root cause in a log of Java: a few lines instead of two hundred."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fluxcore.limits import FLINK_LOG_READ_BYTES

if TYPE_CHECKING:
    from pathlib import Path

_THROWN = re.compile(r"^(?:Caused by: |Exception in thread \"[^\"]*\" )?((?:[a-z_][\w$]*\.)+[A-Z][\w$]*)(?:: ?(.*))?$")
_CAUSED = "Caused by: "
_JVM = re.compile(
    r"^(Error: |Error occurred during initialization|Unrecognized |Invalid |Could not create the Java|"
    r"OpenJDK .* warning: INFO: os::commit_memory|# There is insufficient memory)"
)
_ERROR = re.compile(r"^\S+ \S+ (ERROR|FATAL) ")
_FRAME = re.compile(r"^\s+(at |\.\.\. )")
_WORDS_MAX = 600


def root_cause(text: str) -> str:
    """Return why a Java program says that it failed, in one to three lines; an empty text when it doesn't say.

    In: a stack trace, or a log that holds some; of several the last counts. The innermost ``Caused by`` of it is taken,
    with the class named shortly. Without one, a complaint of the JVM, and else the last lines that say anything.
    """
    lines = [line.rstrip() for line in text.splitlines()]
    jvm = [line for line in lines if _JVM.match(line)]
    if jvm:
        return _short("\n".join(jvm[:3]))
    thrown = _last_trace(lines)
    if thrown is not None:
        return _short(thrown)
    errors = [line for line in lines if _ERROR.match(line)]
    rest = errors[-1:] or [line for line in lines if line.strip() and not _FRAME.match(line)][-3:]
    return _short("\n".join(rest))


def log_cause(*logs: Path) -> str:
    """Return the root cause in the first of the log files that holds one."""
    for log in logs:
        if log.is_file():
            with log.open("rb") as file:
                file.seek(max(0, log.stat().st_size - FLINK_LOG_READ_BYTES))
                cause = root_cause(file.read().decode("utf-8", "replace"))
            if cause:
                return cause
    return ""


def _last_trace(lines: list[str]) -> str | None:
    """Return the innermost cause of the last stack trace."""
    for number in range(len(lines) - 1, -1, -1):
        found = _THROWN.match(lines[number])
        if found and number + 1 < len(lines) and _traced(lines, number):
            return _told(lines, number, found)
    return None


def _traced(lines: list[str], number: int) -> bool:
    """Return whether stack frames follow the line, at once or after the further lines of its message."""
    return any(_FRAME.match(line) for line in lines[number + 1 : number + 8])


def _told(lines: list[str], number: int, found: re.Match[str]) -> str:
    name = found[1].rsplit(".", 1)[-1].rsplit("$", 1)[-1]
    more = []
    for line in lines[number + 1 : number + 4]:
        if _FRAME.match(line) or line.startswith(_CAUSED):
            break
        more.append(line)
    return "\n".join([f"{name}: {found[2] or ''}".rstrip(": "), *more])


def _short(text: str) -> str:
    return text if len(text) <= _WORDS_MAX else text[: _WORDS_MAX - 1] + "…"
