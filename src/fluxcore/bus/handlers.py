"""What a handler wants, read from its signature: the payload as a type, the event, lists of either, or an Arrow batch."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

import numpy as np
import pyarrow as pa

from fluxcore.bus.batch_event import BatchEvent
from fluxcore.bus.errors import BusError
from fluxcore.bus.event import ID, KEY, NO_HEADERS, SUBJECT, TIME, Event
from fluxcore.bus.payloads import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import CodeType

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


_ARROW = (pa.RecordBatch, pa.Table)


@dataclass(frozen=True, slots=True)
class Handler:
    """A user's function, ready to be called: ``call(event)``, or ``call(events)`` where ``takes_many``.

    ``takes_batches``: an Arrow batch comes as it is, as the only event of a call; otherwise its rows come as single events.
    ``payload`` is the type that it wants payloads as, None for any.
    """

    name: str
    function: Callable[..., Any]
    call: Callable[[Any], Any]
    is_async: bool
    takes_many: bool
    takes_batches: bool
    payload: Any


def handler_of(function: Callable[..., Any]) -> Handler:
    """Return how to call a handler. Its parameters are the payload and, if it wants it, the event; or lists of either.

    Raises: ``BusError`` FX-BUS-0105 for a signature that fits no event.
    """
    name = f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', repr(function))}"
    called = function if inspect.isroutine(function) else type(function).__call__
    parameters = [each for each in inspect.signature(function).parameters.values() if each.kind in _POSITIONAL]
    needed = [each for each in parameters if each.default is inspect.Parameter.empty]
    if len(needed) > 2:
        hint = "write (payload), (payload, event) or (event: fx.Event)"
        raise BusError("FX-BUS-0105", f"the handler {name} has {len(needed)} parameters", hint=hint)
    hints = _hints(function, name)
    wants = [hints.get(each.name) for each in (needed or parameters[:1])]
    is_async = inspect.iscoroutinefunction(called)
    first = wants[0] if wants else None
    if first is BatchEvent or first in _ARROW:
        return Handler(name, function, _arrow(function, wants), is_async, True, True, None)
    if get_origin(first) is list:
        return Handler(name, function, _many(function, wants), is_async, True, False, _element(first))
    if {Event, BatchEvent} == set(get_args(first)):
        return Handler(name, function, function, is_async, False, True, None)
    payload = next((each for each in wants if each is not Event), None)
    return Handler(name, function, _one(function, wants), is_async, False, False, payload)


def code_of(function: Callable[..., Any]) -> CodeType | None:
    """Return the code of a function, or of an object that can be called; None where it isn't written in Python."""
    called = function if inspect.isroutine(function) else type(function).__call__
    return getattr(inspect.unwrap(called), "__code__", None)


def arrow_batch(events: Sequence[Event]) -> pa.RecordBatch:
    """Return the payloads of events as columns. Raises ``BusError`` FX-BUS-0203 for payloads that are no records."""
    rows = [plain(event.data) for event in events]
    if not all(isinstance(row, dict) for row in rows):
        raise BusError("FX-BUS-0203", "a batch needs payloads that have fields", hint="take a list of payloads instead")
    try:
        return pa.RecordBatch.from_pylist(rows)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        hint = "give a field the same type in all events, or take a list of payloads instead"
        raise BusError("FX-BUS-0203", f"payloads that don't fit into one batch: {error}", hint=hint) from error


def batch_of(events: Sequence[Event]) -> BatchEvent:
    """Return events as one batch, with what each of them has of its own. Raises ``BusError`` FX-BUS-0203."""
    if isinstance(events[0], BatchEvent):
        return events[0]
    first, last = events[0], events[-1]
    found = BatchEvent(first.subject, arrow_batch(events), None, NO_HEADERS, None, first.time_ms)
    found.stand_at(first.topic, min(event.offset for event in events), max(event.offset for event in events) + 1)
    if last.offset - first.offset + 1 != len(events) or found.offset != first.offset:
        found.places = np.array([event.offset for event in events])
    own = {
        SUBJECT: pa.array([event.subject for event in events], pa.string()),
        KEY: pa.array([event.key for event in events], pa.string()),
        ID: pa.array([event.given_id for event in events], pa.string()),
        TIME: pa.array([event.time_ms for event in events], pa.int64()).cast(pa.timestamp("ms", "UTC")),
    }
    found.envelope = pa.RecordBatch.from_pydict(own)
    return found


def _one(function: Callable[..., Any], wants: Sequence[Any]) -> Callable[[Event], Any]:
    if not wants:
        return lambda event: function()  # noqa: ARG005
    if wants[0] is Event:
        return function
    kind = wants[0]
    if len(wants) == 1:
        if kind in (None, Any, object):
            return lambda event: function(event.data)
        return lambda event: function(event.data_as(kind))
    if kind in (None, Any, object):
        return lambda event: function(event.data, event)
    return lambda event: function(event.data_as(kind), event)


def _many(function: Callable[..., Any], wants: Sequence[Any]) -> Callable[[Sequence[Event]], Any]:
    kind = _element(wants[0])

    def payloads(events: Sequence[Event]) -> Any:
        return list(events) if kind is Event else [event.data_as(kind) for event in events]

    if len(wants) == 1:
        return lambda events: function(payloads(events))
    return lambda events: function(payloads(events), list(events))


def _arrow(function: Callable[..., Any], wants: Sequence[Any]) -> Callable[[Sequence[Event]], Any]:
    """Return a call with one batch. Its second parameter is the batch event, or a list of single events."""
    first = wants[0]

    def payload(events: Sequence[Event]) -> Any:
        if first is BatchEvent:
            return batch_of(events)
        event = events[0]
        batch = event.data if isinstance(event, BatchEvent) else arrow_batch(events)
        return pa.Table.from_batches([batch]) if first is pa.Table else batch

    def each(events: Sequence[Event]) -> list[Event]:
        return events[0].events() if isinstance(events[0], BatchEvent) else list(events)

    if len(wants) == 1:
        return lambda events: function(payload(events))
    if wants[1] in (Event, BatchEvent):

        def call(events: Sequence[Event]) -> Any:
            batch = batch_of(events)
            return function(payload([batch]), batch)

        return call
    return lambda events: function(payload(events), each(events))


def _element(hint: Any) -> Any:
    arguments = get_args(hint)
    return arguments[0] if arguments else None


def _hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    called = function if inspect.isroutine(function) else type(function).__call__
    try:
        return get_type_hints(called)
    except NameError as error:
        hint = "types of a handler must be known where it is registered; those of a function's body are not"
        raise BusError("FX-BUS-0105", f"the handler {name}: {error}", hint=hint) from error
    except TypeError:  # a function that is not written in Python has no annotations
        return {}
