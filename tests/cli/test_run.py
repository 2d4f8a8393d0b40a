"""``fluxcore run`` as a user meets it: exit codes, streams, formats, signals, errors."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

FLUXCORE = [sys.executable, "-m", "fluxcore.cli.main"]
ENDLESS = "CREATE TABLE g (x INT) WITH ('connector' = 'datagen', 'rows-per-second' = '1000');\n"


@pytest.fixture
def run(tmp_path):
    def call(script, *options, file="job.sql", **more):
        (tmp_path / file).write_text(script)
        command = [*FLUXCORE, "run", file, *options]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False, **more)

    return call


@pytest.fixture
def start(tmp_path):
    def call(script, *options):
        (tmp_path / "job.sql").write_text(script)
        return subprocess.Popen(
            [*FLUXCORE, "run", "job.sql", *options],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return call


def objects(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_rows_go_to_standard_output_and_nothing_else_does(run):
    found = run(
        "CREATE VIEW v AS SELECT * FROM (VALUES (1), (2)) AS t(a);\nSELECT a FROM v ORDER BY a;", "--format", "json"
    )
    assert found.returncode == 0
    assert found.stdout == '{"a": 1}\n{"a": 2}\n'
    assert "view v created" in found.stderr


ANSWERS = """
CREATE TABLE t (id BIGINT NOT NULL, name STRING, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'datagen');
SHOW TABLES;
DESCRIBE t;
"""


def test_answers_of_commands_are_json_lines_too(run):
    assert objects(run(ANSWERS, "--format", "json")) == [
        {"table name": "t"},
        {"name": "id", "type": "BIGINT", "null": False, "key": "PRI(id)", "extras": None, "watermark": None},
        {"name": "name", "type": "STRING", "null": True, "key": None, "extras": None, "watermark": None},
    ]


def test_answers_of_commands_are_csv_or_a_table(run):
    assert run(ANSWERS, "--format", "csv").stdout.splitlines() == [
        "table name", "t", "name,type,null,key,extras,watermark", "id,BIGINT,false,PRI(id),,", "name,STRING,true,,,"
    ]  # fmt: skip
    shown = [line.split() for line in run(ANSWERS).stdout.splitlines()]
    assert shown[0] == ["t"]
    assert shown[2] == ["id", "BIGINT", "FALSE", "PRI(id)", "NULL", "NULL"]


def test_json_has_the_form_of_every_type(run):
    script = """
    SELECT CAST(1 AS TINYINT) AS i, CAST(0.1 AS FLOAT) AS f, 0.1E0 AS d, CAST('NaN' AS DOUBLE) AS nan, -1E0 / 0E0 AS down,
      CAST(1.5 AS DECIMAL(10, 3)) AS `dec`, TIMESTAMP '2024-01-01 00:00:00.123' AS ts, DATE '2024-01-01' AS `day`, TIME '12:30:00' AS t,
      TO_TIMESTAMP_LTZ(0, 3) AS ltz, INTERVAL '1' SECOND AS ms, INTERVAL '2' YEAR AS months, X'01FF' AS `raw`,
      ARRAY[1, CAST(NULL AS INT)] AS list, ROW(1, 'a') AS r, TRUE AS ok, CAST(NULL AS STRING) AS missing, 'ä"\\' AS text;
    """
    found = run(script, "--format", "json")
    assert found.returncode == 0, found.stderr
    (row,) = objects(found)
    assert row == {
        "i": 1, "f": 0.1, "d": 0.1, "nan": "NaN", "down": "-Infinity", "dec": "1.500", "ts": "2024-01-01T00:00:00.123",
        "day": "2024-01-01", "t": "12:30:00", "ltz": "1970-01-01T00:00:00Z", "ms": 1000, "months": 24, "raw": "Af8=",
        "list": [1, None], "r": {"EXPR$0": 1, "EXPR$1": "a"}, "ok": True, "missing": None, "text": 'ä"\\',
    }  # fmt: skip


def test_names_are_never_lost(run):
    found = run("SELECT 1, 2 AS a, 3 AS a, 4 AS a, 5;", "--format", "json")
    assert found.stdout == '{"EXPR$0": 1, "a": 2, "a0": 3, "a1": 4, "EXPR$4": 5}\n'


@pytest.mark.parametrize(
    ("form", "wanted"),
    [
        ("csv", "k,n\na,2\n"),
        ("json", '{"k": "a", "n": 2}\n'),
        ("changelog", '{"op": "+I", "k": "a", "n": 2}\n'),
        ("table", "+---+---+\n| k | n |\n+---+---+\n| a | 2 |\n+---+---+\n"),
    ],
)
def test_formats(run, form, wanted):
    found = run("SELECT k, COUNT(*) AS n FROM (VALUES ('a'), ('a')) AS t(k) GROUP BY k;", "--format", form)
    assert found.stdout.startswith(wanted)


def test_a_select_waits_for_the_inserts_before_it(run):
    script = """
    CREATE TABLE o (a INT) WITH ('connector' = 'filesystem', 'path' = 'out', 'format' = 'json');
    INSERT INTO o SELECT a FROM (VALUES (1), (2)) AS t(a);
    INSERT INTO o SELECT a FROM (VALUES (3)) AS t(a);
    SELECT SUM(a) AS s FROM o;
    """
    assert objects(run(script, "--format", "json")) == [{"s": 6}]


def test_a_select_after_an_endless_insert_is_refused(run):
    found = run(
        ENDLESS + "CREATE TABLE b (x INT) WITH ('connector' = 'blackhole');\nINSERT INTO b SELECT x FROM g;\nSELECT 1;"
    )
    assert found.returncode == 2
    assert "FX-SQL-0901" in found.stderr


def test_endless_updates_need_a_form_that_shows_them(run):
    found = run(ENDLESS + "SELECT COUNT(*) FROM g;", "--format", "json")
    assert found.returncode == 2
    assert "changelog" in found.stderr


@pytest.mark.parametrize(
    ("script", "options", "code", "words"),
    [
        ("SELECT nope FROM (VALUES (1)) AS t(a);", [], 2, ["FX-SQL-0201", "job.sql:1:8", "SELECT nope", "   ^^^^", "hint"]),
        ("SELECT 1;", ["--format", "xml"], 2, ["FX-CLI-0002", "json"]),
        ("SELECT 1;", ["--set", "parallelism.defalt=1"], 2, ["FX-SET-0001", "parallelism.default"]),
        ("SELECT 1;", ["--target", "moon"], 2, ["embedded"]),
        ("SELECT 1 / a AS x FROM (VALUES (0)) AS t(a);", [], 1, ["FX-RUN-0101", "division by zero"]),
        ("CREATE TABLE t (a INT) WITH ('connector' = 'filesystem', 'path' = 'no.csv', 'format' = 'csv'); SELECT * FROM t;", [],
         1, ["FX-CON-0101", "no.csv"]),
    ],
)  # fmt: skip
def test_errors_say_where_and_what_to_do_and_show_no_traceback(run, script, options, code, words):
    found = run(script, *options)
    assert found.returncode == code
    for word in words:
        assert word in found.stderr
    assert "Traceback" not in found.stderr
    assert found.stdout == ""


def test_a_malformed_row_names_file_line_field_and_value(run, tmp_path):
    (tmp_path / "in.csv").write_text("1\n2\nthree\n")
    found = run(
        "CREATE TABLE t (a INT) WITH ('connector' = 'filesystem', 'path' = 'in.csv', 'format' = 'csv'); SELECT * FROM t;"
    )
    assert found.returncode == 1
    for word in ("FX-DAT-0001", "in.csv:3", "field 'a'", "'three'", "row-policy"):
        assert word in found.stderr


def test_debug_shows_the_traceback(run):
    assert "Traceback" in run("SELECT 1 / a FROM (VALUES (0)) AS t(a);", "--debug").stderr


def test_a_script_that_is_not_there(tmp_path):
    (tmp_path / "job.sql").write_text("SELECT 1;")
    found = subprocess.run(
        [*FLUXCORE, "run", "jb.sql"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert found.returncode == 2
    assert "job.sql" in found.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_an_endless_query_cleanly(start, number, code):
    job = start(ENDLESS + "SELECT x FROM g;", "--format", "json")
    assert "x" in json.loads(job.stdout.readline())
    job.send_signal(number)
    _, errors = job.communicate(timeout=60)
    assert job.returncode == code
    assert "Traceback" not in errors


def test_a_stopped_insert_keeps_whole_rows(start, tmp_path):
    job = start(
        ENDLESS
        + "CREATE TABLE o (x INT) WITH ('connector' = 'filesystem', 'path' = 'out', 'format' = 'json');\n"
        + "CREATE TABLE p (x INT) WITH ('connector' = 'print');\n"
        + "EXECUTE STATEMENT SET BEGIN INSERT INTO o SELECT x FROM g; INSERT INTO p SELECT x FROM g; END;"
    )
    assert job.stdout.readline().startswith("+I[")
    job.send_signal(signal.SIGINT)
    job.communicate(timeout=60)
    assert job.returncode == 130
    files = [each for each in (tmp_path / "out").iterdir() if not each.name.startswith((".", "_"))]
    rows = [json.loads(line) for each in files for line in each.read_text().splitlines()]
    assert rows


def test_a_reader_that_goes_away_ends_the_job_quietly(start):
    job = start(ENDLESS + "SELECT x FROM g;", "--format", "json")
    job.stdout.readline()
    job.stdout.close()
    errors = job.stderr.read()
    job.stderr.close()
    job.wait(60)
    assert "Traceback" not in errors
    assert "BrokenPipe" not in errors


def test_a_python_job(run):
    script = """
