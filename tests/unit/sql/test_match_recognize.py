"""MATCH_RECOGNIZE is parsed and checked whole: what is wrong is said, what is right waits for its operator."""

from __future__ import annotations

import pytest

from fluxcore.api.session import Session
from fluxcore.errors import ScriptError

T = """CREATE TABLE t (id INT, k STRING, n INT, v DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts)
WITH ('connector' = 'datagen', 'number-of-rows' = '1');
"""
WRONG = [
    ("PARTITION BY k ORDER BY ts MEASURES A.id AS x PATTERN (A B) DEFINE A AS A.n > 1", "FX-SQL-0900", "running"),
    ("ORDER BY ts MEASURES LAST(A.id, 1) AS x, FIRST(B.v) AS y, AVG(A.v * A.n) AS z ONE ROW PER MATCH AFTER MATCH SKIP TO LAST B "
     "PATTERN (A{2,3}? B*? C?) WITHIN INTERVAL '1' HOUR SUBSET U = (A, B) DEFINE A AS n > LAST(A.n, 1), B AS SUM(A.n) < B.n", "FX-SQL-0900",
     "running"),
    ("ORDER BY ts MEASURES MATCH_ROWTIME() AS x PATTERN (A{,3} B) DEFINE A AS TRUE", "FX-SQL-0900", "running"),
    ("PARTITION BY k ORDER BY ts MEASURES A.id AS x ALL ROWS PER MATCH PATTERN (A) DEFINE A AS A.n > 1", "FX-SQL-0900", "ALL ROWS"),
    ("MEASURES A.id AS x PATTERN (A) DEFINE A AS A.n > 1", "FX-SQL-0416", "ORDER BY"),
    ("ORDER BY id MEASURES A.id AS x PATTERN (A) DEFINE A AS A.n > 1", "FX-SQL-0416", "time attribute"),
    ("ORDER BY ts DESC MEASURES A.id AS x PATTERN (A) DEFINE A AS A.n > 1", "FX-SQL-0416", "ascending"),
    ("ORDER BY ts MEASURES A.id AS x PATTERN (A B+) DEFINE A AS A.n > 1", "FX-SQL-0416", "greedy"),
    ("ORDER BY ts MEASURES A.id AS x PATTERN (A*? B*?) DEFINE A AS A.n > 1", "FX-SQL-0416", "no row"),
    ("ORDER BY ts MEASURES A.id AS x PATTERN (A* B? C) DEFINE A AS A.n > 1", "FX-SQL-0416", "optional"),
    ("ORDER BY ts MEASURES A.id AS x PATTERN (A{0}) DEFINE A AS A.n > 1", "FX-SQL-0416", "so often"),
    ("ORDER BY ts MEASURES A.id AS x PATTERN (A | B) DEFINE A AS A.n > 1", "FX-SQL-0900", "alternatives"),
    ("ORDER BY ts MEASURES A.id AS x PATTERN (A (B C)+ D) DEFINE A AS A.n > 1", "FX-SQL-0900", "group"),
    ("ORDER BY ts MEASURES A.id AS x PATTERN (A {- B -} C) DEFINE A AS A.n > 1", "FX-SQL-0900", "{-"),
    ("ORDER BY ts MEASURES A.id AS x PATTERN (PERMUTE(A, B)) DEFINE A AS A.n > 1", "FX-SQL-0900", "PERMUTE"),
    ("ORDER BY ts MEASURES X.id AS x PATTERN (A B) DEFINE A AS A.n > 1", "FX-SQL-0416", "'X'"),
    ("ORDER BY ts MEASURES A.nope AS x PATTERN (A B) DEFINE A AS A.n > 1", "FX-SQL-0201", "'nope'"),
    ("ORDER BY ts MEASURES A.id AS x AFTER MATCH SKIP TO X PATTERN (A B) DEFINE A AS A.n > 1", "FX-SQL-0416", "'X'"),
    ("ORDER BY ts MEASURES A.id AS x PATTERN (A B) SUBSET U = (A, X) DEFINE A AS A.n > 1", "FX-SQL-0416", "'X'"),
    ("ORDER BY ts MEASURES A.id AS x PATTERN (A B) DEFINE A AS A.n > 1, A AS A.n < 1", "FX-SQL-0416", "twice"),
    ("ORDER BY ts MEASURES A.id AS x PATTERN (A B) DEFINE A AS A.n", "FX-SQL-0305", "DEFINE"),
    ("ORDER BY ts MEASURES A.id AS x PATTERN (A B) DEFINE A AS PREV(A.n) > 1", "FX-SQL-0900", "PREV"),
    ("ORDER BY ts MEASURES COUNT(DISTINCT A.id) AS x PATTERN (A B) DEFINE A AS A.n > 1", "FX-SQL-0900", "DISTINCT"),
    ("ORDER BY ts MEASURES SUM(A.id * B.id) AS x PATTERN (A B) DEFINE A AS A.n > 1", "FX-SQL-0416", "one variable"),
    ("ORDER BY ts MEASURES CLASSIFIER() AS x PATTERN (A B) DEFINE A AS A.n > 1", "FX-SQL-0900", "CLASSIFIER"),
    ("ORDER BY ts MEASURES LAST(A.id, A.n) AS x PATTERN (A B) DEFINE A AS A.n > 1", "FX-SQL-0416", "LAST"),
    ("ORDER BY ts MEASURES A.id AS x PATTERN (A B) WITHIN 5 DEFINE A AS A.n > 1", "FX-SQL-0416", "interval"),
    ("ORDER BY ts PATTERN (A B) DEFINE A AS A.n > 1", "FX-SQL-0416", "MEASURES"),
    ("ORDER BY ts MEASURES A.id AS x PATTERN (A B)", "FX-SQL-0104", "DEFINE"),
    ("ORDER BY ts MEASURES A.id PATTERN (A B) DEFINE A AS A.n > 1", "FX-SQL-0104", "AS"),
]  # fmt: skip


@pytest.mark.parametrize(("inside", "code", "words"), WRONG, ids=[each[0][:70] for each in WRONG])
def test_each_clause_is_checked(inside: str, code: str, words: str) -> None:
    with pytest.raises(ScriptError) as caught:
        Session().bind(T + f"SELECT * FROM t MATCH_RECOGNIZE ({inside}) AS m")
    assert caught.value.code == code
    assert words in f"{caught.value.message} {caught.value.hint}"


def test_rows_that_are_updated_are_refused() -> None:
    with pytest.raises(ScriptError) as caught:
        Session().bind(
            T + "SELECT * FROM (SELECT k, MAX(ts) AS ts FROM t GROUP BY k) "
            "MATCH_RECOGNIZE (ORDER BY ts MEASURES A.k AS x PATTERN (A) DEFINE A AS TRUE)"
        )
    assert caught.value.code == "FX-SQL-0416"
