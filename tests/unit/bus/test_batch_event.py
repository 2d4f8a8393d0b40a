"""A batch of the bus taken apart: its rows keep their offsets, whatever is cut away or left out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

import fluxcore as fx
from fluxcore.bus.batch_event import record_batch


def batch_event(rows: int, offset: int = 100) -> fx.BatchEvent:
    """Return a batch whose column n is each row's offset."""
    batch = pa.RecordBatch.from_pydict({"n": np.arange(offset, offset + rows)})
    event = fx.BatchEvent("orders.eu", batch, "k", {"h": "1"}, None, 1_700_000_000_000)
    event.stand_at("orders", offset)
    return event


def offsets(event: fx.BatchEvent) -> list[int]:
    """Return the offsets of the rows, which are also in their payload."""
    found: list[int] = event.offsets().tolist()
    assert event.data.column(0).to_pylist() == found
    assert event.offset <= found[0] <= found[-1] < event.end
    return found


@given(st.integers(1, 30), st.data())
def test_cuts(rows: int, data: st.DataObject) -> None:
    event, expected = batch_event(rows), list(range(100, 100 + rows))
    for _ in range(data.draw(st.integers(0, 4))):
        cut = data.draw(st.sampled_from(["select", "slice", "since"]))
        if cut == "select":
            mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(expected), max_size=len(expected))))
            if not mask.any():
                continue
            span = event.offset, event.end
            event, expected = event.select(mask), [each for each, yes in zip(expected, mask, strict=True) if yes]
            assert (event.offset, event.end) == span
        elif cut == "slice":
            start = data.draw(st.integers(0, len(expected) - 1))
            stop = data.draw(st.integers(start + 1, len(expected) + 2))
            before, after = event.slice(0, start) if start else None, event
            event, expected = event.slice(start, stop), expected[start:stop]
            assert before is None or before.end == event.offset
            assert event.end <= after.end
        else:
            offset = data.draw(st.integers(95, 135))
            found, expected_now = event.since(offset), [each for each in expected if each >= offset]
            assert (found is None) == (not expected_now)
            if found is not None:
                event, expected = found, expected_now
        assert offsets(event) == expected
    events = event.events()
    assert [each.offset for each in events] == [each.data["n"] for each in events] == expected
    assert {(each.subject, each.key, each.topic, each.headers["h"]) for each in events} == {
        ("orders.eu", "k", "orders", "1")
    }


def test_rows_have_what_is_their_own() -> None:
    event = batch_event(3)
    event.priority = 7
    event.envelope = pa.RecordBatch.from_pydict({"$key": ["a", None, "c"], "$time": [1, 2, 3]})
    kept = event.select(np.array([True, False, True]))
    assert kept.has_keys()
    assert [(each.key, each.time_ms, each.offset, each.priority) for each in kept.events()] == [
        ("a", 1, 100, 7),
        ("c", 3, 102, 7),
    ]
    kept.attempt = 2
    assert event.attempt == 1
    assert event.cloud_event()["data"] == [{"n": 100}, {"n": 101}, {"n": 102}]


def test_a_table_is_one_batch() -> None:
    table = pa.table({"n": pa.chunked_array([[1, 2], [3]])})
    assert record_batch(table).column(0).to_pylist() == [1, 2, 3]
    assert record_batch(table.slice(0, 0)).num_rows == 0
    assert record_batch(table.slice(0, 0)).schema == table.schema
