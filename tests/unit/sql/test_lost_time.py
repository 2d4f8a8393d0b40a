"""Where a column stops being an event time, as on Flink 2.3, which refuses the same windows; the error says what it was."""

from __future__ import annotations

import pytest

from fluxcore.api.session import Session
from fluxcore.errors import ScriptError

TABLES = """
CREATE TABLE t (id INT, k STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'datagen', 'number-of-rows' = '9');
CREATE VIEW few AS SELECT * FROM (VALUES ('a'), ('b')) AS x (k);
"""


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT * FROM t WHERE k IN (SELECT k FROM few)", "IN or EXISTS"),
        ("SELECT * FROM t WHERE k NOT IN (SELECT k FROM few)", "IN or EXISTS"),
        ("SELECT * FROM t WHERE EXISTS (SELECT 1 FROM few WHERE few.k = t.k)", "IN or EXISTS"),
        ("SELECT t.* FROM t JOIN few ON few.k = t.k", "a join"),
        ("SELECT ts, COUNT(*) AS c FROM t GROUP BY ts", "GROUP BY"),
        ("SELECT ts + INTERVAL '1' SECOND AS ts FROM t", "an expression"),
    ],
)
def test_the_hint_says_what_made_it_a_plain_column(query: str, words: str) -> None:
    session = Session()
    session.execute(f"{TABLES} CREATE VIEW v AS {query};")
    with pytest.raises(ScriptError) as caught:
        session.sql("SELECT * FROM TABLE(TUMBLE(TABLE v, DESCRIPTOR(ts), INTERVAL '1' HOUR))")
    assert caught.value.code == "FX-SQL-0403"
    assert f"it was one before {words}" in (caught.value.hint or "")


@pytest.mark.parametrize("condition", ["k IN ('a', 'b')", "k IS NOT NULL"])
def test_a_condition_on_the_row_alone_keeps_it(condition: str) -> None:
    session = Session()
    session.execute(f"{TABLES} CREATE VIEW v AS SELECT * FROM t WHERE {condition};")
    session.sql("SELECT * FROM TABLE(TUMBLE(TABLE v, DESCRIPTOR(ts), INTERVAL '1' HOUR))")
