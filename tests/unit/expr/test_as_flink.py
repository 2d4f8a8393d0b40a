"""Values that a real Flink 2.3 gave, where FluxCore's once differed."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from fluxcore.api.session import Session

ROWS = """(VALUES
 ('hello', CAST(2.675 AS DOUBLE), 12.345, TIMESTAMP '2024-02-29 13:14:15.678', DATE '2024-02-29', TIME '13:14:15', 1),
 (' Ünï%', CAST(-0.5 AS DOUBLE), -0.005, TIMESTAMP '1969-12-31 23:59:59.999', DATE '2021-01-01', TIME '23:59:59', 2),
 (CAST(NULL AS STRING), CAST(NULL AS DOUBLE), CAST(NULL AS DECIMAL(5, 3)), CAST(NULL AS TIMESTAMP(3)), CAST(NULL AS DATE),
  CAST(NULL AS TIME), 3)) AS v(s, d, dc, ts, dt, tx, n)"""

VALUES = [
    ("INITCAP(s)", ["Hello", " ÜNï%", None]),
    ("LPAD(s, 2, '')", [None, None, None]),
    ("RPAD(s, 7, 'xy')", ["helloxy", " Ünï%xy", None]),
    ("REPLACE(s, '', 'x')", ["xhxexlxlxox", "x xÜxnxïx%x", None]),
    ("REPLACE(s, 'l', 'LL')", ["heLLLLo", " Ünï%", None]),
    ("REGEXP_REPLACE(s, '(l)(o)', '$2$1')", ["hel$2$1", " Ünï%", None]),
    ("REGEXP_REPLACE(s, 'l+', '\\1')", ["he\\1o", " Ünï%", None]),
    ("CONCAT_WS('-', s, s)", ["hello-hello", " Ünï%- Ünï%", ""]),
    ("CONCAT_WS(s, 'a', 'b')", ["ahellob", "a Ünï%b", None]),
    ("CAST(d AS STRING)", ["2.675", "-0.5", None]),
    ("CAST(dc AS DOUBLE)", [12.345, -0.005, None]),
    ("CAST(ts AS TIME)", [dt.time(13, 14, 15), dt.time(23, 59, 59), None]),
    ("CAST(ts AS STRING)", ["2024-02-29 13:14:15.678", "1969-12-31 23:59:59.999", None]),
    ("TRY_CAST('2024-01-02 10:11:12.123456' AS TIMESTAMP(3))", [dt.datetime(2024, 1, 2, 10, 11, 12, 123000)] * 3),
    ("TRY_CAST('2024-01-02T10:11:12' AS TIMESTAMP(3))", [None] * 3),
    ("CAST(INTERVAL '1 02:03:04.567' DAY TO SECOND AS STRING)", ["+1 02:03:04.567"] * 3),
    ("CAST(INTERVAL '1-2' YEAR TO MONTH AS STRING)", ["+1-02"] * 3),
    ("EXTRACT(DECADE FROM ts)", [202, 197, None]),
    ("EXTRACT(CENTURY FROM dt)", [21, 21, None]),
    ("EXTRACT(MILLENNIUM FROM dt)", [3, 3, None]),
    ("EXTRACT(MILLISECOND FROM ts)", [678, -1, None]),
    ("EXTRACT(MICROSECOND FROM ts)", [678000, -1000, None]),
    ("CEIL(dt TO YEAR)", [dt.date(2025, 1, 1), dt.date(2021, 1, 1), None]),
    ("CEIL(dt TO MONTH)", [dt.date(2024, 3, 1), dt.date(2021, 1, 1), None]),
    ("tx + INTERVAL '1' HOUR", [dt.time(14, 14, 15), dt.time(0, 59, 59), None]),
    ("dt + INTERVAL '1' DAY", [dt.date(2024, 3, 1), dt.date(2021, 1, 2), None]),
    ("DATE_FORMAT(ts, 'yyyy-MM-dd HH:mm:ss')", ["2024-02-29 13:14:15", "1969-12-31 23:59:59", None]),
    ("DATE_FORMAT(ts, 'SSS')", ["678", "999", None]),
    ("DATE_FORMAT(ts, 'HH:mm:ss.SSS')", ["13:14:15.678", "23:59:59.999", None]),
    ("DATE_FORMAT(ts, CONCAT('HH:mm:ss.', REPEAT('S', n + 1)))", ["13:14:15.67", "23:59:59.999", None]),
    ("FROM_UNIXTIME(n, 'ss.SSS')", ["01.000", "02.000", "03.000"]),
    ("TO_TIMESTAMP('2024-01-02')", [dt.datetime(2024, 1, 2)] * 3),
    ("TO_TIMESTAMP('2024-01-02 03:04:05.12', 'yyyy-MM-dd HH:mm:ss.SS')", [dt.datetime(2024, 1, 2, 3, 4, 5, 120000)] * 3),
    ("CAST(ROW(n, s) AS STRING)", ["(1, hello)", "(2,  Ünï%)", "(3, NULL)"]),
    ("CAST(ARRAY[s, 'b'] AS STRING)", ["[hello, b]", "[ Ünï%, b]", "[NULL, b]"]),
    ("SIGN(dc)", [Decimal("1.000"), Decimal("-1.000"), None]),
    ("ROUND(dc, 1)", [Decimal("12.3"), Decimal("0.0"), None]),
    ("CEIL(dc)", [Decimal(13), Decimal(0), None]),
    ("PRINTF('%.2f', dc)", [None, None, "nu"]),  # its Formatter does not know Flink's decimals
    ("PRINTF('%s', dc)", ["12.345", "-0.005", "null"]),
    ("PRINTF('%.2f', CAST(dc AS DOUBLE))", ["12.35", "-0.01", "nu"]),
    ("PRINTF('%.30f', d)", ["2.675000000000000000000000000000", "-0.500000000000000000000000000000", "null"]),
    ("PRINTF('%.30g', d)", ["2.67500000000000000000000000000", "-0.500000000000000000000000000000", "null"]),
    ("PRINTF('%.2f', d * 1E308)", ["Infinity", f"-5{'0' * 307}.00", "nu"]),
]  # fmt: skip

TYPES = [
    ("0.1", "DECIMAL(2, 1) NOT NULL"), ("0.908", "DECIMAL(4, 3) NOT NULL"), ("12.34", "DECIMAL(4, 2) NOT NULL"),
    ("0.1 + 0.2", "DECIMAL(3, 1)"), ("CEIL(x)", "DECIMAL(10, 0)"), ("FLOOR(x)", "DECIMAL(10, 0)"),
    ("ROUND(x, 1)", "DECIMAL(9, 1)"), ("ROUND(x, 0)", "DECIMAL(8, 0)"), ("ROUND(x, -1)", "DECIMAL(8, 0)"), ("ROUND(x)", "DECIMAL(8, 0)"),
    ("ROUND(x, 5)", "DECIMAL(10, 3)"), ("TRUNCATE(x, 1)", "DECIMAL(9, 1)"), ("TRUNCATE(42.324, -1)", "DECIMAL(3, 0) NOT NULL"),
    ("TIMESTAMPADD(HOUR, 1, DATE '2024-01-01')", "TIMESTAMP(6) NOT NULL"),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "expected"), VALUES)
def test_values(expression: str, expected: list[object]) -> None:
    found = (
        Session({"parallelism.default": "1"}).sql(f"SELECT n, {expression} AS x FROM {ROWS}").to_arrow().sort_by("n")
    )
    assert found["x"].to_pylist() == expected


@pytest.mark.parametrize(("expression", "expected"), TYPES)
def test_types(expression: str, expected: str) -> None:
    stream = Session().sql(f"SELECT {expression} AS y FROM (VALUES (CAST(1 AS DECIMAL(10, 3)))) AS t(x)")
    assert stream.schema[0].type.sql().replace(" NOT NULL", "") == expected.replace(" NOT NULL", "")


def test_decimals_become_the_nearest_doubles() -> None:
    texts = ["2.675", "0.1", "123456789012345678.901", "-0.000000000000000000000001", "9007199254740993"]
    columns = ", ".join(f"CAST(CAST('{text}' AS DECIMAL(38, 24)) AS DOUBLE)" for text in texts[:2] + texts[3:4])
    wide = ", ".join(f"CAST(CAST('{text}' AS DECIMAL(30, 3)) AS DOUBLE)" for text in (texts[2], texts[4]))
    row = next(iter(Session().sql(f"SELECT {columns}, {wide}").to_arrow().to_pylist())).values()
    assert list(row) == [float(texts[0]), float(texts[1]), float(texts[3]), float(texts[2]), float(texts[4])]
