"""Printing a syntax tree and parsing it again gives the same tree: for golden queries, Nexmark, the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fluxcore.sql.parser import parse_script
from fluxcore.sql.print.statements import script

ROOT = Path(__file__).parents[3]
GOLDEN = sorted((ROOT / "tests" / "golden").rglob("*.sql"))
NEXMARK = sorted((ROOT / "src" / "fluxcore" / "bench" / "nexmark_queries").rglob("*.sql"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [
    (f"{page.relative_to(ROOT)}-{number}", block)
    for page in PAGES
    for number, (mark, block) in enumerate(re.findall(r"(<!-- fails -->\s*)?```sql\n(.*?)```", page.read_text("utf-8"), re.DOTALL))
    if not mark
]  # fmt: skip


def check(text):
    tree = parse_script(text)
    assert tree
    printed = script(tree)
    again = parse_script(printed)
    assert again == tree, printed
    assert script(again) == printed


@pytest.mark.parametrize("path", [*GOLDEN, *NEXMARK], ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_scripts(path):
    check(path.read_text("utf-8"))


@pytest.mark.parametrize(("name", "block"), BLOCKS, ids=[name for name, _ in BLOCKS])
def test_blocks_of_the_documentation(name, block):
    check(block)


EXPRESSIONS = [
    "a + b * -c - (d - e)", "(a + b) * c", "NOT (a OR b) AND c", "a = b = c", "- a", "- (-1)", "1 - -1", "a[1][2].f",
    "a.b.c", "ROW(1, 'x').f", "CAST(a AS ROW<`x y` INT, z ARRAY<STRING NOT NULL>>)", "TRY_CAST(a AS DECIMAL(10, 2))",
    "CASE a WHEN 1 THEN 'x' END", "CASE WHEN a > 1 THEN 'x' ELSE 'y' END", "a NOT BETWEEN 1 AND 2", "a NOT IN (1, 2)",
    "a LIKE 'x!%' ESCAPE '!'", "a IS NOT DISTINCT FROM b", "a IS NOT TRUE", "(a IS NULL) IS UNKNOWN", "a IN (SELECT 1)",
    "NOT EXISTS (SELECT 1)", "(SELECT MAX(x) FROM t)", "a > ALL (SELECT 1)", "a = SOME (SELECT 1)", "1.50", ".5", "00.5", "1E3",
    "1.5E-7", "1E999", "NULL", "UNKNOWN", "TRUE", "'it''s'", "x'0aFF'", "DATE '2024-02-29'", "TIME '12:34:56.789'",
    "TIMESTAMP '2024-01-01 00:00:00.120'", "INTERVAL '90' MINUTE", "INTERVAL '1 02:03:04.5' DAY TO SECOND", "INTERVAL '13' MONTH",
    "INTERVAL '2' YEAR", "INTERVAL -'3' DAY", "INTERVAL '0' DAY", "INTERVAL '0.5' SECOND", "EXTRACT(YEAR FROM ts)",
    "TIMESTAMPDIFF(DAY, a, b)", "FLOOR(ts TO HOUR)", "CEIL(1.5)", "TRIM(LEADING 'x' FROM a)", "TRIM(BOTH FROM a)",
    "TRIM('x' FROM a)", "POSITION('a' IN b)", "SUBSTRING(a FROM 2 FOR 3)", "CURRENT_TIMESTAMP", "LOCALTIME", "COUNT(*)",
    "COUNT(DISTINCT a) FILTER (WHERE b > 1)", "`my func`(a)", "`select`(a)", "ARRAY[1, 2]", "`a``b`.`select`", "LEFT(a, 1)",
    "SUM(a) OVER (PARTITION BY b ORDER BY c DESC NULLS LAST ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)", "RANK() OVER w",
    "OVERLAY(a PLACING b FROM 1 FOR 2)", "POSITION('a' IN b FROM 2)", "(a, b) OVERLAPS (c, d)", "a IS NOT JSON OBJECT",
    "JSON_VALUE(a, '$.x' RETURNING INT DEFAULT 1 ON EMPTY ERROR ON ERROR)", "JSON_QUERY(a, 'lax $' WITH WRAPPER EMPTY ON ERROR)",
    "JSON_OBJECT('a' VALUE 1, KEY b VALUE c ABSENT ON NULL)", "JSON_OBJECT()", "JSON_ARRAY()", "JSON_ARRAY(a, 1 NULL ON NULL)",
    "JSON_EXISTS(a, '$' UNKNOWN ON ERROR)", "JSON_OBJECTAGG(KEY a VALUE b)", "JSON_ARRAYAGG(a NULL ON NULL) FILTER (WHERE b)",
    "ARRAY_AGG(DISTINCT a IGNORE NULLS)", "INTERVAL a DAY", "a BETWEEN SYMMETRIC 1 AND 2", "SUM(a) OVER (w ORDER BY b)",
    "u&'\\00e9'", "TIMESTAMP '2024-01-01 00:00:00.123456789'", "(a, b) IN ((1, 2), (3, 4))", "MAP['a', 1]",
    "SUM(a) OVER (ORDER BY t RANGE BETWEEN INTERVAL '1' DAY PRECEDING AND UNBOUNDED FOLLOWING)", "a || 'x' || b", "a % 2",
]  # fmt: skip
QUERIES = [
    "SELECT DISTINCT a AS b, t.*, * FROM c.d.t AS t (x, y)", "SELECT 1 UNION ALL SELECT 2 EXCEPT SELECT 3 INTERSECT SELECT 4",
    "(SELECT 1 ORDER BY 1 LIMIT 1) UNION (SELECT 2 LIMIT 2) ORDER BY 1 DESC OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY",
    "WITH a AS (SELECT 1), b (x) AS (VALUES (1, 2), (3, 4)) SELECT * FROM a, b", "(SELECT 1 LIMIT 2) LIMIT 1",
    "SELECT * FROM a LEFT JOIN b ON a.x = b.x FULL OUTER JOIN c USING (x, y) NATURAL JOIN d CROSS JOIN e",
    "SELECT * FROM a, b JOIN c ON TRUE, (SELECT 1) AS d", "SELECT * FROM a JOIN (b JOIN c ON TRUE) ON TRUE",
    "SELECT * FROM ((SELECT 1) AS x JOIN y ON TRUE), LATERAL TABLE(f(x, 1)) AS t (a), UNNEST(a.b) WITH ORDINALITY AS u (p, q)",
    "SELECT a, COUNT(*) FROM t WHERE b GROUP BY a, GROUPING SETS ((a, b), (), ROLLUP (c, d)) HAVING c WINDOW w AS (ORDER BY a)",
    "SELECT a FROM t GROUP BY () HAVING COUNT(*) > 1", "SELECT a FROM t QUALIFY ROW_NUMBER() OVER (ORDER BY a) = 1",
    "SELECT /*+ STATE_TTL('a' = '1 d', 'b' = '5 s'), BROADCAST(a) */ 1 FROM a /*+ OPTIONS('x' = 'y''z') */ AS b",
    "SELECT * FROM TABLE(HOP(DATA => TABLE t PARTITION BY (a, b), TIMECOL => DESCRIPTOR(ts), SLIDE => INTERVAL '1' DAY))",
    "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY a ORDER BY b MEASURES LAST(X.c) AS d, FIRST(Y.c, 1) AS e ONE ROW PER MATCH "
    "AFTER MATCH SKIP TO LAST `y` PATTERN (X Y{2,}? (Z | PERMUTE(A, B))* {- C -} D{3} E{,4}) WITHIN INTERVAL '1' HOUR "
    "SUBSET U = (X, Y) DEFINE X AS X.c > 1, Y AS Y.c < PREV(Y.c)) AS m",
    "SELECT * FROM TABLE(TO_CHANGELOG(input => TABLE t, op => DESCRIPTOR(`op`)))",
    "SELECT * FROM a JOIN b FOR SYSTEM_TIME AS OF a.ts AS b ON a.x = b.x", "SELECT * FROM t, LATERAL (SELECT t.a + 1) AS x",
]  # fmt: skip
STATEMENTS = [
    "CREATE TABLE IF NOT EXISTS a.b.t (x INT NOT NULL COMMENT 'it''s', y AS x + 1 COMMENT 'z', m STRING METADATA FROM 'k' VIRTUAL, "
    "`n` BIGINT METADATA, WATERMARK FOR ts AS ts - INTERVAL '5' SECOND, CONSTRAINT k PRIMARY KEY (x) NOT ENFORCED) COMMENT 'c' "
    "DISTRIBUTED BY HASH (x) INTO 4 BUCKETS PARTITIONED BY (x) WITH ('a' = 'b', 'c' = 'd''e')",
    "CREATE TEMPORARY TABLE t (x INT PRIMARY KEY NOT ENFORCED) DISTRIBUTED INTO 3 BUCKETS", "CREATE TABLE t LIKE u",
    "CREATE TABLE t (x INT) LIKE a.u (EXCLUDING ALL INCLUDING GENERATED OVERWRITING OPTIONS)",
    "CREATE OR REPLACE TABLE t (b, a) WITH ('x' = 'y') AS SELECT a, b FROM u", "REPLACE TABLE t AS SELECT 1 AS a",
    "CREATE TEMPORARY VIEW IF NOT EXISTS v (a, b) COMMENT 'x' AS SELECT 1, 2", "CREATE CATALOG c COMMENT 'x' WITH ('type' = 'y')",
    "CREATE DATABASE IF NOT EXISTS c.d COMMENT 'x' WITH ('a' = 'b')", "DROP TEMPORARY TABLE IF EXISTS a.b.c", "DROP CATALOG c",
    "DROP DATABASE IF EXISTS d CASCADE", "DROP DATABASE d RESTRICT", "DROP VIEW v", "ALTER TABLE t ADD (a INT FIRST, b AS a AFTER c)",
    "ALTER TABLE IF EXISTS t MODIFY WATERMARK FOR ts AS ts", "ALTER TABLE t ADD PRIMARY KEY (a) NOT ENFORCED", "ALTER TABLE t DROP a",
    "ALTER TABLE t DROP (a, b)", "ALTER TABLE t DROP PRIMARY KEY", "ALTER TABLE t DROP CONSTRAINT k", "ALTER TABLE t DROP WATERMARK",
    "ALTER TABLE t RENAME a TO b", "ALTER TABLE t RENAME TO a.b", "ALTER TABLE t SET ('a' = 'b')", "ALTER TABLE t RESET ('a', 'b')",
    "ALTER TABLE t MODIFY DISTRIBUTION BY (a) INTO 3 BUCKETS", "ALTER TABLE t DROP DISTRIBUTION", "ALTER VIEW v AS SELECT 1",
    "ALTER VIEW v RENAME TO w", "ALTER DATABASE d SET ('a' = 'b')", "ALTER CATALOG c COMMENT 'x'", "ALTER CATALOG c RESET ('a')",
    "INSERT OVERWRITE t PARTITION (a = 'x', b = 1) (c, d) SELECT 1, 2", "INSERT INTO t /*+ OPTIONS('a' = 'b') */ VALUES (1)",
    "INSERT INTO t SELECT 1 ON CONFLICT DO DEDUPLICATE", "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
    "EXECUTE INSERT INTO t SELECT 1", "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1; INSERT INTO b SELECT 2; END",
    "BEGIN STATEMENT SET; INSERT INTO a SELECT 1; END", "EXPLAIN SELECT 1", "EXPLAIN PLAN FOR INSERT INTO t SELECT 1",
    "EXPLAIN ESTIMATED_COST, CHANGELOG_MODE SELECT 1", "EXPLAIN STATEMENT SET BEGIN INSERT INTO a SELECT 1; END",
    "DESCRIBE EXTENDED a.b.c", "DESC CATALOG c", "DESCRIBE DATABASE EXTENDED d", "SHOW TABLES IN c.d NOT LIKE 'a%'", "SHOW CATALOGS",
    "SHOW USER FUNCTIONS FROM d ILIKE 'a_'", "SHOW COLUMNS FROM t LIKE 'x'", "SHOW PARTITIONS t PARTITION (a = 'b')", "SHOW JOBS",
    "SHOW CREATE TABLE a.b", "SHOW CREATE CATALOG c", "SHOW CURRENT DATABASE", "SHOW FULL MODULES", "USE a.b", "USE CATALOG c",
    "USE MODULES core, other", "LOAD MODULE x WITH ('a' = 'b')", "UNLOAD MODULE x", "SET 'a' = 'b'", "SET a.b = c", "RESET 'a'", "SET",
    "RESET",
]  # fmt: skip


@pytest.mark.parametrize("text", [*(f"SELECT {each}" for each in EXPRESSIONS), *QUERIES, *STATEMENTS])
def test_every_form(text):
    check(text)


def test_an_expression_has_the_brackets_that_it_needs():
    (tree,) = parse_script(
        "SELECT ((a + 1) * 2) - (3 - b), NOT ((a = 1) AND (b = 2)), (ts) - INTERVAL '5' SECOND FROM t"
    )
    wanted = "(`a` + 1) * 2 - (3 - `b`), NOT (`a` = 1 AND `b` = 2), `ts` - INTERVAL '5' SECOND"
    assert script([tree]) == f"SELECT {wanted}\nFROM `t`;\n"
