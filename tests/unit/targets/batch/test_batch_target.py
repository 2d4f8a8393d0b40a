"""Batch mode: how it is asked for, what it refuses, where rows go, and what is left after a failure."""

from __future__ import annotations

import json
import subprocess
import sys

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fluxcore as fx
from fluxcore.api.session import Session
from fluxcore.connectors.collect import CollectSink
from fluxcore.core.settings import Settings
from fluxcore.errors import Cancelled, DataError, JobError, ScriptError
from fluxcore.targets.batch.database import Database

GROUPS = "SELECT k, SUM(v) AS s, COUNT(*) AS n FROM t GROUP BY k"


def data(rows: int = 10) -> pa.Table:
    return pa.table({"k": [f"k{i % 3}" for i in range(rows)], "v": pa.array(range(rows), pa.int64())})


def session(target: str | None = "batch", **settings: str) -> Session:
    found = Session(
        {"parallelism.default": "2", **{k.replace("_", "."): v for k, v in settings.items()}}, target=target
    )
    found.from_arrow(data(), name="t")
    return found


def rows_of(table: pa.Table) -> list[tuple[object, ...]]:
    return sorted(zip(*(column.to_pylist() for column in table.columns), strict=True), key=repr)


def script(tmp_path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "script.sql"
    path.write_text(text)
    command = [sys.executable, "-m", "fluxcore.cli.main", "run", str(path), "--format", "json", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


EVENTS = """
CREATE TABLE t (k STRING, v BIGINT) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'parquet');
"""


@pytest.mark.parametrize(
    ("lead", "options"),
    [
        ("SET 'execution.runtime-mode' = 'batch';", ()),
        ("", ("--set", "execution.runtime-mode=batch")),
        ("", ("--target", "batch")),
    ],
)
def test_a_script_runs_in_batch_mode_however_it_is_asked_for(tmp_path, lead, options):
    pq.write_table(data(), tmp_path / "t.parquet")
    text = lead + EVENTS.format(path=tmp_path / "t.parquet") + GROUPS + " ORDER BY k;"
    done = script(tmp_path, text, *options)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"k": "k0", "s": 18, "n": 4}, {"k": "k1", "s": 12, "n": 3}, {"k": "k2", "s": 15, "n": 3}
    ]  # fmt: skip


def test_sessions_and_jobs_in_python_take_the_target():
    assert rows_of(session().sql(GROUPS).to_arrow()) == rows_of(session(None).sql(GROUPS).to_arrow())
    written = session(None)
    written.execute("CREATE TABLE totals (k STRING, s BIGINT, n BIGINT) WITH ('connector' = 'blackhole')")
    job = written.start({"totals": written.sql(GROUPS)}, target="batch")
    job.result()
    assert job.metrics().operators[-1].rows_in == 3
    fx.Session(target="batch").sql("SELECT 1").to_arrow()


def test_every_row_of_a_changelog_is_an_insert():
    found = pa.Table.from_batches(list(session().sql(GROUPS).batches(changelog=True)))
    assert found["op"].to_pylist() == ["+I"] * 3


def test_tables_that_never_end_are_refused_at_their_place(tmp_path):
    text = "CREATE TABLE g (n INT) WITH ('connector' = 'datagen');\nSELECT COUNT(*) FROM g;"
    done = script(tmp_path, text, "--target", "batch")
    assert done.returncode == 2
    assert "error[FX-BAT-0101]: batch mode needs input that ends, and the table 'g' never does" in done.stderr
    with pytest.raises(ScriptError) as caught:
        session(None, **{"execution.runtime-mode": "batch"}).execute(
            "CREATE TABLE g (n INT) WITH ('connector' = 'datagen'); CREATE TABLE b (n INT) WITH ('connector' = 'blackhole'); "
            "INSERT INTO b SELECT n FROM g"
        )
    assert caught.value.code == "FX-BAT-0101"


