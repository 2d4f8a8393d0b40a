"""Windows in Python: ``fx.tumble("ts", "1 hour")``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.core.duration import duration_ms
from fluxcore.core.schema import TimeKind
from fluxcore.errors import ScriptError, nearest
from fluxcore.plan.nodes import WindowKind, WindowSpec
from fluxcore.plan.windows import is_local

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from fluxcore.core.schema import Schema

    Duration = str | int | dt.timedelta


@dataclass(frozen=True)
class Window:
    """A kind of window over a time column; lengths in ms."""

    kind: WindowKind
    time: str
    size: int
    slide: int
    offset: int = 0
    per: tuple[str, ...] = ()

    def bind(self, schema: Schema) -> WindowSpec:
        """Return the window over a schema's column. Raises ``ScriptError`` when it is not an event-time column."""
        index = event_time(schema, self.time)
        partition = []
        for name in self.per:
            found = schema.find(name)
            if found is None:
                raise ScriptError("FX-API-0001", f"there is no column '{name}'", hint=nearest(name, schema.names))
            partition.append(found)
        lengths = self.size, self.slide, self.offset
        return WindowSpec(self.kind, index, *lengths, tuple(partition), is_local(schema, index))


def tumble(time: str, size: Duration, *, offset: Duration = 0) -> Window:
    """Return windows of ``size``, one after the other."""
    length = _length(size)
    return Window(WindowKind.TUMBLE, time, length, length, duration_ms(offset))


def hop(time: str, *, size: Duration, slide: Duration, offset: Duration = 0) -> Window:
    """Return windows of ``size`` that start every ``slide``; a row falls into several of them."""
    return Window(WindowKind.HOP, time, _length(size), _length(slide), duration_ms(offset))


def cumulate(time: str, *, size: Duration, step: Duration, offset: Duration = 0) -> Window:
    """Return windows that grow by ``step`` up to ``size``, and then begin again."""
    length, growth = _length(size), _length(step)
    if length % growth:
        raise ScriptError("FX-API-0003", "the size of a cumulating window must be a multiple of its step")
    return Window(WindowKind.CUMULATE, time, length, growth, duration_ms(offset))


def session(time: str, *, gap: Duration, per: str | Sequence[str] = ()) -> Window:
    """Return sessions: rows that are equal in ``per`` and not more than ``gap`` apart from one to the next."""
    length = _length(gap)
    return Window(WindowKind.SESSION, time, length, length, per=(per,) if isinstance(per, str) else tuple(per))


def event_time(schema: Schema, name: str) -> int:
    """Return the position of an event-time column. Raises ``ScriptError`` FX-API-0001, 0002."""
    index = schema.find(name)
    if index is None:
        raise ScriptError("FX-API-0001", f"there is no column '{name}'", hint=nearest(name, schema.names))
    if schema[index].time is not TimeKind.EVENT:
        hint = f"give the source a watermark on it: watermark=('{name}', '5 seconds')"
        raise ScriptError("FX-API-0002", f"column '{name}' is no event time", hint=hint)
    return index


def _length(value: Duration) -> int:
    try:
        length = duration_ms(value)
    except ValueError as error:
        raise ScriptError("FX-API-0003", str(error)) from error
    if length == 0:
        raise ScriptError("FX-API-0003", "the length of a window must be more than 0")
    return length
