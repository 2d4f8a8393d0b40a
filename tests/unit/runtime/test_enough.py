"""Sources that are read for a LIMIT alone end when it has its rows, whatever stands between; others are read to their end."""

from __future__ import annotations

import pyarrow as pa
import pytest

from fluxcore.api.session import Session
from fluxcore.plan.enough import read_for_limits
from fluxcore.plan.nodes import Scan

ENDLESS = """
CREATE TABLE numbers (id BIGINT, k INT, ts AS CAST(TIMESTAMPADD(SECOND, CAST(id AS INT), TIMESTAMP '2024-01-01 00:00:00') AS TIMESTAMP(3)),
  WATERMARK FOR ts AS ts)
WITH ('connector' = 'datagen', 'rows-per-second' = '1000000', 'fields.id.kind' = 'sequence', 'fields.id.start' = '1',
  'fields.id.end' = '1000000000', 'fields.k.min' = '1', 'fields.k.max' = '4');
CREATE TABLE silent (k INT) WITH ('connector' = 'datagen', 'rows-per-second' = '1', 'fields.k.min' = '1', 'fields.k.max' = '4');
CREATE VIEW few AS SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS x (k, name);
"""


@pytest.mark.parametrize("parallelism", ["1", "2"])
@pytest.mark.parametrize(
    "query",
    [
        "SELECT n.k, name FROM numbers AS n JOIN few ON n.k = few.k LIMIT 5",
        "SELECT k FROM numbers WHERE k IN (SELECT k FROM few) LIMIT 2 OFFSET 3",
        "SELECT * FROM (SELECT n.k FROM numbers AS n JOIN few ON n.k = few.k LIMIT 5) UNION ALL SELECT k FROM (SELECT * FROM silent LIMIT 1)",
        "SELECT window_end, COUNT(*) AS c FROM TABLE(TUMBLE(TABLE numbers, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) "
        "GROUP BY window_start, window_end LIMIT 5",
    ],
)
def test_an_endless_query_ends_with_its_limit(query: str, parallelism: str) -> None:
    session = Session({"parallelism.default": parallelism})
    session.execute(ENDLESS)
    rows = session.sql(query).to_arrow()
    assert rows.num_rows == {"UNION": 6, "OFFSET": 2}.get(next((w for w in ("UNION", "OFFSET") if w in query), ""), 5)


def test_windows_before_the_limit_are_whole() -> None:
    session = Session({"parallelism.default": "2"})
    session.execute(ENDLESS)
    query = (
        "SELECT window_end, COUNT(*) AS c FROM TABLE(TUMBLE(TABLE numbers, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) "
        "GROUP BY window_start, window_end LIMIT 4"
    )
    assert session.sql(query).to_arrow()["c"].to_pylist() == [59, 60, 60, 60]


def test_who_wants_all_rows_gets_them() -> None:
    session = Session({"parallelism.default": "2"})
    session.from_arrow(pa.table({"k": [1, 2, 3] * 50_000}), name="numbers")
    session.execute("CREATE VIEW few AS SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS x (k, name)")
    limited = session.sql("SELECT name FROM numbers AS n JOIN few ON n.k = few.k LIMIT 2")
    whole = session.sql("SELECT k FROM numbers WHERE k < 3")
    some, every = session.collect(limited, whole)
    assert (some.num_rows, every.num_rows) == (2, 100_000)


def test_only_what_is_read_for_limits_alone_may_end() -> None:
    session = Session()
    session.execute(ENDLESS)

    def names(*queries: str) -> dict[str, int]:
        roots = [session.sql(query).node for query in queries]
        found = read_for_limits(roots)
        return {scan.table.name: len(limits) for scan, limits in found.items() if isinstance(scan, Scan)}

    limited = "SELECT n.k FROM numbers AS n JOIN silent AS s ON n.k = s.k LIMIT 3"
    assert names(limited) == {"numbers": 1, "silent": 1}
    assert names(limited, "SELECT k FROM silent") == {"numbers": 1}
    assert names(limited, "SELECT k FROM silent LIMIT 7") == {"numbers": 1, "silent": 2}
    assert names("SELECT n.k FROM numbers AS n JOIN (SELECT * FROM silent LIMIT 3) AS s ON n.k = s.k") == {"silent": 1}
    assert names("SELECT k FROM numbers") == {}
