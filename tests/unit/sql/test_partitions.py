"""Partitions, metadata and INSERT OVERWRITE as scripts say them, on the operators and in batch mode."""

from __future__ import annotations

from pathlib import Path

import pytest

from fluxcore.api.session import Session
from fluxcore.connectors.collect import CollectSink
from fluxcore.errors import FluxError
from fluxcore.sql.replies import CommandReply

TARGETS = pytest.mark.parametrize("target", ["embedded", "batch"])
LOGS = """
CREATE TABLE logs (`day` DATE, v BIGINT, note STRING, `hour` INT) PARTITIONED BY (`day`, `hour`)
WITH ('connector' = 'filesystem', 'path' = '{path}/logs', 'format' = 'json');
"""
FILL = """
INSERT INTO logs VALUES (DATE '2024-01-01', 1, 'a', 10), (DATE '2024-01-01', 2, 'b', 11), (DATE '2024-01-02', 3, 'c', 10);
"""
ALL = {("2024-01-01", 1, "a", 10), ("2024-01-01", 2, "b", 11), ("2024-01-02", 3, "c", 10)}


def run(path: Path, script: str, target: str = "embedded", **settings: str) -> tuple[list[set], list[CommandReply]]:
    """Run a script; return the rows of each query, dates as text, and all replies with rows."""
    session = Session(settings, target=target)
    text = script.replace("{path}", str(path))
    found, replies = [], []
    for step in session.steps(session.bind(text), text=text):
        if step.reply:
            reply = step.reply.answered()
            replies += [reply] if reply.columns else []
            continue
        sink = CollectSink()
        session.start_step(step, lambda _, sink=sink: sink).result()
        if step.select:
            rows = [tuple(row.values()) for batch in sink.batches for row in batch.data.to_pylist()]
            found.append({tuple(str(v) if hasattr(v, "year") else v for v in row) for row in rows})
    return found, replies


def refused(path: Path, script: str, target: str = "embedded") -> FluxError:
    with pytest.raises(FluxError) as caught:
        run(path, script, target)
    return caught.value


@TARGETS
def test_rows_go_to_their_partitions_and_come_back(tmp_path: Path, target: str) -> None:
    (rows, some), (partitions, of_a_day) = run(
        tmp_path,
        LOGS + FILL + "SELECT * FROM logs; SHOW PARTITIONS logs; SHOW PARTITIONS logs PARTITION (`day` = '2024-01-01');"
        "SELECT v FROM logs WHERE `hour` = 10 AND v > 1;",
        target,
    )
    assert rows == ALL
    assert some == {(3,)}
    assert partitions.rows == (
        ("day=2024-01-01/hour=10",), ("day=2024-01-01/hour=11",), ("day=2024-01-02/hour=10",),
    )  # fmt: skip
    assert of_a_day.rows == partitions.rows[:2]


@TARGETS
@pytest.mark.parametrize(
    ("insert", "expected"),
    [
        ("INSERT INTO logs PARTITION (`day` = '2024-01-01', `hour` = 10) SELECT 9, 'new'", ALL | {("2024-01-01", 9, "new", 10)}),
        ("INSERT INTO logs PARTITION (`hour` = 12) SELECT DATE '2024-01-03', 9, 'new'", ALL | {("2024-01-03", 9, "new", 12)}),
        ("INSERT INTO logs PARTITION (`hour` = 12) (v, `day`) SELECT 9, DATE '2024-01-03'", ALL | {("2024-01-03", 9, None, 12)}),
        ("INSERT INTO logs PARTITION (`hour` = NULL) SELECT DATE '2024-01-03', 9, 'n'", ALL | {("2024-01-03", 9, "n", None)}),
        ("INSERT OVERWRITE logs SELECT DATE '2024-01-01', 9, 'new', 11", ALL - {("2024-01-01", 2, "b", 11)} | {("2024-01-01", 9, "new", 11)}),
        ("INSERT OVERWRITE logs PARTITION (`day` = '2024-01-01') SELECT 9, 'new', 11", ALL - {("2024-01-01", 2, "b", 11)} | {("2024-01-01", 9, "new", 11)}),
        ("INSERT OVERWRITE logs PARTITION (`day` = '2024-01-01', `hour` = 11) SELECT v, note FROM logs WHERE v > 5", ALL - {("2024-01-01", 2, "b", 11)}),
        ("INSERT OVERWRITE logs SELECT * FROM logs WHERE v > 5", ALL),
        ("INSERT OVERWRITE logs SELECT `day`, v * 10, note, `hour` FROM logs WHERE `hour` = 10", {("2024-01-01", 10, "a", 10), ("2024-01-01", 2, "b", 11), ("2024-01-02", 30, "c", 10)}),
    ],
)  # fmt: skip
def test_what_an_insert_leaves(tmp_path: Path, target: str, insert: str, expected: set) -> None:
    run(tmp_path, LOGS + FILL, target)
    assert run(tmp_path, f"{LOGS}{insert}; SELECT * FROM logs;", target)[0] == [expected]


