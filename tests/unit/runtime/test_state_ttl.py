"""Lifetimes of state in whole jobs: the setting, the hint, the Python API, on a clock that the test drives."""

from __future__ import annotations

import pyarrow as pa
import pytest

import fluxcore as fx
from fluxcore.api.session import Session
from fluxcore.runtime.execute import EmbeddedTarget


class Hand:
    """A clock that goes on by ``step`` at each look."""

    def __init__(self, step):
        self.now, self.step = 0, step

    def now_ms(self):
        self.now += self.step
        return self.now

    def monotonic_s(self):
        return self.now / 1000


def session(**settings):
    found = Session({"parallelism.default": "1", **settings})
    # each batch is 6 s after the one before
    batches = [pa.RecordBatch.from_pydict({"k": [k], "v": [v]}) for k, v in (("a", 1), ("a", 2), ("b", 3), ("a", 4))]
    found.from_arrow(batches, name="t")
    return found


def changes(found, node, step=6_000):
    target = EmbeddedTarget(Hand(step))
    return [
        tuple(row.values())
        for batch in target.iterate(node, found.settings, changelog=True)
        for row in batch.to_pylist()
    ]


COUNTED = "SELECT k, COUNT(*) AS n FROM t GROUP BY k"
AFRESH = [("+I", "a", 1), ("-U", "a", 1), ("+U", "a", 2), ("+I", "b", 1), ("+I", "a", 1)]
KEPT = [*AFRESH[:-1], ("-U", "a", 2), ("+U", "a", 3)]


def test_a_group_that_was_forgotten_starts_afresh():
    found = session(**{"table.exec.state.ttl": "10 s"})
    assert changes(found, found.sql(COUNTED).node) == AFRESH
    assert changes(found, found.sql(COUNTED).node, step=1_000) == KEPT


def test_a_hint_wins_over_the_setting():
    found = session(**{"table.exec.state.ttl": "10 s"})
    hinted = COUNTED.replace("SELECT", "SELECT /*+ STATE_TTL('t' = '0 s') */")
    assert changes(found, found.sql(hinted).node) == KEPT
    found = session()
    assert changes(found, found.sql(COUNTED).node) == KEPT
    assert changes(found, found.sql(hinted.replace("0 s", "10 s")).node) == AFRESH
    assert changes(found, found.table("t").group_by("k", ttl="10 s").agg(n=fx.count()).node) == AFRESH


def test_the_final_table_holds_what_was_said_of_both_lives():
    found = session(**{"table.exec.state.ttl": "1 d"})
    assert sorted(row["n"] for row in found.sql(COUNTED).to_arrow().to_pylist()) == [1, 3]


def test_each_side_of_a_join_has_its_own_lifetime():
    found = session()
    found.from_arrow(pa.table({"k": ["a"], "w": [1]}), name="u")
    query = (
        "SELECT /*+ STATE_TTL('x' = '1 d', u = '2 h') */ x.v, u.w FROM t AS x JOIN u ON x.k = u.k WHERE u.w > x.v - 9"
    )
    said = found.sql(query).explain()
    assert "left rows for 86400000 ms after they were touched, right rows for 7200000 ms" in said
    both = found.table("t").join(found.table("u"), ["k"], ttl=("1 d", 0)).explain()
    assert "left rows for 86400000 ms after they were touched, right rows for ever" in both
    top = found.table("t").top(1, by="v", per=["k"], ttl="1 min").explain()
    assert "the first row of each partition, for 60000 ms after they were touched" in top


@pytest.mark.parametrize(
    ("hint", "code"),
    [
        ("STATE_TTL('nope' = '1 d')", "FX-SQL-0203"),
        ("STATE_TTL('t' = 'soon')", "FX-SQL-0111"),
        ("STATE_TTL('t' : '1 d')", "FX-SQL-0111"),
        ("STATE_TTL('t' = '1 d'", "FX-SQL-0111"),
        ("BROADCAST(t)", "FX-SQL-0900"),
    ],
)
def test_wrong_hints_are_told_with_their_place(hint, code):
    with pytest.raises(fx.ScriptError) as error:
        session().sql(COUNTED.replace("SELECT", f"SELECT /*+ {hint} */"))
    assert error.value.code == code
    assert error.value.span is not None


def test_python_takes_one_lifetime_of_a_join():
    found = session()
    with pytest.raises(fx.ScriptError, match="not both"):
        found.table("t").join(found.table("t"), ["k"], within=(1, 1), ttl=1)
