"""What TO_CHANGELOG asks of the operators below it stays between them: other queries of the job are not touched by it."""

from __future__ import annotations

import pyarrow as pa
import pytest

from fluxcore.api.session import Session
from fluxcore.connectors.collect import CollectSink
from fluxcore.plan.changelog import told_changes

VIEWS = """
CREATE VIEW grouped AS SELECT k, COUNT(*) AS c FROM numbers GROUP BY k;
CREATE VIEW latest AS SELECT k, n FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY n DESC) AS r FROM numbers) WHERE r = 1;
CREATE VIEW windows AS SELECT window_end, COUNT(*) AS c FROM TABLE(TUMBLE(TABLE numbers, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY window_start, window_end;
"""
ROWS = 300


def session(parallelism: str = "2") -> Session:
    made = Session({"parallelism.default": parallelism})
    times = pa.array([each * 100 for each in range(ROWS)], pa.timestamp("ms"))
    data = pa.table({"k": [each % 3 for each in range(ROWS)], "n": list(range(ROWS)), "ts": times})
    made.from_arrow(data, name="numbers", watermark=("ts", "0 s"))
    made.execute(VIEWS)
    return made


@pytest.mark.parametrize("parallelism", ["1", "2"])
@pytest.mark.parametrize(
    ("view", "last"),
    [
        ("grouped", [(0, 100), (1, 100), (2, 100)]),
        ("latest", [(0, 297), (1, 298), (2, 299)]),
    ],
)
def test_a_query_beside_one_that_tells_changes_gives_its_final_table(
    view: str, last: list[tuple[int, int]], parallelism: str
) -> None:
    made = session(parallelism)
    plain = made.sql(f"SELECT * FROM {view}")
    changes = made.sql(f"SELECT op FROM TO_CHANGELOG(input => TABLE {view})")
    table, told = made.collect(plain, changes)
    assert sorted(zip(*table.to_pydict().values(), strict=True)) == last
    counts = {kind: told["op"].to_pylist().count(kind) for kind in ("INSERT", "UPDATE_BEFORE", "UPDATE_AFTER")}
    assert counts == {"INSERT": 3, "UPDATE_BEFORE": 297, "UPDATE_AFTER": 297}


def test_a_join_of_a_table_with_its_own_changes_is_a_final_table() -> None:
    joined = session().sql(
        "SELECT a.k, a.c, op FROM grouped AS a JOIN TO_CHANGELOG(input => TABLE grouped) AS b ON a.k = b.k AND b.c = 1"
    )
    rows = [tuple(row.values()) for row in joined.to_arrow().to_pylist()]
    assert sorted(rows) == sorted((k, 100, op) for k in range(3) for op in ("INSERT", "UPDATE_BEFORE"))


def test_rows_that_are_never_taken_back_are_not_worked_on_one_by_one() -> None:
    made = session()
    assert told_changes([made.sql("SELECT * FROM TO_CHANGELOG(input => TABLE windows)").node]) == set()
    assert told_changes([made.sql("SELECT * FROM TO_CHANGELOG(input => TABLE grouped)").node]) != set()


def test_told_changes_come_out_in_batches() -> None:
    made = session("1")
    sink = CollectSink()
    told = made.sql("SELECT * FROM TO_CHANGELOG(input => TABLE grouped)")
    made.target.start([(told.node, sink)], made.settings).result()
    assert sum(batch.rows for batch in sink.batches) == 2 * ROWS - 3
    assert len(sink.batches) == 1
