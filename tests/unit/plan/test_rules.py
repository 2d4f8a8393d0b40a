"""Each rule before and after: the plans of ``rules/<rule>.md``; how the rules work together, and what stops them.

``python tests/unit/plan/plans.py`` writes the plans of all cases as they are now.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from tests.unit.plan.plans import FOLDER, cases, shared_tables, shown, tables

from fluxcore.errors import ScriptError
from fluxcore.plan.graph import in_order
from fluxcore.plan.nodes import AssignWatermark, Node, OneInput, Project, Scan, TwoInputs, Union
from fluxcore.plan.optimizer import RULES, optimize
from fluxcore.sql.script import bind_query

CASES = [case for rule in RULES for case in cases(rule)]


def bound(query: str) -> Node:
    session = shared_tables()
    return bind_query(query, catalog=session.catalog, settings=session.settings)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}: {case.title}")
def test_before_and_after(case):
    before, after = case.plans()
    assert before == case.before
    assert (after if after != before else "nothing changes\n") == case.after


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_has_cases_that_change_something_and_such_that_do_not(rule):
    changed = [case.after != "nothing changes\n" for case in cases(rule)]
    assert any(changed)
    assert not all(changed) or rule in ("fold_constants", "merge_projects", "prune_columns", "drop_empty")


def test_there_are_no_cases_of_rules_that_there_are_not():
    assert {path.stem for path in FOLDER.iterdir()} == set(RULES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}: {case.title}")
def test_a_plan_that_is_optimised_stays_as_it_is(case):
    settings = shared_tables().settings
    node = bound(case.sql.strip())
    once, _ = optimize([node], settings)
    twice, fired = optimize(once, settings)
    assert shown(twice[0]) == shown(once[0])
    assert fired == []
    assert once[0].schema.names == node.schema.names
    assert [c.type.with_nullable(True) for c in once[0].schema] == [c.type.with_nullable(True) for c in node.schema]


@dataclass(frozen=True)
class Unknown(OneInput):
    """A node that no rule knows."""


@dataclass(frozen=True)
class UnknownPair(TwoInputs):
    """A node of two inputs that no rule knows."""

    @property
    def schema(self):
        return self.left.schema


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}: {case.title}")
def test_a_node_that_no_rule_knows_is_left_alone(case):
    node = bound(case.sql.strip())
    settings = shared_tables().settings
    for inner in (Unknown(node), UnknownPair(node, node)):
        above = Unknown(inner)
        for name, rule in RULES.items():
            (found,) = rule([above], settings)
            assert isinstance(found, Unknown)
            assert type(found.input) is type(inner)
            assert found.schema.names == above.schema.names
            assert name != "drop_watermarks" or _watermarks(found) == _watermarks(above)


def _watermarks(node):
    return len([each for each in in_order([node]) if isinstance(each, AssignWatermark)])


@pytest.mark.parametrize("rule", RULES)
def test_nothing_passes_a_node_that_is_not_known(rule):
    """Filters, limits, orders and unused columns above an unknown node stay above it."""
    session = tables()
    query = "SELECT v FROM (SELECT * FROM t) WHERE v > 3 LIMIT 5"
    node = bind_query(query, catalog=session.catalog, settings=session.settings)

    def put(each: Node) -> Node:
        return Unknown(each) if isinstance(each, Scan) else each.with_inputs(tuple(put(below) for below in each.inputs))

    plan = put(node)
    for other in ("drop_watermarks", "merge_projects"):
        (plan,) = RULES[other]([plan], session.settings)
    (found,) = RULES[rule]([plan], session.settings)
    unknown = next(each for each in in_order([found]) if isinstance(each, Unknown))
    assert unknown.input == next(each for each in in_order([node]) if isinstance(each, Scan))


def test_rules_can_be_turned_off():
    session = tables()
    stream = session.sql("SELECT v FROM t WHERE v > 1 + 1")
    assert "push_filters" in stream.explain()
    session.execute("SET 'fluxcore.optimizer.disabled-rules' = 'push_filters, prune_columns'")
    text = session.sql("SELECT v FROM t WHERE v > 1 + 1").explain()
    assert "push_filters" not in text
    assert "Filter((v > 2))" in text
    session.execute("SET 'fluxcore.optimizer.disabled-rules' = 'push_filter'")
    with pytest.raises(ScriptError, match="push_filters") as error:
        session.sql("SELECT v FROM t").explain()
    assert error.value.code == "FX-SET-0005"


def test_equal_sub_plans_are_one():
    node = bound("SELECT v FROM t UNION ALL SELECT v FROM t")
    first, second = node.inputs[0].inputs
    assert first == second
    assert hash(first) == hash(second)
    assert [type(each) for each in in_order([node])] == [Scan, AssignWatermark, Project, Union, Project]


@pytest.mark.parametrize("queries", [
    ["SELECT a.v FROM t AS a JOIN t AS b ON a.k = b.k"],
    ["SELECT k FROM t WHERE v > 1", "SELECT v FROM t WHERE v > 1"],
    ["SELECT k FROM t", "SELECT v, w FROM t WHERE k = 'a'"],
    ["SELECT k, COUNT(*) AS c FROM t GROUP BY k", "SELECT SUM(v) AS s FROM t"],
])  # fmt: skip
def test_a_table_is_read_once_however_often_it_is_named(queries):
    session = tables()
    roots = [bind_query(query, catalog=session.catalog, settings=session.settings) for query in queries]
    plans, _ = optimize(roots, session.settings)
    assert len([each for each in in_order(plans) if isinstance(each, Scan)]) == 1
