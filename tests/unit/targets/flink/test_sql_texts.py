"""Names, constants, types and expressions as Flink SQL writes them; what stands here was read by Flink 2.3."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fluxcore as fx
from fluxcore.core import types as t
from fluxcore.core.quotes import quoted, text
from fluxcore.expr import build
from fluxcore.expr.nodes import ColumnRef, Literal
from fluxcore.sql.parser import parse_script
from fluxcore.targets.flink.portability import Report
from fluxcore.targets.flink.sql.blocks import columns
from fluxcore.targets.flink.sql.expressions import Expressions
from fluxcore.targets.flink.sql.identifiers import Names, comment, indented
from fluxcore.targets.flink.sql.job import print_job
from fluxcore.targets.flink.sql.literals import literal, milliseconds, months
from fluxcore.targets.flink.sql.type_names import declared, type_name

MOMENT = dt.datetime(2024, 2, 29, 1, 2, 3, 456789)
fx.Session().sql("SELECT 1").to_arrow()  # the first query raises the recursion limit, which Hypothesis watches


def constant(value, type_=None):
    return literal(build.literal(value, type_))


def test_names_and_texts():
    assert [quoted(each) for each in ("id", "select", "a b", "a`b", "日本", "x.y")] == [
        "`id`", "`select`", "`a b`", "`a``b`", "`日本`", "`x.y`",
    ]  # fmt: skip
    assert text("it's") == "'it''s'"
    assert comment("f */ g\n h") == "/* f * / g h */"
    names = Names()
    assert [names.take("a"), names.take("a"), names.take("a_2"), names.take("b")] == ["a", "a_2", "a_2_2", "b"]


def test_a_text_of_several_lines_is_not_moved():
    sql = "SELECT 'a\nb', `c\nd`, 'it''s\n'\nFROM t /* x'\ny */\nWHERE 'z\n' = ''"
    assert indented(sql) == "  SELECT 'a\nb', `c\nd`, 'it''s\n'\n  FROM t /* x'\ny */\n  WHERE 'z\n' = ''"


@pytest.mark.parametrize(
    ("value", "type_", "wanted"),
    [
        (5, None, "5"), (-5, None, "-5"), (2**31, None, "2147483648"), (5, t.BIGINT, "CAST(5 AS BIGINT)"),
        (5, t.TINYINT, "CAST(5 AS TINYINT)"), (-(2**31), None, "-2147483648"),
        (-(2**63), None, "CAST('-9223372036854775808' AS BIGINT)"),
        (10**20, None, "CAST('100000000000000000000' AS DECIMAL(21, 0))"),
        (1.5, None, "1.5E0"), (-1e-7, None, "-1E-7"), (1e300, None, "1E300"), (1.5, t.FLOAT, "CAST(1.5E0 AS FLOAT)"),
        (-0.0, None, "CAST('-0.0' AS DOUBLE)"), (float("inf"), None, "CAST('Infinity' AS DOUBLE)"),
        (Decimal("1.10"), None, "1.10"), (Decimal("0.05"), None, "0.05"), (Decimal("-7.5"), None, "-7.5"),
        (Decimal("0.05"), t.DecimalType(precision=3, scale=2), "0.05"),
        (Decimal("1.1"), t.DecimalType(precision=10, scale=2), "CAST(1.1 AS DECIMAL(10, 2))"),
        (Decimal("12345678901234567890.123"), None, "CAST('12345678901234567890.123' AS DECIMAL(23, 3))"),
        (Decimal(7), t.DecimalType(precision=1, scale=0), "CAST(7 AS DECIMAL(1, 0))"),
        ("it's", None, "'it''s'"), ("", None, "''"), ("a\nb", None, "'a\nb'"), ("ü😀", None, "'ü😀'"),
        ("a", t.STRING, "CAST('a' AS STRING)"), ("ab", t.StringType(length=5, fixed=True), "CAST('ab' AS CHAR(5))"),
        (b"\x00\xff", None, "X'00FF'"), (b"", None, "X''"), (b"\x01", t.BYTES, "CAST(X'01' AS BYTES)"),
        (True, None, "TRUE"), (False, None, "FALSE"), (None, None, "NULL"), (None, t.INT, "CAST(NULL AS INT)"),
        (dt.date(2024, 2, 29), None, "DATE '2024-02-29'"), (dt.date(1, 1, 1), None, "DATE '0001-01-01'"),
        (dt.time(1, 2, 3), t.TIME, "TIME '01:02:03'"), (dt.time(1, 2, 3, 4000), None, "TIME '01:02:03.004'"),
        (MOMENT, None, "TIMESTAMP '2024-02-29 01:02:03.456789'"),
        (MOMENT, t.TimestampType(precision=9), "TIMESTAMP '2024-02-29 01:02:03.456789000'"),
        (MOMENT.replace(microsecond=0), t.TimestampType(precision=0), "TIMESTAMP '2024-02-29 01:02:03'"),
        (MOMENT.replace(microsecond=0), t.TIMESTAMP, "TIMESTAMP '2024-02-29 01:02:03.000'"),
        (MOMENT, t.TIMESTAMP, "CAST(TIMESTAMP '2024-02-29 01:02:03.456789' AS TIMESTAMP(3))"),
        (MOMENT.replace(microsecond=1000, tzinfo=dt.UTC), t.TIMESTAMP_LTZ, "TO_TIMESTAMP_LTZ(1709168523001, 3)"),
        (
            MOMENT.replace(tzinfo=dt.UTC),
            t.TimestampType(precision=9, local=True),
            "CAST(TIMESTAMP '2024-02-29 01:02:03.456789' AS TIMESTAMP_LTZ(9))",
        ),
        (dt.datetime(1969, 12, 31, 23, 59, 59, 999000, dt.UTC), t.TIMESTAMP_LTZ, "TO_TIMESTAMP_LTZ(-1, 3)"),
        (-3, t.IntervalType(months=True), "INTERVAL '-3' MONTH"), (90_000, t.IntervalType(), "INTERVAL '90' SECOND"),
    ],
)  # fmt: skip
def test_constants_have_exactly_their_type(value, type_, wanted):
    assert constant(value, type_) == wanted


def test_an_instant_that_is_finer_than_a_millisecond_is_told_by_the_clock_of_the_session():
    value = build.literal(MOMENT.replace(tzinfo=dt.UTC), t.TimestampType(precision=6, local=True))
    wanted = "CAST(TIMESTAMP '2024-02-29 02:02:03.456789' AS TIMESTAMP_LTZ(6))"
    assert literal(value, ZoneInfo("Europe/Berlin")) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (0, "INTERVAL '0' SECOND"), (1, "INTERVAL '0.001' SECOND"), (-1500, "INTERVAL '-1.500' SECOND"),
        (5000, "INTERVAL '5' SECOND"), (3_600_000, "INTERVAL '1' HOUR"), (-99 * 86_400_000, "INTERVAL '-99' DAY"),
        (150_000, "INTERVAL '0 00:02:30.000' DAY TO SECOND(3)"), (86_400_001, "INTERVAL '1 00:00:00.001' DAY TO SECOND(3)"),
        (-100 * 86_400_000 - 1, "INTERVAL '-100 00:00:00.001' DAY(3) TO SECOND(3)"),
        (1000 * 86_400_000, "(INTERVAL '1' DAY * 1000)"),
        (-1000 * 86_400_000 - 250, "(INTERVAL '-1' DAY * 1000 + INTERVAL '-0.250' SECOND)"),
    ],
)  # fmt: skip
def test_day_time_intervals(value, wanted):
    assert milliseconds(value) == wanted


@given(st.integers(-(10**13), 10**13))
def test_any_interval_reads_back(value):
    shown = fx.Session().sql(f"SELECT TIMESTAMP '2024-01-01 00:00:00.000' + {milliseconds(value)} AS x")
    moved = shown.to_arrow().column(0).cast(pa.int64()).to_pylist()[0]
    assert moved // 1000 == 1_704_067_200_000 + value


@pytest.mark.parametrize("value", [0, 1, -14, 99, 100, -119_999])
def test_months_read_back(value):
    (tree,) = parse_script(f"SELECT {months(value)}")
    assert tree.query.items[0].expr.value == value


def test_types():
    row = t.RowType(fields=(("a`b", t.INT.with_nullable(False)), ("c", t.ArrayType(element=t.STRING))))
    assert type_name(row) == "ROW<`a``b` INT NOT NULL, `c` ARRAY<STRING>>"
    assert declared(t.TimestampType(precision=3, local=True, nullable=False)) == "TIMESTAMP_LTZ(3) NOT NULL"
    assert type_name(t.MapType(key=t.STRING.with_nullable(False), value=row)).startswith("MAP<STRING NOT NULL, ROW<")
    assert type_name(t.MapType(key=t.STRING, value=t.INT, multiset=True)) == "MULTISET<STRING>"
    assert declared(t.DecimalType(precision=5, scale=2)) == "DECIMAL(5, 2)"
    assert type_name(t.IntervalType()) == "INTERVAL DAY TO SECOND(3)"
    assert declared(t.NullType()) == "STRING"


def written(query):
    """Return the SQL of a query's only column over the columns a INT, b BIGINT, c DOUBLE, s STRING, x BOOLEAN, d DATE."""
    session = fx.Session()
    schema = pa.schema(
        [
            ("a", pa.int32()), ("b", pa.int64()), ("c", pa.float64()), ("s", pa.string()), ("x", pa.bool_()),
            ("d", pa.date32()), ("r", pa.struct([("f g", pa.int32())])), ("l", pa.list_(pa.int32())),
        ]
    )  # fmt: skip
    session.from_arrow(pa.table([pa.array([], field.type) for field in schema], schema=schema), name="t")
    shown = print_job([session.sql(f"SELECT {query} AS `out` FROM t").node], session.settings).statements[-1]
    return shown.removeprefix("SELECT ").removesuffix(" AS `out`\nFROM `t`")


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("a + b * 2", "`a` + `b` * 2"), ("(a + b) * 2", "(`a` + `b`) * 2"), ("a - (b - 1)", "`a` - (`b` - 1)"),
        ("a - b - 1", "`a` - `b` - 1"), ("a / (b / 2)", "`a` / (`b` / 2)"), ("a + (b + 1)", "`a` + (`b` + 1)"),
        ("a - -1", "`a` - -1"), ("-(-a)", "-(-`a`)"), ("-a * 2", "-`a` * 2"), ("-(a * 2)", "-(`a` * 2)"),
        ("c > 100", "`c` > 100"), ("s = 'it''s'", "`s` = 'it''s'"), ("d = '2024-01-01'", "`d` = CAST('2024-01-01' AS DATE)"),
        ("x AND (a = 1 OR NOT x)", "`x` AND (`a` = 1 OR NOT `x`)"), ("NOT (x AND x)", "NOT (`x` AND `x`)"),
        ("a BETWEEN 1 AND b + 1", "`a` BETWEEN 1 AND `b` + 1"), ("NOT a BETWEEN 1 AND 2", "NOT `a` BETWEEN 1 AND 2"),
        ("a IN (1, 2, NULL)", "`a` IN (1, 2, CAST(NULL AS INT))"), ("a + 1 NOT IN (1, 2)", "`a` + 1 NOT IN (1, 2)"),
        ("s LIKE 'a!%' ESCAPE '!'", "`s` LIKE 'a!%' ESCAPE '!'"), ("s NOT LIKE '%x'", "`s` NOT LIKE '%x'"),
        ("(a = 1) IS NOT TRUE", "(`a` = 1) IS NOT TRUE"), ("(a = 1) = x", "(`a` = 1) = `x`"),
        ("s || 'a' || s", "`s` || 'a' || `s`"), ("a IS NOT DISTINCT FROM b", "`a` IS NOT DISTINCT FROM `b`"),
        ("CASE WHEN x THEN 1 ELSE b END", "CASE WHEN `x` THEN 1 ELSE `b` END"), ("TRY_CAST(s AS INT)", "TRY_CAST(`s` AS INT)"),
        ("CAST(a AS DECIMAL(10, 2))", "CAST(`a` AS DECIMAL(10, 2))"), ("COALESCE(a, 1.5)", "COALESCE(`a`, 1.5)"),
        ("EXTRACT(DAY FROM d)", "EXTRACT(DAY FROM `d`)"), ("CEIL(d TO MONTH)", "CEIL(`d` TO MONTH)"),
        ("POSITION('a' IN s)", "POSITION('a' IN `s`)"), ("TRIM(s)", "TRIM(`s`)"), ("TRIM(BOTH 'x' FROM s)", "BTRIM(`s`, 'x')"),
        ("TIMESTAMPADD(DAY, 1, d)", "TIMESTAMPADD(DAY, 1, `d`)"), ("t.r.`f g`", "`r`.`f g`"), ("l[a]", "`l`[`a`]"),
        ("ARRAY[a, 1]", "ARRAY[`a`, 1]"), ("ROW(a, s)", "ROW(`a`, `s`)"), ("d + INTERVAL '1' MONTH", "`d` + INTERVAL '1' MONTH"),
        ("SUBSTRING(s FROM 2 FOR 3)", "SUBSTRING(`s`, 2, 3)"), ("IF(x, a, 2)", "CASE WHEN `x` THEN `a` ELSE 2 END"), ("OVERLAY(s PLACING 'x' FROM 2)", "OVERLAY(`s` PLACING 'x' FROM 2)"),
        ("s NOT SIMILAR TO 'a%'", "NOT `s` SIMILAR TO 'a%'"),
        ("CURRENT_DATE", "CURRENT_DATE"), ("UPPER(LOWER(s))", "UPPER(LOWER(`s`))"), ("MOD(b, 2)", "MOD(`b`, 2)"),
        ("SQRT(a)", "SQRT(CAST(`a` AS DOUBLE))"),
    ],
)  # fmt: skip
def test_expressions_with_no_more_brackets_than_needed(query, wanted):
    assert written(query) == wanted
    assert written(wanted) == wanted, "what is written is read as the same"


