"""What the shell's own commands look like; each begins with a backslash or a dot."""

from __future__ import annotations

import re

from fluxcore.errors import ScriptError

COMMANDS = ("help", "tables", "jobs", "stop", "watch", "format", "timing", "pager", "read", "quit")

HELP = r"""Statements end with ;  and may take several lines. Commands begin with \ or with a dot:
  \help            this help
  \tables          the tables and views
  \jobs            the materialized tables, and what their jobs do
  \stop NAME       end the job of a materialized table; it keeps its rows
  \watch [SECONDS] run the last query again every 2 seconds, or so many; also in place of a query's ;
  \format NAME     table (of an endless query: as it changes), json, csv or changelog (every change)
  \timing [on|off] tell how long each statement takes
  \pager [on|off]  show results that are longer than the screen in a pager
  \read FILE       run a script
  \quit            leave (or QUIT; or EXIT; or Ctrl-D)
Ctrl-C stops the running query. SHOW TABLES, DESCRIBE t and EXPLAIN SELECT … work as in Flink."""

_WATCH_S = 2.0
_WATCHED = re.compile(r"\\watch(?:\s+(\S+?))?\s*;?\s*\Z")


def is_command(text: str) -> bool:
    """Return whether a text is a command and no SQL."""
    return text.lstrip().startswith((".", "\\"))


def watched(text: str) -> tuple[str, str] | None:
    r"""Return the query before a ``\watch`` that ends a text, and what stands behind it."""
    found = _WATCHED.search(text)
    return (text[: found.start()].strip(), found.group(1) or "") if found is not None else None


def watch_seconds(text: str) -> float:
    """Return how often to watch. Raises ``ScriptError`` FX-CLI-0011 for what is no number above 0."""
    try:
        seconds = float(text) if text else _WATCH_S
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise ScriptError("FX-CLI-0011", f"\\watch wants seconds, not '{text}'", hint="such as \\watch 5")
    return seconds


def switched(name: str, text: str, now: bool) -> bool:
    """Return what ``on``, ``off`` or nothing makes of a switch. Raises ``ScriptError`` FX-CLI-0011 for anything else."""
    match text.lower():
        case "on":
            return True
        case "off":
            return False
        case "":
            return not now
    raise ScriptError("FX-CLI-0011", f"\\{name} is on or off, not '{text}'")
