"""What of a plan or a table Flink SQL can't say, and why: gathered, so that a user sees all of it at once."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Unportable:
    """Something that has no twin in Flink SQL: what it is, why it has none, and where it stands."""

    what: str
    why: str
    where: str = ""

    def describe(self) -> str:
        """Return it as one line for people."""
        place = f" ({self.where})" if self.where else ""
        return f"{self.what}{place}: {self.why}"


class Report:
    """Gathers what is unportable, and what runs but not quite as here, each once, in the order of its discovery."""

    def __init__(self) -> None:
        self._found: dict[Unportable, None] = {}
        self._notes: dict[str, None] = {}

    def add(self, what: str, why: str, where: str = "") -> None:
        """Add something that Flink SQL can't say."""
        self._found[Unportable(what, why, where)] = None

    def extend(self, found: tuple[Unportable, ...]) -> None:
        """Add what was found elsewhere."""
        self._found.update(dict.fromkeys(found))

    def note(self, text: str) -> None:
        """Add something that runs on Flink, and is not quite the same there: one line for people."""
        self._notes[text] = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what runs and is not quite the same."""
        return tuple(self._notes)

    @property
    def found(self) -> tuple[Unportable, ...]:
        """Return all of it."""
        return tuple(self._found)


def source_line(function: object) -> str:
    """Return ``line 5 of job.py``, where a function, or the class of an object, is written; empty where nobody knows."""
    code = function if inspect.isfunction(function) or inspect.ismethod(function) else type(function)
    try:
        file = inspect.getsourcefile(code)
        _, line = inspect.getsourcelines(code)
    except (OSError, TypeError):
        return ""
    return f"line {line} of {Path(file).name}" if file else ""