def test_what_flink_lacks_is_reported_with_its_place():
    report = Report()
    here = Expressions(columns(["a"]), report, dt.UTC, "Project(a)")
    column = ColumnRef(index=0, type=t.IntervalType())
    assert here.text(build.call("/", [column, build.literal(2)])) == "`a` / 2"
    here.text(build.cast(column, t.BIGINT))
    here.text(Literal(type=t.DOUBLE, value=float("nan")))
    assert [each.what for each in report.found] == [
        "an interval divided by a number", "CAST of INTERVAL DAY TO SECOND(3) to BIGINT", "the number nan",
    ]  # fmt: skip
    assert {each.where for each in report.found} == {"Project(a)"}


EXPRESSIONS = st.recursive(
    st.sampled_from(["a", "b", "c", "1", "-2", "0.5", "CAST(NULL AS INT)"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(lambda parts: f"({' '.join(parts)})"),
        inner.map(lambda each: f"(-{each})" if not each.startswith("-") else each),
        st.tuples(inner, inner, inner).map(lambda parts: "CASE WHEN {} > {} THEN {} ELSE 0 END".format(*parts)),
        st.tuples(inner, inner).map(lambda parts: "COALESCE({}, {}, 1)".format(*parts)),
    ),
    max_leaves=8,
)


@given(EXPRESSIONS)
def test_any_expression_is_read_as_what_it_was(query):
    try:
        shown = written(query)
    except fx.ScriptError:
        return
    session = fx.Session()
    session.from_arrow(pa.table({"a": pa.array([3, None], pa.int32()), "b": [4, -5], "c": [0.5, 2.0]}), name="t")
    first, again = (session.sql(f"SELECT {each} AS x FROM t") for each in (query, shown))
    assert first.schema[0].type == again.schema[0].type, shown
    assert first.to_arrow() == again.to_arrow(), shown
