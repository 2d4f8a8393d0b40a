"""Which tables and queries are tables of versions in event time, and what is refused."""

from __future__ import annotations

import pyarrow as pa
import pytest

import fluxcore as fx


@pytest.fixture(params=["1", "2", "3"])
def session(request):
    made = fx.Session({"parallelism.default": request.param})

    def stamps(*seconds):
        return pa.array([each * 1_000_000 for each in seconds], pa.int64()).cast(pa.timestamp("us"))

    orders = pa.table({"id": [1, 2, 3, 4], "k": ["a", "a", "b", "a"], "zone": [1, 2, 1, 1], "ts": stamps(1, 3, 5, 9)})
    rates = pa.table(
        {"k": ["a", "b", "a", "a"], "zone": [1, 1, 2, 1], "rate": [10, 20, 30, None], "ts": stamps(0, 0, 2, 8)}
    )
    made.from_arrow(orders, name="orders", watermark=("ts", "0 s"))
    made.from_arrow(rates, name="rates", watermark=("ts", "0 s"))
    return made


LAST = (
    "SELECT {columns} FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts DESC) AS r FROM rates) WHERE r = 1"
)
JOIN = "SELECT o.id, v.rate FROM orders o LEFT JOIN {versions} FOR SYSTEM_TIME AS OF o.ts AS v ON {on} "


def answer(session, view, on):
    session.execute(f"CREATE VIEW versions AS {view}")
    return sorted(
        (row["id"], row["rate"]) for row in session.sql(JOIN.format(versions="versions", on=on)).to_arrow().to_pylist()
    )


def test_the_last_row_of_each_key_is_a_version_at_its_time(session):
    view = LAST.format(columns="k, zone, rate, ts")
    assert answer(session, view, "o.k = v.k") == [(1, 10), (2, 30), (3, 20), (4, None)]


def test_what_is_equated_beside_the_key_is_a_condition_on_the_version(session):
    view = LAST.format(columns="*")
    assert answer(session, view, "o.k = v.k AND o.zone = v.zone") == [(1, 10), (2, 30), (3, 20), (4, None)]


def test_a_condition_on_the_last_rows_ends_the_version_before(session):
    view = f"SELECT k, rate + 0 AS rate, ts FROM ({LAST.format(columns='*')}) WHERE rate IS NOT NULL AND zone = 1"
    assert answer(session, view, "o.k = v.k") == [(1, 10), (2, None), (3, 20), (4, None)]


def test_the_same_in_python(session):
    last = session.sql(LAST.format(columns="k, rate, ts"))
    found = session.table("orders").join_as_of(last, on=["k"], how="left")
    assert found.schema.names == ["id", "k", "zone", "ts", "rate", "ts0"]
    assert sorted(row["rate"] or 0 for row in found.to_arrow().to_pylist()) == [0, 10, 20, 30]
    with pytest.raises(fx.ScriptError, match="equal columns"):
        session.table("orders").join_as_of(last, on=[])


@pytest.mark.parametrize(
    ("view", "on", "code"),
    [
        (LAST.format(columns="k, zone, rate, ts"), "o.zone = v.zone", "FX-SQL-0411"),
        (LAST.format(columns="zone, rate, ts"), "o.zone = v.zone", "FX-SQL-0411"),
        (LAST.format(columns="*").replace("ts DESC", "rate DESC"), "o.k = v.k", "FX-SQL-0900"),
    ],
)
def test_what_has_no_version_for_each_time_is_refused(session, view, on, code):
    with pytest.raises(fx.ScriptError) as caught:
        answer(session, view, on)
    assert caught.value.code == code
    assert caught.value.hint


def test_a_later_row_of_a_primary_key_replaces_the_earlier_one_though_nobody_asks_for_the_key(session, tmp_path):
    (tmp_path / "dim.csv").write_text("1,a,old\n2,b,other\n1,a,new\n")
    session.execute(f"""
      CREATE TABLE dim (id INT, k STRING, name STRING, PRIMARY KEY (id) NOT ENFORCED)
      WITH ('connector' = 'filesystem', 'path' = '{tmp_path}/dim.csv', 'format' = 'csv')""")
    query = "SELECT o.id, d.name FROM orders o JOIN dim FOR SYSTEM_TIME AS OF PROCTIME() AS d ON o.k = d.k"
    found = sorted((row["id"], row["name"]) for row in session.sql(query).to_arrow().to_pylist())
    assert found == [(1, "new"), (2, "new"), (3, "other"), (4, "new")]
