"""What the Nexmark generator can be asked for, and the columns of its three tables."""

from __future__ import annotations

from dataclasses import dataclass

from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import BIGINT, STRING, TIMESTAMP

BASE_TIME_MS = 1_436_918_400_000
"""2015-07-15 00:00:00 UTC, the first event's time unless another is asked for."""

SCHEMAS: dict[str, Schema] = {
    "person": Schema.of(
        (
            Column("id", BIGINT),
            Column("name", STRING),
            Column("emailAddress", STRING),
            Column("creditCard", STRING),
            Column("city", STRING),
            Column("state", STRING),
            Column("dateTime", TIMESTAMP),
            Column("extra", STRING),
        )
    ),
    "auction": Schema.of(
        (
            Column("id", BIGINT),
            Column("itemName", STRING),
            Column("description", STRING),
            Column("initialBid", BIGINT),
            Column("reserve", BIGINT),
            Column("dateTime", TIMESTAMP),
            Column("expires", TIMESTAMP),
            Column("seller", BIGINT),
            Column("category", BIGINT),
            Column("extra", STRING),
        )
    ),
    "bid": Schema.of(
        (
            Column("auction", BIGINT),
            Column("bidder", BIGINT),
            Column("price", BIGINT),
            Column("channel", STRING),
            Column("url", STRING),
            Column("dateTime", TIMESTAMP),
            Column("extra", STRING),
        )
    ),
}
"""The columns of the tables; a table's position here is its ``event_type`` in the wide form."""


@dataclass(frozen=True)
class NexmarkConfig:
    """Which events are made.

    In: ``seed`` chooses the random numbers; ``rate`` events per second of event time; ``base_ms`` the first event's time;
    ``persons``, ``auctions``, ``bids`` how many of each follow one another; ``*_bytes`` the average size of an event;
    ``hot_*`` how often the newest hot auction, bidder or seller is taken: all but one in so many times.
    """

    seed: int = 1
    rate: int = 10_000
    base_ms: int = BASE_TIME_MS
    persons: int = 1
    auctions: int = 3
    bids: int = 46
    person_bytes: int = 200
    auction_bytes: int = 500
    bid_bytes: int = 100
    hot_auctions: int = 2
    hot_bidders: int = 4
    hot_sellers: int = 4

    @property
    def total(self) -> int:
        """Return after how many events the kinds repeat."""
        return self.persons + self.auctions + self.bids

    def share(self, table: str) -> int:
        """Return how many of :attr:`total` events are rows of a table."""
        return {"person": self.persons, "auction": self.auctions, "bid": self.bids}[table]

    def start(self, table: str) -> int:
        """Return at which place among :attr:`total` events a table's rows begin."""
        return {"person": 0, "auction": self.persons, "bid": self.persons + self.auctions}[table]

    def rows(self, table: str, events: int) -> int:
        """Return how many of the first ``events`` events are rows of a table."""
        rest = events % self.total - self.start(table)
        return events // self.total * self.share(table) + min(max(rest, 0), self.share(table))