FILES = """
CREATE TABLE a (k STRING, s BIGINT) WITH ('connector' = 'filesystem', 'path' = '{0}/a', 'format' = 'csv');
CREATE TABLE b (k STRING, v BIGINT) WITH ('connector' = 'filesystem', 'path' = '{0}/b', 'format' = 'csv');
"""


def files(folder) -> list[str]:
    return sorted(line for path in folder.glob("*") for line in path.read_text().splitlines())


def test_inserts_of_a_set_are_committed_together_at_the_end(tmp_path):
    given = session()
    given.execute(
        FILES.format(tmp_path) + "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT k, SUM(v) FROM t GROUP BY k; "
        "INSERT INTO b SELECT k, v FROM t WHERE v > 7; END;"
    )
    assert files(tmp_path / "a") == ["k0,18", "k1,12", "k2,15"]
    assert files(tmp_path / "b") == ["k0,9", "k2,8"]


def test_a_part_that_fails_leaves_nothing_of_any_insert(tmp_path):
    given = session()
    with pytest.raises(JobError):
        given.execute(
            FILES.format(tmp_path) + "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT k, SUM(v) FROM t GROUP BY k; "
            "INSERT INTO b SELECT k, v / (v - 7) FROM t; END;"
        )
    assert not [path for name in "ab" for path in (tmp_path / name).glob("*.csv")]
    assert not [path for name in "ab" for path in (tmp_path / name).glob("part*")]


def test_rows_that_cannot_be_read_are_told_with_file_and_line(tmp_path):
    (tmp_path / "t.csv").write_text("a,1\nb,x\n")
    given = Session(target="batch")
    given.execute(
        f"CREATE TABLE f (k STRING, v INT) WITH ('connector' = 'filesystem', 'path' = '{tmp_path}/t.csv', 'format' = 'csv')"
    )
    with pytest.raises(DataError) as caught:
        given.sql("SELECT k, SUM(v) FROM f GROUP BY k").to_arrow()
    assert caught.value.place.line == 2
    streaming = Session()
    streaming.catalog = given.catalog
    with pytest.raises(DataError) as there:
        streaming.sql("SELECT k, SUM(v) FROM f GROUP BY k").to_arrow()
    assert caught.value.code == there.value.code


def test_windows_want_their_time():
    given = Session(target="batch")
    times = pa.array([0, None], pa.timestamp("us"))
    given.from_arrow(pa.table({"ts": times}), name="w", watermark=("ts", "1 s"))
    query = "SELECT window_start, COUNT(*) FROM TUMBLE(TABLE w, DESCRIPTOR(ts), INTERVAL '1' MINUTE) GROUP BY window_start, window_end"
    with pytest.raises(DataError, match="the event time 'ts' is NULL") as caught:
        given.sql(query).to_arrow()
    assert caught.value.code == "FX-RUN-0201"


def test_no_row_is_late():
    times = pa.array([60_000_000, 0, 1_000_000], pa.timestamp("us"))
    query = "SELECT window_start, COUNT(*) FROM TUMBLE(TABLE w, DESCRIPTOR(ts), INTERVAL '10' SECOND) GROUP BY window_start, window_end"
    counts = {}
    for target in ("embedded", "batch"):
        given = Session(target=target)
        given.from_arrow(pa.table({"ts": times}), name="w", watermark=("ts", "1 s"))
        counts[target] = [row[1] for row in rows_of(given.sql(query).to_arrow())]
    assert counts == {"embedded": [1], "batch": [2, 1]}


def test_a_limit_ends_the_reading():
    given = Session(target="batch")
    given.execute(
        "CREATE TABLE g (n BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '1000000000', 'fields.n.kind' = 'random')"
    )
    assert given.sql("SELECT n FROM g LIMIT 5").to_arrow().num_rows == 5
    assert given.sql("SELECT n, COUNT(*) FROM (SELECT n FROM g LIMIT 9) GROUP BY n").to_arrow().num_rows == 9