@TARGETS
def test_a_table_without_partitions_is_replaced_whole(tmp_path: Path, target: str) -> None:
    table = "CREATE TABLE t (a INT) WITH ('connector' = 'filesystem', 'path' = '{path}/t', 'format' = 'csv');"
    assert run(
        tmp_path,
        table
        + "INSERT INTO t VALUES (1), (2); SELECT * FROM t; INSERT OVERWRITE t SELECT a + 10 FROM t; SELECT * FROM t;"
        "INSERT OVERWRITE t SELECT a FROM t WHERE a < 0; SELECT * FROM t;",
        target,
    )[0] == [{(1,), (2,)}, {(11,), (12,)}, set()]


@TARGETS
def test_a_job_that_fails_replaces_nothing(tmp_path: Path, target: str) -> None:
    run(tmp_path, LOGS + FILL, target)
    (tmp_path / "bad.csv").write_text("2024-01-01,7,x,10\n2024-01-01,oops,x,10\n")
    script = LOGS + (
        "CREATE TABLE bad (`day` DATE, v BIGINT, note STRING, `hour` INT) "
        "WITH ('connector' = 'filesystem', 'path' = '{path}/bad.csv', 'format' = 'csv');"
        "INSERT OVERWRITE logs SELECT * FROM bad;"
    )
    assert refused(tmp_path, script, target).code == "FX-DAT-0001"
    assert run(tmp_path, LOGS + "SELECT * FROM logs;", target)[0] == [ALL]
    assert not any(path.name.startswith(".staging") for path in tmp_path.rglob("*"))


@TARGETS
@pytest.mark.parametrize("off", ["", "prune_partitions"])
@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("`day` = DATE '2024-01-01'", {1, 2}),
        ("`day` > DATE '2024-01-01'", {3, 4}),
        ("`hour` IS NULL", {4}),
        ("`hour` IS NOT NULL AND `day` <> DATE '2024-01-02'", {1, 2}),
        ("(`hour` = 10 AND v < 2) OR (`hour` = 11 AND note = 'b')", {1, 2}),
        ("CAST(`day` AS STRING) LIKE '%-02' AND `hour` + 1 = 11", {3}),
        ("NOT (`hour` = 10)", {2}),
        ("`hour` IN (11, 12) OR v = 3", {2, 3}),
        ("`hour` = v + 9", {1, 2}),
        ("`day` = DATE '2030-01-01'", set()),
    ],
)
def test_pruning_changes_no_answer(tmp_path: Path, target: str, off: str, where: str, expected: set) -> None:
    run(tmp_path, LOGS + FILL + "INSERT INTO logs VALUES (DATE '2024-01-02', 4, 'd', CAST(NULL AS INT));")
    settings = {"fluxcore.optimizer.disabled-rules": off}
    found, (plan,) = run(
        tmp_path,
        f"{LOGS}SELECT v FROM logs WHERE {where}; EXPLAIN SELECT v FROM logs WHERE {where};",
        target,
        **settings,
    )
    assert found == [{(each,) for each in expected}]
    assert ("partitions=" in plan.rows[0][0]) == (not off and "v + 9" not in where and "OR v" not in where)


