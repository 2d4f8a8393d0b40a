"""Windows of SQL that give results early, and anew with late rows: Flink's settings ``table.exec.emit.*``."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

import fluxcore as fx

EPOCH = dt.datetime(1970, 1, 1)
ROWS = [(0, "a", 1), (10, "a", 2), (70, "b", 3), (5, "a", 4), (130, "b", 5), (20, "a", 6), (65, "b", 7), (200, "a", 8)]
GROUPED = """
SELECT k, TUMBLE_START(ts, INTERVAL '1' MINUTE) AS s, COUNT(*) AS n, SUM(v) AS v
FROM t GROUP BY k, TUMBLE(ts, INTERVAL '1' MINUTE)
"""
TABLED = """
SELECT k, window_start AS s, COUNT(*) AS n, SUM(v) AS v FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE))
GROUP BY k, window_start, window_end
"""
SESSIONS = """
SELECT k, SESSION_START(ts, INTERVAL '20' SECOND) AS s, COUNT(*) AS n, SUM(v) AS v
FROM t GROUP BY k, SESSION(ts, INTERVAL '20' SECOND)
"""
# Without lateness the watermark is each row's own time: (5, a), (20, a) and (65, b) come too late for their windows.
ON_TIME = [("a", 0, 2, 3), ("a", 180, 1, 8), ("b", 60, 1, 3), ("b", 120, 1, 5)]
# With a minute of it (5, a) counts at 70 s, and (65, b) at 130 s; (20, a) would have had to come before 119.999 s.
LATE = [("a", 0, 3, 7), ("a", 180, 1, 8), ("b", 60, 2, 10), ("b", 120, 1, 5)]


def session(*settings, parallelism="1"):
    made = fx.Session({"parallelism.default": parallelism})
    times, keys, values = zip(*ROWS, strict=True)
    stamps = pa.array([EPOCH + dt.timedelta(seconds=time) for time in times], pa.timestamp("us"))
    table = pa.table({"ts": stamps, "k": pa.array(keys), "v": pa.array(values)})
    made.from_arrow(table.to_batches(max_chunksize=3), name="t", watermark=("ts", "0 s"))
    for key, value in settings:
        made.execute(f"SET 'table.exec.emit.{key}' = '{value}'")
    return made


def rows(stream):
    found = [tuple(row.values()) for row in stream.to_arrow().to_pylist()]
    return sorted((k, round((s - EPOCH).total_seconds()), n, v) for k, s, n, v in found)


LATENESS = ("allow-lateness", "1 min")
EARLY = (("early-fire.enabled", "true"), ("early-fire.delay", "0 s"))


@pytest.mark.parametrize("parallelism", ["1", "2", "3"])
@pytest.mark.parametrize("query", [GROUPED, TABLED])
def test_late_rows_change_results(query, parallelism):
    assert rows(session(parallelism=parallelism).sql(query)) == ON_TIME
    assert rows(session(LATENESS, parallelism=parallelism).sql(query)) == LATE
    later = (LATENESS, ("late-fire.enabled", "true"), ("late-fire.delay", "1 h"))
    assert rows(session(*later, parallelism=parallelism).sql(query)) == LATE
    assert rows(session(*EARLY, parallelism=parallelism).sql(query)) == ON_TIME


def test_sessions_and_early_results():
    on_time = [("a", 0, 2, 3), ("a", 200, 1, 8), ("b", 70, 1, 3), ("b", 130, 1, 5)]
    assert rows(session().sql(SESSIONS)) == on_time
    # (5, a) and (65, b) join sessions that are over for less than a minute; (20, a) comes 100 s after its own would be
    late = [("a", 0, 3, 7), ("a", 200, 1, 8), ("b", 65, 2, 10), ("b", 130, 1, 5)]
    assert rows(session(LATENESS).sql(SESSIONS)) == late
    changes = [
        (row["op"], row["n"])
        for batch in session(*EARLY).sql(GROUPED).batches(changelog=True)
        for row in batch.to_pylist()
        if (row["k"], row["s"]) == ("a", EPOCH)
    ]
    assert changes[0][0] == "+I" and changes[-1][1] == 2, "the window tells of its rows before it ends"


def test_the_plan_and_what_is_refused():
    made = session(LATENESS, *EARLY)
    assert (
        "trigger=[event time, early with every row], lateness=60000 ms) changelog=[I,UB,UA,D]"
        in made.sql(GROUPED).explain()
    )
    made.execute("RESET 'table.exec.emit.early-fire.enabled'; RESET 'table.exec.emit.allow-lateness'")
    assert "TriggeredAggregate" not in made.sql(GROUPED).explain()

    def code(made, query):
        with pytest.raises(fx.ScriptError) as caught:
            made.sql(query).to_arrow()
        return caught.value.code

    assert code(session(("early-fire.enabled", "true")), GROUPED) == "FX-SET-0004"
    assert code(session(("late-fire.enabled", "true"), ("late-fire.delay", "0")), GROUPED) == "FX-SET-0004"
    top = f"SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY s, e ORDER BY n) AS r FROM ({TABLED.replace('AS s', 'AS s, window_end AS e')})) WHERE r = 1"
    assert code(session(LATENESS), top) == "FX-SQL-0900"
    attached = TABLED.replace("SUM(v)", "SUM(v + EXTRACT(MINUTE FROM window_start))")
    assert code(session(LATENESS), attached) == "FX-SQL-0420"
