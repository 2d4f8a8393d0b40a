"""Every kind of join meets keys as the contract says: NULL never, NaN is NaN, and -0.0 is 0.0; with any number of tasks."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

import fluxcore as fx

NAN = float("nan")
KEYS = [None, NAN, -NAN, 0.0, -0.0, 1.0, 2.5, -1.0, float("inf")]


def side(seed, count, keys):
    chosen = random.Random(seed)
    return [(number, chosen.choice(keys), number) for number in range(count)]


LEFT, RIGHT = side(1, 60, KEYS), side(2, 40, [key for key in KEYS if key != 2.5])


def same(a, b):
    return a is not None and b is not None and (a == b or (a != a and b != b))


def partners(row):
    return [each for each in RIGHT if same(row[1], each[1])]


@pytest.fixture(params=["1", "2", "3"])
def sides(request):
    session = fx.Session({"parallelism.default": request.param})

    def stream(rows, name, number):
        stamps = pa.array([row[2] * 1_000_000 for row in rows], pa.int64()).cast(pa.timestamp("us"))
        columns = [pa.array([row[0] for row in rows]), pa.array([row[1] for row in rows], pa.float64()), stamps]
        data = pa.table(columns, [number, "k", "ts"])
        return session.from_arrow(data, name=name, watermark=("ts", "0 s"))

    return session, stream(LEFT, "a", "x"), stream(RIGHT, "b", "y")


def pairs(stream):
    return sorted(((row.get("x"), row.get("y")) for row in stream.to_arrow().to_pylist()), key=repr)


@pytest.mark.parametrize("how", ["inner", "left", "right", "full", "semi", "anti"])
@pytest.mark.parametrize("windowed", [False, True])
def test_joins(sides, how, windowed):
    _, a, b = sides
    if windowed:
        a, b = (each.window(fx.tumble("ts", "1 day")) for each in (a, b))
    met = [(row[0], each[0]) for row in LEFT for each in partners(row)]
    alone = [(row[0], None) for row in LEFT if not partners(row)]
    others = [(None, row[0]) for row in RIGHT if not any(same(row[1], each[1]) for each in LEFT)]
    wanted = {
        "inner": met, "left": met + alone, "right": met + others, "full": met + alone + others, "anti": alone,
        "semi": [(row[0], None) for row in LEFT if partners(row)],
    }[how]  # fmt: skip
    assert pairs(a.join(b, on=["k"], how=how)) == sorted(wanted, key=repr)


@pytest.mark.parametrize("how", ["inner", "left"])
def test_joins_within_and_as_of(sides, how):
    _, a, b = sides

    def answer(found):
        rows = [(row[0], each[0]) for row in LEFT for each in found(row)]
        return sorted(rows + [(row[0], None) for row in LEFT if how == "left" and not found(row)], key=repr)

    assert pairs(a.join(b, on=["k"], how=how, within=("3 s", "5 s"))) == answer(
        lambda row: [each for each in partners(row) if -3 <= each[2] - row[2] <= 5]
    )
    assert pairs(a.join_as_of(b, on=["k"], how=how)) == answer(
        lambda row: [each for each in partners(row) if each[2] <= row[2]][-1:]
    )
    assert pairs(a.join_as_of(b, on=["k"], how=how, tolerance="4 s")) == answer(
        lambda row: [each for each in partners(row) if each[2] <= row[2]][-1:]
        if any(row[2] - 4 <= each[2] <= row[2] for each in partners(row)) else []
    )  # fmt: skip


@pytest.mark.parametrize("how", ["INNER", "LEFT"])
def test_joins_with_a_table_as_it_stands(sides, how):
    session, *_ = sides
    query = f"SELECT a.x, b.y FROM a {how} JOIN b FOR SYSTEM_TIME AS OF PROCTIME() AS b ON a.k = b.k"
    met = [(row[0], each[0]) for row in LEFT for each in partners(row)]
    alone = [(row[0], None) for row in LEFT if how == "LEFT" and not partners(row)]
    assert pairs(session.sql(query)) == sorted(met + alone, key=repr)


def test_sub_queries(sides):
    session, *_ = sides
    for word, kept in (("IN", True), ("NOT IN", False)):
        query = f"SELECT x FROM a WHERE k {word} (SELECT k FROM b WHERE k IS NOT NULL)"
        wanted = [(row[0], None) for row in LEFT if row[1] is not None and bool(partners(row)) == kept]
        assert pairs(session.sql(query)) == sorted(wanted, key=repr)
