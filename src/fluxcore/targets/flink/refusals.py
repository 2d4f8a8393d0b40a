"""Turns what Flink says about a statement into an error at the user's line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fluxcore.errors import Place, ScriptError, Span

if TYPE_CHECKING:
    from fluxcore.targets.flink.rest import RestError
    from fluxcore.targets.flink.statements import Statement

_PLACE = re.compile(r"\s*(?:From|[Aa]t) line (\d+), column (\d+)(?: to line (\d+), column (\d+))?(?::|\.)?\s*")
_LEAD = re.compile(r"^(?:SQL (?:validation|parse) failed\.\s*)+")


def refusal(
    error: RestError, statement: Statement, text: str, file: str | None, *, lines_before: int = 0
) -> ScriptError:
    """Return the error of a statement that Flink refuses. ``lines_before`` were sent in front of the statement's own."""
    span = statement.span
    match = _PLACE.search(error.message)
    message = _LEAD.sub("", _PLACE.sub(" ", error.message, count=1)).strip() if match else error.message
    place = Place.in_text(
        text, _within(match, statement.text, span, lines_before) if match else _first_line(span, text), file
    )
    return ScriptError("FX-FLK-0201", f"Flink refuses the statement: {message}", place=place, hint=error.hint)


def _within(match: re.Match[str], statement: str, span: Span, lines_before: int) -> Span:
    line, column = int(match[1]) - lines_before, int(match[2])
    lines = statement.split("\n")
    if not 1 <= line <= len(lines):
        return span
    start = sum(len(each) + 1 for each in lines[: line - 1]) + column - 1
    one_line = match[3] is not None and match[3] == match[1]
    length = int(match[4]) - column + 1 if one_line else 1
    shown = column + (span.column - 1 if line == 1 else 0)
    return Span(span.start + start, span.start + start + length, span.line + line - 1, shown)


def _first_line(span: Span, text: str) -> Span:
    end = text.find("\n", span.start, span.end)
    return span if end < 0 else Span(span.start, end, span.line, span.column)
