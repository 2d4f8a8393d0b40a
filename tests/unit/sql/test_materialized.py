"""The statements of materialised tables: what is accepted, what is refused and why, and how they are shown."""

from __future__ import annotations

import pyarrow as pa
import pytest

import fluxcore as fx
from fluxcore.sql.parser import parse_script
from fluxcore.sql.print.statements import script


@pytest.fixture
def session():
    with fx.Session() as made:
        made.from_arrow(pa.table({"k": ["a", "b"], "v": [1, 2]}), name="t")
        made.execute("CREATE MATERIALIZED TABLE m PARTITIONED BY (k) AS SELECT k, v FROM t")
        yield made


def answers(session, text):
    bound = session.bind(text)
    found = []
    for step in session.steps(bound, text=text):
        if step.table is not None:
            session.tables.carry_out(step.table, wait=True)
        elif step.reply is not None:
            found.append(step.reply.answered().rows)
    return found


@pytest.mark.parametrize(
    "text",
    [
        "CREATE MATERIALIZED TABLE a.b AS SELECT 1 AS x",
        "CREATE OR ALTER MATERIALIZED TABLE a (x, y, PRIMARY KEY (x) NOT ENFORCED) COMMENT 'c' DISTRIBUTED BY (x) INTO 4 BUCKETS "
        "PARTITIONED BY (x) WITH ('format' = 'json') FRESHNESS = INTERVAL '10' SECONDS REFRESH_MODE = FULL AS SELECT 1 AS x, 2 AS y",
        "ALTER MATERIALIZED TABLE a.b SUSPEND",
        "ALTER MATERIALIZED TABLE a RESUME WITH ('sink.parallelism' = '2')",
        "ALTER MATERIALIZED TABLE a REFRESH PARTITION (ds = 'x', y = 1)",
        "ALTER MATERIALIZED TABLE a AS SELECT 1",
        "ALTER MATERIALIZED TABLE a SET ('format' = 'csv')",
        "ALTER MATERIALIZED TABLE a ADD z AS x + 1 AFTER x",
        "DROP MATERIALIZED TABLE IF EXISTS a",
        "SHOW MATERIALIZED TABLES IN d NOT LIKE 'a%'",
        "SHOW CREATE MATERIALIZED TABLE a",
    ],
)
def test_printing_and_parsing_again_gives_the_same(text):
    tree = parse_script(text)
    assert parse_script(script(tree)) == tree


