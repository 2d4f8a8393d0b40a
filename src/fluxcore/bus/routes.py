"""Routes: events of some subjects are published again under others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fluxcore.bus.errors import BusError
from fluxcore.bus.payloads import field
from fluxcore.bus.subjects import check_subject

if TYPE_CHECKING:
    from fluxcore.bus.event import Event
    from fluxcore.bus.subjects import Pattern

HOPS = "frys-hops"
"""The header that counts how often an event was routed on."""

_HOPS_MAX = 16
_PART = re.compile(r"\{(\w+)\}")


class Route:
    """Where the events of ``patterns`` go: ``to`` is a subject with ``{1}`` for what a wildcard stood for, or ``{name}`` for a named
    one or a field of the payload; ``{key}`` and ``{subject}`` are the event's.

    Raises: ``BusError`` FX-BUS-0108 for a target that is no subject.
    """

    def __init__(self, patterns: tuple[Pattern, ...], to: str) -> None:
        self._patterns = patterns
        self._to = to
        try:
            check_subject(_PART.sub("x", to))
        except BusError as error:
            raise BusError("FX-BUS-0108", f"'{to}' is no subject to route to", hint=error.hint) from None

    def target(self, event: Event) -> tuple[str, dict[str, str]]:
        """Return the subject and the headers that an event goes on with.

        Raises: ``BusError`` FX-BUS-0109 where a part of the subject is not in the event, or the event goes in a circle.
        """
        captured = next((found for each in self._patterns if (found := each.captures(event.subject)) is not None), {})

        def part(match: re.Match[str]) -> str:
            name = match[1]
            value = captured.get(name)
            if value is None:
                value = getattr(event, name) if name in ("key", "subject") else field(event.data, name)
            if value is None:
                raise BusError("FX-BUS-0109", f"an event of '{event.subject}' has no '{name}' to route it by")
            return str(value)

        hops = int(event.headers.get(HOPS, "0")) + 1
        if hops > _HOPS_MAX:
            raise BusError(
                "FX-BUS-0109", f"an event of '{event.subject}' was routed {_HOPS_MAX} times: routes go in a circle"
            )
        return check_subject(_PART.sub(part, self._to)), {**event.headers, HOPS: str(hops)}
