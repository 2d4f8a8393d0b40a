"""``fluxcore run`` with materialised tables: what is waited for, what is stopped, and how it all ends."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

FLUXCORE = [sys.executable, "-m", "fluxcore.cli.main"]
ENDLESS = "CREATE TABLE g (x INT) WITH ('connector' = 'datagen', 'rows-per-second' = '1000');\n"


@pytest.fixture
def run(tmp_path):
    def call(script, *options):
        (tmp_path / "job.sql").write_text(script)
        (tmp_path / "t.csv").write_text("a,1\nb,2\na,3\n")
        command = [*FLUXCORE, "run", "job.sql", *options]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    return call


TABLE = "CREATE TABLE t (k STRING, v INT) WITH ('connector' = 'filesystem', 'path' = 't.csv', 'format' = 'csv');\n"


def test_a_table_of_input_that_ends_is_whole_when_the_select_starts(run):
    found = run(
        f"""{TABLE}
        CREATE MATERIALIZED TABLE m AS SELECT k, SUM(v) AS s FROM t GROUP BY k;
        CREATE MATERIALIZED TABLE n AS SELECT SUM(s) AS s FROM m;
        SELECT * FROM m ORDER BY k; SELECT * FROM n;
        SHOW JOBS;
        DROP MATERIALIZED TABLE n;""",
        "--format",
        "json",
    )
    assert found.returncode == 0, found.stderr
    rows = [json.loads(line) for line in found.stdout.splitlines()]
    assert rows[:3] == [{"k": "a", "s": 4}, {"k": "b", "s": 2}, {"s": 6}]
    assert [(row["job name"], row["status"]) for row in rows[3:]] == [("m", "FINISHED"), ("n", "FINISHED")]
    assert "materialized table n dropped" in found.stderr


def test_a_table_that_never_ends_is_stopped_with_its_script(run):
    found = run(f"{ENDLESS}CREATE MATERIALIZED TABLE m AS SELECT COUNT(*) AS n FROM g; SELECT COUNT(*) AS c FROM m;")
    assert found.returncode == 0, found.stderr
    assert "| c |" in found.stdout
    assert "materialized table m stopped: its script has ended" in found.stderr


def test_a_job_that_fails_fails_the_run_and_is_shown_with_its_place(run):
    found = run(f"{TABLE}CREATE MATERIALIZED TABLE m AS\nSELECT 1 / (v - 1) AS x FROM t;\nSELECT * FROM m;")
    assert found.returncode == 1
    assert "FX-RUN-0101" in found.stderr
    assert found.stdout == ""


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("CREATE MATERIALIZED TABLE m REFRESH_MODE = FULL AS SELECT * FROM g;", "FX-SQL-0531"),
        ("CREATE TABLE b (x INT) WITH ('connector' = 'blackhole'); INSERT INTO b SELECT * FROM g; CREATE MATERIALIZED TABLE m AS SELECT 1 AS x;", "FX-SQL-0901"),
        ("CREATE TABLE b (x INT) WITH ('connector' = 'blackhole'); CREATE MATERIALIZED TABLE m AS SELECT x FROM g; INSERT INTO b SELECT x FROM m; SELECT * FROM m;", "FX-SQL-0901"),
        ("CREATE MATERIALIZED TABLE m FRESHNESS = INTERVAL '7' SECOND REFRESH_MODE = FULL AS SELECT 1 AS x;", "FX-SQL-0530"),
    ],
    ids=["full of endless input", "after an endless insert", "a select after an insert that follows", "freshness"],
)  # fmt: skip
def test_what_can_not_be_is_told_before_anything_runs(run, script, code):
    found = run(ENDLESS + script)
    assert found.returncode == 2, found.stderr
    assert code in found.stderr
    assert "^" in found.stderr
