"""Materialised tables of a session: what they answer, how they are refreshed, what follows them, and how they end."""

from __future__ import annotations

import threading
import time

import pyarrow as pa
import pytest

import fluxcore as fx
from fluxcore.api.materialized.table import Status
from fluxcore.core.ports import Signal

ORDERS = pa.table({"k": ["a", "b", "a", None], "v": [1, 2, 3, 4]})


class Taps(fx.Feed):
    """An endless source that a test gives its batches to, one after the other."""

    bounded = False

    def __init__(self, schema):
        self.schema = schema
        self.waiting: list = []

    def give(self, *rows):
        self.waiting.append(pa.RecordBatch.from_pylist(list(rows), self.schema))

    def fail(self):
        self.waiting.append(RuntimeError("the tap is broken"))

    def take(self):
        if not self.waiting:
            return Signal.NOTHING_NOW
        found = self.waiting.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


SCHEMA = pa.schema([("k", pa.string()), ("v", pa.int64())])


@pytest.fixture
def session():
    with fx.Session({"parallelism.default": "2"}) as made:
        yield made


@pytest.fixture
def tap(session):
    made = Taps(SCHEMA)
    made.waiting = waiting = []
    session.from_feed(made, schema=SCHEMA, name="tap")
    made.waiting = waiting  # each job reads a copy that shares the list
    return made


