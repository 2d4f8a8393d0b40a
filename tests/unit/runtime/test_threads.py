"""How many worker threads a job gets."""

from __future__ import annotations

import pyarrow as pa
import pytest
from pyarrow import parquet

from fluxcore.api.session import Session
from fluxcore.core.settings import Settings
from fluxcore.limits import SMALL_JOB_ROWS_MAX
from fluxcore.runtime.threads import with_threads


def plan(session, query):
    return next(step.select.plan for step in session.steps(session.bind(query)) if step.select is not None)


@pytest.mark.parametrize(
    ("rows", "threads"), [(10, "1"), (SMALL_JOB_ROWS_MAX, "1"), (SMALL_JOB_ROWS_MAX + 1, "0")], ids=str
)
def test_little_input_takes_one_thread(tmp_path, rows, threads):
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"a": pa.array(range(rows), pa.int32())}), path)
    script = f"CREATE TABLE t (a INT) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'parquet');"
    query = plan(Session(), f"{script} SELECT a, COUNT(*) FROM t GROUP BY a;")
    assert with_threads([query], Settings()).text("parallelism.default") == threads


def test_a_number_that_is_asked_for_stays():
    query = plan(Session(), "SELECT a, COUNT(*) FROM (VALUES (1), (2)) AS t(a) GROUP BY a;")
    assert with_threads([query], Settings()).parallelism == 1
    assert with_threads([query], Settings().with_value("parallelism.default", "3")).parallelism == 3


def test_input_without_an_end_takes_all_processors():
    script = "CREATE TABLE t (a INT) WITH ('connector' = 'datagen');"
    query = plan(Session(), f"{script} SELECT a FROM t;")
    assert with_threads([query], Settings()).text("parallelism.default") == "0"
