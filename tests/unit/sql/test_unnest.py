"""UNNEST: a row for each element, numbered or not, with rows that have none left out or padded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

import fluxcore as fx
from fluxcore.core.settings import Settings
from fluxcore.errors import ScriptError
from fluxcore.targets.flink.sql.job import print_job

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = pa.table(
    {
        "id": [1, 2, 3, 4],
        "tags": pa.array([["a", "b"], None, [], ["c", None]], pa.list_(pa.string())),
        "counts": pa.array([[("x", 1), ("y", 2)], None, [], [("z", None)]], pa.map_(pa.string(), pa.int32())),
        "orders": pa.array([[{"item": "nut", "n": 1}, {"item": "bolt", "n": 2}], [], None, [None]]),
    }
)


@pytest.fixture(params=["1", "2"])
def session(request: pytest.FixtureRequest) -> Iterator[fx.Session]:
    session = fx.Session({"parallelism.default": request.param})
    session.from_arrow(TABLE, name="t")
    yield session


def rows(session: fx.Session, query: str) -> list[tuple[Any, ...]]:
    found = session.sql(query).to_arrow()
    return sorted((tuple(row.values()) for row in found.to_pylist()), key=repr)


def test_each_element_is_a_row(session: fx.Session) -> None:
    found = rows(session, "SELECT id, tag FROM t CROSS JOIN UNNEST(tags) AS u(tag)")
    assert found == [(1, "a"), (1, "b"), (4, "c"), (4, None)]
    assert found == rows(session, "SELECT id, tag FROM t, UNNEST(t.tags) AS u(tag)")


def test_a_left_join_keeps_rows_without_elements(session: fx.Session) -> None:
    query = "SELECT id, tag, place FROM t LEFT JOIN UNNEST(tags) WITH ORDINALITY AS u(tag, place) ON TRUE"
    assert rows(session, query) == [
        (1, "a", 1),
        (1, "b", 2),
        (2, None, None),
        (3, None, None),
        (4, "c", 1),
        (4, None, 2),
    ]


def test_an_entry_of_a_map_has_key_and_value(session: fx.Session) -> None:
    found = rows(session, "SELECT id, k, v FROM t, UNNEST(counts) AS u(k, v)")
    assert found == [(1, "x", 1), (1, "y", 2), (4, "z", None)]


def test_fields_of_rows_become_columns(session: fx.Session) -> None:
    found = rows(session, "SELECT id, item, n FROM t, UNNEST(orders) AS u")
    assert found == [(1, "bolt", 2), (1, "nut", 1)]
    assert found == rows(session, "SELECT id, a, b FROM t, UNNEST(orders) AS u(a, b)")


def test_a_multiset_gives_each_element_as_often_as_it_occurs(session: fx.Session) -> None:
    inner = "SELECT COLLECT(tag) AS all_tags FROM (SELECT 'a' AS tag FROM t UNION ALL SELECT 'b' FROM t WHERE id = 1)"
    found = rows(session, f"SELECT x, n FROM ({inner}), UNNEST(all_tags) WITH ORDINALITY AS u(x, n)")
    assert found == [("a", 1), ("a", 2), ("a", 3), ("a", 4), ("b", 5)]


def test_rows_that_are_taken_back_take_their_elements_back(session: fx.Session) -> None:
    inner = "SELECT id / 3 AS k, COUNT(*) AS n FROM t GROUP BY id / 3"
    query = f"SELECT k, x, COUNT(*) AS c FROM ({inner}), UNNEST(ARRAY[n, n * 10]) AS u(x) GROUP BY k, x"
    assert rows(session, query) == [(0, 2, 1), (0, 20, 1), (1, 2, 1), (1, 20, 1)]


def test_constants_need_no_table(session: fx.Session) -> None:
    assert rows(session, "SELECT * FROM UNNEST(ARRAY[1, 2]) AS u(x)") == [(1,), (2,)]
    assert rows(session, "SELECT x, y FROM UNNEST(ARRAY[1, 2]) AS u(x), UNNEST(ARRAY[x, 7]) AS w(y)") == [
        (1, 1),
        (1, 7),
        (2, 2),
        (2, 7),
    ]


def test_it_sees_every_relation_before_it(session: fx.Session) -> None:
    query = "SELECT a.id, b.id, tag FROM t AS a, t AS b CROSS JOIN UNNEST(a.tags) AS u(tag) WHERE a.id = 1 AND b.id = 2"
    assert rows(session, query) == [(1, 2, "a"), (1, 2, "b")]


def test_a_condition_of_an_inner_join_is_a_filter(session: fx.Session) -> None:
    assert rows(session, "SELECT id, tag FROM t JOIN UNNEST(tags) AS u(tag) ON tag > 'a'") == [(1, "b"), (4, "c")]


def test_a_condition_of_a_left_join_says_which_elements_count(session: fx.Session) -> None:
    query = "SELECT id, tag FROM t LEFT JOIN UNNEST(tags) AS u(tag) ON tag > 'a' AND id < 4"
    assert rows(session, query) == [(1, "b"), (2, None), (3, None), (4, None)]


def test_a_single_column_goes_by_the_name_of_the_relation(session: fx.Session) -> None:
    found = session.sql("SELECT id, tag, `ORDINALITY` FROM t, UNNEST(tags) WITH ORDINALITY AS tag").to_arrow()
    assert found.schema.names == ["id", "tag", "ORDINALITY"]
    assert session.sql("SELECT * FROM UNNEST(ARRAY[1])").to_arrow().schema.names == ["EXPR$0"]


def test_filters_on_other_columns_pass_below(session: fx.Session) -> None:
    plan = session.sql("SELECT id, tag FROM t, UNNEST(tags) AS u(tag) WHERE id = 1 AND tag = 'a'").explain()
    assert plan.index("tag = 'a'") < plan.index("Correlate(UNNEST(tags), INNER, gives=[tag])") < plan.index("id = 1")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT * FROM t, UNNEST(id)", "FX-SQL-0316"),
        ("SELECT * FROM t RIGHT JOIN UNNEST(tags) AS u(x) ON TRUE", "FX-SQL-0414"),
        ("SELECT * FROM t, UNNEST(tags) AS u(x, y)", "FX-SQL-0209"),
        ("SELECT * FROM t, UNNEST(nothing) AS u(x)", "FX-SQL-0201"),
    ],
)
def test_what_is_wrong_is_named(session: fx.Session, query: str, code: str) -> None:
    with pytest.raises(ScriptError) as caught:
        session.sql(query)
    assert caught.value.code == code
    assert caught.value.place is not None


def test_it_is_printed_for_flink(session: fx.Session) -> None:
    node = session.sql("SELECT id, tag FROM t LEFT JOIN UNNEST(tags) WITH ORDINALITY AS u(tag, n) ON TRUE").node
    text = print_job([node], Settings()).queries[0]
    assert "LEFT JOIN UNNEST(`l`.`tags`) WITH ORDINALITY AS `t`(`tag`, `n`) ON TRUE" in text
