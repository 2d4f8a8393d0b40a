"""The bus as programs make it: ``fx.Bus``, whose conditions are SQL."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec
import numpy as np
import pyarrow as pa

from fluxcore.api.bus_schemas import schema_of
from fluxcore.api.shared import shared_session
from fluxcore.bus import bus as _bus
from fluxcore.bus.errors import BusError
from fluxcore.bus.payloads import field
from fluxcore.bus.transports.file.layout import folder_of
from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import from_arrow
from fluxcore.errors import FluxError, nearest
from fluxcore.expr.compile import compile_predicate
from fluxcore.expr.fold import fold
from fluxcore.expr.pushdown import bounds
from fluxcore.expr.simplify import simplify_condition
from fluxcore.sql import ast
from fluxcore.sql.bind_expressions import ExpressionBinder
from fluxcore.sql.lexer import tokens
from fluxcore.sql.parser import Parser
from fluxcore.sql.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from fluxcore.api.session import Session
    from fluxcore.api.stream import Stream
    from fluxcore.api.watermarks import Watermark
    from fluxcore.bus.event import Event
    from fluxcore.bus.ports import Transport
    from fluxcore.core.ports import Bound
    from fluxcore.expr.nodes import Expr

    Predicate = Callable[[pa.RecordBatch], pa.BooleanArray]

_OF_ANY_TYPE = frozenset(("FX-SQL-0205", "FX-SQL-0207", "FX-SQL-0210"))
"""Sub-queries, aggregates and functions that don't exist."""


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
        super().__init__(url, transport=transport, conditions=condition, schemas=schema_of)

    def table(
        self,
        topic: str,
        *,
        schema: pa.Schema | Schema | None = None,
        live: bool = False,
        watermark: Watermark | None = None,
        session: Session | None = None,
        options: Mapping[str, str] | None = None,
    ) -> Stream:
        """Return a topic as a stream of its payloads, which is also a table of that name for SQL in the same session.

        In: ``schema`` the fields that are wanted; without it those that the topic is declared with. ``live`` goes on with what comes;
        else it ends with what is there when it is read. ``watermark`` as in :meth:`Session.read`; ``session`` the one that the table
        belongs to, else that of ``fx.sql``; ``options`` more of the connector ``frys``, such as ``subjects``.

        Raises: ``BusError`` FX-BUS-0115 for a bus that is in no folder, FX-BUS-0116 for a topic without a schema.
        """
        if not self.url.startswith("file:"):
            hint = "make it with fx.Bus('file:./data')"
            raise BusError("FX-BUS-0115", f"the bus '{self.url}' keeps no topics that can be read as tables", hint=hint)
        columns = schema
        if columns is None:
            declaration = folder_of(self.url).declaration(topic)
            columns = None if declaration is None else declaration.payload_schema()
        if columns is None:
            hint = "say schema=pa.schema([...]) here, or declare the topic with one"
            raise BusError("FX-BUS-0116", f"the fields of topic '{topic}' are not known", hint=hint)
        given = {
            "connector": "frys",
            "bus": self.url,
            "topic": topic,
            "scan.bounded.mode": "unbounded" if live else "latest-offset",
            **(options or {}),
        }
        found = columns if isinstance(columns, Schema) else Schema.from_arrow(columns)
        return (session or shared_session()).from_connector(topic, found, given, watermark)


