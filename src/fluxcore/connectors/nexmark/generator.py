"""The events of the Nexmark benchmark: persons, auctions and bids, 1 : 3 : 46, by event number.

Proportions, ids, hot keys, prices and sizes are those of the generator of nexmark/nexmark (``GeneratorConfig``,
``PersonGenerator``, ``AuctionGenerator``, ``BidGenerator``); the random numbers are our own, so that any range of events can
be made by any thread and is the same every time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.connectors.nexmark import generator_kernels as kernels
from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import BIGINT, STRING, TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Int64s = NDArray[np.int64]

PERSONS, AUCTIONS, BIDS, ALL = 1, 3, 46, 50
FIRST_ID = 1000
FIRST_CATEGORY, CATEGORIES = 10, 5
BASE_TIME_MS = 1_436_918_400_000
"""2015-07-15 00:00:00 UTC, the first event's time unless another is asked for."""

_ACTIVE_PEOPLE, _IN_FLIGHT, _LEAD, _HOT = 1000, 100, 10, 100
_STATES = ("AZ", "CA", "ID", "OR", "WA", "WY")
_CITIES = (
    "Phoenix",
    "Los Angeles",
    "San Francisco",
    "Boise",
    "Portland",
    "Bend",
    "Redmond",
    "Seattle",
    "Kent",
    "Cheyenne",
)
_FIRST = ("Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter")
_LAST = ("Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris")
_CHANNELS = ("Google", "Facebook", "Baidu", "Apple")

SCHEMAS: dict[str, Schema] = {
    "person": Schema.of(
        Column(name, BIGINT if name == "id" else TIMESTAMP if name == "dateTime" else STRING)
        for name in ("id", "name", "emailAddress", "creditCard", "city", "state", "dateTime", "extra")
    ),
    "auction": Schema.of(
        Column(
            name,
            STRING
            if name in ("itemName", "description", "extra")
            else TIMESTAMP
            if name in ("dateTime", "expires")
            else BIGINT,
        )
        for name in (
            "id",
            "itemName",
            "description",
            "initialBid",
            "reserve",
            "dateTime",
            "expires",
            "seller",
            "category",
            "extra",
        )
    ),
    "bid": Schema.of(
        Column(name, STRING if name in ("channel", "url", "extra") else TIMESTAMP if name == "dateTime" else BIGINT)
        for name in ("auction", "bidder", "price", "channel", "url", "dateTime", "extra")
    ),
}
"""The columns of the three tables."""


@dataclass(frozen=True)
class Generator:
    """Makes columns of events. ``rate`` is events per second of event time; ``seed`` chooses the random numbers."""

    seed: int = 1
    rate: int = 10_000
    base_ms: int = BASE_TIME_MS

    def numbers(self, table: str, first: int, last: int) -> Int64s:
        """Return the event numbers of one table's rows among the events ``first`` to ``last`` - 1."""
        events = np.arange(first, last, dtype=np.int64)
        place = events % ALL
        if table == "person":
            return events[place < PERSONS]
        if table == "auction":
            return events[(place >= PERSONS) & (place < PERSONS + AUCTIONS)]
        return events[place >= PERSONS + AUCTIONS]

    def columns(self, table: str, events: Int64s, names: Sequence[str]) -> list[pa.Array]:
        """Return columns of a table, by name, for its rows at these event numbers."""
        rows = _Rows(self, events)
        make = {"person": _person, "auction": _auction, "bid": _bid}[table]
        return [make(rows, name) for name in names]


class _Rows:
    """Rows being made: numbers that several columns need are computed once."""

    def __init__(self, generator: Generator, events: Int64s) -> None:
        self.generator = generator
        self.events = events
        self._kept: dict[int, Any] = {}

    def share(self, field: int) -> Any:
        """Return a number in [0, 1) per row for a field."""
        if field not in self._kept:
            out = np.empty(len(self.events))
            kernels.uniform(self.generator.seed, self.events, field, out)
            self._kept[field] = out
        return self._kept[field]

    def below(self, field: int, bound: Any) -> Int64s:
        """Return a whole number from 0 to ``bound`` - 1 per row for a field."""
        return (self.share(field) * bound).astype(np.int64)

    def last_person(self) -> Int64s:
        """Return the id (from 0) of the newest person before each event."""
        return self.events // ALL

    def last_auction(self) -> Int64s:
        """Return the id (from 0) of the newest auction before each event."""
        epoch, place = self.events // ALL, self.events % ALL
        early = place < PERSONS
        offset = np.where(early | (place >= PERSONS + AUCTIONS), AUCTIONS - 1, place - PERSONS)
        return np.maximum((epoch - early) * AUCTIONS + offset, 0)

    def any_person(self, field: int) -> Int64s:
        """Return an id (from 0) of an active person, or of one who comes soon."""
        people = self.last_person() + 1
        active = np.minimum(people, _ACTIVE_PEOPLE)
        return people - active + self.below(field, active + _LEAD)

    def price(self, field: int) -> Int64s:
        """Return a price in cents: ten to a power of 0 to 6."""
        return np.round(np.power(10.0, self.share(field) * 6.0) * 100.0).astype(np.int64)

    def times_ms(self) -> Int64s:
        """Return the event times."""
        return self.generator.base_ms + self.events * 1000 // self.generator.rate

    def text(self, field: int, lengths: Int64s) -> pa.Array:
        """Return texts of small letters."""
        offsets = np.zeros(len(lengths) + 1, np.int32)
        np.cumsum(lengths, out=offsets[1:])
        out = np.empty(int(offsets[-1]), np.uint8)
        kernels.letters(self.generator.seed, self.events, field, offsets, out)
        return pa.Array.from_buffers(pa.string(), len(lengths), [None, pa.py_buffer(offsets), pa.py_buffer(out)])

    def extra(self, field: int, current: int, wanted: int) -> pa.Array:
        """Return texts that bring an event to ``wanted`` bytes on average, 20 % more or less."""
        delta = round(wanted * 0.2)
        return self.text(field, np.maximum(wanted - delta + self.below(field + 100, 2 * delta) - current, 0))

    def pick(self, field: int, words: Sequence[str]) -> pa.Array:
        """Return one of some words per row."""
        return pa.array(words).take(pa.array(self.below(field, len(words))))