def test_the_type_of_a_column_of_the_partition_is_the_declared_one(tmp_path: Path) -> None:
    script = """
    CREATE TABLE t (a INT, b BOOLEAN, d DECIMAL(6, 2), x DOUBLE, ts TIMESTAMP(3), s STRING)
    PARTITIONED BY (b, d, x, ts, s) WITH ('connector' = 'filesystem', 'path' = '{path}/t', 'format' = 'csv');
    INSERT INTO t VALUES (1, TRUE, 1.5, 2.5, TIMESTAMP '2024-01-01 10:00:00', 'a/b=c%'),
      (2, FALSE, -0.25, 1E10, TIMESTAMP '2024-01-01 10:00:01.5', '');
    SELECT a, b, CAST(d AS STRING), x, s FROM t WHERE ts < TIMESTAMP '2024-01-01 10:00:01' OR d < 0;
    SHOW PARTITIONS t;
    """
    (rows,), (partitions,) = run(tmp_path, script)
    assert rows == {(1, True, "1.50", 2.5, "a/b=c%"), (2, False, "-0.25", 1e10, None)}
    assert [each for (each,) in partitions.rows] == [
        "b=false/d=-0.25/x=1.0E10/ts=2024-01-01T10:00:01.500/s=__DEFAULT_PARTITION__",
        "b=true/d=1.50/x=2.5/ts=2024-01-01T10:00/s=a/b=c%",
    ]


@TARGETS
def test_metadata_says_where_rows_come_from(tmp_path: Path, target: str) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        (tmp_path / "in" / f"{name}.csv").write_text(f"{name},1\n")
    table = """
    CREATE TABLE t (name STRING METADATA FROM 'file.name' VIRTUAL, s STRING, `file.path` STRING NOT NULL METADATA VIRTUAL,
      n INT, size INT METADATA FROM 'file.size' VIRTUAL, at TIMESTAMP_LTZ(3) METADATA FROM 'file.modification-time' VIRTUAL)
    WITH ('connector' = 'filesystem', 'path' = '{path}/in', 'format' = 'csv');
    """
    script = table.replace("  n INT", "  `n` INT").replace(" at ", " `at` ")
    found, (described,) = run(
        tmp_path,
        script + "SELECT name, `file.path`, size, `at` > TIMESTAMP '2020-01-01 00:00:00' FROM t WHERE s <> 'x';"
        "SELECT s FROM t WHERE name = 'b.csv'; DESCRIBE t; INSERT INTO t VALUES ('c', 2); SELECT s, n FROM t;",
        target,
    )
    assert found == [
        {(f"{name}.csv", str(tmp_path / "in" / f"{name}.csv"), 4, True) for name in ("a", "b")},
        {("b",)},
        {("a", 1), ("b", 1), ("c", 2)},
    ]
    assert ("name", "STRING", True, None, "METADATA FROM 'file.name' VIRTUAL", None) in described.rows


