"""EXPLAIN: what is told of each node, in text and as JSON."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fluxcore as fx


@pytest.fixture
def session(tmp_path):
    pq.write_table(pa.table({"k": ["a", "b"] * 500, "v": range(1000)}), tmp_path / "rows.parquet")
    (tmp_path / "few.csv").write_text("a,1\n" * 12)
    made = fx.Session({"parallelism.default": "3"})
    made.execute(f"""
        CREATE TABLE t (k STRING, v BIGINT) WITH ('connector' = 'filesystem', 'path' = '{tmp_path}/rows.parquet', 'format' = 'parquet');
        CREATE TABLE u (k STRING, n BIGINT) WITH ('connector' = 'filesystem', 'path' = '{tmp_path}/few.csv', 'format' = 'csv');
        CREATE TABLE endless (k STRING, v BIGINT) WITH ('connector' = 'datagen');
        CREATE TABLE out1 (k STRING, c BIGINT) WITH ('connector' = 'print');
        CREATE TABLE out2 (v BIGINT) WITH ('connector' = 'print');
    """)
    return made


def test_a_node_is_told_with_changelog_tasks_state_key_and_rows(session):
    text = session.sql("SELECT k, COUNT(*) AS c FROM t WHERE v > 1 + 1 GROUP BY k").explain()
    assert text.splitlines() == [
        "Project(k, $agg0 AS c) changelog=[I,UB,UA,D] key=[k] rows=~40",
        "  Aggregate(by=[k], calls=[COUNT(*)]) changelog=[I,UB,UA,D] tasks=3 "
        "state=[a row per group, for ever] key=[k] rows=~40",
        "    Scan(t, columns=[k, v], where=(v > 2)) changelog=[I] rows=~400",
        "",
        "rules: fold_constants, push_filters",
        "parallelism: 3",
    ]


def test_sizes_are_exact_where_a_source_knows_them_and_guessed_from_bytes_elsewhere(session):
    assert "columns=[k, v]) changelog=[I] rows=1000" in session.sql("SELECT * FROM t").explain()
    assert "rows=~2\n" in session.sql("SELECT * FROM u").explain()
    assert "rows" not in session.sql("SELECT * FROM endless").explain().replace("rules", "")
    assert "limit=5) changelog=[I] rows=5" in session.sql("SELECT * FROM t LIMIT 5").explain()


def test_what_several_inserts_share_is_shown_once(session):
    plans = [
        session.bind(f"INSERT INTO {text}").statements[0].plan
        for text in ("out1 SELECT k, COUNT(*) FROM t GROUP BY k", "out2 SELECT v FROM t")
    ]
    lines = session.explain(*plans).splitlines()
    scans = [line.strip() for line in lines if "Scan" in line]
    assert scans == [
        "Scan(t, columns=[k, v]) changelog=[I] rows=1000 shared=1",
        "Scan(t, columns=[k, v]) as above, shared=1",
    ]


def test_as_json_each_node_stands_once(session):
    plans = [session.sql(text).node for text in ("SELECT k FROM t", "SELECT v, COUNT(*) AS c FROM t GROUP BY v")]
    told = json.loads(session.explain(*plans, details=("JSON_EXECUTION_PLAN",)))
    assert [node["type"] for node in told["nodes"]].count("Scan") == 1
    by_id = {node["id"]: node for node in told["nodes"]}
    assert by_id[told["results"][0]]["columns"] == ["k STRING"]
    assert all(each in by_id for node in told["nodes"] for each in node["inputs"])
    group = next(node for node in told["nodes"] if node["type"] == "Aggregate")
    assert (group["changelog"], group["key"], group["tasks"]) == ("I,UB,UA,D", ["v"], 3)
    assert told["parallelism"] == 3
    assert told["rules"] == []


def test_limit_stops_reading(session, tmp_path):
    """A row that can't be read far behind the limit is never met; an endless source is read no further."""
    lines = ["a,1\n"] * 200_000
    (tmp_path / "few.csv").write_text("".join([*lines, "a,b,c,d\n"]))
    assert session.sql("SELECT n FROM u LIMIT 7 OFFSET 2").to_arrow().num_rows == 7
    assert session.sql("SELECT n FROM u LIMIT 0").to_arrow().num_rows == 0
    assert session.sql("SELECT k FROM u UNION ALL SELECT k FROM t LIMIT 7").to_arrow().num_rows == 7
    with pytest.raises(fx.FluxError):
        session.sql("SELECT COUNT(*) AS c FROM u").to_arrow()


def test_limit_ends_an_endless_source(session):
    """What never ends by itself does where all that was wanted is there."""
    (node,) = [session.sql("SELECT k FROM endless LIMIT 7").node]
    rows = [batch.num_rows for batch in session.iterate(node)]
    assert sum(rows) == 7
