"""The tables and views that a session knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.core import registry
from fluxcore.core.duration import duration_ms
from fluxcore.core.ports import Option, TableDescription
from fluxcore.errors import ScriptError, nearest
from fluxcore.sql.functions import FunctionCatalog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fluxcore.errors import Span
    from fluxcore.plan.nodes import Node

COMMON_OPTIONS = (
    Option("connector", required=True, help="The connector's name."),
    Option(
        "scan.watermark.idle-timeout",
        "duration",
        help="After how long without rows a split stops holding the watermark.",
    ),
    Option(
        "scan.watermark.alignment.group",
        help="Sources of a job with the same group wait for each other: see max-drift.",
    ),
    Option(
        "scan.watermark.alignment.max-drift",
        "duration",
        help="How far the watermark of a split may be ahead of the smallest one of the group before its reading pauses.",
    ),
    Option(
        "scan.watermark.alignment.update-interval",
        "duration",
        default="1 s",
        help="Accepted for Flink's sake; watermarks are compared before each block.",
    ),
    Option(
        "scan.watermark.emit.strategy",
        "enum",
        default="on-event",
        choices=("on-event", "on-periodic"),
        help="Accepted for Flink's sake; the watermark always rises row by row, as with on-event.",
    ),
)
"""Options of every table."""


@dataclass(frozen=True)
class Entry:
    """A table or view: the plan that reads it; ``table`` and the DDL's text for tables."""

    node: Node
    table: TableDescription | None = None
    kind: str = "VIEW"
    text: str = ""


class Catalog:
    """Tables and views by name; names are case-sensitive."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self.functions = FunctionCatalog()

    def copy(self) -> Catalog:
        """Return a catalog of the same tables and views."""
        found = Catalog()
        found._entries = dict(self._entries)
        found.functions = self.functions.copy()
        return found

    def take(self, other: Catalog) -> None:
        """Hold what another catalog holds."""
        self._entries = dict(other._entries)
        self.functions = other.functions.copy()

    def add(self, name: str, entry: Entry, *, if_not_exists: bool = False, span: Span | None = None) -> bool:
        """Add a table or view; return whether it is new. Raises ``ScriptError`` FX-SQL-0502 for a name in use."""
        if name in self._entries:
            if if_not_exists:
                return False
            hint = "write IF NOT EXISTS, or drop it first"
            raise ScriptError("FX-SQL-0502", f"'{name}' exists already", span=span, hint=hint)
        self._entries[name] = entry
        return True

    def register(self, name: str, node: Node) -> None:
        """Add or replace a view over a plan that a program made."""
        self._entries[name] = Entry(node)

    def drop(self, name: str, kind: str, *, if_exists: bool, span: Span | None = None) -> None:
        """Remove a table or view. Raises ``ScriptError`` FX-SQL-0203 when there is none."""
        found = self._entries.get(name)
        if found is None or found.kind != kind:
            if if_exists:
                return
            raise self._missing(name, span)
        del self._entries[name]

    def get(self, name: str, span: Span | None = None) -> Entry:
        """Return a table or view. Raises ``ScriptError`` FX-SQL-0203 with the nearest names."""
        found = self._entries.get(name)
        if found is None:
            raise self._missing(name, span)
        return found

    def relation(self, name: str, span: Span | None = None) -> Node:
        """Return the plan of a table or view to read. Raises ``ScriptError`` FX-SQL-0203, or FX-CON-0003."""
        found = self.get(name, span)
        if found.table is not None and not registry.connector(found.table.options["connector"]).readable():
            message = f"'{name}' can't be read: its connector '{found.table.options['connector']}' only writes"
            raise ScriptError("FX-CON-0003", message, span=span)
        return found.node

    def table(self, name: str, span: Span | None = None) -> TableDescription:
        """Return a table to write into. Raises ``ScriptError`` FX-SQL-0203 or 0204, or FX-CON-0003."""
        found = self.get(name, span)
        if found.table is None:
            raise ScriptError("FX-SQL-0204", f"'{name}' is a view and can't be written into", span=span)
        if not registry.connector(found.table.options["connector"]).writable():
            message = f"'{name}' can't be written: its connector '{found.table.options['connector']}' only reads"
            raise ScriptError("FX-CON-0003", message, span=span)
        return found.table

    def names(self, kind: str | None = None) -> list[str]:
        """Return the names of all tables and views, or of one kind, sorted."""
        return sorted(name for name, entry in self._entries.items() if kind is None or entry.kind == kind)

    def _missing(self, name: str, span: Span | None) -> ScriptError:
        hint = nearest(name, self._entries) or (
            f"known are {', '.join(self.names())}" if self._entries else "make it with CREATE TABLE"
        )
        return ScriptError("FX-SQL-0203", f"there is no table '{name}'", span=span, hint=hint)


def check_options(table: TableDescription) -> None:
    """Check a table's WITH options against its connector's.

    Raises: ``ScriptError`` FX-SQL-0510 to 0513 for a missing connector, unknown options (nearest named), missing ones and
    wrong values; FX-CON for what the connector itself refuses.
    """
    name = table.options.get("connector")
    if name is None:
        raise ScriptError(
            "FX-SQL-0510",
            f"table '{table.name}' names no connector",
            span=table.span,
            hint="WITH ('connector' = 'filesystem', …)",
        )
    connector = registry.connector(name, span=table.spans.get("connector"))
    known = {option.name: option for option in (*COMMON_OPTIONS, *connector.options_for(table.options))}
    for key, value in table.options.items():
        option = known.get(key) or _by_pattern(key, known)
        span = table.spans.get(key)
        if option is None:
            hint = nearest(key, known) or f"known are {', '.join(sorted(known))}"
            raise ScriptError("FX-SQL-0511", f"connector '{name}' has no option '{key}'", span=span, hint=hint)
        problem = _problem(option, value)
        if problem:
            raise ScriptError("FX-SQL-0513", f"'{value}' is no value for '{key}': {problem}", span=span)
    for option in known.values():
        if option.required and option.name not in table.options:
            message = f"connector '{name}' needs the option '{option.name}'"
            raise ScriptError("FX-SQL-0512", message, span=table.span, hint=option.help or None)
    check_alignment(table)
    connector.validate(table)


def check_alignment(table: TableDescription) -> None:
    """Check that a group of aligned sources comes with a drift. Raises ``ScriptError`` FX-SQL-0512."""
    group, drift = "scan.watermark.alignment.group", "scan.watermark.alignment.max-drift"
    for given, missing in ((group, drift), (drift, group)):
        if given in table.options and missing not in table.options:
            message = f"the option '{given}' needs '{missing}'"
            raise ScriptError("FX-SQL-0512", message, span=table.spans.get(given) or table.span)


def _by_pattern(key: str, known: Mapping[str, Option]) -> Option | None:
    """Return the option whose name has a ``#`` in place of one part, such as ``fields.#.kind``."""
    parts = key.split(".")
    for name, option in known.items():
        wanted = name.split(".")
        if len(wanted) == len(parts) and all(w in ("#", p) for w, p in zip(wanted, parts, strict=True)):
            return option
    return None


def _problem(option: Option, value: str) -> str | None:
    if option.kind == "integer" and not value.lstrip("-").isdecimal():
        return "it must be a whole number"
    if option.kind == "boolean" and value.lower() not in ("true", "false"):
        return "it must be true or false"
    if option.kind == "enum" and value not in option.choices:
        return f"it must be one of {', '.join(option.choices)}"
    if option.kind == "duration":
        try:
            duration_ms(value)
        except ValueError as error:
            return str(error)
    return None
