"""Scripts and pipelines on a real Flink cluster: rows, jobs, savepoints, and errors at the user's line."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

import fluxcore as fx
from fluxcore.errors import JobError, ScriptError
from fluxcore.targets.flink.address import cluster_at
from fluxcore.targets.flink.compare import compare, plain
from fluxcore.targets.flink.jobmanager import ENDED

if TYPE_CHECKING:
    from pathlib import Path

    from fluxcore.targets.flink.address import Cluster as Remote
    from fluxcore.targets.flink.cluster.record import Cluster

TABLE = """CREATE TABLE rides (
  id BIGINT, city STRING, fare DECIMAL(10, 2), started TIMESTAMP(3),
  WATERMARK FOR started AS started - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'rides.csv', 'format' = 'csv');
"""
ENDLESS = """CREATE TABLE clicks (who INT, seen AS PROCTIME()) WITH (
  'connector' = 'datagen', 'rows-per-second' = '200', 'fields.who.min' = '0', 'fields.who.max' = '9');
CREATE TABLE counts (who INT, clicks BIGINT, PRIMARY KEY (who) NOT ENFORCED) WITH ('connector' = 'blackhole');
INSERT INTO counts SELECT who, COUNT(*) FROM clicks GROUP BY who;
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a file of rides."""
    lines = [f"{n},{'ABC'[n % 3]},{n % 50}.25,2024-01-01 00:{n // 60 % 60:02}:{n % 60:02}.000" for n in range(1000)]
    (tmp_path / "rides.csv").write_text("\n".join(lines) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def remote(flink: Cluster) -> Remote:
    return cluster_at(flink.address)


def fluxcore(*arguments: str, script: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fluxcore.cli.main", *arguments]
    done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def run(flink: Cluster, script: str, *options: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    return fluxcore("run", "-", "--target", flink.address, *options, script=script, code=code)


def test_rows_of_a_select_come_back_as_if_it_had_run_here(folder: Path, flink: Cluster) -> None:
    script = TABLE + "SELECT city, COUNT(*) AS n, SUM(fare) AS s, MAX(started) AS last_one FROM rides GROUP BY city;"
    there = run(flink, script, "--format", "json", "--parallelism", "2").stdout
    here = fluxcore("run", "-", "--format", "json", script=script).stdout
    assert sorted(there.splitlines()) == sorted(here.splitlines())
    assert len(there.splitlines()) == 3


def test_changes_of_a_database_are_read_there_as_here(folder: Path, flink: Cluster) -> None:
    rows: list[dict[str, object]] = [{"id": n, "name": name} for n, name in enumerate(("a", "b", "c"))]
    messages: list[dict[str, object]] = [{"before": None, "after": row, "op": "c"} for row in rows]
    messages += [
        {"before": rows[0], "after": {"id": 0, "name": "z"}, "op": "u"},
        {"before": rows[1], "after": None, "op": "d"},
    ]
    (folder / "t.json").write_text("".join(json.dumps(message) + "\n" for message in messages))
    script = """CREATE TABLE t (id INT, name STRING, PRIMARY KEY (id) NOT ENFORCED)
      WITH ('connector' = 'filesystem', 'path' = 't.json', 'format' = 'debezium-json');
    SELECT name FROM t;"""
    for each in (run(flink, script, "--format", "json"), fluxcore("run", "-", "--format", "json", script=script)):
        assert sorted(json.loads(line)["name"] for line in each.stdout.splitlines()) == ["c", "z"]


def test_a_changelog_has_every_change(folder: Path, flink: Cluster) -> None:
    script = TABLE + "SELECT city, COUNT(*) AS n FROM rides GROUP BY city;"
    lines = run(flink, script, "--format", "changelog", "--parallelism", "1").stdout.splitlines()
    kinds = Counter(json.loads(line)["op"] for line in lines)
    assert kinds == {"+I": 3, "-U": 997, "+U": 997}


def test_inserts_run_as_one_job_and_a_select_behind_them_sees_their_rows(folder: Path, flink: Cluster) -> None:
    script = (
        TABLE
        + """
      CREATE TABLE a (id BIGINT) WITH ('connector' = 'filesystem', 'path' = 'a', 'format' = 'json');
      CREATE TABLE b (city STRING, id BIGINT) WITH ('connector' = 'filesystem', 'path' = 'b', 'format' = 'json');
      INSERT INTO a SELECT id FROM rides WHERE id < 10;
      INSERT INTO b SELECT city, id FROM rides WHERE id >= 990;
      SHOW TABLES;
      SELECT a.id, b.id AS other FROM a, b WHERE a.id + 990 = b.id;
    """
    )
    done = run(flink, script, "--format", "json")
    assert done.stderr.count("started") == 2  # the job of both inserts, and the query's
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    tables, rows = [each for each in answers if "id" not in each], [each for each in answers if "id" in each]
    assert {"a", "b"} <= {name for each in tables for name in each.values()}  # the answer of SHOW TABLES
    assert sorted(row["id"] for row in rows) == list(range(10))
    assert "rides" in done.stdout


def test_nothing_runs_when_a_later_statement_is_wrong(folder: Path, flink: Cluster) -> None:
    script = (
        TABLE
        + """
      CREATE TABLE a (id BIGINT) WITH ('connector' = 'filesystem', 'path' = 'never', 'format' = 'json');
      INSERT INTO a SELECT id FROM rides;
      SELECT nope FROM rides;
    """
    )
    done = run(flink, script, code=2)
    assert "Column 'nope' not found" in done.stderr
    assert "8:14" in done.stderr
    assert "started" not in done.stderr
    assert not (folder / "never").exists()


def test_a_job_that_fails_tells_its_root_cause(folder: Path, flink: Cluster) -> None:
    done = run(flink, TABLE + "SELECT 1 / (id - id) FROM rides;", code=1)
    assert "/ by zero" in done.stderr
    assert len(done.stderr.splitlines()) < 10


def test_what_flink_has_no_twin_of_is_refused_at_its_line(folder: Path, flink: Cluster) -> None:
    script = "SET 'a' = 'b';\n" + TABLE.replace("'csv')", "'csv', 'csv.header' = 'true')") + "SELECT * FROM rides;"
    done = run(flink, script, code=2)
    assert "csv.header" in done.stderr
    assert ":2:1" in done.stderr


def test_a_query_that_is_updated_for_ever_and_one_behind_an_endless_insert_are_refused(flink: Cluster) -> None:
    query = "SELECT who, COUNT(*) FROM clicks GROUP BY who;"
    assert "FX-RUN-0111" in run(flink, ENDLESS.rpartition("INSERT")[0] + query, code=2).stderr
    assert "FX-SQL-0901" in run(flink, ENDLESS + "SELECT 1;", code=2).stderr


def test_a_select_can_t_be_left_alone(folder: Path, flink: Cluster) -> None:
    assert "FX-FLK-0203" in run(flink, TABLE + "SELECT * FROM rides;", "--detach", code=2).stderr


def test_a_job_is_left_described_saved_restored_and_cancelled(flink: Cluster, tmp_path: Path) -> None:
    def flink_command(*arguments: str, code: int = 0) -> str:
        return fluxcore("flink", *arguments, "--target", flink.address, code=code).stdout

    script = tmp_path / "endless.sql"
    script.write_text(ENDLESS)
    job = run(flink, ENDLESS, "--detach", "--parallelism", "1").stdout.strip()
    assert json.loads(flink_command("describe", job, "--format", "json"))["state"] in ("RUNNING", "CREATED")
    manager = cluster_at(flink.address).jobmanager
    while any(each["status"] != "RUNNING" for each in manager.job(job)["vertices"]):
        assert manager.state(job) not in ENDED
    path = flink_command("savepoint", job, "--to", f"file://{tmp_path}/saved", "--stop").strip()
    assert path.startswith(f"file:{tmp_path}/saved/")
    assert manager.state(job) == "FINISHED"

    restored = flink_command("restore", path, str(script), "--parallelism", "2").strip()
    told = [json.loads(line) for line in flink_command("jobs", "--format", "json").splitlines()]
    assert {each["id"] for each in told} >= {job, restored}
    while any(each["status"] != "RUNNING" for each in manager.job(restored)["vertices"]):
        assert manager.state(restored) not in ENDED
    assert {each["parallelism"] for each in manager.job(restored)["vertices"]} == {2}
    flink_command("cancel", restored)
    assert manager.state(restored) == "CANCELED"
    assert "no job" in fluxcore("flink", "cancel", "0" * 32, "--target", flink.address, code=2).stderr


def test_a_folder_that_can_t_be_written_is_told(remote: Remote, flink: Cluster) -> None:
    job = run(flink, ENDLESS, "--detach").stdout.strip()
    try:
        while any(each["status"] != "RUNNING" for each in remote.jobmanager.job(job)["vertices"]):
            assert remote.jobmanager.state(job) not in ENDED
        with pytest.raises(JobError, match="no savepoint was taken"):
            remote.jobmanager.savepoint(job, "file:///proc/nowhere", stop=False)
        assert remote.jobmanager.state(job) == "RUNNING"
    finally:
        remote.jobmanager.cancel(job)


def test_pipelines_in_python(folder: Path, flink: Cluster) -> None:
    def answers(target: str | None) -> list[Counter[object]]:
        session = fx.Session({"pipeline.auto-watermark-interval": "0"}, target=target)
        session.execute(TABLE)
        rides = session.table("rides")
        windows = rides.window(fx.tumble("started", "1 min")).group_by("city").agg(n=fx.count(), s=fx.sum("fare"))
        tables = [
            windows.to_arrow(),
            rides.top(2, by=["fare", "id"], per=["city"]).to_arrow(),
            *session.collect(rides.filter(fx.col("id") < 9)),
        ]
        return [Counter(tuple(plain(value) for value in row.values()) for row in table.to_pylist()) for table in tables]

    assert answers(flink.address) == answers(None)


def test_changes_in_python(folder: Path, flink: Cluster) -> None:
    session = fx.Session({"parallelism.default": "1"}, target=flink.address)
    session.execute(TABLE)
    changes = pa.Table.from_batches(session.table("rides").group_by("city").agg(n=fx.count()).batches(changelog=True))
    assert Counter(changes["op"].to_pylist()) == {"+I": 3, "-U": 997, "+U": 997}


def test_one_job_of_a_session_runs_elsewhere(folder: Path, flink: Cluster) -> None:
    session = fx.Session()
    session.execute(
        TABLE
        + "CREATE TABLE out_there (id BIGINT) WITH ('connector' = 'filesystem', 'path' = 'there', 'format' = 'json')"
    )
    session.run({"out_there": session.table("rides").select("id")}, target=flink.address)
    assert session.table("out_there").to_arrow().num_rows == 1000


def test_an_endless_job_is_stopped(flink: Cluster, remote: Remote) -> None:
    session = fx.Session(target=flink.address)
    session.execute(ENDLESS.rpartition("INSERT")[0])
    job = session.start({"counts": session.sql("SELECT who, COUNT(*) FROM clicks GROUP BY who")})
    assert not job.bounded
    assert not job.wait(0.1)
    job.stop()
    with pytest.raises(fx.FluxError):
        job.result()
    assert [remote.jobmanager.state(id_) for id_ in job.ids] == ["CANCELED"]


def test_a_reader_that_leaves_ends_the_job_and_the_session(flink: Cluster, remote: Remote) -> None:
    session = fx.Session(target=flink.address)
    session.execute(ENDLESS.rpartition("INSERT")[0])
    session.execute("SET 'pipeline.name' = 'left by its reader'")
    rows = session.sql("SELECT who FROM clicks").batches()
    assert next(rows).num_rows > 0
    rows.close()
    (job,) = (job.id for job in remote.jobmanager.jobs() if job.name == "left by its reader")
    assert remote.jobmanager.wait(job) == "CANCELED"
    assert not [thread for thread in threading.enumerate() if thread.name == "fluxcore flink results"]


def test_a_sink_is_aborted_when_the_job_fails(folder: Path, flink: Cluster) -> None:
    class Kept(fx.Sink):
        def __init__(self) -> None:
            self.ended: list[str] = []

        def write(self, batch: object) -> None:
            """Take rows."""

        def commit(self) -> None:
            self.ended.append("committed")

        def abort(self) -> None:
            self.ended.append("aborted")

    session, sink = fx.Session(target=flink.address), Kept()
    session.execute(TABLE)
    with pytest.raises(JobError, match="by zero"):
        session.sql("SELECT 1 / (id - id) AS x FROM rides").write(sink)
    assert sink.ended == ["aborted"]


def test_all_that_does_not_port_is_named_at_once(folder: Path, flink: Cluster) -> None:
    class Same(fx.ProcessFunction):
        def process(self, row):
            yield row

    session = fx.Session(target=flink.address)
    session.execute(TABLE.replace("'csv')", "'csv', 'row-policy' = 'skip')"))
    stream = session.table("rides").select("id").process(Same(), schema={"id": pa.int64()})
    with pytest.raises(ScriptError, match="row-policy") as raised:
        stream.to_arrow()
    assert "Same" in raised.value.message


def test_comparison_shows_the_rows_of_one_side_only(folder: Path, remote: Remote) -> None:
    (same,) = compare(TABLE + "SELECT city, COUNT(*) FROM rides GROUP BY city", None, remote, {})
    assert same.equal
    assert same.rows_here == same.rows_there == 3
    (other,) = compare(TABLE + "SELECT id FROM rides ORDER BY city LIMIT 1", None, remote, {})
    assert other.rows_here == other.rows_there == 1
    with pytest.raises(ScriptError, match="only a script that has queries"):
        compare(TABLE, None, remote, {})


def test_instants_are_told_in_the_zone_of_the_session(flink: Cluster) -> None:
    script = "SET 'table.local-time-zone' = 'Asia/Tokyo'; SELECT TO_TIMESTAMP_LTZ(1000, 3) AS t;"
    assert run(flink, script, "--format", "json").stdout == '{"t": "1970-01-01T00:00:01Z"}\n'
