"""The changes of a ranking of groups, added up, are the ranking of the final groups."""

from __future__ import annotations

from collections import Counter

import duckdb
import pyarrow as pa
import pytest

import fluxcore as fx

QUERY = """
SELECT {columns} FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY m ORDER BY n {way}, k) AS place
  FROM (SELECT k, MOD(k, 3) AS m, COUNT(*) AS n FROM events GROUP BY k)
) WHERE place <= 4
"""


@pytest.mark.parametrize("parallelism", ["1", "2", "3"])
@pytest.mark.parametrize("columns", ["k, n, place", "k, n"])
@pytest.mark.parametrize("way", ["DESC", "ASC"])
def test_changes_add_up(parallelism, columns, way):
    keys = [number * number % 97 for number in range(3000)]
    events = pa.table({"k": pa.array(keys, pa.int64())})
    session = fx.Session({"parallelism.default": parallelism})
    session.from_arrow([pa.RecordBatch.from_arrays([pa.array(keys[i : i + 100])], ["k"]) for i in range(0, 3000, 100)],
                       name="events")  # fmt: skip
    found = Counter()
    for batch in session.sql(QUERY.format(columns=columns, way=way)).batches(changelog=True):
        for row in batch.to_pylist():
            found[tuple(row.values())[1:]] += 1 if row["op"] in ("+I", "+U") else -1
    wanted = Counter(duckdb.sql(QUERY.format(columns=columns, way=way)).fetchall())
    assert {row: count for row, count in found.items() if count} == wanted
    assert events.num_rows == 3000
