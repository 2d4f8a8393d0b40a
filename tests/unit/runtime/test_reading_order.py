"""Of two bounded sources that meet in a timeless join the smaller is read first, and the larger is not kept."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fluxcore as fx
from fluxcore.connectors.collect import CollectSink
from fluxcore.plan.nodes import Node
from fluxcore.plan.optimizer import optimize
from fluxcore.runtime.build import Options, build
from fluxcore.runtime.job import Job


def session_of(parallelism: str = "2", large: int = 200_000) -> fx.Session:
    session = fx.Session({"parallelism.default": parallelism})
    small = pa.table(
        {"k": range(50), "name": [f"n{i}" for i in range(50)], "ts": pa.array(range(50), pa.timestamp("ms"))}
    )
    big = pa.table(
        {"k": [i % 70 for i in range(large)], "v": range(large), "ts": pa.array(range(large), pa.timestamp("ms"))}
    )
    session.from_arrow(small, name="small", watermark=("ts", "1 s"))
    session.from_arrow(big, name="big", watermark=("ts", "1 s"))
    return session


def ended(session: fx.Session, node: Node) -> Job:
    """Run a plan and return its job."""
    (best,), _ = optimize([node])
    job = build([(best, CollectSink())], Options(session.settings))
    job.start().result()
    return job


def waiting(session: fx.Session, node: Node) -> list[tuple[str, list[str]]]:
    """Return each source of a plan with those that are read before it."""
    job = ended(session, node)
    return sorted(
        (stage.name.split(",")[0], [each.name.split(",")[0] for each in stage.first]) for stage in job._parts.sources
    )


JOINED = "SELECT name, v FROM big JOIN small ON big.k = small.k"


@pytest.mark.parametrize("query", [JOINED, JOINED.replace("big JOIN small", "small JOIN big"),
                                   JOINED.replace("JOIN", "LEFT JOIN"), "SELECT v FROM big WHERE k IN (SELECT k FROM small)"])  # fmt: skip
def test_the_smaller_side_comes_first(query: str) -> None:
    session = session_of()
    assert waiting(session, session.sql(query).node) == [("Scan(big)", ["Scan(small)"]), ("Scan(small)", [])]


@pytest.mark.parametrize("how", ["union", "interval", "as of", "window"])
def test_sources_that_meet_in_time_are_read_together(how: str) -> None:
    session = session_of()
    big, small = session.table("big"), session.table("small")
    met = {
        "union": lambda: big.select("k").union(small.select("k")),
        "interval": lambda: big.join(small, on=["k"], within=("1 s", "1 s")),
        "as of": lambda: big.join_as_of(small, on=["k"]),
        "window": lambda: big.window(fx.tumble("ts", "1 s")).join(small.window(fx.tumble("ts", "1 s")), on=["k"]),
    }
    assert [first for _, first in waiting(session, met[how]().node)] == [[], []]


def test_a_table_that_is_looked_up_in_comes_first() -> None:
    session = session_of()
    looked_up = "SELECT v, name FROM {} JOIN {} FOR SYSTEM_TIME AS OF PROCTIME() AS t ON {}.k = t.k"
    asked = session.sql(looked_up.format("big", "small", "big"))
    assert waiting(session, asked.node) == [("Scan(big)", ["Scan(small)"]), ("Scan(small)", [])]
    asked = session.sql(looked_up.format("small", "big", "small"))
    assert waiting(session, asked.node) == [("Scan(big)", []), ("Scan(small)", ["Scan(big)"])]
    same = session.sql("SELECT a.v FROM big a JOIN big FOR SYSTEM_TIME AS OF PROCTIME() AS t ON a.k = t.v")
    assert waiting(session, same.node) == [("Scan(big)", [])]
    both = session.sql(
        "SELECT v FROM big JOIN small FOR SYSTEM_TIME AS OF PROCTIME() AS t ON big.k = t.k UNION ALL "
        "SELECT t.v FROM small JOIN big FOR SYSTEM_TIME AS OF PROCTIME() AS t ON small.k = t.k"
    )
    assert waiting(session, both.node) == [("Scan(big)", ["Scan(small)"]), ("Scan(small)", [])]


def test_what_is_kept_is_the_smaller_side() -> None:
    session = session_of()
    job = ended(session, session.sql(JOINED).node)
    assert max(each.state_rows for each in job.metrics().operators) <= 50


@pytest.mark.parametrize("parallelism", ["1", "2", "3"])
@pytest.mark.parametrize("kind", ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
def test_the_answer_does_not_depend_on_it(parallelism: str, kind: str) -> None:
    session = session_of(parallelism, 5000)
    found = session.sql(f"SELECT name, v FROM big {kind} small ON big.k = small.k AND v > 100").to_arrow()
    names = {i: f"n{i}" for i in range(50)}
    wanted = [(names[v % 70], v) for v in range(101, 5000) if v % 70 in names]
    if kind in ("LEFT JOIN", "FULL JOIN"):
        wanted += [(None, v) for v in range(5000) if v <= 100 or v % 70 not in names]
    rows = zip(*(column.to_pylist() for column in found.columns), strict=True)
    assert sorted(rows, key=repr) == sorted(wanted, key=repr)


def test_rows_that_meet_their_groups_are_read_again_and_not_kept(tmp_path: Path) -> None:
    pq.write_table(pa.table({"k": [i % 7 for i in range(5_000)], "v": range(5_000)}), tmp_path / "rows.parquet")
    session = fx.Session({"parallelism.default": "2"})
    session.execute(
        f"CREATE TABLE t (k BIGINT, v BIGINT) WITH ('connector' = 'filesystem', 'path' = '{tmp_path}', 'format' = 'parquet')"
    )
    query = (
        "SELECT t.k, t.v FROM t JOIN (SELECT k, MAX(v) AS most FROM t GROUP BY k) AS m ON t.k = m.k AND t.v = m.most"
    )
    (best,), fired = optimize([session.sql(query).node], session.settings)
    assert "read_twice" in fired
    sink = CollectSink()
    job = build([(best, sink)], Options(session.settings))
    job.start().result()
    rows, groups = job._parts.sources
    assert (rows.first, groups.first) == ([groups], [])
    assert sorted(row["v"] for row in session.sql(query).to_arrow().to_pylist()) == list(range(4_993, 5_000))
    session.execute("SET 'fluxcore.optimizer.disabled-rules' = 'read_twice'")
    assert sorted(row["v"] for row in session.sql(query).to_arrow().to_pylist()) == list(range(4_993, 5_000))