def condition(text: str, payload: Any) -> SqlCondition:
    """Return a SQL condition as a function of events. Fields are found by name, and a payload without a field has NULL there.

    In: ``payload`` the type of the payloads where it is known. The types are those that the values have.

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
    found = SqlCondition(text, tree, names)
    found.check()
    return found


class SqlCondition:
    """A condition that was parsed. It is compiled once for each combination of types that its fields have."""

    def __init__(self, text: str, tree: Any, names: tuple[str, ...]) -> None:
        self._text = text
        self._tree = tree
        self._names = names
        self._compiled: dict[tuple[pa.DataType, ...], Predicate] = {}

    def check(self) -> None:
        """Raise ``ScriptError`` for what is no condition whatever the types of its fields are."""
        try:
            self._bound([pa.null()] * len(self._names))
        except FluxError as error:
            if not self._names or error.code in _OF_ANY_TYPE:
                raise error.located(self._text) from None

    def __call__(self, events: Sequence[Event]) -> Sequence[bool | Exception]:
        """Return for each event whether the condition holds, or why that can't be told."""
        try:
            columns = [pa.array([field(event.data, name) for event in events]) for name in self._names]
            return self._mask(columns, len(events)).to_pylist()
        except Exception as error:  # noqa: BLE001  (a payload of the user's may raise anything when it is looked at)
            if len(events) > 1:  # one that is unlike the others shall not decide for them
                return [each for event in events for each in self([event])]
            return [self._unknown(error)]

    def rows(self, batch: pa.RecordBatch) -> tuple[NDArray[np.bool_], list[tuple[int, int, Exception]]]:
        """Return for each row whether the condition holds, and the ranges of rows for which that can't be told."""
        places = (batch.schema.get_field_index(name) for name in self._names)
        columns = [batch.column(place) if place >= 0 else pa.nulls(batch.num_rows) for place in places]
        try:
            self._predicate(columns)
        except Exception as error:  # noqa: BLE001  (the rows shall not be lost, whatever it is)
            return np.zeros(batch.num_rows, np.bool_), [(0, batch.num_rows, self._unknown(error))]
        mask = np.zeros(batch.num_rows, np.bool_)
        unknown: list[tuple[int, int, Exception]] = []
        self._tell(columns, 0, mask, unknown)
        return mask, unknown

    def bounds(self, schema: pa.Schema) -> tuple[Bound, ...]:
        """Return simple comparisons, all of which a row of a schema meets where the condition holds."""
        places = [schema.get_field_index(name) for name in self._names]
        if not places or min(places) < 0:
            return ()
        try:
            found = bounds(simplify_condition(fold(self._bound([schema.field(place).type for place in places]))))
        except Exception:  # noqa: BLE001
            return ()
        return tuple(dataclasses.replace(each, column=places[each.column]) for each in found)

    def _tell(
        self, columns: list[pa.Array], start: int, mask: NDArray[np.bool_], unknown: list[tuple[int, int, Exception]]
    ) -> None:
        """Fill the mask from ``start`` on. Rows among which some can't be told are halved until those stand alone."""
        count = len(mask)
        try:
            mask[:] = self._mask(columns, count).to_numpy(zero_copy_only=False)
        except Exception as error:  # noqa: BLE001  (the rows shall not be lost, whatever it is)
            if count == 1:
                unknown.append((start, start + 1, self._unknown(error)))
                return
            half = count // 2
            self._tell([each.slice(0, half) for each in columns], start, mask[:half], unknown)
            self._tell([each.slice(half) for each in columns], start + half, mask[half:], unknown)

    def _mask(self, columns: list[pa.Array], count: int) -> pa.BooleanArray:
        batch = pa.RecordBatch.from_arrays(columns, names=list(self._names)) if columns else _rows(count)
        return self._predicate(columns)(batch).fill_null(False)

    def _predicate(self, columns: Sequence[pa.Array]) -> Predicate:
        types = tuple(each.type for each in columns)
        found = self._compiled.get(types)
        if found is None:
            found = self._compiled[types] = compile_predicate(self._bound(types))
        return found

    def _bound(self, types: Sequence[pa.DataType]) -> Expr:
        schema = Schema.of(Column(name, from_arrow(type_)) for name, type_ in zip(self._names, types, strict=True))
        binder = ExpressionBinder(Scope.of(schema), place="in where")
        return binder.condition(self._tree, "where")

    def _unknown(self, error: Exception) -> BusError:
        reason = error.message if isinstance(error, FluxError) else str(error)
        return BusError("FX-BUS-0113", f"the condition {self._text} can't be told for this payload: {reason}")


def _rows(count: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(count)], names=["$none"])


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
