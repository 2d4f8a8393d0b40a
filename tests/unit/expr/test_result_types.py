"""The types of expressions, each as Flink 2.3's planner tells it."""

from __future__ import annotations

import pytest

from fluxcore.api.session import Session

COLUMNS = {
    "i": "INT",
    "d": "DOUBLE",
    "f": "FLOAT",
    "dc": "DECIMAL(10, 2)",
    "ts": "TIMESTAMP(3)",
    "ltz": "TIMESTAMP_LTZ(3)",
    "dt": "DATE",
    "tm": "TIME",
}
TABLE = f"(VALUES ({', '.join(f'CAST(NULL AS {type_})' for type_ in COLUMNS.values())})) AS s({', '.join(COLUMNS)})"

TYPES = {
    # numbers with a point have as many digits as are written
    "0.908": "DECIMAL(4, 3)",
    "0.05": "DECIMAL(3, 2)",
    "1.10": "DECIMAL(3, 2)",
    ".5": "DECIMAL(1, 1)",
    "10.": "INT",
    "100.00": "DECIMAL(5, 2)",
    "0.0": "DECIMAL(2, 1)",
    "00.5": "DECIMAL(3, 1)",
    "-0.5": "DECIMAL(2, 1)",
    "0.908 + 0.05": "DECIMAL(5, 3)",
    "0.908 * dc": "DECIMAL(15, 5)",
    # rounding
    "ROUND(2.345, 2)": "DECIMAL(4, 2)",
    "ROUND(dc, 1)": "DECIMAL(10, 1)",
    "ROUND(dc, 5)": "DECIMAL(10, 2)",
    "ROUND(dc, -1)": "DECIMAL(9, 0)",
    "ROUND(dc)": "DECIMAL(9, 0)",
    "ROUND(dc, i)": "DECIMAL(10, 2)",
    "ROUND(i, 1)": "INT",
    "ROUND(d, 1)": "DOUBLE",
    "ROUND(f, 1)": "FLOAT",
    "TRUNCATE(dc, 1)": "DECIMAL(10, 1)",
    "TRUNCATE(dc)": "DECIMAL(9, 0)",
    "TRUNCATE(dc, i)": "DECIMAL(10, 2)",
    "CEIL(dc)": "DECIMAL(10, 0)",
    "FLOOR(dc)": "DECIMAL(10, 0)",
    "FLOOR(d)": "DOUBLE",
    "SIGN(dc)": "DECIMAL(10, 2)",
    "ABS(-2.5)": "DECIMAL(2, 1)",
    # times
    "TIMESTAMPADD(HOUR, 1, dt)": "TIMESTAMP(6)",
    "TIMESTAMPADD(DAY, 1, dt)": "DATE",
    "TIMESTAMPADD(HOUR, 1, ltz)": "TIMESTAMP_LTZ(3)",
    "COALESCE(ltz, ts)": "TIMESTAMP_LTZ(3)",
    "COALESCE(ts, ltz)": "TIMESTAMP_LTZ(3)",
    "CASE WHEN i > 0 THEN ltz ELSE ts END": "TIMESTAMP_LTZ(3)",
    "IF(i > 0, ltz, ts)": "TIMESTAMP_LTZ(3)",
    "CAST(tm AS TIMESTAMP(3))": "TIMESTAMP(3)",
    "CAST(tm AS TIMESTAMP_LTZ(3))": "TIMESTAMP_LTZ(3)",
    "dt + INTERVAL '1' HOUR": "DATE",
}


@pytest.mark.parametrize("expression", TYPES)
def test_an_expression_has_flinks_type(expression):
    (type_,) = Session().sql(f"SELECT {expression} AS x FROM {TABLE}").schema.types
    assert type_.name() == TYPES[expression]


def test_a_union_of_times_is_one_of_wall_clock_times():
    (type_,) = Session().sql(f"SELECT ltz FROM {TABLE} UNION ALL SELECT ts FROM {TABLE}").schema.types
    assert type_.name() == "TIMESTAMP(3)"
