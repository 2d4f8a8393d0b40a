"""What a handler wants, read from its signature: the payload as a type, the event, lists of either, or an Arrow batch."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

import pyarrow as pa

from fluxcore.bus.errors import BusError
from fluxcore.bus.event import Event
from fluxcore.bus.payloads import convert, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Handler:
    """A user's function, ready to be called: ``call(event)``, or ``call(events)`` where ``takes_many``.

    ``payload`` is the type that it wants payloads as, None for any.
    """

    name: str
    function: Callable[..., Any]
    call: Callable[[Any], Any]
    is_async: bool
    takes_many: bool
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
    if wants and _is_many(wants[0]):
        return Handler(name, function, _many(function, wants), is_async, True, _element(wants[0]))
    payload = next((each for each in wants if each is not Event), None)
    return Handler(name, function, _one(function, wants), is_async, False, payload)


def arrow_batch(events: Sequence[Event]) -> pa.RecordBatch:
    """Return the payloads of events as columns. Raises ``BusError`` FX-BUS-0203 for payloads that are no records."""
    rows = [plain(event.data) for event in events]
    if not all(isinstance(row, dict) for row in rows):
        raise BusError("FX-BUS-0203", "a batch needs payloads that have fields", hint="take a list of payloads instead")
    return pa.RecordBatch.from_pylist(rows)


def _one(function: Callable[..., Any], wants: Sequence[Any]) -> Callable[[Event], Any]:
    if not wants:
        return lambda event: function()  # noqa: ARG005
    if wants[0] is Event:
        return function
    kind = wants[0]
    if len(wants) == 1:
        if kind in (None, Any, object):
            return lambda event: function(event.data)
        return lambda event: function(convert(event.data, kind))
    if kind in (None, Any, object):
        return lambda event: function(event.data, event)
    return lambda event: function(convert(event.data, kind), event)


def _many(function: Callable[..., Any], wants: Sequence[Any]) -> Callable[[Sequence[Event]], Any]:
    first = wants[0]

    def payloads(events: Sequence[Event]) -> Any:
        if first is pa.RecordBatch:
            return arrow_batch(events)
        if first is pa.Table:
            return pa.Table.from_batches([arrow_batch(events)])
        kind = _element(first)
        return list(events) if kind is Event else [convert(event.data, kind) for event in events]

    if len(wants) == 1:
        return lambda events: function(payloads(events))
    return lambda events: function(payloads(events), list(events))


def _is_many(hint: Any) -> bool:
    return hint in (pa.RecordBatch, pa.Table) or get_origin(hint) is list


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