REFUSED = {
    "CREATE MATERIALIZED TABLE m AS SELECT 1 AS x": ("FX-SQL-0502", "exists already"),
    "CREATE TEMPORARY MATERIALIZED TABLE q AS SELECT 1 AS x": ("FX-SQL-0104", "TEMPORARY"),
    "CREATE MATERIALIZED TABLE q FRESHNESS = INTERVAL '0' SECOND AS SELECT 1 AS x": ("FX-SQL-0530", "above 0"),
    "CREATE MATERIALIZED TABLE q FRESHNESS = INTERVAL '-1' SECOND AS SELECT 1 AS x": ("FX-SQL-0530", "above 0"),
    "CREATE MATERIALIZED TABLE q FRESHNESS = INTERVAL '1' MONTH AS SELECT 1 AS x": ("FX-SQL-0530", "SECOND, MINUTE, HOUR"),
    "CREATE MATERIALIZED TABLE q FRESHNESS = INTERVAL '60' SECOND REFRESH_MODE = FULL AS SELECT 1 AS x": ("FX-SQL-0530", "evenly"),
    "CREATE MATERIALIZED TABLE q FRESHNESS = INTERVAL '5' HOUR AS SELECT 1 AS x": ("FX-SQL-0530", "evenly"),
    "CREATE MATERIALIZED TABLE q REFRESH_MODE = NEVER AS SELECT 1 AS x": ("FX-SQL-0104", "CONTINUOUS or FULL"),
    "CREATE MATERIALIZED TABLE q WITH ('connector' = 'kafka') AS SELECT 1 AS x": ("FX-SQL-0511", "kept in memory"),
    "CREATE MATERIALIZED TABLE q (x, y) AS SELECT 1 AS x": ("FX-SQL-0507", "2 columns"),
    "CREATE MATERIALIZED TABLE q (x, y INT) AS SELECT 1 AS x, 2 AS y": ("FX-SQL-0104", "without"),
    "CREATE MATERIALIZED TABLE q (z INT) AS SELECT 1 AS x": ("FX-SQL-0530", "no column 'z'"),
    "CREATE MATERIALIZED TABLE q (x STRING) AS SELECT 1 AS x": ("FX-SQL-0312", "wants STRING"),
    "CREATE MATERIALIZED TABLE q (PRIMARY KEY (k) NOT ENFORCED) AS SELECT k FROM t": ("FX-SQL-0506", "may be NULL"),
    "CREATE MATERIALIZED TABLE q PARTITIONED BY (z) AS SELECT k FROM t": ("FX-SQL-0506", "no column"),
    "INSERT INTO m SELECT * FROM t": ("FX-SQL-0204", "can't be written"),
    "DROP TABLE m": ("FX-SQL-0523", "materialised table"),
    "DROP MATERIALIZED TABLE t": ("FX-SQL-0203", "no materialized table"),
    "ALTER MATERIALIZED TABLE t SUSPEND": ("FX-SQL-0515", "is a view"),
    "ALTER TABLE m RENAME TO n": ("FX-SQL-0515", "materialized table"),
    "ALTER MATERIALIZED TABLE m AS SELECT v FROM t": ("FX-SQL-0530", "no column 'k'"),
    "ALTER MATERIALIZED TABLE m AS SELECT * FROM m": ("FX-SQL-0515", "read itself"),
    "ALTER MATERIALIZED TABLE m AS SELECT k, v, 1 AS n FROM t": ("FX-SQL-0530", "NOT NULL"),
    "CREATE OR ALTER MATERIALIZED TABLE m AS SELECT v, k FROM t": ("FX-SQL-0530", "no column 'k' in place 1"),
    "CREATE OR ALTER MATERIALIZED TABLE m AS SELECT k, k AS v FROM t": ("FX-SQL-0530", "is BIGINT"),
    "ALTER MATERIALIZED TABLE m DROP v": ("FX-SQL-0515", "those of the query"),
    "ALTER MATERIALIZED TABLE m ADD q INT": ("FX-SQL-0515", "those of the query"),
    "ALTER MATERIALIZED TABLE m SET ()": ("FX-SQL-0515", "no option"),
    "ALTER MATERIALIZED TABLE m REFRESH PARTITION (v = 1)": ("FX-SQL-0506", "not partitioned"),
    "SHOW CREATE TABLE m": ("FX-SQL-0204", "materialized table"),
    "CREATE TABLE l LIKE m": ("FX-SQL-0514", "CREATE TABLE made"),
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused_says_why_and_where(session, text):
    code, words = REFUSED[text]
    with pytest.raises(fx.FluxError, match=words) as caught:
        session.bind(text)
    assert caught.value.code == code
    assert caught.value.place is not None
    assert session.query("SELECT COUNT(*) AS n FROM m").to_pylist() == [{"n": 2}], "nothing has changed"


def test_show_create_gives_a_statement_that_makes_the_same_table(session):
    ((shown,),) = answers(session, "SHOW CREATE MATERIALIZED TABLE m")[0]
    assert shown == (
        "CREATE MATERIALIZED TABLE `default_catalog`.`default_database`.`m` (\n"
        "  `k` VARCHAR(2147483647),\n"
        "  `v` BIGINT\n"
        ")\n"
        "PARTITIONED BY (`k`)\n"
        "FRESHNESS = INTERVAL '3' MINUTE\n"
        "REFRESH_MODE = CONTINUOUS\n"
        "AS SELECT `k`, `v`\nFROM `t`\n"
    )
    session.execute(f"DROP MATERIALIZED TABLE m; {shown}")
    assert answers(session, "SHOW CREATE MATERIALIZED TABLE m") == [((shown,),)]


def test_what_there_is_is_shown(session):
    session.execute("CREATE VIEW w AS SELECT 1 AS x; CREATE DATABASE d; CREATE MATERIALIZED TABLE d.n AS SELECT 1 AS x")
    assert answers(
        session,
        "SHOW MATERIALIZED TABLES; SHOW MATERIALIZED TABLES FROM d; SHOW MATERIALIZED TABLES LIKE 'x%'; SHOW TABLES",
    ) == [(("m",),), (("n",),), (), (("m",), ("t",), ("w",))]
    jobs = answers(session, "SHOW JOBS")[0]
    assert [(row[1], row[2]) for row in jobs] == [("m", "FINISHED"), ("n", "FINISHED")]


def test_listed_columns_have_their_order_and_computed_ones_join_them(session):
    session.execute(
        "CREATE MATERIALIZED TABLE q (v, k) AS SELECT k, v FROM t;"
        "CREATE MATERIALIZED TABLE r (v DECIMAL(10, 1), w AS v * 2) AS SELECT k, v FROM t"
    )
    assert session.query("SELECT * FROM q").column_names == ["v", "k"]
    assert [row[0:2] for row in answers(session, "DESCRIBE r")[0]] == [
        ("v", "DECIMAL(10, 1)"),
        ("w", "DECIMAL(21, 1)"),
        ("k", "STRING"),
    ]
    assert session.query("SELECT CAST(w AS INT) AS w FROM r ORDER BY w").to_pylist() == [{"w": 2}, {"w": 4}]


def test_computed_columns_and_options_change_without_a_new_job(session):
    (table,) = session.tables
    session.execute(
        "ALTER MATERIALIZED TABLE m ADD w AS v + 1; ALTER MATERIALIZED TABLE m SET ('format' = 'json');"
        "ALTER MATERIALIZED TABLE m MODIFY w AS v * 10"
    )
    assert list(session.tables) == [table]
    assert session.query("SELECT w FROM m ORDER BY w").to_pylist() == [{"w": 10}, {"w": 20}]
    session.execute("ALTER MATERIALIZED TABLE m DROP w; ALTER MATERIALIZED TABLE m RESET ('format')")
    assert session.query("SELECT * FROM m").column_names == ["k", "v"]


def test_a_watermark_makes_event_time_of_a_column(session):
    session.execute(
        "CREATE MATERIALIZED TABLE e (ts TIMESTAMP(3), v BIGINT, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND) AS "
        "SELECT CAST(TIMESTAMP '2024-01-01 00:00:01' AS TIMESTAMP(3)) AS ts, v FROM t"
    )
    found = session.query(
        "SELECT window_start, SUM(v) AS s FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end"
    )
    assert found.column("s").to_pylist() == [3]


@pytest.mark.parametrize(
    ("clauses", "shown"),
    [
        ("", "FRESHNESS = INTERVAL '3' MINUTE\nREFRESH_MODE = CONTINUOUS"),
        ("REFRESH_MODE = FULL", "FRESHNESS = INTERVAL '1' HOUR\nREFRESH_MODE = FULL"),
        ("FRESHNESS = INTERVAL '29' MINUTES", "FRESHNESS = INTERVAL '29' MINUTE\nREFRESH_MODE = CONTINUOUS"),
        ("FRESHNESS = INTERVAL '1' DAY", "FRESHNESS = INTERVAL '1' DAY\nREFRESH_MODE = FULL"),
        ("FRESHNESS = INTERVAL '1' DAY REFRESH_MODE = CONTINUOUS", "FRESHNESS = INTERVAL '1' DAY\nREFRESH_MODE = CONTINUOUS"),
    ],
)  # fmt: skip
def test_freshness_chooses_the_mode_as_flink_does(session, clauses, shown):
    session.execute(f"CREATE MATERIALIZED TABLE q {clauses} AS SELECT v FROM t")
    ((text,),) = answers(session, "SHOW CREATE MATERIALIZED TABLE q")[0]
    assert shown in text
