"""Which plans take rows back, and by which columns the rows of a plan differ."""

from __future__ import annotations

import pyarrow as pa
import pytest

from fluxcore.api.session import Session
from fluxcore.plan.changelog import changelog_mode, is_append_only, is_final, unique_key
from fluxcore.sql.script import bind_query

CASES = {
    "SELECT v FROM t WHERE v > 1": (True, True, None),
    "SELECT k, COUNT(*) FROM t GROUP BY k": (False, True, (0,)),
    "SELECT COUNT(*) AS n, k FROM t GROUP BY k": (False, True, (1,)),
    "SELECT COUNT(*) FROM t GROUP BY k": (False, True, None),
    "SELECT COUNT(*) FROM t": (False, True, ()),
    "SELECT DISTINCT k, v FROM t": (False, True, (0, 1)),
    "SELECT a.v FROM t a JOIN t b ON a.k = b.k": (True, True, None),
    "SELECT a.v FROM t a LEFT JOIN t b ON a.k = b.k": (False, False, None),
    "SELECT v FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v) r FROM t) WHERE r <= 2": (
        False,
        True,
        None,
    ),
}


@pytest.mark.parametrize("query", CASES)
def test_modes(query):
    session = Session()
    session.from_arrow(pa.table({"k": ["a"], "v": [1]}), name="t")
    node = bind_query(query, catalog=session.catalog, settings=session.settings)
    append_only, final, key = CASES[query]
    assert is_append_only(node) is append_only
    assert is_final(node) is final
    assert unique_key(node) == key
    assert changelog_mode(node) == ("I" if append_only else "I,UB,UA,D")
