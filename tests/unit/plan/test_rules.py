"""Each rule before and after, as EXPLAIN shows the plan; and that no rule changes an answer."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fluxcore.runtime.execute as execute_module
from fluxcore.api.session import Session
from fluxcore.plan.graph import in_order
from fluxcore.plan.nodes import AssignWatermark, Project, Scan, Union
from fluxcore.plan.optimizer import RULES, optimize
from fluxcore.plan.rules.drop_watermarks import drop_watermarks
from fluxcore.plan.rules.fold_constants import fold_constants
from fluxcore.plan.rules.merge_projects import merge_projects
from fluxcore.plan.rules.prune_columns import prune_columns
from fluxcore.plan.rules.push_filters import push_filters
from fluxcore.plan.rules.slice_windows import slice_windows
from fluxcore.sql.script import bind_query

DATA = {
    "k": pa.array(["a", "b", "a", None, "c", "b"]),
    "v": pa.array([1, 2, None, 4, 5, 6], pa.int64()),
    "w": pa.array([1.5, 2.5, 3.5, None, 0.0, -1.0]),
    "ts": pa.array([0, 1_000, 61_000, 30_000, 125_000, 124_000], pa.int64()).cast(pa.timestamp("ms")),
}


def session():
    made = Session({"parallelism.default": "1"})
    table = pa.table(DATA)
    made.from_arrow(table.set_column(3, "ts", table["ts"].cast(pa.timestamp("us"))), name="t", watermark=("ts", "60 s"))
    return made


def lines(node, depth=0):
    found = ["  " * depth + node.describe()]
    for each in node.inputs:
        found += lines(each, depth + 1)
    return found


def plan(query, *rules):
    made = session()
    roots = [bind_query(query, catalog=made.catalog, settings=made.settings)]
    for rule in rules:
        roots = rule(roots)
    return "\n".join(lines(roots[0]))


SCAN = "Scan(t, columns=[k, v, w, ts])"
MARK = "AssignWatermark(ts, (ts - INTERVAL 60000 MS))"
WINDOW = "TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE))"

CASES = {
    "constants are computed once": ("SELECT v + (1 + 2) * 2 AS x FROM t", [fold_constants], "Project((v + 6) AS x)"),
    "what fails is not computed before": ("SELECT v / (1 - 1) AS x FROM t", [fold_constants], "Project((v / 0) AS x)"),
    "true conditions go": ("SELECT v FROM t WHERE 1 = 1 AND v > 1", [fold_constants], "Filter((v > 1))"),
    "projections become one": (
        "SELECT a + 1 AS b FROM (SELECT v + 1 AS a FROM t)", [merge_projects], "Project(((v + CAST(1 AS BIGINT)) + CAST(1 AS BIGINT)) AS b)\n  " + MARK,
    ),
    "a filter passes a projection of columns": (
        "SELECT * FROM (SELECT v AS a, k FROM t) WHERE a > 3", [push_filters], "Filter((v > CAST(3 AS BIGINT)))\n      " + MARK,
    ),
    "a filter does not pass a watermark": ("SELECT v FROM t WHERE v > 3", [push_filters], "Filter((v > CAST(3 AS BIGINT)))\n    " + MARK),
    "a filter passes a window that it does not look at": (
        f"SELECT v FROM {WINDOW} WHERE v > 3", [push_filters], "AssignWindow(ts, TUMBLE(size=60000 ms))\n    Filter((v > CAST(3 AS BIGINT)))",
    ),
    "a filter on the window stays": (
        f"SELECT v FROM {WINDOW} WHERE window_start > TIMESTAMP '2020-01-01 00:00:00'", [push_filters],
        "Filter((window_start > ",
    ),
    "a filter on an aggregate stays": (
        "SELECT * FROM (SELECT k, COUNT(*) AS n FROM t GROUP BY k) WHERE n > 1", [push_filters], "Filter(",
    ),
    "a reader reads what is asked for": (
        "SELECT v FROM t", [drop_watermarks, prune_columns, merge_projects], "Scan(t, columns=[v])",
    ),
    "a watermark nobody needs goes": ("SELECT v FROM t", [drop_watermarks], "Project(v)\n  " + SCAN),
    "a watermark that a window needs stays": (
        f"SELECT COUNT(*) FROM {WINDOW} GROUP BY window_start, window_end", [drop_watermarks], MARK,
    ),
    "an aggregate assigns windows itself": (
        f"SELECT k, COUNT(*) FROM {WINDOW} GROUP BY k, window_start, window_end", [slice_windows],
        "WindowAggregate(TUMBLE(size=60000 ms), by=[k]",
    ),
    "without the rule the windows are attached": (
        f"SELECT k, COUNT(*) FROM {WINDOW} GROUP BY k, window_start, window_end", [], "TUMBLE(size=60000 ms), attached",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_before_and_after(name):
    query, rules, wanted = CASES[name]
    found = plan(query, *rules)
    assert wanted in found, found
    if rules and "stays" not in name and "not" not in name:
        assert wanted not in plan(query), "the rule has nothing to do with it"


QUERIES = [
    "SELECT k, v + 1 AS x FROM t WHERE v > 1 AND 1 = 1",
    "SELECT a, b FROM (SELECT v AS a, w AS b, k FROM t WHERE k IS NOT NULL) WHERE a >= 2 OR b < 0",
    "SELECT k, COUNT(*) AS n, SUM(v) AS s, MAX(w) AS m FROM t GROUP BY k HAVING COUNT(*) >= 1",
    "SELECT DISTINCT k FROM t",
    "SELECT k FROM t UNION ALL SELECT k FROM t WHERE v > 2",
    "SELECT k FROM t UNION SELECT UPPER(k) FROM t",
    f"SELECT k, window_start, COUNT(*) AS n, SUM(v) AS s FROM {WINDOW} WHERE v > 0 GROUP BY k, window_start, window_end",
    "SELECT window_end, COUNT(*) FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '30' SECOND, INTERVAL '1' MINUTE)) "
    "GROUP BY window_start, window_end",
    "SELECT a.k, a.v, b.w FROM t AS a JOIN t AS b ON a.k = b.k AND a.v < b.v WHERE a.v > 0",
    "SELECT a.k, b.n FROM t AS a LEFT JOIN (SELECT k, COUNT(*) AS n FROM t GROUP BY k) AS b ON a.k = b.k WHERE a.v > 1",
    "SELECT k, v FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC) AS r FROM t) WHERE r <= 1",
    "SELECT k, v, LAG(v) OVER (PARTITION BY k ORDER BY ts) AS before FROM t",
    "SELECT k FROM (SELECT k, LAG(v) OVER (PARTITION BY k ORDER BY ts) AS before FROM t)",
    "SELECT MAX(n) FROM (SELECT k, COUNT(*) AS n FROM t WHERE v IS NOT NULL GROUP BY k)",
    "WITH x AS (SELECT k, v * 2 AS d FROM t) SELECT d, COUNT(*) FROM x WHERE d > 2 GROUP BY d",
]


def answer(made, query):
    return sorted(made.sql(query).to_arrow().to_pylist(), key=repr)


@pytest.mark.parametrize("query", QUERIES)
@given(off=st.sets(st.sampled_from([rule.__name__ for rule in RULES])))
def test_the_answer_is_the_same_without_some_rules(query, off):
    def some(roots, settings):
        plans, fired = list(roots), []
        for rule in RULES:
            if rule.__name__ not in off:
                plans = rule(plans)
        return plans, fired

    made = session()
    wanted = answer(made, query)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execute_module, "optimize", some)
        assert answer(made, query) == wanted


@pytest.mark.parametrize("query", QUERIES)
def test_a_plan_that_is_optimised_stays_as_it_is(query):
    made = session()
    once, _ = optimize([bind_query(query, catalog=made.catalog, settings=made.settings)])
    twice, fired = optimize(once)
    assert twice == once
    assert fired == []
    assert [c.name for c in once[0].schema] == [
        c.name for c in bind_query(query, catalog=made.catalog, settings=made.settings).schema
    ]


def test_explain_names_the_rules_that_did_something():
    text = session().sql("SELECT v FROM t WHERE v > 1 + 1").explain()
    assert re.search(r"fold_constants", text)
    assert "prune_columns" in text


def test_equal_sub_plans_are_one():
    made = session()
    node = bind_query("SELECT v FROM t UNION ALL SELECT v FROM t", catalog=made.catalog, settings=made.settings)
    first, second = node.inputs[0].inputs
    assert first == second
    assert hash(first) == hash(second)
    assert [type(each) for each in in_order([node])] == [Scan, AssignWatermark, Project, Union, Project]
