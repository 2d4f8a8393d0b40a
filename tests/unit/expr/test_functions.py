"""What expressions give, by Flink SQL's rules: NULLs, overflow, division, NaN, text, time and casts at their edges."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fluxcore as fx
from fluxcore.api.session import Session
from fluxcore.errors import FluxError
from fluxcore.expr.fold import fold
from fluxcore.expr.nodes import Literal
from fluxcore.sql.script import bind_query

D = Decimal
CASES = {
    # three-valued logic
    "TRUE AND CAST(NULL AS BOOLEAN)": None,
    "FALSE AND CAST(NULL AS BOOLEAN)": False,
    "TRUE OR CAST(NULL AS BOOLEAN)": True,
    "NOT CAST(NULL AS BOOLEAN)": None,
    "CAST(NULL AS INT) = CAST(NULL AS INT)": None,
    "CAST(NULL AS INT) IS NOT DISTINCT FROM CAST(NULL AS INT)": True,
    "1 IS DISTINCT FROM CAST(NULL AS INT)": True,
    "1 IN (2, CAST(NULL AS INT))": None,
    "1 IN (1, CAST(NULL AS INT))": True,
    "1 NOT IN (2, 3)": True,
    "CAST(NULL AS BOOLEAN) IS TRUE": False,
    "CAST(NULL AS BOOLEAN) IS NOT TRUE": True,
    "5 BETWEEN 1 AND 5": True,
    "5 NOT BETWEEN 1 AND 4": True,
    # whole numbers wrap, their division cuts
    "2147483647 + 1": -2147483648,
    "9223372036854775807 + 1": -9223372036854775808,
    "CAST(127 AS TINYINT) + CAST(1 AS TINYINT)": -128,
    "7 / 2": 3,
    "-7 / 2": -3,
    "MOD(-7, 3)": -1,
    "-7 % 3": -1,
    "ABS(-5)": 5,
    # doubles
    "1E0 / 0E0": math.inf,
    "-1E0 / 0E0": -math.inf,
    "0E0 / 0E0": math.nan,
    "CAST('NaN' AS DOUBLE)": math.nan,
    "CAST('Infinity' AS DOUBLE) > 1E308": True,
    "SQRT(-1E0)": math.nan,
    "FLOOR(-1.5E0)": -2.0,
    "CEIL(-1.5E0)": -1.0,
    "ROUND(2.5E0)": 3.0,
    "ROUND(-2.5E0)": -3.0,
    "SIGN(-3)": -1,
    "POWER(2, 10)": 1024.0,
    # decimals
    "1.10 + 2.205": D("3.305"),
    "1.10 * 2.205": D("2.42550"),
    "CAST(1 AS DECIMAL(5, 2)) / CAST(3 AS DECIMAL(5, 2))": D("0.33333333"),
    "ROUND(2.345, 2)": D("2.35"),
    "TRUNCATE(2.349, 2)": D("2.34"),
    "CAST(99999999999999999999999999999999999999 AS DECIMAL(38, 0)) + CAST(1 AS DECIMAL(38, 0))": None,
    "ROUND(155.5, -1)": D("160"),
    "ROUND(99.96, 1)": D("100.0"),
    "TRUNCATE(155.5, -1)": D("150"),
    "FLOOR(-2.345)": D("-3"),
    "CEIL(99.5)": D("100"),
    "SIGN(-2.5)": D("-1.0"),
    # NULL of no type
    "NULL > NULL": None,
    "NULL = NULL": None,
    # text
    "UPPER('straße ä')": "STRASSE Ä",
    "LOWER('ÄÖ')": "äö",
    "CHAR_LENGTH('äöü')": 3,
    "SUBSTRING('abcde', 2, 3)": "bcd",
    "SUBSTRING('abcde', -2)": "de",
    "SUBSTRING('abcde' FROM 2)": "bcde",
    "SUBSTRING('abc', 0)": "abc",
    "POSITION('c' IN 'abc')": 3,
    "TRIM('  a ')": "a",
    "TRIM(LEADING 'x' FROM 'xxaxx')": "axx",
    "'a' || 'b' || CAST(NULL AS STRING)": None,
    "CONCAT('a', 'b')": "ab",
    "CONCAT_WS('-', 'a', CAST(NULL AS STRING), 'b')": "a-b",
    "REPLACE('aXbX', 'X', '')": "ab",
    "LPAD('7', 3, '0')": "007",
    "RPAD('7', 3, 'ab')": "7ab",
    "REVERSE('aé')": "éa",
    "REPEAT('ab', 3)": "ababab",
    "REGEXP_EXTRACT('a12b', '([0-9]+)', 1)": "12",
    "REGEXP_REPLACE('a1b2', '[0-9]', '#')": "a#b#",
    "'abc' LIKE 'a_c'": True,
    "'a%c' LIKE 'a!%c' ESCAPE '!'": True,
    "'a\nc' LIKE 'a%'": True,
    "'ABC' LIKE 'a%'": False,
    "SPLIT_INDEX('a,b,c', ',', 1)": "b",
    "SPLIT_INDEX('a,b,c', ',', 5)": None,
    "SPLIT_INDEX('', ',', 0)": None,
    "SPLIT_INDEX(',a', ',', 0)": "",
    "SPLIT_INDEX('a,', ',', 1)": "",
    "SPLIT_INDEX('a--b-c--', '--', 1)": "b-c",
    "SPLIT_INDEX('ä, ö ü', 'ö', 1)": " ü",
    "SPLIT_INDEX('a b', '', 1)": "b",
    "INITCAP('hello wORLD')": "Hello World",
    "ASCII('A')": 65,
    # conditions
    "CASE WHEN 1 = 2 THEN 'a' END": None,
    "CASE 2 WHEN 1 THEN 'a' WHEN 2 THEN 'b' ELSE 'c' END": "b",
    "COALESCE(CAST(NULL AS INT), 3)": 3,
    "NULLIF(1, 1)": None,
    "IF(1 > 2, 'a', 'b')": "b",
    "IFNULL(CAST(NULL AS INT), 7)": 7,
    "GREATEST(1, 3, 2)": 3,
    "LEAST(1, CAST(NULL AS INT))": None,
    # time
    "EXTRACT(YEAR FROM DATE '2024-02-29')": 2024,
    "EXTRACT(HOUR FROM TIMESTAMP '2024-02-29 13:14:15')": 13,
    "EXTRACT(DOW FROM DATE '2024-03-03')": 1,
    "DATE '2024-02-28' + INTERVAL '2' DAY": dt.date(2024, 3, 1),
    "DATE '2024-01-31' + INTERVAL '1' MONTH": dt.date(2024, 2, 29),
    "TIMESTAMP '2024-01-01 00:00:00' - INTERVAL '1' SECOND": dt.datetime(2023, 12, 31, 23, 59, 59),
    "FLOOR(TIMESTAMP '2024-05-17 13:14:15' TO MONTH)": dt.datetime(2024, 5, 1),
    "CEIL(TIMESTAMP '2024-05-17 13:14:15' TO HOUR)": dt.datetime(2024, 5, 17, 14),
    "TIMESTAMPDIFF(DAY, TIMESTAMP '2024-01-01 12:00:00', TIMESTAMP '2024-01-03 11:00:00')": 1,
    "TIMESTAMPADD(MONTH, 1, TIMESTAMP '2024-01-31 00:00:00')": dt.datetime(2024, 2, 29),
    "DATE_FORMAT(TIMESTAMP '2024-05-07 03:04:05', 'yyyy/MM/dd HH:mm')": "2024/05/07 03:04",
    "TO_TIMESTAMP('2024-05-07 03:04:05')": dt.datetime(2024, 5, 7, 3, 4, 5),
    "TO_DATE('2024-05-07')": dt.date(2024, 5, 7),
    # casts
    "CAST(3.99 AS INT)": 3,
    "CAST(-3.99 AS INT)": -3,
    "CAST(300 AS TINYINT)": 44,
    "CAST(' 12 ' AS INT)": 12,
    "TRY_CAST('x' AS INT)": None,
    "TRY_CAST('2024-13-01' AS DATE)": None,
    "CAST(1.005 AS DECIMAL(5, 2))": D("1.01"),
    "CAST(12345.6 AS DECIMAL(4, 1))": None,
    "CAST(TRUE AS INT)": 1,
    "CAST('true' AS BOOLEAN)": True,
    "CAST(1.50 AS STRING)": "1.50",
    "CAST(1E0 AS STRING)": "1.0",
    "CAST(1E20 AS STRING)": "1.0E20",
    "CAST(TRUE AS STRING)": "TRUE",
    "CAST(DATE '2024-01-02' AS STRING)": "2024-01-02",
    "CAST(TIMESTAMP '2024-01-02 03:04:05' AS STRING)": "2024-01-02 03:04:05",
    "CAST('2024-01-02 03:04:05.6' AS TIMESTAMP(3))": dt.datetime(2024, 1, 2, 3, 4, 5, 600_000),
    "CAST('abcdef' AS VARCHAR(3))": "abc",
    "CAST(X'0aff' AS STRING)": "\n\ufffd",
    "CAST(X'41c3' AS STRING)": "A\ufffd",
    "CAST(X'eda080f0808041' AS STRING)": "\ufffd\ufffd\ufffd\ufffdA",
    "CAST(TIME '10:11:12' AS TIMESTAMP)": dt.datetime(1970, 1, 1, 10, 11, 12),
    "TIMESTAMPADD(HOUR, 25, DATE '2024-01-01')": dt.datetime(2024, 1, 2, 1),
    # collections
    "ARRAY[1, 2, 3][2]": 2,
    "CARDINALITY(ARRAY[1, 2, 3])": 3,
    "ARRAY[1, 2][5]": None,
}

SPREAD = ["STDDEV_POP", "STDDEV_SAMP", "VAR_POP", "VAR_SAMP"]

ERRORS = {
    "1 / 0": "FX-RUN-0101",
    "MOD(1, 0)": "FX-RUN-0101",
    "CAST('x' AS INT)": "FX-RUN-0102",
    "CAST('2024-13-01' AS DATE)": "FX-RUN-0102",
    "'a' LIKE 'a!' ESCAPE '!'": "FX-SQL-0315",
    "'a' LIKE CONCAT('a', '!') ESCAPE '!'": "FX-RUN-0103",
    "'a' SIMILAR TO '[a'": "FX-RUN-0104",
    "REGEXP('a', '\\Ga')": "FX-RUN-0104",
    "SHA2('a', 255)": "FX-RUN-0107",
    "FROM_BASE64('!')": "FX-RUN-0108",
    "ENCODE('a', 'nope')": "FX-RUN-0109",
}


def value_of(expression, session=None):
    """Evaluate over a column, so that nothing is computed while planning."""
    session = session or Session({"parallelism.default": "1"})
    return session.sql(f"SELECT {expression} AS x FROM (VALUES (1), (2)) AS t(a)").to_arrow()["x"].to_pylist()


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([1, 2, 4, 9, 100], [38, 43, 1482, 1852]),
        ([1, 2, 2, 1, 2, 3, 1], [0, 0, 0, 0]),
        ([-1, 2], [1, 2, 2, 4]),
        ([5], [0, None, 0, None]),
        ([0, 4, 0, 4], [2, 2, 4, 5]),
    ],
)
def test_the_spread_of_integers_is_an_integer(values, wanted):
    calls = ", ".join(f"{name}(x) AS c{place}" for place, name in enumerate(SPREAD))
    rows = ", ".join(f"({value})" for value in values)
    found = Session({"parallelism.default": "1"}).sql(f"SELECT {calls} FROM (VALUES {rows}) AS t(x)").to_arrow()
    assert [column.to_pylist()[-1] for column in found.columns] == wanted
    assert {str(type_) for type_ in found.schema.types} == {"int32"}


def alike(found, wanted):
    if isinstance(wanted, float) and math.isnan(wanted):
        return isinstance(found, float) and math.isnan(found)
    return found == wanted and (type(found) is type(wanted) or not isinstance(wanted, bool))


@pytest.mark.parametrize("expression", CASES)
def test_an_expression(expression):
    first, second = value_of(expression)
    assert alike(first, CASES[expression]), f"{first!r} is not {CASES[expression]!r}"
    assert alike(second, CASES[expression])


@pytest.mark.parametrize("expression", CASES)
def test_folding_a_constant_gives_what_computing_it_gives(expression):
    session = Session()
    plan = bind_query(f"SELECT {expression} AS x", catalog=session.catalog, settings=session.settings)
    folded = fold(plan.exprs[0])
    if isinstance(folded, Literal) and not isinstance(CASES[expression], float | dt.date):
        assert folded.value == CASES[expression]


@pytest.mark.parametrize("expression", ERRORS)
def test_what_fails_says_why(expression):
    with pytest.raises(FluxError) as caught:
        value_of(expression)
    assert caught.value.code == ERRORS[expression]


def test_a_failing_expression_behind_a_condition_is_not_computed():
    session = Session({"parallelism.default": "1"})
    found = session.sql("SELECT CASE WHEN a = 0 THEN -1 ELSE 10 / a END AS x FROM (VALUES (0), (5)) AS t(a)").to_arrow()
    assert found["x"].to_pylist() == [-1, 2]


@given(
    texts=st.lists(st.one_of(st.none(), st.text(alphabet="ab,-é", max_size=8)), max_size=12),
    separator=st.sampled_from([",", "--", "é", "a,"]),
    index=st.integers(0, 3),
    cut=st.integers(0, 3),
)
def test_split_index_of_many(texts, separator, index, cut):
    session = fx.Session()
    table = pa.table({"t": pa.array(texts, pa.string())}).slice(cut)
    session.from_arrow(table.to_batches() or [pa.RecordBatch.from_pydict({"t": pa.array([], pa.string())})], name="t")
    found = session.sql(f"SELECT SPLIT_INDEX(t, '{separator}', {index}) AS p FROM t").to_arrow()["p"].to_pylist()

    def part(text):
        parts = text.split(separator) if text else []
        return parts[index] if index < len(parts) else None

    assert found == [None if text is None else part(text) for text in texts[cut:]]
