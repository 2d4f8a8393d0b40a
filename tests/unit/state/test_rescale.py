"""Frozen state is divided by the key groups of its rows; what belongs to a row goes with it."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.core.frozen import beside, keyed, shared
from fluxcore.state.keygroups import tasks_of
from fluxcore.state.rescale import split

ROWS = st.lists(
    st.tuples(st.sampled_from([None, "a", "b", "c", "d", "e", "f"]), st.lists(st.integers(0, 9), max_size=3)),
    max_size=12,
)


def frozen(rows, number):
    """Return rows with a key, and the values of each in a batch of their own, which name the row by its number."""
    keys = pa.RecordBatch.from_pydict(
        {"n": pa.array([number] * len(rows), pa.int64()), "key": pa.array([key for key, _ in rows], pa.string())}
    )
    values = [(place, value) for place, (_, values) in enumerate(rows) for value in values]
    inner = [(index, value) for index, (_, value) in enumerate(values)]
    return {
        "inner": beside(batch(inner, ("place", "value")), 0, "values"),
        "values": beside(batch(values, ("place", "value")), 0, "keys"),
        "keys": keyed(keys, [1]),
        "low": shared(batch([(number,)], ("low",)), "min"),
        "high": shared(batch([(number,)], ("high",)), "max"),
        "same": shared(batch([(7,), (8,)], ("same",)), "same"),
    }


def batch(rows, names):
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pa.RecordBatch.from_arrays([pa.array(column, pa.int64()) for column in columns], list(names))


def whole(state):
    """Return (key, values) by what the batches say, and check that inner values stand beside equal ones."""
    values = state["values"].to_pylist()
    assert [values[each["place"]]["value"] for each in state["inner"].to_pylist()] == [
        each["value"] for each in state["inner"].to_pylist()
    ]
    return [
        (row["key"], [each["value"] for each in values if each["place"] == place])
        for place, row in enumerate(state["keys"].to_pylist())
    ]


@given(rows=st.lists(ROWS, min_size=1, max_size=3), parallelism=st.integers(1, 4))
def test_rows_go_where_the_exchange_sends_their_keys(rows, parallelism):
    states = split([frozen(each, number) for number, each in enumerate(rows)], parallelism)
    assert len(states) == parallelism
    everything = [row for each in rows for row in each]
    tasks = tasks_of([pa.array([key for key, _ in everything], pa.string())], len(everything), parallelism)
    for task, state in enumerate(states):
        assert whole(state) == [row for row, at in zip(everything, tasks, strict=True) if at == task]
        assert state["low"].to_pylist() == [{"low": 0}]
        assert state["high"].to_pylist() == [{"high": len(rows) - 1}]
        assert state["same"].column(0).to_pylist() == [7, 8]
    again = split(states, 1)
    assert sorted(map(str, whole(again[0]))) == sorted(map(str, everything))


def test_without_keys_all_rows_are_the_first_task_s():
    only = keyed(batch([(1,), (2,)], ("v",)), ())
    assert [each["v"].num_rows for each in split([{"v": only}], 3)] == [2, 0, 0]


def test_what_does_not_say_how_it_is_divided_is_refused():
    with pytest.raises(ValueError, match="'v' does not say"):
        split([{"v": batch([(1,)], ("v",))}], 2)
