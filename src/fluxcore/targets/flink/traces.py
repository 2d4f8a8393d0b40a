"""Finds the one sentence that matters in the stack trace of a Java exception."""

from __future__ import annotations

import re

_CAUSE = re.compile(r"^(?:Caused by: )?((?:[\w$]+\.)+[\w$]*(?:Exception|Error|Throwable)[\w$]*)(?:: (.*))?$")
_WRAPPERS = (
    "SqlGatewayException",
    "SqlExecutionException",
    "CompletionException",
    "ExecutionException",
    "JobExecutionException",
    "ProgramInvocationException",
    "JobException",
    "RestHandlerException",
    "JobSubmissionException",
    "ChainingOutputException",
    "ExceptionInChainedOperatorException",
)
_WORDY = ("Was expecting one of:", "Available factory identifiers are:")
_LINES_MAX = 12
_PYTHON = "Traceback (most recent call last)"
"""Where a message goes on with the trace of an exception in Python, whose last line says what it was."""


def causes(trace: str) -> list[tuple[str, str]]:
    """Return the exceptions of a stack trace, outermost first: class name without its package, and message."""
    found: list[tuple[str, list[str]]] = []
    for line in trace.splitlines():
        text = line.removeprefix("<Exception on server side:").rstrip()
        match = _CAUSE.match(text)
        if match:
            found.append((match[1].rsplit(".", 1)[1], [match[2] or ""]))
        elif (
            found
            and text
            and not re.match(r"\s*(at |\.\.\. \d+ (more|common))", text)
            and "End of exception" not in text
        ):
            found[-1][1].append(text.strip())
    return [(name, _short(lines)) for name, lines in found]


def root_cause(trace: str) -> str:
    """Return what went wrong in a sentence or a few lines: the innermost exception that says something.

    A parse or validation error is told by the exception that Flink itself raises, which holds the place in the statement.
    """
    found = causes(trace)
    for name, message in found:
        if name in ("SqlParserException", "SqlParserEOFException") or (
            name == "ValidationException" and message.startswith("SQL validation failed")
        ):
            return message
    for name, message in reversed(found):
        if name not in _WRAPPERS and message:
            return message if name.endswith(("ValidationException", "TableException")) else f"{name}: {message}"
    told = [message for _, message in reversed(found) if message]
    if told:
        return told[0]
    return found[-1][0] if found else (trace.strip().splitlines() or ["no reason given"])[0]


def _short(lines: list[str]) -> str:
    kept: list[str] = []
    if any(line.startswith(_PYTHON) for line in lines):
        return lines[-1]
    for line in lines:
        if line.startswith(_WORDY):
            break
        kept.append(line)
    return "\n".join(kept[:_LINES_MAX]).strip()
