"""The connector ``nexmark``: options and columns of a table of made events."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fluxcore.connectors.nexmark.config import BASE_TIME_MS, SCHEMAS, NexmarkConfig
from fluxcore.core.ports import Connector, Option
from fluxcore.core.types import INT, RowType, same
from fluxcore.errors import ScriptError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fluxcore.core.ports import ScanRequest, Source, TableDescription
    from fluxcore.core.types import DataType
    from fluxcore.errors import Span

_SIZE = re.compile(r"\s*(\d+)\s*(b|bytes)?\s*")

_CONFIG_OPTIONS = {
    "first-event.rate": "rate",
    "base-time": "base_ms",
    "seed": "seed",
    "person.proportion": "persons",
    "auction.proportion": "auctions",
    "bid.proportion": "bids",
    "bid.hot-ratio.auctions": "hot_auctions",
    "bid.hot-ratio.bidders": "hot_bidders",
    "auction.hot-ratio.sellers": "hot_sellers",
}
_SIZE_OPTIONS = {"person.avg-size": "person_bytes", "auction.avg-size": "auction_bytes", "bid.avg-size": "bid_bytes"}
_SMALLEST = {"base-time": None, "seed": 0, "person.proportion": 0, "auction.proportion": 0, "bid.proportion": 0}


class NexmarkConnector(Connector):
    """Makes persons, auctions and bids; columns are found by name.

    With ``table`` a row is one person, auction or bid. Without it a row is any event, as in nexmark-flink: ``event_type``
    (0 person, 1 auction, 2 bid) and the rows ``person``, ``auction`` and ``bid``, of which one is not NULL.
    """

    name = "nexmark"
    options = (
        Option("table", "enum", choices=tuple(SCHEMAS), help="Only these events, as a flat table.", extension=True),
        Option("events.num", "integer", "0", help="How many events of all kinds; with 0 the table never ends."),
        Option("first-event.rate", "integer", "10000", help="Events of all kinds per second of event time."),
        Option("next-event.rate", "integer", help="Accepted for nexmark-flink's sake; the rate doesn't change."),
        Option("rate.limited", "boolean", "false", help="Whether events wait for their time (see rate-limit)."),
        Option("max-emit-speed", "boolean", "true", help="The opposite of rate.limited."),
        Option("rate-limit", "integer", help="Events of all kinds per second of real time at most.", extension=True),
        Option(
            "base-time", "integer", str(BASE_TIME_MS), help="Time of the first event, ms since 1970.", extension=True
        ),
        Option("seed", "integer", "1", help="Chooses the random numbers.", extension=True),
        Option("person.proportion", "integer", "1", help="Persons among each round of events."),
        Option("auction.proportion", "integer", "3", help="Auctions among each round of events."),
        Option("bid.proportion", "integer", "46", help="Bids among each round of events."),
        Option("person.avg-size", "memory", "200b", help="Average size of a person."),
        Option("auction.avg-size", "memory", "500b", help="Average size of an auction."),
        Option("bid.avg-size", "memory", "100b", help="Average size of a bid, its channel and url not counted."),
        Option("bid.hot-ratio.auctions", "integer", "2", help="All but one in so many bids are for a hot auction."),
        Option("bid.hot-ratio.bidders", "integer", "4", help="All but one in so many bids are by a hot bidder."),
        Option("auction.hot-ratio.sellers", "integer", "4", help="All but one in so many auctions are a hot seller's."),
    )

    def validate(self, table: TableDescription) -> None:
        """Check options and columns.

        Raises: ``ScriptError`` FX-CON-0120 for columns that the events don't have, FX-CON-0123 for a number that is too
        small or no size.
        """
        _config(table)
        for key, smallest in (("events.num", 0), ("rate-limit", 1), ("next-event.rate", 1)):
            _number(table, key, smallest)
        kind = table.options.get("table")
        if kind is not None:
            pairs = ((column.name, column.type) for column in table.schema)
            _check_fields(kind, pairs, table.span)
            return
        for column in table.schema:
            if column.name == "event_type" and same(column.type, INT):
                continue
            if column.name not in SCHEMAS:
                hint = nearest(column.name, ["event_type", *SCHEMAS]) or "set 'table' = 'bid' for a table of bids"
                message = f"an event has no '{column.name}'; it has event_type, person, auction and bid"
                raise ScriptError("FX-CON-0120", message, span=table.span, hint=hint)
            if not isinstance(column.type, RowType):
                message = f"'{column.name}' must be a ROW of the columns of a {column.name}"
                raise ScriptError("FX-CON-0120", message, span=table.span, hint="ROW<id BIGINT, …>")
            _check_fields(column.name, column.type.fields, table.span)

    def source(self, request: ScanRequest) -> Source:
        """Return the source."""
        from fluxcore.connectors.nexmark.source import NexmarkSource  # compiled code is loaded only to make events

        return NexmarkSource(request, _config(request.table), rate_limit(request.table.options))


def rate_limit(options: Mapping[str, str]) -> int | None:
    """Return how many events per second of real time are handed out at most, or None."""
    if "rate-limit" in options:
        return int(options["rate-limit"])
    waits = options.get("rate.limited", "false").lower() == "true"
    if waits or options.get("max-emit-speed", "true").lower() == "false":
        return int(options.get("first-event.rate", "10000"))
    return None


def _config(table: TableDescription) -> NexmarkConfig:
    given: dict[str, int] = {}
    for key, name in _CONFIG_OPTIONS.items():
        value = _number(table, key, _SMALLEST.get(key, 1))
        if value is not None:
            given[name] = value
    for key, name in _SIZE_OPTIONS.items():
        if key in table.options:
            found = _SIZE.fullmatch(table.options[key].lower())
            if found is None:
                raise _wrong(table, key, "it must be a number of bytes, such as '100b'")
            given[name] = int(found[1])
    config = NexmarkConfig(**given)
    if config.total == 0 or (config.auctions == 0 and config.bids == 0 and config.persons == 0):
        raise _wrong(table, "bid.proportion", "at least one proportion must be larger than 0")
    return config


def _number(table: TableDescription, key: str, smallest: int | None) -> int | None:
    if key not in table.options:
        return None
    value = int(table.options[key])
    if smallest is not None and value < smallest:
        raise _wrong(table, key, f"it must be at least {smallest}")
    return value


def _wrong(table: TableDescription, key: str, why: str) -> ScriptError:
    message = f"'{table.options.get(key, '')}' is no value for '{key}': {why}"
    return ScriptError("FX-CON-0123", message, span=table.spans.get(key, table.span))


def _check_fields(kind: str, fields: Iterable[tuple[str, DataType]], span: Span | None) -> None:
    known = SCHEMAS[kind]
    for name, type_ in fields:
        index = known.find(name)
        if index is None:
            hint = nearest(name, known.names) or f"it has {', '.join(known.names)}"
            raise ScriptError("FX-CON-0120", f"a {kind} has no '{name}'", span=span, hint=hint)
        if not same(known[index].type, type_):
            message = f"'{name}' of a {kind} is {known[index].type.name()}, not {type_.name()}"
            raise ScriptError("FX-CON-0120", message, span=span)