def soon(look, wanted, seconds=30):
    """Wait until ``look()`` is what is wanted; the last look is compared in any case."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if look() == wanted:
            return
        time.sleep(0.01)
    assert look() == wanted


def rows(session, query):
    return session.query(query).to_pylist()


def status(session, name):
    return next(table.status for table in session.tables if table.definition.name == name)


def test_a_table_of_input_that_ends_is_filled_when_the_script_goes_on(session):
    session.from_arrow(ORDERS, name="orders")
    session.execute("CREATE MATERIALIZED TABLE m AS SELECT k, SUM(v) AS s, COUNT(*) AS n FROM orders GROUP BY k")
    found = rows(session, "SELECT * FROM m")
    assert sorted(found, key=lambda row: row["s"] * 10 + row["n"]) == [
        {"k": "b", "s": 2, "n": 1},
        {"k": None, "s": 4, "n": 1},
        {"k": "a", "s": 4, "n": 2},
    ]
    assert status(session, "m") is Status.FINISHED


def test_a_running_table_answers_as_of_now_and_keeps_up(session, tap):
    session.execute("CREATE MATERIALIZED TABLE m AS SELECT k, SUM(v) AS s FROM tap GROUP BY k")
    tap.give({"k": "a", "v": 1}, {"k": "b", "v": 2})
    soon(lambda: rows(session, "SELECT * FROM m ORDER BY k"), [{"k": "a", "s": 1}, {"k": "b", "s": 2}])
    tap.give({"k": "a", "v": 10}, {"k": None, "v": 5})
    soon(
        lambda: rows(session, "SELECT * FROM m ORDER BY s"),
        [{"k": "b", "s": 2}, {"k": None, "s": 5}, {"k": "a", "s": 11}],
    )
    assert status(session, "m") is Status.RUNNING


def test_rows_that_go_away_leave_the_table(session, tap):
    session.execute(
        "CREATE MATERIALIZED TABLE m AS SELECT k, s FROM (SELECT k, SUM(v) AS s FROM tap GROUP BY k) WHERE s < 10"
    )
    tap.give({"k": "a", "v": 9}, {"k": "b", "v": 1})
    soon(lambda: rows(session, "SELECT * FROM m ORDER BY k"), [{"k": "a", "s": 9}, {"k": "b", "s": 1}])
    tap.give({"k": "a", "v": 5})
    soon(lambda: rows(session, "SELECT * FROM m"), [{"k": "b", "s": 1}])
    tap.give({"k": "a", "v": -10})
    soon(lambda: rows(session, "SELECT * FROM m ORDER BY k"), [{"k": "a", "s": 4}, {"k": "b", "s": 1}])


def test_without_a_key_equal_rows_repeat(session, tap):
    session.execute("CREATE MATERIALIZED TABLE m AS SELECT s FROM (SELECT k, SUM(v) AS s FROM tap GROUP BY k)")
    tap.give({"k": "a", "v": 1}, {"k": "b", "v": 1}, {"k": "c", "v": 2})
    soon(lambda: rows(session, "SELECT * FROM m ORDER BY s"), [{"s": 1}, {"s": 1}, {"s": 2}])
    tap.give({"k": "a", "v": 1})
    soon(lambda: rows(session, "SELECT * FROM m ORDER BY s"), [{"s": 1}, {"s": 2}, {"s": 2}])


def test_a_global_aggregate_is_one_row(session, tap):
    session.execute("CREATE MATERIALIZED TABLE m AS SELECT COUNT(*) AS n, MAX(v) AS top FROM tap")
    tap.give({"k": "a", "v": 7}, {"k": "b", "v": 3})
    tap.give({"k": "c", "v": 8})
    soon(lambda: rows(session, "SELECT * FROM m"), [{"n": 3, "top": 8}])


def test_a_primary_key_keeps_the_last_row_of_each_key(session, tap):
    session.execute(
        "CREATE MATERIALIZED TABLE m (k, v, PRIMARY KEY (k) NOT ENFORCED) AS SELECT COALESCE(k, '') AS k, v FROM tap;"
        "CREATE MATERIALIZED TABLE total AS SELECT SUM(v) AS s, COUNT(*) AS n FROM m"
    )
    tap.give({"k": "a", "v": 1}, {"k": "b", "v": 2}, {"k": "a", "v": 3})
    tap.give({"k": "b", "v": 4})
    soon(lambda: rows(session, "SELECT * FROM m ORDER BY k"), [{"k": "a", "v": 3}, {"k": "b", "v": 4}])
    soon(lambda: rows(session, "SELECT * FROM total"), [{"s": 7, "n": 2}])


def test_a_primary_key_over_an_updated_query_of_another_key(session, tap):
    session.execute(
        "CREATE MATERIALIZED TABLE m (n, k, PRIMARY KEY (n) NOT ENFORCED) AS SELECT COUNT(*) AS n, k FROM tap GROUP BY k"
    )
    tap.give({"k": "a", "v": 1})
    soon(lambda: rows(session, "SELECT * FROM m"), [{"n": 1, "k": "a"}])
    tap.give({"k": "b", "v": 1})
    soon(lambda: rows(session, "SELECT * FROM m"), [{"n": 1, "k": "b"}])
    tap.give({"k": "b", "v": 1})
    soon(lambda: rows(session, "SELECT * FROM m ORDER BY n"), [{"n": 1, "k": "a"}, {"n": 2, "k": "b"}])
    with pytest.raises(fx.FluxError, match="can't be followed"):
        session.execute("CREATE MATERIALIZED TABLE o AS SELECT COUNT(*) AS c FROM m")


def test_all_readings_of_a_query_are_of_one_moment(session):
    text = "CREATE TABLE g (v BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '100000', 'fields.v.min' = '1', 'fields.v.max' = '9')"
    session.execute(f"{text}; CREATE MATERIALIZED TABLE m AS SELECT v, COUNT(*) AS n FROM g GROUP BY v")
    soon(lambda: len(rows(session, "SELECT * FROM m")), 9)
    for _ in range(5):
        found = rows(
            session, "SELECT (SELECT SUM(n) FROM m) - (SELECT SUM(n) FROM m WHERE v > 0) AS d, SUM(n) AS n FROM m"
        )
        assert found[0]["d"] == 0
        assert found[0]["n"] > 0


def test_a_table_follows_the_changes_of_another(session, tap):
    session.execute(
        "CREATE MATERIALIZED TABLE m AS SELECT k, SUM(v) AS s FROM tap GROUP BY k;"
        "CREATE MATERIALIZED TABLE top AS SELECT MAX(s) AS s, COUNT(*) AS n FROM m"
    )
    tap.give({"k": "a", "v": 5}, {"k": "b", "v": 2})
    soon(lambda: rows(session, "SELECT * FROM top"), [{"s": 5, "n": 2}])
    session.execute("CREATE MATERIALIZED TABLE late AS SELECT SUM(s) AS s FROM m")
    tap.give({"k": "a", "v": -4})
    soon(lambda: rows(session, "SELECT * FROM top"), [{"s": 2, "n": 2}])
    soon(lambda: rows(session, "SELECT * FROM late"), [{"s": 3}])


def test_changes_pass_through_several_tables_and_meet_again(session, tap):
    session.execute(
        "CREATE MATERIALIZED TABLE m AS SELECT k, SUM(v) AS s FROM tap GROUP BY k;"
        "CREATE MATERIALIZED TABLE tens AS SELECT k, s * 10 AS t FROM m WHERE s < 5;"
        "CREATE MATERIALIZED TABLE both_ AS SELECT m.k, m.s, tens.t FROM m LEFT JOIN tens ON m.k = tens.k"
    )
    tap.give({"k": "a", "v": 3}, {"k": "b", "v": 1})
    query = "SELECT * FROM both_ ORDER BY k"
    soon(lambda: rows(session, query), [{"k": "a", "s": 3, "t": 30}, {"k": "b", "s": 1, "t": 10}])
    tap.give({"k": "a", "v": 2}, {"k": "b", "v": 1})
    soon(lambda: rows(session, query), [{"k": "a", "s": 5, "t": None}, {"k": "b", "s": 2, "t": 20}])


def test_a_table_is_looked_up_as_it_stands(session, tap):
    rates = Taps(SCHEMA)
    session.from_feed(rates, schema=SCHEMA, name="rates")
    session.execute("CREATE MATERIALIZED TABLE m AS SELECT k, SUM(v) AS rate FROM rates GROUP BY k")
    rates.give({"k": "a", "v": 2})
    soon(lambda: rows(session, "SELECT rate FROM m"), [{"rate": 2}])
    session.execute(
        "CREATE MATERIALIZED TABLE priced AS SELECT t.v * m.rate AS price FROM (SELECT *, PROCTIME() AS at_ FROM tap) AS t "
        "JOIN m FOR SYSTEM_TIME AS OF t.at_ ON t.k = m.k"
    )
    tap.give({"k": "a", "v": 5})
    soon(lambda: rows(session, "SELECT * FROM priced"), [{"price": 10}])


def test_batch_mode_fills_tables_too():
    with fx.Session({"execution.runtime-mode": "batch"}) as session:
        session.from_arrow(ORDERS, name="orders")
        session.execute(
            "CREATE MATERIALIZED TABLE m AS SELECT k, SUM(v) AS s FROM orders GROUP BY k;"
            "CREATE MATERIALIZED TABLE f REFRESH_MODE = FULL AS SELECT COUNT(*) AS n FROM m"
        )
        assert rows(session, "SELECT MAX(s) AS top FROM m") == [{"top": 4}]
        assert rows(session, "SELECT * FROM f") == [{"n": 3}]


def test_an_insert_goes_on_with_the_table_that_it_reads(session, tap, tmp_path):
    session.execute(
        f"CREATE TABLE file (k STRING, v BIGINT) WITH ('connector' = 'filesystem', 'path' = '{tmp_path / 'out'}', 'format' = 'json');"
        "CREATE MATERIALIZED TABLE m AS SELECT k, v FROM tap WHERE v > 1"
    )
    tap.give({"k": "a", "v": 1}, {"k": "b", "v": 2})
    soon(lambda: rows(session, "SELECT v FROM m"), [{"v": 2}])
    job = session.start_script("INSERT INTO file SELECT * FROM m")
    assert not job.bounded
    tap.give({"k": "c", "v": 3})
    soon(lambda: job.metrics().source_rows, 2)
    soon(lambda: job.metrics().operators[-1].rows_in, 2)
    job.stop()
    text = "".join(path.read_text() for path in (tmp_path / "out").iterdir())
    assert sorted(text.split("\n")) == ["", '{"k":"b","v":2}', '{"k":"c","v":3}']


def test_what_reads_a_finished_table_ends(session):
    session.from_arrow(ORDERS, name="orders")
    session.execute(
        "CREATE MATERIALIZED TABLE m AS SELECT k, SUM(v) AS s FROM orders GROUP BY k;"
        "CREATE MATERIALIZED TABLE n AS SELECT COUNT(*) AS n FROM m"
    )
    assert rows(session, "SELECT * FROM n") == [{"n": 3}]


def test_suspend_holds_the_job_and_resume_goes_on(session, tap):
    session.execute("CREATE MATERIALIZED TABLE m AS SELECT SUM(v) AS s FROM tap")
    tap.give({"k": "a", "v": 1})
    soon(lambda: rows(session, "SELECT * FROM m"), [{"s": 1}])
    session.execute("ALTER MATERIALIZED TABLE m SUSPEND")
    assert status(session, "m") is Status.SUSPENDED
    table = next(iter(session.tables))
    before = table.job
    tap.give({"k": "a", "v": 2})
    assert rows(session, "SELECT * FROM m") == [{"s": 1}]
    assert len(tap.waiting) == 1, "nobody takes it"
    session.execute("ALTER MATERIALIZED TABLE m RESUME")
    soon(lambda: rows(session, "SELECT * FROM m"), [{"s": 3}])
    assert table.job is before, "it went on, and did not begin anew"


def test_a_failed_job_is_told_with_its_cause_and_can_begin_anew(session, tap):
    session.execute(
        "CREATE MATERIALIZED TABLE m AS SELECT k, SUM(v) AS s FROM tap GROUP BY k; CREATE VIEW w AS SELECT * FROM m"
    )
    tap.give({"k": "a", "v": 1})
    soon(lambda: rows(session, "SELECT s FROM m"), [{"s": 1}])
    tap.fail()
    soon(lambda: status(session, "m"), Status.FAILED)
    assert next(iter(session.tables)).count == 0, "its memory is given back"
    with pytest.raises(fx.FluxError, match=r"'m' failed: RuntimeError: the tap is broken \(FX-RUN-0900\)") as caught:
        rows(session, "SELECT * FROM w")
    assert caught.value.code == "FX-RUN-0121"
    session.execute("ALTER MATERIALIZED TABLE m RESUME")
    tap.give({"k": "b", "v": 4})
    soon(lambda: rows(session, "SELECT * FROM w"), [{"k": "b", "s": 4}])


def test_the_failure_of_a_table_fails_those_that_follow_it(session, tap):
    session.execute(
        "CREATE MATERIALIZED TABLE m AS SELECT k, v FROM tap; CREATE MATERIALIZED TABLE n AS SELECT SUM(v) AS s FROM m"
    )
    tap.give({"k": "a", "v": 1})
    soon(lambda: rows(session, "SELECT * FROM n"), [{"s": 1}])
    tap.fail()
    soon(lambda: status(session, "n"), Status.FAILED)
    with pytest.raises(fx.FluxError, match="the tap is broken"):
        rows(session, "SELECT * FROM n")


def test_a_bounded_table_that_fails_fails_its_script(session):
    session.from_arrow(ORDERS, name="orders")
    with pytest.raises(fx.FluxError) as caught:
        session.execute("CREATE MATERIALIZED TABLE m AS SELECT 1 / (v - v) AS x FROM orders")
    assert caught.value.code == "FX-RUN-0101"
    with pytest.raises(fx.FluxError) as caught:
        rows(session, "SELECT * FROM m")
    assert caught.value.code == "FX-RUN-0121"


def test_a_table_that_was_never_started(session):
    session.from_arrow(ORDERS, name="orders")
    with pytest.raises(fx.FluxError):
        session.execute(
            "CREATE MATERIALIZED TABLE m AS SELECT 1 / (v - v) AS x FROM orders; CREATE MATERIALIZED TABLE n AS SELECT v FROM orders"
        )
    with pytest.raises(fx.FluxError) as caught:
        rows(session, "SELECT * FROM n")
    assert caught.value.code == "FX-RUN-0120"
    session.execute("ALTER MATERIALIZED TABLE n RESUME")
    assert len(rows(session, "SELECT * FROM n")) == 4


FULL = "FRESHNESS = INTERVAL '1' HOUR REFRESH_MODE = FULL"


def test_a_table_refreshed_in_full_changes_when_it_is_refreshed(session, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,1\nb,2\n")
    session.execute(
        f"CREATE TABLE t (k STRING, v INT) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'csv');"
        f"CREATE MATERIALIZED TABLE m PARTITIONED BY (k) {FULL} AS SELECT k, SUM(v) AS s FROM t GROUP BY k"
    )
    assert rows(session, "SELECT * FROM m ORDER BY k") == [{"k": "a", "s": 1}, {"k": "b", "s": 2}]
    path.write_text("a,10\nb,20\nc,30\n")
    assert rows(session, "SELECT * FROM m ORDER BY k") == [{"k": "a", "s": 1}, {"k": "b", "s": 2}]
    session.execute("ALTER MATERIALIZED TABLE m REFRESH PARTITION (k = 'b')")
    assert rows(session, "SELECT * FROM m ORDER BY k") == [{"k": "a", "s": 1}, {"k": "b", "s": 20}]
    session.execute("ALTER MATERIALIZED TABLE m REFRESH")
    assert rows(session, "SELECT * FROM m ORDER BY k") == [
        {"k": "a", "s": 10},
        {"k": "b", "s": 20},
        {"k": "c", "s": 30},
    ]


def test_freshness_refreshes_by_itself_and_suspend_ends_that(session, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("1\n")
    session.execute(
        f"CREATE TABLE t (v INT) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'csv');"
        "CREATE MATERIALIZED TABLE m FRESHNESS = INTERVAL '1' SECOND REFRESH_MODE = FULL AS SELECT v FROM t"
    )
    path.write_text("2\n")
    soon(lambda: rows(session, "SELECT * FROM m"), [{"v": 2}])
    path.write_text("x\n")
    soon(lambda: status(session, "m"), Status.FAILED)
    with pytest.raises(fx.FluxError, match="'m' failed"):
        rows(session, "SELECT * FROM m")
    path.write_text("3\n")
    soon(lambda: status(session, "m"), Status.RUNNING)
    soon(lambda: rows(session, "SELECT * FROM m"), [{"v": 3}])
    session.execute("ALTER MATERIALIZED TABLE m SUSPEND")
    assert status(session, "m") is Status.SUSPENDED


def test_a_continuous_table_is_not_refreshed_besides(session, tap):
    session.execute("CREATE MATERIALIZED TABLE m AS SELECT v FROM tap")
    with pytest.raises(fx.FluxError) as caught:
        session.execute("ALTER MATERIALIZED TABLE m REFRESH")
    assert caught.value.code == "FX-RUN-0123"


def test_a_new_query_takes_the_place_of_the_old_one(session, tap):
    session.execute("CREATE OR ALTER MATERIALIZED TABLE m AS SELECT k, v FROM tap")
    tap.give({"k": "a", "v": 1})
    soon(lambda: rows(session, "SELECT * FROM m"), [{"k": "a", "v": 1}])
    first = next(iter(session.tables))
    session.execute("CREATE OR ALTER MATERIALIZED TABLE m AS SELECT k, v FROM tap")
    assert next(iter(session.tables)) is first, "the same query goes on"
    session.execute("CREATE OR ALTER MATERIALIZED TABLE m AS SELECT k, v, v * 2 AS w FROM tap")
    tap.give({"k": "b", "v": 2})
    soon(lambda: rows(session, "SELECT * FROM m"), [{"k": "b", "v": 2, "w": 4}])
    session.execute("ALTER MATERIALIZED TABLE m AS SELECT k, v, v * 3 AS w, v + 1 AS x FROM tap")
    tap.give({"k": "c", "v": 3})
    soon(lambda: rows(session, "SELECT * FROM m"), [{"k": "c", "v": 3, "w": 9, "x": 4}])


def test_dropping_ends_the_job_and_those_that_follow_say_why(session, tap):
    session.execute(
        "CREATE MATERIALIZED TABLE m AS SELECT v FROM tap; CREATE MATERIALIZED TABLE n AS SELECT SUM(v) AS s FROM m"
    )
    tap.give({"k": "a", "v": 1})
    soon(lambda: rows(session, "SELECT * FROM n"), [{"s": 1}])
    job = next(iter(session.tables)).job
    session.execute("DROP MATERIALIZED TABLE m; DROP MATERIALIZED TABLE IF EXISTS m")
    assert job.wait(0)
    soon(lambda: status(session, "n"), Status.FAILED)
    with pytest.raises(fx.FluxError, match="'m' was dropped"):
        rows(session, "SELECT * FROM n")


def test_dropping_a_database_ends_its_tables(session, tap):
    session.execute("CREATE DATABASE d; CREATE MATERIALIZED TABLE d.m AS SELECT v FROM tap")
    job = next(iter(session.tables)).job
    session.execute("DROP DATABASE d CASCADE")
    session.execute("SHOW TABLES")
    assert job.wait(0)


def test_a_stopped_table_keeps_its_rows_and_those_that_follow_it_end(session, tap):
    session.execute(
        "CREATE MATERIALIZED TABLE m AS SELECT v FROM tap; CREATE MATERIALIZED TABLE n AS SELECT SUM(v) AS s FROM m"
    )
    tap.give({"k": "a", "v": 1})
    soon(lambda: rows(session, "SELECT * FROM n"), [{"s": 1}])
    session.execute("ALTER MATERIALIZED TABLE m SUSPEND")
    next(table for table in session.tables if table.definition.name == "m").halt()
    soon(lambda: [status(session, name) for name in "mn"], [Status.STOPPED, Status.FINISHED])
    assert rows(session, "SELECT m.v, n.s FROM m, n") == [{"v": 1, "s": 1}]


def test_closing_the_session_stops_its_jobs(tap, session):
    session.execute("CREATE MATERIALIZED TABLE m AS SELECT v FROM tap; CREATE MATERIALIZED TABLE n AS SELECT v FROM m")
    jobs = [table.job for table in session.tables]
    session.close()
    assert all(job.wait(0) for job in jobs)
    assert not list(session.tables)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("fluxcore Scan(m")]


def test_the_memory_of_a_table_counts(session, tap):
    session.execute(
        "SET 'taskmanager.memory.process.size' = '1 mb'; CREATE MATERIALIZED TABLE m AS SELECT k, v FROM tap"
    )
    tap.give({"k": "a", "v": 1})
    soon(lambda: status(session, "m"), Status.FAILED)
    with pytest.raises(fx.FluxError, match="more than its budget of 1 MB"):
        rows(session, "SELECT * FROM m")
