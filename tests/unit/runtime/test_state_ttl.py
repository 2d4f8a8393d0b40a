"""Lifetimes of state in whole jobs: the setting, the hint, the Python API, on a clock that the test drives."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest

import fluxcore as fx
from fluxcore.api.session import Session
from fluxcore.connectors.collect import QueueSink
from fluxcore.core.time import ScriptedClock
from fluxcore.runtime.execute import EmbeddedTarget

ROWS = (("a", 1), ("a", 2), ("b", 3), ("a", 4))


def session(clock=None, step=6_000, **settings):
    """Return a session with a table ``t`` whose rows come so many ms after each other."""
    found = Session({"parallelism.default": "1", **settings})

    def batches():
        for k, v in ROWS:
            if clock is not None:
                clock.advance(step)
            yield pa.RecordBatch.from_pydict({"k": [k], "v": [v]})

    schema = pa.schema({"k": pa.string(), "v": pa.int64()})
    found.from_arrow(pa.RecordBatchReader.from_batches(schema, batches()), name="t")
    return found


def changes(query, step=6_000, **settings):
    """Return the changelog of a query, or of what a function makes of a session."""
    clock = ScriptedClock(1)
    found = session(clock, step, **settings)
    stream = query(found) if callable(query) else found.sql(query)
    batches = EmbeddedTarget(clock).iterate(stream.node, found.settings, changelog=True)
    return [tuple(row.values()) for batch in batches for row in batch.to_pylist()]


COUNTED = "SELECT k, COUNT(*) AS n FROM t GROUP BY k"
AFRESH = [("+I", "a", 1), ("-U", "a", 1), ("+U", "a", 2), ("+I", "b", 1), ("+I", "a", 1)]
KEPT = [*AFRESH[:-1], ("-U", "a", 2), ("+U", "a", 3)]
TTL = {"table.exec.state.ttl": "10 s"}


def test_a_group_that_was_forgotten_starts_afresh():
    assert changes(COUNTED, **TTL) == AFRESH
    assert changes(COUNTED, step=1_000, **TTL) == KEPT


def test_a_hint_wins_over_the_setting():
    hinted = COUNTED.replace("SELECT", "SELECT /*+ STATE_TTL('t' = '0 s') */")
    assert changes(hinted, **TTL) == KEPT
    assert changes(COUNTED) == KEPT
    assert changes(hinted.replace("0 s", "10 s")) == AFRESH
    assert changes(lambda found: found.table("t").group_by("k", ttl="10 s").agg(n=fx.count())) == AFRESH


def test_without_a_lifetime_nobody_looks_at_the_clock():
    found, never = session(), ScriptedClock()
    never.now_ms = never.wait = None
    never.monotonic_s = lambda: 0.0
    rows = list(EmbeddedTarget(never).iterate(found.sql(COUNTED).node, found.settings, changelog=True))
    assert sum(batch.num_rows for batch in rows) == len(KEPT)


def test_what_is_over_goes_while_no_rows_come():
    clock, kept = ScriptedClock(1), []
    found = Session({"parallelism.default": "1", "table.exec.state.ttl": "10 s"})

    def state_rows():
        return max(each.state_rows for each in jobs[0].metrics().operators)

    def batches():
        yield pa.RecordBatch.from_pydict({"k": ["a", "b", "c"], "v": [1, 2, 3]})
        while not jobs or state_rows() < 3:
            time.sleep(0)
        for _ in range(3):
            clock.advance(5_000, threads=1)
            kept.append(state_rows())
        yield pa.RecordBatch.from_pydict({"k": ["d"], "v": [4]})

    schema = pa.schema({"k": pa.string(), "v": pa.int64()})
    found.from_arrow(pa.RecordBatchReader.from_batches(schema, batches()), name="t")
    jobs, sink = [], QueueSink()
    jobs.append(EmbeddedTarget(clock).start([(found.sql(COUNTED).node, sink)], found.settings, changelog=True))
    assert sum(batch.rows for batch in sink) == 4, "what is forgotten is forgotten without a word"
    jobs[0].result()
    assert kept == [3, 0, 0]


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
        ("NONE_SUCH(t)", "FX-SQL-0111"),
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
