"""No rule changes an answer: random queries over random rows give the same with all, some and none of the rules.

The queries are those of ``test_random_plans``, and such as the rules look for: filters over joins of all kinds, DISTINCT over a
join, ranges in conflict, orders that nobody sees. Rows hold NULLs; inputs are updated where a query groups or ranks before.
"""

from __future__ import annotations

from hypothesis import event, given
from hypothesis import strategies as st
from tests.unit.runtime import test_random_plans as random_plans

from fluxcore.plan.optimizer import RULES

NEEDED = {"slice_windows"}
"""Without it some windows are not carried out at all."""
OFF = st.sets(st.sampled_from(sorted(RULES.keys() - NEEDED)))


def outer_filtered(draw, query, view, other):
    """Filter a join of any kind by what one side's columns are, which may be NULL."""
    types = [each for each in ("str", "int", "big") if view.of(each) and other.of(each)]
    if not types:
        return random_plans.filtered(draw, query, view)
    type_ = draw(st.sampled_from(types))
    left, right = draw(st.sampled_from(view.of(type_))), draw(st.sampled_from(other.of(type_)))
    kind = draw(st.sampled_from(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]))
    constant = {"str": "'a'", "int": "1", "big": "2"}[type_]
    forms = ["{0} = {1}", "{0} IN ({1}, {1})", "{0} IS NULL", "{0} IS NOT NULL", "NOT ({0} < {1})", "COALESCE({0}, {1}) = {1}", "{0} = {0}"]  # fmt: skip
    where = [
        draw(st.sampled_from(forms)).format(draw(st.sampled_from([f"l.{left}", f"r.{right}"])), constant)
        for _ in range(draw(st.integers(1, 2)))
    ]
    condition = draw(st.sampled_from([" AND ", " OR "])).join(where)
    columns = [("x", type_), ("y", type_)]
    text = f"SELECT l.{left} AS x, r.{right} AS y FROM {view.name} AS l {kind} {other.name} AS r ON l.{left} = r.{right} WHERE {condition}"
    return query.add(text, columns, None, None, append_only=False)


def distinct_of_join(draw, query, view, other):
    """Ask a join only for what one side has, without counting."""
    types = [each for each in ("str", "int", "big") if view.of(each) and other.of(each)]
    if not types:
        return random_plans.filtered(draw, query, view)
    type_ = draw(st.sampled_from(types))
    left, right = draw(st.sampled_from(view.of(type_))), draw(st.sampled_from(other.of(type_)))
    side, own = draw(st.sampled_from([("l", view), ("r", other)]))
    name, kind = draw(st.sampled_from(own.columns))
    start = draw(st.sampled_from([f"SELECT DISTINCT {side}.{name} AS x", f"SELECT MAX({side}.{name}) AS x"]))
    text = f"{start} FROM {view.name} AS l JOIN {other.name} AS r ON l.{left} = r.{right}"
    if "MAX" in start:
        text += f" GROUP BY {side}.{name}"
    return query.add(text, [("x", kind)], None, None, append_only=False)


def in_conflict(draw, query, view):
    """Filter by two conditions of one column, which may exclude or imply each other."""
    names = view.of("big", "int", "str")
    if not names:
        return random_plans.filtered(draw, query, view)
    name = draw(st.sampled_from(names))
    constants = ["'a'", "'b'", "'c'"] if dict(view.columns)[name] == "str" else ["0", "1", "2", "8"]
    parts = []
    for _ in range(draw(st.integers(2, 3))):
        op, first, second = (draw(st.sampled_from(each)) for each in (["=", "<>", "<", "<=", ">", ">="], constants, constants))  # fmt: skip
        parts.append(draw(st.sampled_from([f"{name} {op} {first}", f"{name} IN ({first}, {second})", f"{name} IS NOT NULL", f"{name} IS NULL"])))  # fmt: skip
    text = f"SELECT * FROM {view.name} WHERE {' AND '.join(parts)}"
    return query.add(text, view.columns, view.time, None, append_only=view.append_only, windowed=view.windowed)


def sorted_below(draw, query, view):
    """Group a sub-query in an order."""
    name, type_ = draw(st.sampled_from(view.columns))
    inner = f"SELECT * FROM {view.name} ORDER BY {name}"
    text = f"SELECT {name}, COUNT(*) AS c FROM ({inner}) GROUP BY {name}"
    return query.add(text, [(name, type_), ("c", "big")], None, None, append_only=False)


def grouped_twice(draw, query, view):
    """Group by the keys of groups, or more."""
    name, type_ = draw(st.sampled_from(view.columns))
    inner = f"SELECT {name}, COUNT(*) AS c FROM {view.name} GROUP BY {name}"
    text = draw(
        st.sampled_from(
            [
                f"SELECT DISTINCT {name}, c FROM ({inner})",
                f"SELECT {name}, SUM(c) AS c FROM ({inner}) GROUP BY {name}",
                f"SELECT {name}, COUNT(*) AS c FROM ({inner}) WHERE c > 1 GROUP BY {name}",
            ]
        )
    )
    return query.add(text, [(name, type_), ("c", "big")], None, None, append_only=False)


@st.composite
def queries(draw):
    query = draw(random_plans.queries())
    known = [random_plans.View("t", random_plans.COLUMNS, "ts"), random_plans.View("u", random_plans.COLUMNS, "ts")]
    for _ in range(draw(st.integers(1, 2))):
        step = draw(st.sampled_from([outer_filtered, distinct_of_join, in_conflict, sorted_below, grouped_twice]))
        event(step.__name__)
        sides = (
            (known[-1], draw(st.sampled_from(known))) if step in (outer_filtered, distinct_of_join) else (known[-1],)
        )
        known.append(step(draw, query, *sides))
    return query


@random_plans.CASES
@given(query=st.one_of(queries(), random_plans.queries()), t=random_plans.TABLE, u=random_plans.TABLE,
       off=OFF, chunk=st.sampled_from([3, 50]))  # fmt: skip
def test_a_query_gives_the_same_without_some_rules(query, t, u, off, chunk):
    tables = {"t": random_plans.as_table(t), "u": random_plans.as_table(u)}
    all_but_needed = ",".join(sorted(RULES.keys() - NEEDED))
    wanted = random_plans.run(query, tables, 1, chunk=chunk, off=all_but_needed)
    if wanted is None:
        return
    event("rows" if wanted else "no rows")
    for parallelism, rules, changelog in ((1, "", False), (3, "", False), (3, ",".join(off), False), (1, "", True)):
        found = random_plans.run(query, tables, parallelism, chunk=chunk, off=rules, changelog=changelog)
        told = f"{parallelism} threads, without {rules or 'none'}\n{random_plans.told(query)}"
        assert found == wanted, told
