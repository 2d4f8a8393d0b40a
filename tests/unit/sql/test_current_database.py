"""CURRENT_DATABASE() in views and tables is the database that is current when a query runs, as in Flink 2.3."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fluxcore.api.session import Session

if TYPE_CHECKING:
    from pathlib import Path

HOME = "`default_catalog`.`default_database`"
VIEWS = {
    "projected": "SELECT CURRENT_DATABASE() AS d",
    "inside": "SELECT UPPER(CURRENT_DATABASE() || '!') AS d",
    "listed": "SELECT * FROM (VALUES (CURRENT_DATABASE())) AS x (d)",
    "unnested": "SELECT y.d FROM (VALUES (1)) AS x (n) CROSS JOIN UNNEST(ARRAY[CURRENT_DATABASE()]) AS y (d)",
    "filtered": "SELECT d FROM (VALUES ('default_database'), ('other')) AS x (d) WHERE d = CURRENT_DATABASE()",
    "joined": "SELECT b.d FROM (VALUES (1)) AS a (n) JOIN (VALUES (1, 'default_database'), (1, 'other')) AS b (n, d) "
    "ON a.n = b.n AND b.d = CURRENT_DATABASE()",
    "chosen": "SELECT d FROM (VALUES ('default_database'), ('other')) AS x (d) WHERE d IN (SELECT CURRENT_DATABASE())",
    "grouped": "SELECT CURRENT_DATABASE() AS d, COUNT(*) AS c FROM (VALUES (1), (2)) AS x (n) GROUP BY CURRENT_DATABASE()",
    "on_a_view": "SELECT d FROM projected",
    "text": "SELECT 'CURRENT_DATABASE()' AS d",
}


def first(session: Session, name: str) -> object:
    rows = session.sql(f"SELECT d FROM {HOME}.{name}").to_arrow()["d"].to_pylist()
    assert len(rows) == 1
    return rows[0]


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_names_the_database_that_is_current(name: str) -> None:
    session = Session()
    for each, query in VIEWS.items():
        session.execute(f"CREATE VIEW {each} AS {query}")
    session.execute("CREATE DATABASE other")
    told = {"inside": "{}!".format, "text": lambda _: "CURRENT_DATABASE()"}.get(name, str)
    for database in ("default_database", "other", "default_database"):
        session.execute(f"USE `default_catalog`.{database}")
        expected = told(database)
        assert first(session, name) == (expected.upper() if name == "inside" else expected)


def test_computed_columns_and_inserts_too(tmp_path: Path) -> None:
    session = Session()
    session.execute(
        f"""
        CREATE DATABASE other;
        CREATE TABLE t (id INT, d AS CURRENT_DATABASE()) WITH ('connector' = 'datagen', 'number-of-rows' = '1');
        CREATE TABLE written (d STRING) WITH ('connector' = 'filesystem', 'path' = '{tmp_path}/out', 'format' = 'csv');
        USE other;
        INSERT INTO {HOME}.written SELECT d FROM {HOME}.t;
        """
    )
    assert first(session, "t") == first(session, "written") == "other"
    session.execute("USE `default_database`")
    assert first(session, "t") == "default_database"
    assert first(session, "written") == "other"


def test_one_script_may_change_it_between_its_queries() -> None:
    session = Session()
    session.execute("CREATE VIEW v AS SELECT CURRENT_DATABASE() AS d; CREATE DATABASE other;")
    bound = session.bind(f"SELECT * FROM v; USE other; SELECT * FROM {HOME}.v")
    plans = [step.select.plan for step in session.steps(bound) if step.select is not None]
    assert [next(session.iterate(plan)).column(0)[0].as_py() for plan in plans] == ["default_database", "other"]
    assert "other" in session.explain(plans[1])
