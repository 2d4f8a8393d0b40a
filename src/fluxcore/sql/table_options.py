"""The WITH options of tables: those that all have, and the check of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core import registry
from fluxcore.core.duration import duration_ms
from fluxcore.core.ports import Option, TableDescription
from fluxcore.errors import ScriptError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

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