def test_definitions_made_of_others_keep_partitions(tmp_path: Path) -> None:
    script = (
        LOGS
        + FILL
        + """
    CREATE TABLE same LIKE logs (OVERWRITING OPTIONS);
    SHOW PARTITIONS same;
    CREATE TABLE plain WITH ('path' = '{path}/plain') LIKE logs (EXCLUDING PARTITIONS);
    CREATE TABLE copied PARTITIONED BY (note) WITH ('connector' = 'filesystem', 'path' = '{path}/copied', 'format' = 'parquet')
    AS SELECT v, note FROM logs;
    SHOW PARTITIONS copied;
    SHOW CREATE TABLE copied;
    INSERT INTO plain SELECT * FROM same;
    SELECT * FROM plain;
    """
    )
    found, (same, copied, statement) = run(tmp_path, script)
    assert len(same.rows) == 3
    assert copied.rows == (("note=a",), ("note=b",), ("note=c",))
    assert "PARTITIONED BY (`note`)" in statement.rows[0][0]
    assert found == [ALL]
    assert not any("=" in path.name for path in (tmp_path / "plain").iterdir())


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("INSERT INTO logs PARTITION (v = 1) SELECT DATE '2024-01-01', 'x', 1", "FX-SQL-0506"),
        ("INSERT INTO logs PARTITION (nothing = 1) SELECT DATE '2024-01-01', 1, 'x', 1", "FX-SQL-0201"),
        ("INSERT INTO logs PARTITION (`hour` = 1, `hour` = 2) SELECT DATE '2024-01-01', 1, 'x'", "FX-SQL-0506"),
        ("INSERT INTO logs PARTITION (`hour` = CAST(RAND() AS INT)) SELECT DATE '2024-01-01', 1, 'x'", "FX-SQL-0506"),
        ("INSERT INTO logs PARTITION (`hour` = 'noon') SELECT DATE '2024-01-01', 1, 'x'", "FX-SQL-0506"),
        ("INSERT INTO logs PARTITION (`hour` = 1) SELECT DATE '2024-01-01', 1, 'x', 1", "FX-SQL-0507"),
        ("INSERT INTO logs SELECT 1, 'x'", "FX-SQL-0507"),
        ("SHOW PARTITIONS logs PARTITION (v = 1)", "FX-SQL-0506"),
        ("SHOW PARTITIONS other", "FX-SQL-0506"),
        ("ALTER TABLE logs DROP PARTITION (`hour` = 1)", "FX-SQL-0900"),
        ("ALTER TABLE logs ADD PARTITION (`hour` = 1)", "FX-SQL-0900"),
        ("INSERT OVERWRITE printed SELECT 1", "FX-SQL-0516"),
        ("INSERT INTO kept SELECT 'x', 1", "FX-SQL-0509"),
        ("CREATE TABLE x (a INT, b INT) PARTITIONED BY (b) WITH ('connector' = 'frys', 'bus' = 'file:{path}/b', 'topic' = 'x', 'sink.subject' = 'x'); INSERT INTO x VALUES (1, 2)", "FX-SQL-0517"),
        ("CREATE TABLE x (a INT, b INT) PARTITIONED BY (c) WITH ('connector' = 'print'); SELECT * FROM x", "FX-SQL-0506"),
        ("CREATE TABLE x (a INT, b AS a + 1) PARTITIONED BY (b) WITH ('connector' = 'print'); SELECT * FROM x", "FX-SQL-0506"),
        ("CREATE TABLE x (a INT, b INT) PARTITIONED BY (b, b) WITH ('connector' = 'print'); SELECT * FROM x", "FX-SQL-0506"),
        ("CREATE TABLE x (a INT) PARTITIONED BY (a) WITH ('connector' = 'filesystem', 'path' = '/x', 'format' = 'csv'); SELECT * FROM x", "FX-CON-0105"),
        ("CREATE TABLE x (a INT, o BIGINT METADATA FROM 'offset') WITH ('connector' = 'filesystem', 'path' = '/x', 'format' = 'csv'); SELECT * FROM x", "FX-SQL-0509"),
    ],
)  # fmt: skip
def test_what_does_not_go_is_refused_before_anything_runs(tmp_path: Path, statement: str, code: str) -> None:
    script = (
        LOGS
        + FILL
        + f"""
    CREATE TABLE other (a INT) WITH ('connector' = 'filesystem', 'path' = '{{path}}/other', 'format' = 'csv');
    CREATE TABLE printed (a INT) WITH ('connector' = 'print');
    CREATE TABLE kept (s STRING, size BIGINT METADATA FROM 'file.size')
    WITH ('connector' = 'filesystem', 'path' = '{{path}}/kept', 'format' = 'csv');
    {statement};
    """
    )
    error = refused(tmp_path, script)
    assert error.code == code
    assert list(tmp_path.iterdir()) == []


@TARGETS
def test_rows_that_never_end_replace_nothing(tmp_path: Path, target: str) -> None:
    run(tmp_path, LOGS + FILL)
    script = LOGS + (
        "CREATE TABLE endless (v BIGINT) WITH ('connector' = 'datagen');"
        "INSERT OVERWRITE logs SELECT DATE '2024-01-01', v, 'x', 10 FROM endless;"
    )
    error = refused(tmp_path, script, target)
    assert error.code == ("FX-RUN-0112" if target == "embedded" else "FX-BAT-0101")
    assert run(tmp_path, LOGS + "SELECT * FROM logs;")[0] == [ALL]
