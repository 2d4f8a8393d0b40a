"""Names and texts as SQL quotes them."""

from __future__ import annotations


def quoted(name: str) -> str:
    """Return a name in backquotes, so that it can be a reserved word too."""
    return "`" + name.replace("`", "``") + "`"


def path(name: str) -> str:
    """Return a name of several parts with dots between them, each part in backquotes."""
    return ".".join(map(quoted, name.split(".")))


def text(value: str) -> str:
    """Return a string constant. A backslash is a letter like others, as in Flink."""
    return "'" + value.replace("'", "''") + "'"
