"""Bad scripts: each gives one error with its code, its place and what to do next."""

from __future__ import annotations

import pytest

from fluxcore.api.session import Session
from fluxcore.errors import ScriptError

T = "CREATE TABLE t (a INT, s STRING) WITH ('connector' = 'datagen');\n"
W = "CREATE TABLE w (a INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'datagen');\n"
O = "CREATE TABLE o (x INT) WITH ('connector' = 'print');\n"  # noqa: E741

CASES = [
    ("SELEC 1", "FX-SQL-0106", (1, 1), "SELECT"),
    ("SELECT 1 FROM", "FX-SQL-0104", (1, 14), "a name"),
    ("SELECT 'abc", "FX-SQL-0102", (1, 8), "close it with '"),
    ("SELECT `abc", "FX-SQL-0102", (1, 8), "close it with `"),
    ("SELECT 1 /* abc", "FX-SQL-0102", (1, 10), "close it with */"),
    ("SELECT \"a\" FROM (VALUES (1)) AS t(a)", "FX-SQL-0101", (1, 8), "backquotes"),
    ("SELECT X'ABC'", "FX-SQL-0103", (1, 8), "even number"),
    ("SELECT a, FROM t", "FX-SQL-0104", (1, 11), "reserved word"),
    ("SELECT 1 +", "FX-SQL-0104", (1, 11), "an expression"),
    ("SELECT 1; SELECT 2 SELECT 3", "FX-SQL-0104", (1, 20), "';'"),
    ("SELECT * FROM nope", "FX-SQL-0203", (1, 15), "CREATE TABLE"),
    (T + "SELECT * FROM tt", "FX-SQL-0203", (2, 15), "'t'"),
    (T + "SELECT aa FROM t", "FX-SQL-0201", (2, 8), "'a'"),
    (T + "SELECT x.a FROM t", "FX-SQL-0201", (2, 8), "'a'"),
    (T + "SELECT\n  s,\n  b\nFROM t", "FX-SQL-0201", (4, 3), "there is no column 'b'"),
    (T + "SELECT a FROM t x JOIN t y ON x.a = y.a", "FX-SQL-0202", (2, 8), "with its table"),
    (T + "SELECT a FROM t WHERE a", "FX-SQL-0305", (2, 23), "condition"),
    (T + "SELECT UPER(s) FROM t", "FX-SQL-0210", (2, 8), "UPPER"),
    (T + "SELECT s + 1 FROM t", "FX-SQL-0310", (2, 8), "two numbers"),
    (T + "SELECT a FROM t WHERE COUNT(*) > 1", "FX-SQL-0207", (2, 23), "WHERE"),
    (T + "SELECT SUM(COUNT(*)) FROM t", "FX-SQL-0207", (2, 12), "inside another"),
    (T + "SELECT a, COUNT(*) FROM t GROUP BY s", "FX-SQL-0215", (2, 8), "GROUP BY"),
    (T + "SELECT SUM(s) FROM t", "FX-SQL-0314", (2, 8), "SUM can't take (STRING)"),
    (T + "SELECT a FROM t HAVING a > 1", "FX-SQL-0215", None, "GROUP BY"),
    (T + "SELECT a FROM t UNION ALL SELECT a, s FROM t", "FX-SQL-0214", None, "1 columns with 2"),
    (T + "SELECT a FROM t UNION ALL SELECT TIMESTAMP '2020-01-01 00:00:00'", "FX-SQL-0306", None, "column 1"),
    (T + "SELECT a FROM t ORDER BY 3", "FX-SQL-0213", (2, 26), "column 3"),
    (T + "SELECT RANK() OVER (PARTITION BY a) FROM t", "FX-SQL-0405", None, "needs ORDER BY"),
    (T + "SELECT RANK() OVER (ORDER BY a ROWS 1 PRECEDING) FROM t", "FX-SQL-0407", (2, 8), "takes no frame"),
    (T + "SELECT COUNT(*) OVER (ORDER BY a ROWS BETWEEN UNBOUNDED FOLLOWING AND CURRENT ROW) FROM t", "FX-SQL-0407", None, "start"),
    (T + "SELECT COUNT(*) OVER (ORDER BY a ROWS BETWEEN 1 FOLLOWING AND 1 PRECEDING) FROM t", "FX-SQL-0407", None, "before it starts"),
    (T + "SELECT COUNT(*) OVER (ORDER BY a ROWS 1.5 PRECEDING) FROM t", "FX-SQL-0407", None, "whole number of rows"),
    (T + "SELECT NTILE(0) OVER (ORDER BY a) FROM t", "FX-SQL-0315", None, "from 1 on"),
    (T + "SELECT LAG(a, a) OVER (ORDER BY a) FROM t", "FX-SQL-0900", None, "not a constant"),
    (T + "SELECT LAG(a) FROM t", "FX-SQL-0206", (2, 8), "OVER"),
    (T + "SELECT COUNT(*) OVER w FROM t", "FX-SQL-0208", None, "'w'"),
    (T + "SELECT * FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(a), INTERVAL '1' MINUTE))", "FX-SQL-0403", (2, 37), "WATERMARK"),
    (T + "SELECT * FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(a)))", "FX-SQL-0403", (2, 37), "WATERMARK"),
    (T + "INSERT INTO t SELECT 1, 'a'", "FX-CON-0003", (2, 13), "only reads"),
    (O + "SELECT * FROM o", "FX-CON-0003", (2, 15), "only writes"),
    (T + O + "INSERT INTO o SELECT s FROM t", "FX-SQL-0312", (3, 15), "CAST"),
    (T + O + "INSERT INTO o SELECT a, a FROM t", "FX-SQL-0507", (3, 15), "x INT"),
    (T + "CREATE VIEW v AS SELECT a FROM t;\nINSERT INTO v SELECT a FROM t", "FX-SQL-0204", (3, 13), "view"),
    ("CREATE TABLE t (a INT);\nSELECT * FROM t", "FX-SQL-0510", (2, 15), "WITH ('connector'"),
    ("CREATE TABLE t (a INT) WITH ('connector' = 'datagn')", "FX-CON-0001", (1, 30), "'datagen'"),
    ("CREATE TABLE t (a INT) WITH ('connector' = 'datagen', 'row-per-second' = '1')", "FX-SQL-0511", (1, 55), "rows-per-second"),
    ("CREATE TABLE t (a INT, a INT) WITH ('connector' = 'datagen')", "FX-SQL-0503", (1, 17), "twice"),
    ("CREATE TABLE t (a INTT) WITH ('connector' = 'datagen')", "FX-SQL-0301", (1, 19), "no type"),
    ("CREATE TABLE t (a INT, WATERMARK FOR a AS a) WITH ('connector' = 'datagen')", "FX-SQL-0408", (1, 24), "TIMESTAMP(3)"),
    ("CREATE TABLE t (a INT, WATERMARK FOR b AS b) WITH ('connector' = 'datagen')", "FX-SQL-0201", (1, 24), "'b'"),
    (T + "CREATE TABLE t (a INT) WITH ('connector' = 'datagen')", "FX-SQL-0502", (2, 1), "IF NOT EXISTS"),
    ("DROP TABLE nope", "FX-SQL-0203", (1, 1), "'nope'"),
    ("SET 'parallelism.defalt' = '2'", "FX-SET-0001", (1, 1), "parallelism.default"),
    ("SET 'parallelism.default' = 'two'", "FX-SET-0002", (1, 1), "whole number"),
    ("SELECT CAST('a' AS INTT)", "FX-SQL-0301", (1, 20), "no type"),
    ("VALUES (1), (1, 2)", "FX-SQL-0214", (1, 1), "same number"),
    ("SELECT DATE '2020-13-01'", "FX-SQL-0303", (1, 8), "no DATE"),
    ("SELECT 99999999999999999999999999999999999999999", "FX-SQL-0303", (1, 8), "38 digits"),
    ("SELECT INTERVAL '1' FORTNIGHT", "FX-SQL-0304", (1, 21), "FORTNIGHT"),
    (T + "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A) DEFINE A AS TRUE)", "FX-SQL-0416", (2, 15), "ORDER BY"),
    ("CREATE CATALOG c WITH ('type' = 'x')", "FX-SQL-0900", (1, 33), "generic_in_memory"),
    ("DELETE FROM t", "FX-SQL-0900", (1, 1), "DELETE"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "code", "place", "words"), CASES, ids=[case[0][-60:] for case in CASES])
