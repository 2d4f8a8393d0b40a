"""Names, comments and the layout of the Flink SQL that is printed."""

from __future__ import annotations

import re

_WHOLE = re.compile(r"/\*.*?\*/|'(?:[^']|'')*'|`(?:[^`]|``)*`|\n", re.DOTALL)
"""Comments, texts and names, in which a line break is no layout; and the other line breaks."""


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
