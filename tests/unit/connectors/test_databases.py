"""Tables of database files: read, and asked by key in joins."""

from __future__ import annotations

import datetime as dt
import sqlite3
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest

import fluxcore as fx

COLUMNS = (
    "id BIGINT, name STRING, score DOUBLE, price DECIMAL(10, 2), ok BOOLEAN, `day` DATE, ts TIMESTAMP(3), `raw` BYTES"
)
ROWS = [
    (1, "a", 1.5, Decimal("1.25"), True, dt.date(2024, 1, 2), dt.datetime(2024, 1, 2, 3, 4, 5), b"x"),
    (2, "é", None, None, False, None, None, None),
    (2, "b", -0.5, Decimal("-3.00"), None, dt.date(1969, 12, 31), dt.datetime(1969, 12, 31, 23, 59, 59), b""),
]


@pytest.fixture(params=["sqlite", "duckdb"])
def database(request, tmp_path):
    path = tmp_path / "dim.db"
    if request.param == "duckdb":
        with duckdb.connect(str(path)) as connection:
            connection.execute(
                'CREATE TABLE "my dim" (id BIGINT, name VARCHAR, score DOUBLE, price DECIMAL(10, 2), ok BOOLEAN, '
                "day DATE, ts TIMESTAMP, raw BLOB)"
            )
            connection.executemany('INSERT INTO "my dim" VALUES (?, ?, ?, ?, ?, ?, ?, ?)', ROWS)
    else:
        connection = sqlite3.connect(path)
        connection.execute(
            'CREATE TABLE "my dim" (id INTEGER, name TEXT, score REAL, price TEXT, ok INTEGER, day, ts, raw)'
        )
        stored = [
            (*row[:3], None if row[3] is None else str(row[3]), row[4], *(x and str(x) for x in row[5:7]), row[7])
            for row in ROWS
        ]
        connection.executemany('INSERT INTO "my dim" VALUES (?, ?, ?, ?, ?, ?, ?, ?)', stored)
        connection.commit()
        connection.close()
    return request.param, path


def declared(database, session, columns=COLUMNS, **options):
    kind, path = database
    extra = "".join(f", '{key}' = '{value}'" for key, value in options.items())
    session.execute(
        f"CREATE TABLE dim ({columns}) WITH ('connector' = '{kind}', 'path' = '{path}', 'table-name' = 'my dim'{extra})"
    )


@pytest.fixture(params=["1", "3"])
def session(request):
    made = fx.Session({"parallelism.default": request.param})
    orders = pa.table({"o": range(8), "k": [1, 2, 3, None, 1, 2, 9, 1], "n": ["a", "b", "a", "b", "é", "é", "a", "x"]})
    made.from_arrow(orders, name="orders")
    return made


def answer(session, query):
    return sorted((tuple(row.values()) for row in session.sql(query).to_arrow().to_pylist()), key=repr)


def test_a_table_is_read_in_its_types(database, session):
    declared(database, session)
    assert answer(session, "SELECT * FROM dim") == sorted(ROWS, key=repr)
    assert answer(session, "SELECT name FROM dim WHERE score < 0") == [("b",)]


CACHES = [
    {},
    {"lookup.cache": "PARTIAL", "lookup.partial-cache.max-rows": "1"},
    {"lookup.cache": "PARTIAL", "lookup.partial-cache.cache-missing-key": "false", "lookup.async": "true"},
    {"lookup.cache": "PARTIAL", "lookup.partial-cache.expire-after-write": "0 s"},
    {"lookup.cache": "FULL"},
]


@pytest.mark.parametrize("options", CACHES, ids=["none", "one row", "async", "too old", "full"])
@pytest.mark.parametrize("outer", [False, True])
def test_rows_are_found_by_key(database, session, options, outer):
    declared(database, session, **options)
    kind = "LEFT JOIN" if outer else "JOIN"
    query = f"SELECT o.o, d.name, d.ts FROM orders o {kind} dim FOR SYSTEM_TIME AS OF PROCTIME() AS d ON o.k = d.id"
    orders = session.table("orders").to_arrow().to_pylist()
    met = [(o["o"], row[1], row[6]) for o in orders for row in ROWS if row[0] == o["k"]]
    alone = [(o["o"], None, None) for o in orders if o["k"] not in (1, 2)] if outer else []
    assert answer(session, query) == sorted(met + alone, key=repr)
    assert ("LookupJoin(dim" in session.explain(session.sql(query).node)) == (options.get("lookup.cache") != "FULL")


def test_two_keys_and_a_condition(database, session):
    declared(database, session)
    query = (
        "SELECT o.o, o.n, d.price FROM orders o LEFT JOIN dim FOR SYSTEM_TIME AS OF PROCTIME() AS d "
        "ON o.k = d.id AND d.name = o.n AND d.score > o.o - 2"
    )
    orders = session.table("orders").to_arrow().to_pylist()
    wanted = []
    for o in orders:
        met = [r for r in ROWS if (r[0], r[1]) == (o["k"], o["n"]) and r[2] is not None and r[2] > o["o"] - 2]
        wanted += [(o["o"], o["n"], r[3]) for r in met] or [(o["o"], o["n"], None)]
    assert answer(session, query) == sorted(wanted, key=repr)


def test_what_is_wrong_is_said(database, session):
    kind, path = database
    query = "SELECT o.o, d.name FROM orders o JOIN dim FOR SYSTEM_TIME AS OF PROCTIME() AS d ON o.k = d.id"
    declared((kind, path.with_name("none.db")), session)
    for asked in (query, "SELECT * FROM dim"):
        with pytest.raises(fx.FluxError) as caught:
            session.sql(asked).to_arrow()
        assert caught.value.code == "FX-CON-0130"
    session.execute("DROP TABLE dim")
    declared((kind, path), session, "id BIGINT, colour STRING, name BIGINT")
    for asked, code in (
        (query.replace("d.name", "d.colour"), "FX-"),
        (query, "FX-CON-0132"),
        ("SELECT name FROM dim", "FX-CON-0132"),
    ):
        with pytest.raises(fx.FluxError) as caught:
            session.sql(asked).to_arrow()
        assert caught.value.code.startswith(code)
    with pytest.raises(fx.ScriptError, match=r"lookup\.cache"):
        session.execute("DROP TABLE dim")
        declared((kind, path), session, **{"lookup.cache": "ALL"})