@pytest.mark.parametrize("query", ["SELECT n FROM g", "SELECT n, COUNT(*) FROM g GROUP BY n"])
def test_a_job_can_be_stopped(query):
    given = Session(target="batch")
    given.execute(
        "CREATE TABLE g (n BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '1000000000', 'fields.n.kind' = 'random')"
    )
    sink = CollectSink()
    job = given.target.start([(given.sql(query).node, sink)], given.settings)
    assert not job.wait(0.2)
    job.stop()
    assert job.wait(0)
    with pytest.raises(Cancelled):
        job.result()


def test_closing_the_iterator_ends_the_job():
    given = Session(target="batch")
    given.execute(
        "CREATE TABLE g (n BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '1000000000', 'fields.n.kind' = 'random')"
    )
    batches = given.iterate(given.sql("SELECT n + 1 FROM g").node)
    assert next(batches).num_rows
    batches.close()


def test_rows_that_several_parts_take_are_read_once():
    given = Session(target="batch")
    given.execute(
        "CREATE TABLE g (i BIGINT, r DOUBLE) WITH ('connector' = 'datagen', 'number-of-rows' = '1000', "
        "'fields.i.kind' = 'sequence', 'fields.i.start' = '1', 'fields.i.end' = '1000')"
    )
    plan = given.sql("SELECT a.i, a.r, b.r FROM g AS a JOIN g AS b ON a.i = b.i")
    found = plan.to_arrow()
    assert found.num_rows == 1000
    assert found.column(1).to_pylist() == found.column(2).to_pylist()
    assert "kept in a table" in given.explain(plan.node)


def test_explain_shows_the_stages():
    given = session()
    shown = given.explain(given.sql("SELECT k, UPPER(k), SUM(v) FROM t GROUP BY k ORDER BY k").node)
    assert "stage 1: operators" in shown
    assert "Scan(t, columns=[k, v])" in shown
    assert "stage 2: DuckDB" in shown
    assert "sum(c1)" in shown
    assert "GROUP BY c0" in shown
    assert "rules: " in shown
    told = given.target.explain([given.sql(GROUPS).node], given.settings, ["JSON_EXECUTION_PLAN"])
    assert [each["by"] for each in json.loads(told)["stages"]] == ["operators", "DuckDB"]


class Doubled(fx.ProcessFunction):
    def process(self, row):
        yield {"k": row["k"], "s2": 2 * row["s"]}


def test_what_a_program_brings_runs_between_queries():
    schema = pa.schema([("k", pa.string()), ("s2", pa.int64())])
    stream = session().sql(GROUPS).process(Doubled(), schema=schema)
    assert rows_of(stream.to_arrow()) == [("k0", 36), ("k1", 24), ("k2", 30)]


def test_a_database_spills_to_its_folder_and_removes_it():
    database = Database(Settings({"taskmanager.memory.process.size": "200 mb", "parallelism.default": "2"}))
    assert list(database.read("SELECT 1", {}))
    folder = database._folder
    query = "SELECT i, hash(i) AS h, repeat('x', 40) || i AS t FROM range(3000000) r(i) ORDER BY h"
    seen, spilled = 0, set()
    for batch in database.read(query, {}):
        seen += batch.num_rows
        spilled |= set(folder.rglob("*.tmp"))  # the database removes them while they are looked for
    assert seen == 3_000_000
    assert spilled
    database.close()
    assert not folder.exists()


def test_too_little_memory_and_disk_is_told():
    database = Database(Settings({"taskmanager.memory.process.size": "100 mb", "parallelism.default": "1"}))
    assert list(database.read("SELECT 1", {}))
    database._root.execute("SET max_temp_directory_size = '1MB'")
    with pytest.raises(JobError) as caught:
        list(database.read("SELECT i, repeat('x', 400) || i AS t FROM range(2000000) r(i) ORDER BY hash(i)", {}))
    assert caught.value.code == "FX-BAT-0302"
    database.close()
    assert duckdb.connect().execute("SELECT 1").fetchall() == [(1,)]