import fluxcore as fx
import pyarrow as pa
stream = fx.from_arrow(pa.table({"a": [1, 2, 3]}), name="t")
print(stream.filter(fx.col("a") > 1).to_arrow()["a"].to_pylist())
"""
    assert run(script, file="job.py").stdout == "[2, 3]\n"
    failed = run("x = 1\ny = x / 0\n", file="job.py")
    assert failed.returncode == 1
    assert "job.py:2" in failed.stderr
    assert "ZeroDivisionError" in failed.stderr
    assert run("def f(:\n", file="job.py").returncode == 2


def test_a_script_from_standard_input(tmp_path):
    found = subprocess.run(
        [*FLUXCORE, "run", "-", "--format", "csv"], input="SELECT 1 AS a;", cwd=tmp_path, capture_output=True, text=True,
        check=False, timeout=60, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    assert found.stdout == "a\n1\n"


@pytest.mark.parametrize(
    ("command", "code", "word"),
    [
        (["--help"], 0, "run"),
        (["run", "--help"], 0, "--format"),
        (["--version"], 0, "0."),
        (["nonsense"], 2, "nonsense"),
        (["doctor"], 0, "pyarrow"),
        (["doctor", "--settings"], 0, "table.local-time-zone"),
    ],
)
def test_other_commands(command, code, word):
    found = subprocess.run([*FLUXCORE, *command], capture_output=True, text=True, check=False, timeout=120)
    assert found.returncode == code
    assert word in found.stdout + found.stderr


def test_explain_shows_the_plan(tmp_path):
    (tmp_path / "q.sql").write_text("SELECT a, COUNT(*) AS n FROM (VALUES (1)) AS t(a) GROUP BY a;")
    found = subprocess.run(
        [*FLUXCORE, "explain", "q.sql"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert found.returncode == 0
    assert "Aggregate(by=[a], calls=[COUNT(*)]) changelog=[I,UB,UA,D]" in found.stdout


def test_metrics_tell_what_each_operator_did(run):
    found = run("SELECT a, COUNT(*) FROM (VALUES (1), (2), (2)) AS t(a) GROUP BY a;", "--metrics", "--format", "json")
    assert found.returncode == 0
    assert len(objects(found)) == 2
    told, head, *lines = found.stderr.splitlines()
    assert told.startswith("3 rows read in ")
    assert head.split()[:2] == ["operator", "tasks"]
    names = [line.split()[0].split("(")[0] for line in lines]
    assert (names[0], names[-1]) == ("Values", "Result")
    assert "Aggregate" in names
