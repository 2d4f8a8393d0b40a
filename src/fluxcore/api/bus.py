"""The bus as programs make it: ``fx.Bus``, whose conditions are SQL."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec
import pyarrow as pa

from fluxcore.bus import bus as _bus
from fluxcore.bus.errors import BusError
from fluxcore.bus.payloads import field
from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import from_arrow
from fluxcore.errors import FluxError, nearest
from fluxcore.expr.compile import compile_predicate
from fluxcore.sql import ast
from fluxcore.sql.bind_expressions import ExpressionBinder
from fluxcore.sql.lexer import tokens
from fluxcore.sql.parser import Parser
from fluxcore.sql.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.bus.event import Event
    from fluxcore.bus.ports import Transport

    Predicate = Callable[[pa.RecordBatch], pa.BooleanArray]


class Bus(_bus.Bus):
    """An event bus by its address: ``memory:`` forgets all with the process, ``file:./data`` keeps it in a folder.

    ::

        bus = fx.Bus("memory:")

        @bus.on("orders.*.created", group="billing", where="amount > 100", max_in_flight=64)
        async def bill(order: Order, event: fx.Event) -> None: ...

        async with bus:
            receipt = await bus.publish("orders.eu.created", Order(amount=120), key="o-17")

    It belongs to one event loop: that of ``async with bus``, or of the first ``await bus.publish(…)``. In a script a plain
    ``with bus`` runs one on a thread of its own, and ``bus.publish(…).result()`` waits for the receipt.

    Raises: ``BusError`` FX-BUS-0001 for an address that no transport knows.
    """

    def __init__(self, url: str = "memory:", *, transport: Transport | None = None) -> None:
        super().__init__(url, transport=transport, conditions=condition)


def condition(text: str, payload: Any) -> Callable[[Sequence[Event]], Sequence[bool | FluxError]]:
    """Return a SQL condition as a function of events: for each whether it holds, or why that can't be told.

    In: ``payload`` the type of the payloads where it is known. Fields are found by name, and a payload without a field has NULL
    there. The types are those that the values have.

    Raises: ``ScriptError`` for what is no condition, ``BusError`` FX-BUS-0112 for a field that the type doesn't have.
    """
    try:
        parser = Parser(tokens(text))
        tree = parser.expression()
        if not parser.at_end():
            raise parser.unexpected("nothing more")
    except FluxError as error:
        raise error.located(text) from None
    names = tuple(dict.fromkeys(_names(tree)))
    _check_names(names, payload, text)
    compiled: dict[tuple[pa.DataType, ...], Predicate] = {}

    def predicate(types: tuple[pa.DataType, ...]) -> Predicate:
        found = compiled.get(types)
        if found is None:
            schema = Schema.of(Column(name, from_arrow(type_)) for name, type_ in zip(names, types, strict=True))
            binder = ExpressionBinder(Scope.of(schema), place="in where")
            found = compiled[types] = compile_predicate(binder.condition(tree, "where"))
        return found

    def holds(events: Sequence[Event]) -> list[bool | FluxError]:
        try:
            columns = [pa.array([field(event.data, name) for event in events]) for name in names]
            batch = pa.RecordBatch.from_arrays(columns, names=list(names)) if names else _rows(len(events))
            mask = predicate(tuple(batch.schema.types))(batch)
        except (FluxError, pa.ArrowInvalid, pa.ArrowTypeError, msgspec.DecodeError) as error:
            if len(events) > 1:  # one that is unlike the others shall not decide for them
                return [each for event in events for each in holds([event])]
            return [_unknown(text, error)]
        return [bool(value) for value in mask.to_pylist()]

    return holds


def _rows(count: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(count)], names=["$none"])


def _unknown(text: str, error: Exception) -> BusError:
    reason = error.message if isinstance(error, FluxError) else str(error)
    return BusError("FX-BUS-0113", f"the condition {text} can't be told for this payload: {reason}")


def _names(tree: Any) -> list[str]:
    """Return the fields that a condition reads."""
    if isinstance(tree, ast.Name):
        return [tree.parts[0]]
    if isinstance(tree, tuple | list):
        return [name for each in tree for name in _names(each)]
    if isinstance(tree, ast.Tree):
        return [name for each in dataclasses.fields(tree) for name in _names(getattr(tree, each.name))]
    return []


def _check_names(names: Sequence[str], payload: Any, text: str) -> None:
    if not isinstance(payload, type) or not (
        dataclasses.is_dataclass(payload) or issubclass(payload, msgspec.Struct) or hasattr(payload, "model_fields")
    ):
        return
    known = get_type_hints(payload)
    for name in names:
        if name not in known:
            message = f"the condition {text} reads '{name}', which {payload.__name__} doesn't have"
            raise BusError("FX-BUS-0112", message, hint=nearest(name, known) or f"it has {', '.join(known)}")
