"""IN and EXISTS with sub-queries, with NULLs on both sides."""

from __future__ import annotations

import pytest

from fluxcore.api.session import Session
from fluxcore.errors import ScriptError

VIEWS = """
CREATE VIEW t AS SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (3, 'c'), (CAST(NULL AS INT), 'n')) AS x(a, s);
CREATE VIEW u AS SELECT * FROM (VALUES (2), (3), (3)) AS x(b);
CREATE VIEW un AS SELECT * FROM (VALUES (2), (CAST(NULL AS INT))) AS x(b);
"""
CASES = {
    "a IN (SELECT b FROM u)": "bc",
    "a IN (SELECT b FROM un)": "b",
    "NOT a IN (SELECT b FROM u)": "a",
    "a NOT IN (SELECT b FROM u)": "a",
    "a NOT IN (SELECT b FROM un)": "",
    "a NOT IN (SELECT b FROM u WHERE b > 100)": "abcn",
    "a + 1 IN (SELECT CAST(b AS BIGINT) FROM u) AND s <> 'a'": "b",
    "EXISTS (SELECT 1 FROM u WHERE b > 2)": "abcn",
    "NOT EXISTS (SELECT 1 FROM u WHERE b > 2)": "",
    "NOT EXISTS (SELECT 1 FROM u WHERE b > 3) AND a > 1": "bc",
    "s IN (SELECT s FROM t GROUP BY s HAVING COUNT(*) = 1) AND a IN (SELECT MAX(b) FROM u)": "c",
}


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("where", CASES)
def test_where(where, workers):
    session = Session({"parallelism.default": workers})
    session.execute(VIEWS)
    found = session.sql(f"SELECT s FROM t WHERE {where}").to_arrow()["s"].to_pylist()
    assert "".join(sorted(found)) == CASES[where]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT s FROM t WHERE a IN (SELECT b, b FROM u)", "FX-SQL-0217"),
        ("SELECT s FROM t WHERE a IN (SELECT DATE '2024-01-01')", "FX-SQL-0306"),
        ("SELECT s FROM t WHERE a > (SELECT b, b FROM u)", "FX-SQL-0217"),
        ("SELECT s FROM t WHERE (a, s) IN (SELECT b FROM u)", "FX-SQL-0217"),
        ("SELECT s FROM t GROUP BY s, (SELECT 1)", "FX-SQL-0205"),
        ("SELECT t.s FROM t LEFT JOIN u ON EXISTS (SELECT 1 FROM un WHERE un.b = t.a + u.b)", "FX-SQL-0900"),
        ("SELECT * FROM t RIGHT JOIN LATERAL (SELECT b FROM u WHERE u.b = t.a) AS x ON TRUE", "FX-SQL-0414"),
        ("SELECT s FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.c = t.a)", "FX-SQL-0201"),
    ],
)
def test_what_is_not_there_is_refused(query, code):
    session = Session()
    session.execute(VIEWS)
    with pytest.raises(ScriptError) as caught:
        session.sql(query)
    assert caught.value.code == code
