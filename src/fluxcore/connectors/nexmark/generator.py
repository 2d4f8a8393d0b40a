"""The events of the Nexmark benchmark: persons, auctions and bids, 1 : 3 : 46, by event number.

Proportions, ids, hot keys, prices and sizes are those of the generator of nexmark/nexmark (``GeneratorConfig``,
``PersonGenerator``, ``AuctionGenerator``, ``BidGenerator``); the random numbers are our own, so that any range of events can
be made by any thread and is the same every time. One thing differs: a bidder's id is moved up by 1000 once, as a person's
is; the original does it twice, so that its bids name people who come much later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.connectors.nexmark import generator_kernels as kernels
from fluxcore.connectors.nexmark.config import NexmarkConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Int64s = NDArray[np.int64]

FIRST_ID = 1000
FIRST_CATEGORY, CATEGORIES = 10, 5

_ACTIVE_PEOPLE = 1000
_IN_FLIGHT = 100
_LEAD = 10
_HOT = 100
_LATER_CHANNELS = 10_000
_STATES = ["AZ", "CA", "ID", "OR", "WA", "WY"]
_CITIES = [
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
]
_FIRST_NAMES = ["Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"]
_LAST_NAMES = ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"]
_HOT_CHANNELS = ["Google", "Facebook", "Baidu", "Apple"]


@dataclass(frozen=True)
class Generator:
    """Makes columns of events; safe for any number of threads."""

    config: NexmarkConfig = field(default_factory=NexmarkConfig)

    def numbers(self, table: str, first: int, last: int) -> Int64s:
        """Return the event numbers of one table's rows among the events ``first`` to ``last`` - 1."""
        place = np.arange(self.config.share(table), dtype=np.int64) + self.config.start(table)
        epochs = np.arange(first // self.config.total, -(-last // self.config.total), dtype=np.int64)
        events = (epochs[:, None] * self.config.total + place).reshape(-1)
        return events[np.searchsorted(events, first) : np.searchsorted(events, last)]

    def columns(self, table: str, events: Int64s, names: Sequence[str]) -> list[pa.Array]:
        """Return columns of a table, by name, for its rows at these event numbers.

        Out: ``int64``, ``string`` and ``timestamp[us]`` arrays without nulls, as ``SCHEMAS`` says.
        """
        rows = _MAKERS[table](self.config, events)
        return [rows.column(name) for name in names]

    def batch(self, table: str, first: int, last: int, names: Sequence[str]) -> pa.RecordBatch:
        """Return the rows of a table among the events ``first`` to ``last`` - 1."""
        arrays = self.columns(table, self.numbers(table, first, last), names)
        return pa.RecordBatch.from_arrays(arrays, list(names))


class _Rows:
    """Rows being made: numbers that several columns need are computed once. A field is a column of random numbers."""

    def __init__(self, config: NexmarkConfig, events: Int64s) -> None:
        self.config = config
        self.events = events
        self._kept: dict[Any, Any] = {}

    def column(self, name: str) -> pa.Array:
        """Return one of the table's columns."""
        if name not in self._kept:
            self._kept[name] = self.times() if name == "dateTime" else self.make(name)
        return self._kept[name]

    def make(self, name: str) -> pa.Array:
        raise NotImplementedError

    def uniform(self, field: int) -> NDArray[np.float64]:
        """Return a number in [0, 1) per row."""
        if field not in self._kept:
            out = np.empty(len(self.events))
            kernels.uniform(self.config.seed, field, self.events, out)
            self._kept[field] = out
        found: NDArray[np.float64] = self._kept[field]
        return found

    def below(self, field: int, bound: Any) -> Int64s:
        """Return a whole number from 0 to ``bound`` - 1 per row."""
        return (self.uniform(field) * bound).astype(np.int64)

    def last_person(self) -> Int64s:
        """Return the id (from 0) of the newest person at each event."""
        config = self.config
        place = np.minimum(self.events % config.total, config.persons - 1)
        return np.maximum(self.events // config.total * config.persons + place, 0)

    def last_auction(self) -> Int64s:
        """Return the id (from 0) of the newest auction at each event."""
        config = self.config
        place = np.clip(self.events % config.total - config.persons, -1, config.auctions - 1)
        return np.maximum(self.events // config.total * config.auctions + place, 0)

    def any_person(self, field: int) -> Int64s:
        """Return an id (from 0) of an active person, or of one who comes soon."""
        people = self.last_person() + 1
        active = np.minimum(people, _ACTIVE_PEOPLE)
        return people - active + self.below(field, active + _LEAD)

    def price(self, field: int) -> Int64s:
        """Return a price in cents: 100 times ten to a power of 0 to 6."""
        return np.rint(np.exp(self.uniform(field) * (6.0 * np.log(10.0))) * 100.0).astype(np.int64)

    def times_ms(self, ahead: int = 0) -> Int64s:
        """Return the time of each event, or of the one ``ahead`` events later."""
        return self.config.base_ms + (self.events + ahead) * 1000 // self.config.rate

    def times(self) -> pa.Array:
        """Return the event times as timestamps."""
        return _timestamps(self.times_ms())

    def text(self, field: int, lengths: Any, between: str = "") -> pa.Array:
        """Return texts of small letters, one in 13 replaced by ``between`` where it is given."""
        count = len(self.events)
        offsets = np.zeros(count + 1, np.int32)
        np.cumsum(lengths, out=offsets[1:])
        size = int(offsets[-1])
        out = np.empty(size + kernels.TEXT_PADDING, np.uint8)
        kernels.letters(self.config.seed, field, self.events, offsets, out)
        if between:
            kernels.put_between(self.config.seed, field + 200, self.events, offsets, ord(between), out)
        return pa.Array.from_buffers(
            pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(out).slice(0, size)]
        )

    def short_text(self, field: int, longest: int, between: str = " ") -> pa.Array:
        """Return texts of 3 to ``longest`` - 1 letters."""
        return self.text(field, 3 + self.below(field + 100, longest - 3), between)

    def padding(self, field: int, current: Any, wanted: int) -> pa.Array:
        """Return texts that bring an event of ``current`` bytes to ``wanted`` bytes, a fifth of the rest more or less."""
        rest = np.maximum(wanted - np.broadcast_to(current, len(self.events)), 0)
        delta = np.floor(rest * 0.2 + 0.5).astype(np.int64)
        return self.text(field, rest - delta + self.below(field + 100, 2 * delta))

    def pick(self, field: int, words: Sequence[str]) -> pa.Array:
        """Return one of some words per row."""
        return pa.array(words).take(pa.array(self.below(field, len(words))))

    def bytes_of(self, *names: str) -> Int64s:
        """Return how many bytes the texts of these columns have together."""
        sizes = [
            np.diff(np.frombuffer(self.column(name).buffers()[1], np.int32)[: len(self.events) + 1]) for name in names
        ]
        return np.sum(sizes, axis=0, dtype=np.int64)


def _timestamps(times_ms: Int64s) -> pa.Array:
    return pa.array(times_ms * 1000).view(pa.timestamp("us"))


class _Persons(_Rows):
    def make(self, name: str) -> pa.Array:
        match name:
            case "id":
                return pa.array(self.last_person() + FIRST_ID)
            case "name":
                return pc.binary_join_element_wise(self.pick(20, _FIRST_NAMES), self.pick(21, _LAST_NAMES), " ")
            case "emailAddress":
                parts = (self.short_text(22, 7), "@", self.short_text(23, 5), ".com")
                return pc.binary_join_element_wise(*parts, "")
            case "creditCard":
                groups = [
                    pc.utf8_lpad(pa.array(self.below(24 + i, 10_000)).cast(pa.string()), 4, "0") for i in range(4)
                ]
                return pc.binary_join_element_wise(*groups, " ")
            case "city":
                return self.pick(28, _CITIES)
            case "state":
                return self.pick(29, _STATES)
        current = 8 + self.bytes_of("name", "emailAddress", "creditCard", "city", "state")
        return self.padding(30, current, self.config.person_bytes)


class _Auctions(_Rows):
    def make(self, name: str) -> pa.Array:
        match name:
            case "id":
                return pa.array(self.last_auction() + FIRST_ID)
            case "itemName":
                return self.short_text(40, 20)
            case "description":
                return self.short_text(41, 100)
            case "initialBid":
                return pa.array(self.price(42))
            case "reserve":
                return pa.array(self.price(42) + self.price(43))
            case "expires":
                return _timestamps(self.times_ms() + 1 + self.below(44, self._horizon_ms()))
            case "seller":
                hot = self.last_person() // _HOT * _HOT
                chosen = np.where(self.below(45, self.config.hot_sellers) > 0, hot, self.any_person(46))
                return pa.array(chosen + FIRST_ID)
            case "category":
                return pa.array(FIRST_CATEGORY + self.below(47, CATEGORIES))
        return self.padding(48, 48 + self.bytes_of("itemName", "description"), self.config.auction_bytes)

    def _horizon_ms(self) -> Int64s:
        """Return twice the time in which as many auctions open as are open at once."""
        ahead = _IN_FLIGHT * self.config.total // self.config.auctions
        return np.maximum(2 * (self.times_ms(ahead) - self.times_ms()), 1)


class _Bids(_Rows):
    def make(self, name: str) -> pa.Array:
        match name:
            case "auction":
                last = self.last_auction()
                lowest = np.maximum(last - _IN_FLIGHT, 0)
                some = lowest + self.below(1, last - lowest + 1 + _LEAD)
                chosen = np.where(self.below(0, self.config.hot_auctions) > 0, last // _HOT * _HOT, some)
                return pa.array(chosen + FIRST_ID)
            case "bidder":
                hot = self.last_person() // _HOT * _HOT + 1  # the second, so that it isn't the hot seller
                chosen = np.where(self.below(2, self.config.hot_bidders) > 0, hot, self.any_person(3))
                return pa.array(chosen + FIRST_ID)
            case "price":
                return pa.array(self.price(4))
            case "channel" | "url":
                later = len(_HOT_CHANNELS) + self.below(7, _LATER_CHANNELS)
                number = np.where(self.below(5, 2) > 0, self.below(6, len(_HOT_CHANNELS)), later)
                return _channels()[name].take(pa.array(number))
        return self.padding(8, 32, self.config.bid_bytes)


_MAKERS: dict[str, type[_Rows]] = {"person": _Persons, "auction": _Auctions, "bid": _Bids}


@cache
def _channels() -> dict[str, pa.Array]:
    """Return names and addresses of the hot channels and of ten thousand others, whatever the seed."""
    count = len(_HOT_CHANNELS) + _LATER_CHANNELS
    rows = _Rows(NexmarkConfig(seed=7), np.arange(count, dtype=np.int64))
    parts = [rows.short_text(field, 5, "_") for field in range(3)]
    pages = pc.binary_join_element_wise("https://www.nexmark.com", *parts, "item.htm?query=1", "/")
    named = rows.below(5, 10) > 0
    tails = [""] * count
    for number in range(_LATER_CHANNELS):
        if named[len(_HOT_CHANNELS) + number]:
            reversed_bits = int(f"{number:032b}"[::-1], 2)
            tails[len(_HOT_CHANNELS) + number] = f"&channel_id={min(reversed_bits, 2**32 - reversed_bits)}"
    names = [*_HOT_CHANNELS, *(f"channel-{number}" for number in range(_LATER_CHANNELS))]
    return {"channel": pa.array(names), "url": pc.binary_join_element_wise(pages, pa.array(tails), "")}
