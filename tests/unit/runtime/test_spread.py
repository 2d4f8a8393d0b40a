"""Operators whose rows lie in the right tasks already run there, without an exchange, and answer as with one."""

from __future__ import annotations

import pyarrow as pa
import pytest

import fluxcore as fx
from fluxcore.connectors.collect import CollectSink
from fluxcore.plan.optimizer import optimize
from fluxcore.runtime.build import Options, build

BY_BOTH = "SELECT a.k, a.c, COUNT(*) AS n, SUM(b.v) AS s FROM a JOIN b ON a.k = b.k GROUP BY a.k, a.c"
QUERIES = {
    "group by the key and more": (BY_BOTH, 2),
    "group by something else": ("SELECT a.c, SUM(b.v) AS s FROM a JOIN b ON a.k = b.k GROUP BY a.c", 4),
    "through a projection": ("SELECT x, MAX(y) AS m FROM (SELECT b.v + 1 AS y, a.k AS x FROM a JOIN b ON a.k = b.k) GROUP BY x", 2),
    "the key is computed away": ("SELECT x, COUNT(*) AS n FROM (SELECT a.k + 1 AS x FROM a JOIN b ON a.k = b.k) GROUP BY x", 4),
    "twice": (f"SELECT k, MAX(s) AS m FROM ({BY_BOTH}) GROUP BY k", 2),
    "of a right join, whose left keys may be missing": (
        "SELECT a.k, COUNT(*) AS n FROM a RIGHT JOIN b ON a.k = b.k GROUP BY a.k", 4),
    "a ranking": (
        "SELECT k, v FROM (SELECT a.k, b.v, ROW_NUMBER() OVER (PARTITION BY a.k ORDER BY b.v DESC) AS r "
        "FROM a JOIN b ON a.k = b.k) WHERE r = 1", 2),
}  # fmt: skip


def rows_of(query: str, parallelism: int) -> tuple[list[tuple[object, ...]], int]:
    """Return the rows of a query, in order, and how many tasks its job has."""
    session = fx.Session({"parallelism.default": str(parallelism)})
    session.from_arrow(pa.table({"k": [i % 20 for i in range(40)], "c": [i % 3 for i in range(40)]}), name="a")
    session.from_arrow(pa.table({"k": [i % 25 for i in range(500)], "v": list(range(500))}), name="b")
    (plan,), _ = optimize([session.sql(query).node])
    sink = CollectSink()
    job = build([(plan, sink)], Options(session.settings))
    job.start().result()
    found = [
        row
        for batch in sink.batches
        for row in zip(*(column.to_pylist() for column in batch.data.columns), strict=True)
    ]
    return sorted(found, key=repr), len(job._parts.tasks)


@pytest.mark.parametrize("name", list(QUERIES))
def test_only_where_needed_rows_are_sent_again(name: str) -> None:
    query, tasks = QUERIES[name]
    alone, _ = rows_of(query, 1)
    together, found = rows_of(query, 2)
    assert together == alone == rows_of(query, 3)[0]
    assert found == tasks
