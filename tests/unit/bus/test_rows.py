"""Events as rows of a log, and back."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.bus import rows
from fluxcore.bus.errors import BusError
from fluxcore.bus.event import NO_HEADERS, Event, StoredEvent

TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


@dataclass
class Order:
    id: str
    amount: Decimal
    at: dt.datetime


def table(events: list[Event]) -> pa.RecordBatch:
    """Return events as rows, in the way in which the log encodes them."""
    columns = zip(*(rows.plain_row(event) for event in events), strict=True)
    arrays = [pa.array(column, type_) for column, type_ in zip(columns, rows.PLAIN.types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=rows.PLAIN)


@st.composite
def events(draw: st.DrawFn) -> Event:
    event = Event(
        draw(TEXT),
        draw(VALUES | st.binary(max_size=8)),
        draw(st.none() | TEXT),
        draw(st.dictionaries(TEXT, TEXT, max_size=2)),
        draw(st.none() | TEXT),
        draw(st.integers(0, 4_000_000_000_000)),
    )
    event.priority = draw(st.integers(-5, 5))
    event.not_before_ms = draw(st.none() | st.integers(0, 4_000_000_000_000))
    event.expires_ms = draw(st.none() | st.integers(0, 4_000_000_000_000))
    return event


@given(st.lists(events(), min_size=1, max_size=6))
def test_what_was_written_is_read(written: list[Event]) -> None:
    read = rows.events_of(table(written), range(7, 7 + len(written)), "t")
    names = ("subject", "data", "key", "headers", "given_id", "time_ms", "priority", "not_before_ms", "expires_ms")
    for number, (mine, its) in enumerate(zip(written, read, strict=True)):
        assert {name: getattr(mine, name) for name in names} == {name: getattr(its, name) for name in names}
        assert (its.topic, its.offset, its.attempt, its.reply_to) == ("t", 7 + number, 1, None)


def test_payloads_are_decoded_as_what_is_wanted() -> None:
    order = Order("o-1", Decimal("1.10"), dt.datetime(2024, 1, 1, tzinfo=dt.UTC))
    (event,) = rows.events_of(table([Event("orders", order, None, NO_HEADERS, None, 0)]), [0], "orders")
    assert isinstance(event, StoredEvent)
    assert event.data_as(Order) == order
    assert event.data == {"id": "o-1", "amount": "1.10", "at": "2024-01-01T00:00:00Z"}
    assert event.data_as(bytes) == event.raw
    with pytest.raises(BusError) as caught:
        event.data_as(int)
    assert caught.value.code == "FX-BUS-0201"
    with pytest.raises(AttributeError):
        _ = event.nothing  # type: ignore[attr-defined]


def test_a_header_that_is_no_text_is_refused() -> None:
    headers: Any = {"retries": 3}
    with pytest.raises(BusError) as caught:
        rows.plain_row(Event("a", 1, None, headers, None, 0))
    assert caught.value.code == "FX-BUS-0204"


def test_a_batch_becomes_rows_without_copies() -> None:
    payload = pa.record_batch({"id": [1, 2], "region": ["eu", None], "at": pa.array([0, 1], pa.timestamp("us", "UTC"))})
    shared = Event("orders.bulk", None, None, {"a": "b"}, None, 1_700_000_000_000)
    found = rows.batch_rows(payload, shared, key="region", id="id")
    assert not rows.is_plain(found.schema)
    assert found.column("id").buffers()[1].address == payload.column("id").buffers()[1].address
    assert rows.payload_of(found).equals(payload)
    assert rows.payload_schema(found.schema).equals(payload.schema)
    first, second = rows.events_of(found, [10, 12], "orders")
    assert (first.subject, first.key, first.id, first.offset) == ("orders.bulk", "eu", "1", 10)
    assert (second.key, second.given_id, second.headers, second.offset) == (None, "2", {"a": "b"}, 12)
    assert first.data == {"id": 1, "region": "eu", "at": dt.datetime(1970, 1, 1, tzinfo=dt.UTC)}
    assert first.time_ms == 1_700_000_000_000


def test_a_column_may_name_the_subject() -> None:
    payload = pa.record_batch({"where": ["a.b", "a.c"]})
    found = rows.batch_rows(payload, Event("a", None, "k", NO_HEADERS, None, 0), subject="where")
    assert [(each.subject, each.key) for each in rows.events_of(found, [0, 1], "a")] == [("a.b", "k"), ("a.c", "k")]


@pytest.mark.parametrize(
    ("payload", "options", "code"),
    [
        (pa.record_batch({"$x": [1]}), {}, "FX-BUS-0205"),
        (pa.RecordBatch.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"]), {}, "FX-BUS-0205"),
        (pa.record_batch({"a": [1]}), {"key": "b"}, "FX-BUS-0206"),
        (pa.record_batch({"a": [[1]]}), {"key": "a"}, "FX-BUS-0206"),
        (pa.record_batch({"a": pa.array([None], pa.string())}), {"subject": "a"}, "FX-BUS-0206"),
    ],
)
def test_a_batch_that_makes_no_events_is_refused(payload: pa.RecordBatch, options: dict[str, Any], code: str) -> None:
    with pytest.raises(BusError) as caught:
        rows.batch_rows(payload, Event("a", None, None, NO_HEADERS, None, 0), **options)
    assert caught.value.code == code
