"""Routes: events of some subjects are published again under others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from fluxcore.bus.batch_event import BatchEvent
from fluxcore.bus.errors import BusError
from fluxcore.bus.payloads import field
from fluxcore.bus.subjects import check_subject

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.bus.event import Event
    from fluxcore.bus.subjects import Pattern

HOPS = "frys-hops"
"""The header that counts how often an event was routed on."""

_HOPS_MAX = 16
_OWN = ("key", "subject")
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

    def targets(self, event: Event) -> list[Event]:
        """Return what is to be published for an event: it again, or the rows of a batch, those of one subject in one batch.

        Raises: ``BusError`` FX-BUS-0109 where a part of the subject is not in the event, or the event goes in a circle.
        """
        headers = {**event.headers, HOPS: str(self._hops(event))}
        captured = next((found for each in self._patterns if (found := each.captures(event.subject)) is not None), {})
        parts = [name for name in _PART.findall(self._to) if name not in captured]
        if not isinstance(event, BatchEvent):
            values = {name: getattr(event, name) if name in _OWN else field(event.data, name) for name in parts}
            return [event.again(self._subject(event, {**values, **captured}), headers)]
        return [
            rows.again(self._subject(event, {**values, **captured}), headers) for rows, values in _split(event, parts)
        ]

    def _subject(self, event: Event, values: Mapping[str, Any]) -> str:
        def part(match: re.Match[str]) -> str:
            value = values[match[1]]
            if value is None:
                raise BusError("FX-BUS-0109", f"an event of '{event.subject}' has no '{match[1]}' to route it by")
            return str(value)

        return check_subject(_PART.sub(part, self._to))

    def _hops(self, event: Event) -> int:
        hops = int(event.headers.get(HOPS, "0")) + 1
        if hops > _HOPS_MAX:
            raise BusError(
                "FX-BUS-0109", f"an event of '{event.subject}' was routed {_HOPS_MAX} times: routes go in a circle"
            )
        return hops


def _split(event: BatchEvent, names: Sequence[str]) -> list[tuple[BatchEvent, dict[str, Any]]]:
    """Return the rows that have the same values of some fields together, in the order of their first rows."""
    values: list[list[Any]] = []
    codes = np.zeros(event.data.num_rows, np.int64)
    for name in names:
        column = event.column(name)
        encoded = column.dictionary_encode(null_encoding="encode")
        values.append(encoded.dictionary.to_pylist())
        codes = codes * len(values[-1]) + encoded.indices.to_numpy()
    found, first, group = np.unique(codes, return_index=True, return_inverse=True)
    parts = []
    for number in np.argsort(first).tolist():
        row = int(found[number])
        chosen: dict[str, Any] = {}
        for name, each in zip(reversed(names), reversed(values), strict=True):
            row, place = divmod(row, len(each))
            chosen[name] = each[place]
        parts.append((event.select(group == number) if len(found) > 1 else event, chosen))
    return parts
