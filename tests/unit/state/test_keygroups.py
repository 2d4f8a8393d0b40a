"""The rows of each task in one pass are those whose key group belongs to it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.state.keygroups import rows_of_tasks, tasks_of


@given(
    keys=st.lists(st.tuples(st.none() | st.integers(-5, 5), st.none() | st.sampled_from(["", "a", "b"])), max_size=50),
    parallelism=st.integers(1, 7),
)
def test_one_pass_gives_the_rows_of_each_task(keys, parallelism):
    columns = [pa.array([a for a, _ in keys], pa.int64()), pa.array([b for _, b in keys], pa.string())]
    found = rows_of_tasks(columns, parallelism)
    tasks = tasks_of(columns, len(keys), parallelism)
    assert [rows.tolist() for rows in found] == [np.flatnonzero(tasks == task).tolist() for task in range(parallelism)]
