"""Groups come in the order in which they got their values, as in Flink at parallelism 1, where each row is a change."""

from __future__ import annotations

import pytest

import fluxcore as fx

ROWS = "(VALUES ('a', 1), ('b', 1), ('b', 1), ('c', 1), ('a', 1), ('d', 1)) AS t(k, v)"


def first_rows(query):
    session = fx.Session({"parallelism.default": "1"})
    return [tuple(row.values()) for row in session.sql(query).to_arrow().to_pylist()]


@pytest.mark.parametrize("function", ["COUNT(*)", "SUM(v)"])
def test_of_groups_that_tie_the_one_that_came_to_its_value_first_ranks_first(function):
    ranked = (
        f"SELECT k, n, ROW_NUMBER() OVER (ORDER BY n DESC) AS r FROM (SELECT k, {function} AS n FROM {ROWS} GROUP BY k)"
    )
    found = first_rows(f"SELECT k, n, r FROM ({ranked}) WHERE r <= 4 ORDER BY r")
    assert found == [("b", 2, 1), ("a", 2, 2), ("c", 1, 3), ("d", 1, 4)]


def test_lists_of_updated_rows_hold_them_in_the_order_of_their_last_changes():
    groups = f"SELECT k, COUNT(*) AS n FROM {ROWS} GROUP BY k"
    assert first_rows(f"SELECT LISTAGG(k || CAST(n AS STRING)) FROM ({groups})") == [("b2,c1,a2,d1",)]


def test_rows_that_change_nothing_do_not_move_their_group():
    assert first_rows(f"SELECT LISTAGG(k) FROM (SELECT k, MAX(v) AS v FROM {ROWS} GROUP BY k) WHERE v = 1") == [
        ("a,b,c,d",)
    ]
    assert first_rows(f"SELECT LISTAGG(k) FROM (SELECT DISTINCT k FROM {ROWS})") == [("a,b,c,d",)]