def test_a_bad_script_gives_one_clear_error(script, code, place, words):
    with pytest.raises(ScriptError) as caught:
        Session().bind(script, file="x.sql")
    error = caught.value.located(script, "x.sql")
    assert error.code == code
    assert words in f"{error.message} {error.hint}"
    assert error.place is not None
    assert error.place.file == "x.sql"
    if place is not None:
        assert (error.place.line, error.place.column) == place
    assert error.place.source_line == script.split("\n")[error.place.line - 1]


def test_nothing_of_a_bad_script_takes_effect():
    session = Session()
    with pytest.raises(ScriptError):
        session.bind(T + "SELECT nope FROM t")
    assert session.catalog.names() == []


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT COUNT(*) OVER (PARTITION BY a) FROM w", "watermark"),
        ("SELECT COUNT(*) OVER (ORDER BY a) FROM w", "watermark"),
        ("SELECT ROW_NUMBER() OVER (ORDER BY a) FROM w", "watermark"),
        ("SELECT LEAD(a) OVER (ORDER BY ts) FROM w", "looks at rows behind"),
        ("SELECT SUM(a) OVER (ORDER BY ts ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM w", "CURRENT ROW"),
    ],
)
def test_over_what_never_ends_goes_by_time_and_looks_back(query, words):
    session = Session()
    session.execute(W)
    with pytest.raises(ScriptError) as caught:
        next(session.sql(query).batches())
    assert caught.value.code == "FX-SQL-0405"
    assert words in str(caught.value)