def _timestamps(times_ms: Int64s) -> pa.Array:
    return pa.array(times_ms * 1000).view(pa.timestamp("us"))


def _bid(rows: _Rows, name: str) -> pa.Array:
    match name:
        case "auction":
            last = rows.last_auction()
            lowest = np.maximum(last - _IN_FLIGHT, 0)
            some = lowest + rows.below(1, last - lowest + 1 + _LEAD)
            return pa.array(np.where(rows.below(0, 2) > 0, last // _HOT * _HOT, some) + FIRST_ID)
        case "bidder":
            hot = rows.last_person() // _HOT * _HOT + 1
            return pa.array(np.where(rows.below(2, 4) > 0, hot, rows.any_person(3)) + FIRST_ID)
        case "price":
            return pa.array(rows.price(4))
        case "channel" | "url":
            number = np.where(rows.below(5, 2) > 0, rows.below(6, 4), 4 + rows.below(7, 10_000))
            return _channels()[name].take(pa.array(number))
        case "dateTime":
            return _timestamps(rows.times_ms())
    return rows.extra(8, 32, 100)


@cache
def _channels() -> dict[str, pa.Array]:
    """Return names and addresses of the four hot channels and ten thousand others."""
    rows = _Rows(Generator(seed=7), np.arange(10_004))
    parts = [rows.text(field, np.full(10_004, 5)) for field in range(3)]
    address = pc.binary_join_element_wise("https://www.nexmark.com/", *parts, "item.htm?query=1", "/")
    address = pc.replace_substring(address, "com//", "com/")
    ids = [int(f"{number:032b}"[::-1], 2) & 0x7FFFFFFF for number in range(10_000)]
    tails = [""] * 4 + [f"&channel_id={id_}" if number % 10 else "" for number, id_ in enumerate(ids)]
    names = [*_CHANNELS, *(f"channel-{number}" for number in range(10_000))]
    return {"channel": pa.array(names), "url": pc.binary_join_element_wise(address, pa.array(tails), "")}


def _person(rows: _Rows, name: str) -> pa.Array:
    match name:
        case "id":
            return pa.array(rows.last_person() + FIRST_ID)
        case "name":
            return pc.binary_join_element_wise(rows.pick(20, _FIRST), rows.pick(21, _LAST), " ")
        case "emailAddress":
            ends = [rows.text(22, np.full(len(rows.events), 7)), rows.text(23, np.full(len(rows.events), 5))]
            return pc.binary_join_element_wise(pc.binary_join_element_wise(*ends, "@"), ".com", "")
        case "creditCard":
            groups = [pc.utf8_lpad(pa.array(rows.below(24 + i, 10_000)).cast(pa.string()), 4, "0") for i in range(4)]
            return pc.binary_join_element_wise(*groups, " ")
        case "city":
            return rows.pick(28, _CITIES)
        case "state":
            return rows.pick(29, _STATES)
        case "dateTime":
            return _timestamps(rows.times_ms())
    return rows.extra(30, 110, 200)


def _auction(rows: _Rows, name: str) -> pa.Array:
    match name:
        case "id":
            return pa.array(rows.last_auction() + FIRST_ID)
        case "itemName":
            return rows.text(40, 3 + rows.below(41, 17))
        case "description":
            return rows.text(42, 3 + rows.below(43, 97))
        case "initialBid":
            return pa.array(rows.price(44))
        case "reserve":
            return pa.array(rows.price(44) + rows.price(45))
        case "dateTime":
            return _timestamps(rows.times_ms())
        case "expires":
            # as many events as it takes to have the auctions in flight, twice that at most
            horizon = _IN_FLIGHT * ALL // AUCTIONS * 1000 // rows.generator.rate
            return _timestamps(rows.times_ms() + 1 + rows.below(46, max(horizon * 2, 1)))
        case "seller":
            hot = rows.last_person() // _HOT * _HOT
            return pa.array(np.where(rows.below(47, 4) > 0, hot, rows.any_person(48)) + FIRST_ID)
        case "category":
            return pa.array(FIRST_CATEGORY + rows.below(49, CATEGORIES))
    return rows.extra(50, 150, 500)
