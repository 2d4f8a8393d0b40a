"""What expressions make of TIMESTAMP_LTZ in the session's zone, as Flink 2.3 does (asked through its SQL gateway).

The zone is America/New_York: on 2024-03-10 at 07:00Z clocks went from 02:00 to 03:00, on 2024-11-03 at 06:00Z from 02:00 to 01:00.
"""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from fluxcore.api.session import Session
from fluxcore.expr.fold import fold
from fluxcore.expr.nodes import Cast, Literal, walk
from fluxcore.plan.optimizer import optimize
from fluxcore.sql.script import bind_query

FIRST, SECOND = 1730613900000 - 3_600_000, 1730613900000  # 01:05 in summer time, and 01:05 an hour later


def utc(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


CASES = {  # for FIRST and SECOND; {t} is the instant
    "CAST({t} AS STRING)": ["2024-11-03 01:05:00.000"] * 2,
    "CAST({t} AS TIMESTAMP(3))": [dt.datetime(2024, 11, 3, 1, 5)] * 2,
    "CAST({t} AS DATE)": [dt.date(2024, 11, 3)] * 2,
    "CAST({t} AS TIME)": [dt.time(1, 5)] * 2,
    "CAST(CAST({t} AS TIMESTAMP(3)) AS TIMESTAMP_LTZ(3)) = {t}": [True, False],
    "EXTRACT(HOUR FROM {t})": [1, 1],
    "EXTRACT(EPOCH FROM {t})": [1730595900, 1730595900],
    "HOUR({t}) + DAYOFMONTH({t})": [4, 4],
    "DATE_FORMAT({t}, 'yyyy-MM-dd HH:mm')": ["2024-11-03 01:05"] * 2,
    "DATE_FORMAT({t}, CASE WHEN {t} IS NULL THEN '' ELSE 'dd HH' END)": ["03 01"] * 2,
    "FLOOR({t} TO HOUR)": [utc("2024-11-03 05:00"), utc("2024-11-03 06:00")],
    "FLOOR({t} TO DAY)": [utc("2024-11-03 04:00"), utc("2024-11-03 05:00")],
    "CEIL({t} TO DAY)": [utc("2024-11-04 04:00"), utc("2024-11-04 05:00")],
    "FLOOR({t} TO MONTH)": [utc("2024-11-01 04:00"), utc("2024-11-01 05:00")],
    "{t} + INTERVAL '1' DAY": [utc("2024-11-04 05:05"), utc("2024-11-04 06:05")],
    "{t} + INTERVAL '1' MONTH": [utc("2024-12-03 05:05"), utc("2024-12-03 06:05")],
    "TIMESTAMPDIFF(HOUR, TO_TIMESTAMP_LTZ(1730520000000, 3), {t})": [25, 26],
    "TIMESTAMPDIFF(DAY, TO_TIMESTAMP_LTZ(1730520000000, 3), {t})": [1, 1],
    "{t} > TIMESTAMP '2024-11-03 01:30:00'": [False, True],  # the text is the first 01:30
    "TIMESTAMP '2024-11-03 01:30:00' <= {t}": [False, True],
    "{t} = TIMESTAMP '2024-11-03 01:05:00'": [True, True],
    "{t} BETWEEN TIMESTAMP '2024-11-03 01:00:00' AND TIMESTAMP '2024-11-03 01:30:00'": [True, False],
    "{t} > '2024-11-03 01:00:00'": [True, True],
    "{t} < '2024-11-03 01:30:00'": [True, False],
}

CONSTANTS = {
    "CAST(TIMESTAMP '2024-03-10 02:30:00' AS TIMESTAMP_LTZ(3))": utc("2024-03-10 07:30"),  # a time that never was
    "CAST('2024-03-10 02:30:00' AS TIMESTAMP_LTZ(3))": utc("2024-03-10 07:30"),
    "CAST('2024-03-10' AS TIMESTAMP_LTZ(3))": utc("2024-03-10 05:00"),
    "CAST(DATE '2024-03-11' AS TIMESTAMP_LTZ(3))": utc("2024-03-11 04:00"),
    "CAST(TIMESTAMP '2024-11-03 01:30:00' AS TIMESTAMP_LTZ(3))": utc("2024-11-03 05:30"),
    "CAST(TIMESTAMP '2064-07-04 12:00:00' AS TIMESTAMP_LTZ(9))": utc("2064-07-04 16:00"),
    "TRY_CAST('2024-03-10T02:30:00Z' AS TIMESTAMP_LTZ(3))": None,
    "CAST(TO_TIMESTAMP_LTZ(2981556000000, 3) AS STRING)": "2064-06-24 14:00:00.000",  # summer time, long from now
    "FROM_UNIXTIME(1710054000)": "2024-03-10 03:00:00",
}


def session():
    made = Session({"parallelism.default": "1", "table.local-time-zone": "America/New_York"})
    made.from_arrow(pa.table({"ms": [FIRST, SECOND]}), name="t")
    return made


@pytest.mark.parametrize("expression", CASES)
def test_instants_are_what_the_clock_shows(expression):
    made = session()
    asked = expression.format(t="TO_TIMESTAMP_LTZ(ms, 3)")
    assert made.sql(f"SELECT {asked} AS x FROM t").to_arrow()["x"].to_pylist() == CASES[expression]


@pytest.mark.parametrize("expression", CASES)
def test_constants_are_computed_in_the_zone_too(expression):
    both = ", ".join(expression.format(t=f"TO_TIMESTAMP_LTZ({ms}, 3)") + f" AS x{ms}" for ms in (FIRST, SECOND))
    found = session().sql(f"SELECT {both}").to_arrow().to_pylist()
    assert [tuple(row.values()) for row in found] == [tuple(CASES[expression])]


@pytest.mark.parametrize("expression", CONSTANTS)
def test_local_times_become_instants(expression):
    made = session()
    assert made.sql(f"SELECT {expression} AS x").to_arrow()["x"].to_pylist() == [CONSTANTS[expression]]
    values = made.sql(f"SELECT x FROM (VALUES ({expression})) AS v(x)").to_arrow()["x"].to_pylist()
    assert values == [CONSTANTS[expression]]


def test_nothing_is_computed_before_the_zone_is_known():
    made = session()
    plan = bind_query(
        "SELECT CAST('2024-03-10' AS TIMESTAMP_LTZ(3)) AS x", catalog=made.catalog, settings=made.settings
    )
    assert any(isinstance(node, Cast) for node in walk(fold(plan.exprs[0])))
    (done,), fired = optimize([plan], made.settings)
    assert isinstance(done.exprs[0], Literal)
    assert done.exprs[0].value == utc("2024-03-10 05:00")
    assert fired[0] == "fold_constants"


def test_a_view_follows_the_zone_of_who_asks():
    made = Session({"parallelism.default": "1"})
    made.execute_script("CREATE VIEW v AS SELECT x FROM (VALUES (CAST('2024-07-01' AS TIMESTAMP_LTZ(3)))) AS t(x)")
    made.execute_script("SET 'table.local-time-zone' = 'Asia/Kathmandu'")
    assert made.sql("SELECT x FROM v").to_arrow()["x"].to_pylist() == [utc("2024-06-30 18:15")]


def test_columns_of_nulls_stay_nulls():
    made = session()
    made.from_arrow(pa.table({"n": pa.array([None, FIRST], pa.int64())}), name="n")
    asked = "CAST(TO_TIMESTAMP_LTZ(n, 3) AS STRING) AS a, CAST(CAST(TO_TIMESTAMP_LTZ(n, 3) AS TIMESTAMP(3)) AS TIMESTAMP_LTZ(3)) AS b"
    found = made.sql(f"SELECT {asked}, FLOOR(TO_TIMESTAMP_LTZ(n, 3) TO DAY) AS c FROM n").to_arrow().to_pylist()
    assert found[0] == {"a": None, "b": None, "c": None}
    assert found[1]["a"] == "2024-11-03 01:05:00.000"


def test_the_date_of_today_is_that_of_the_zone():
    found = {}
    for zone in ("Pacific/Kiritimati", "Pacific/Niue"):  # 25 hours apart: never the same date
        made = Session({"parallelism.default": "1", "table.local-time-zone": zone})
        asked = "CURRENT_DATE AS d, LOCALTIMESTAMP AS l, CAST(CURRENT_TIMESTAMP AS TIMESTAMP(3)) AS c"
        (found[zone],) = made.sql(f"SELECT {asked}").to_arrow().to_pylist()
        assert abs(found[zone]["l"] - found[zone]["c"]) < dt.timedelta(minutes=1)
        assert found[zone]["d"] in {found[zone]["l"].date(), found[zone]["c"].date()}
    assert found["Pacific/Kiritimati"]["d"] > found["Pacific/Niue"]["d"]


@pytest.mark.parametrize(
    "default",
    ["TIMESTAMP '2024-03-10 02:30:00'", "CAST('2024-03-10 02:30:00' AS TIMESTAMP_LTZ(3))", "TO_TIMESTAMP_LTZ(1710055800000, 3)"],
)  # fmt: skip
def test_the_default_of_lag_is_an_instant_of_the_zone(default):
    made = session()
    made.from_arrow(pa.table({"at": pa.array([FIRST], pa.timestamp("ms", "UTC"))}), name="e", watermark=("at", "1 s"))
    found = made.sql(f"SELECT LAG(`at`, 1, {default}) OVER (ORDER BY `at`) AS x FROM e").to_arrow()
    assert found["x"].to_pylist() == [utc("2024-03-10 07:30")]
