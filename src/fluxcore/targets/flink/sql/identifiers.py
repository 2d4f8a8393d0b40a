"""Names and texts as Flink SQL quotes them: names always, so that none can be a reserved word, today's or a later one's."""

from __future__ import annotations

import re

_WHOLE = re.compile(r"/\*.*?\*/|'(?:[^']|'')*'|`(?:[^`]|``)*`|\n", re.DOTALL)
"""Comments, texts and names, in which a line break is no layout; and the other line breaks."""


def quoted(name: str) -> str:
    """Return a name in backquotes."""
    return "`" + name.replace("`", "``") + "`"


def text(value: str) -> str:
    """Return a string constant. A backslash is a letter like others, as in Flink."""
    return "'" + value.replace("'", "''") + "'"


def comment(value: str) -> str:
    """Return a comment that no text can end."""
    return "/* " + " ".join(value.replace("*/", "* /").split()) + " */"


def indented(sql: str) -> str:
    """Return lines of SQL moved to the right; a text of several lines stays what it is."""
    return "  " + _WHOLE.sub(lambda found: "\n  " if found[0] == "\n" else found[0], sql)


class Names:
    """Gives names that differ from each other: the wanted one, else with a number behind it."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def take(self, wanted: str) -> str:
        """Return a name that nothing else has: ``orders``, ``orders_2``, …"""
        name, number = wanted, 1
        while name in self._used:
            number += 1
            name = f"{wanted}_{number}"
        self._used.add(name)
        return name
