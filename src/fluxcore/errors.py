"""The one family of errors that a user can meet.

Every error has a stable code (``FX-SQL-0012``), says where it happened (file, line, column, operator) and
what to do next. A script error means that the script or the command line is wrong (exit code 2); a job error
means that the data or a system failed while the job ran (exit code 1). Programmer errors stay ``AssertionError``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a script: half-open character offsets, and the one-based line and column of its start."""

    start: int
    end: int
    line: int
    column: int

    def to(self, other: Span) -> Span:
        """Return the stretch from the start of this span to the end of ``other``."""
        return Span(self.start, other.end, self.line, self.column)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an error happened. Every part is optional; lines and columns count from one."""

    file: str | None = None
    line: int | None = None
    column: int | None = None
    source_line: str | None = None
    length: int = 1
    field: str | None = None
    operator: str | None = None

    @staticmethod
    def in_text(text: str, span: Span, file: str | None = None) -> Place:
        """Return the place of ``span`` in ``text``, with the line of text that an error message shows."""
        lines = text.split("\n")
        line = lines[span.line - 1].rstrip("\r") if 0 < span.line <= len(lines) else ""
        length = max(1, min(span.end - span.start, len(line) - span.column + 1))
        return Place(file, span.line, span.column, line, length)

    def describe(self) -> str:
        """Return ``file:line:column, field 'f', operator 'o'`` with the parts that are known."""
        spot = self.file or ""
        if self.line is not None:
            spot = f"{spot}:{self.line}" if spot else f"line {self.line}"
            if self.column is not None:
                spot = f"{spot}:{self.column}" if self.file else f"{spot}, column {self.column}"
        parts = [spot] if spot else []
        if self.field is not None:
            parts.append(f"field '{self.field}'")
        if self.operator is not None:
            parts.append(f"operator '{self.operator}'")
        return ", ".join(parts)


class FluxError(Exception):
    """The root of all errors that FluxCore raises on purpose.

    In: ``code`` stable; ``message`` one sentence without a final newline; ``place`` where; ``hint`` what to do next;
    ``span`` the stretch of the script, turned into a place by :meth:`located`.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        code: str,
        message: str,
        *,
        place: Place | None = None,
        span: Span | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.place = place
        self.span = span
        self.hint = hint

    def located(self, text: str, file: str | None = None) -> FluxError:
        """Fill in the place from the span and the script's text; keeps a place that is already known, and the operator."""
        known = self.place or Place()
        if self.span is not None and known.file is None and known.line is None:
            found = Place.in_text(text, self.span, file)
            self.place = replace(found, field=known.field, operator=known.operator)
        return self

    def in_operator(self, name: str) -> FluxError:
        """Name the operator in which the error happened, unless one is named already."""
        place = self.place or Place()
        if place.operator is None:
            self.place = replace(place, operator=name)
        return self

    def render(self) -> str:
        """Return the message as shown to a user: code, place, the line with a caret, the hint."""
        where = self.place.describe() if self.place else ""
        lines = [f"error[{self.code}]: {self.message}"]
        if where:
            lines.append(f"  --> {where}")
        if self.place and self.place.source_line is not None and self.place.column is not None:
            number = str(self.place.line)
            shown = self.place.source_line.replace("\t", " ")
            lines.append(f" {number} | {shown}")
            lines.append(f" {' ' * len(number)} | {' ' * (self.place.column - 1)}{'^' * self.place.length}")
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.render()


class ScriptError(FluxError):
    """The script, the pipeline or the command line is wrong. Exit code 2."""

    exit_code: ClassVar[int] = 2


class JobError(FluxError):
    """The job failed while it ran: data, a file, a remote system. Exit code 1."""

    exit_code: ClassVar[int] = 1


class DataError(JobError):
    """A row could not be read or computed; the place says file, line and field."""


class Cancelled(FluxError):
    """The job was stopped before its end, by the user or because another task failed. Exit code 130."""

    exit_code: ClassVar[int] = 130

    def __init__(self, message: str = "the job was cancelled") -> None:
        super().__init__("FX-RUN-0001", message)


def not_supported(what: str, *, span: Span | None = None, hint: str | None = None) -> ScriptError:
    """Return the error for a construct of Flink SQL that FluxCore does not execute yet."""
    return ScriptError("FX-SQL-0900", f"{what} is not supported yet", span=span, hint=hint)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return a hint such as ``did you mean 'price'?`` with the nearest of ``known``, or None when none is near."""
    names = list(known)
    lowered = {each.lower(): each for each in reversed(names)}
    found = get_close_matches(name.lower(), list(lowered), n=3, cutoff=0.6)
    if not found:
        return None
    return "did you mean " + " or ".join(f"'{lowered[each]}'" for each in found) + "?"
