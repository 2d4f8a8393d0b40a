"""Streams that functions written in Python give: their plans, two streams connected, side outputs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

import pyarrow as pa

from fluxcore.core.async_call import Answer, AsyncCall
from fluxcore.core.duration import duration_ms
from fluxcore.core.ports import CustomOperator
from fluxcore.core.process import BroadcastFunction, KeyedFunction, TwoInputFunction, outputs_of
from fluxcore.core.row_function import RowFunction, Takes
from fluxcore.core.schema import Schema, TimeKind
from fluxcore.core.types import TimestampType, same
from fluxcore.errors import ScriptError, nearest
from fluxcore.plan import nodes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.api.stream import Stream
    from fluxcore.api.windows import Duration

RowSchema: TypeAlias = pa.Schema | Mapping[str, pa.DataType]
"""The columns of the rows that a function gives."""


def columns_of(schema: RowSchema, time: str | None) -> Schema:
    """Return a schema with the column ``time``, if any, as an event time. Raises ``ScriptError`` FX-API-0002."""
    columns = Schema.from_arrow(schema if isinstance(schema, pa.Schema) else pa.schema(list(schema.items())))
    if time is None:
        return columns
    index = columns.find(time)
    if index is None or not isinstance(columns[index].type, TimestampType):
        raise ScriptError("FX-API-0002", f"'{time}' is no TIMESTAMP column of the rows that come out")
    marked = replace(columns[index], time=TimeKind.EVENT)
    return Schema.of(marked if place == index else each for place, each in enumerate(columns))


def check_function(function: object, *kinds: type) -> None:
    """Raise ``ScriptError`` FX-API-0021 unless a function is of one of these kinds."""
    if isinstance(function, kinds):
        return
    names = " or ".join(f"fx.{kind.__name__}" for kind in kinds)
    made = isinstance(function, type) and issubclass(function, kinds)
    found = f"the class {function.__name__}" if isinstance(function, type) else type(function).__name__
    hint = f"make one: {function.__name__}()" if made else None  # type: ignore[attr-defined]
    raise ScriptError("FX-API-0021", f"this takes a {names}, not {found}", hint=hint)


def side_output(node: nodes.Node, name: str) -> nodes.Node:
    """Return the side output ``name`` of the function that gives a node's rows. Raises ``ScriptError`` FX-API-0020."""
    function = node.function if isinstance(node, nodes.Process | nodes.Connect) else None
    if isinstance(function, CustomOperator) and name in function.sides:
        return nodes.SideOutput(node, name, columns_of(function.sides[name], None))
    found = outputs_of(function) if isinstance(function, KeyedFunction) else {}
    if name not in found:
        hint = nearest(name, found) or "declare it in the function's class: late = fx.output({…})"
        raise ScriptError("FX-API-0020", f"there is no side output '{name}'", hint=hint)
    return nodes.SideOutput(node, name, columns_of(found[name].schema, found[name].time))


class CallSettings(TypedDict, total=False):
    """The options of :meth:`fluxcore.api.stream.Stream.map_async` as keywords."""

    timeout: Duration
    capacity: int
    ordered: bool
    retries: int
    retry_delay: Duration
    on_timeout: Callable[[dict[str, Any]], Answer] | None


@dataclass(frozen=True)
class CallOptions:
    """How often, how long and how many at a time an ``async`` function is called."""

    timeout: Duration = "10 s"
    capacity: int = 100
    ordered: bool = True
    retries: int = 0
    retry_delay: Duration = "100 ms"
    on_timeout: Callable[[dict[str, Any]], Answer] | None = None


def async_call(function: Callable[..., Any], options: CallOptions) -> AsyncCall:
    """Return a call of an ``async`` function. Raises ``ScriptError`` FX-API-0021 for another, FX-API-0003 for a length."""
    if not inspect.iscoroutinefunction(function) and not inspect.iscoroutinefunction(type(function).__call__):
        name = getattr(function, "__qualname__", type(function).__name__)
        raise ScriptError("FX-API-0021", f"{name} is no async function", hint=f"async def {name}(row): …")
    if options.capacity < 1 or options.retries < 0:
        raise ScriptError("FX-API-0003", "the capacity of calls must be at least 1, and their retries not below 0")
    try:
        lengths = [duration_ms(each) for each in (options.timeout, options.retry_delay)]
    except ValueError as error:
        raise ScriptError("FX-API-0003", str(error)) from error
    return AsyncCall(
        function, lengths[0], options.capacity, options.ordered, options.retries, lengths[1], options.on_timeout
    )


def row_function(function: Callable[..., Any], takes: Takes) -> RowFunction:
    """Return a function that keeps nothing. Raises ``ScriptError`` FX-API-0021 for what is none, or is ``async``."""
    if not callable(function):
        raise ScriptError("FX-API-0021", f"this takes a function, not {type(function).__name__}")
    found = RowFunction(function, takes)
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__):
        message = f"{found.name} is an async function, and nobody waits for it here"
        raise ScriptError("FX-API-0021", message, hint="use map_async, or def without async")
    return found


class Broadcast:
    """A stream all of whose rows go to every task of what it is connected with."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream


class Connected:
    """Two streams that one function takes."""

    def __init__(self, left: Stream, right: Stream | Broadcast) -> None:
        self._left = left
        self._right = right

    def process(
        self,
        function: TwoInputFunction | BroadcastFunction,
        *,
        by: str | Sequence[str] | Mapping[str, str] = (),
        schema: RowSchema,
        time: str | None = None,
    ) -> Stream:
        """Hand the rows of both streams to a function; return the rows that it gives.

        ``by``: the key columns, of the same names in both streams, or as ``{"left name": "right name"}``; of a broadcast
        stream only the left side has keys. ``schema`` and ``time`` as in :meth:`fluxcore.api.stream.Stream.process`.
        Raises ``ScriptError`` FX-API-0021 for a function of the wrong kind or keys of different types.
        """
        left, broadcast = self._left, isinstance(self._right, Broadcast)
        right = self._right.stream if isinstance(self._right, Broadcast) else self._right
        check_function(function, BroadcastFunction if broadcast else TwoInputFunction)
        pairs = by if isinstance(by, Mapping) else {name: name for name in ([by] if isinstance(by, str) else by)}
        left_keys = left._positions(list(pairs))
        right_keys = () if broadcast else right._positions(list(pairs.values()))
        for a, b in zip(left_keys, right_keys, strict=False):
            one, other = left.schema[a], right.schema[b]
            if not same(one.type, other.type):
                message = (
                    f"the keys {one.name} ({one.type.name()}) and {other.name} ({other.type.name()}) differ in type"
                )
                raise ScriptError("FX-API-0021", message, hint="cast one of them before")
        columns = columns_of(schema, time)
        return left._with(nodes.Connect(left.node, right.node, function, left_keys, right_keys, columns, broadcast))
