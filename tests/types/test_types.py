"""Every type of Flink through every stateful operator, NULLs among the values, beside plain Python."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from decimal import Decimal

import pyarrow as pa
import pytest

import fluxcore as fx

START = dt.datetime(2024, 5, 1)
UTC = dt.UTC
NANOS = [1714521600000000001, 1714521600000000002, -1, 1714521600000000001]

TYPES = {
    "BOOLEAN": (pa.bool_(), [True, False]),
    "TINYINT": (pa.int8(), [-128, 0, 127]),
    "SMALLINT": (pa.int16(), [-(2**15), 5, 2**15 - 1]),
    "INT": (pa.int32(), [-(2**31), 5, 2**31 - 1]),
    "BIGINT": (pa.int64(), [-(2**63), 5, 2**63 - 1]),
    "FLOAT": (pa.float32(), [-1.5, 0.25, math.inf]),
    "DOUBLE": (pa.float64(), [-1.5, 1e300, -math.inf]),
    "DECIMAL(10, 2)": (pa.decimal128(10, 2), [Decimal("-3.25"), Decimal("0.00"), Decimal("99999999.99")]),
    "DECIMAL(38, 10)": (pa.decimal128(38, 10), [Decimal("-1.5"), Decimal("9" * 28 + "." + "9" * 10), Decimal(0)]),
    "STRING": (pa.string(), ["", "b", "é" * 40, "a"]),
    "BYTES": (pa.binary(), [b"", b"\xff\x00", b"a"]),
    "DATE": (pa.date32(), [dt.date(1969, 12, 31), dt.date(2024, 2, 29), dt.date(9999, 12, 31)]),
    "TIME": (pa.time32("ms"), [dt.time(0, 0), dt.time(23, 59, 59, 999000)]),
    "TIMESTAMP(0)": (pa.timestamp("s"), [dt.datetime(1950, 1, 1), START]),
    "TIMESTAMP(3)": (pa.timestamp("ms"), [dt.datetime(1950, 1, 1, 0, 0, 0, 1000), START]),
    "TIMESTAMP(6)": (pa.timestamp("us"), [dt.datetime(1950, 1, 1, 0, 0, 0, 1), START]),
    "TIMESTAMP(9)": (pa.timestamp("ns"), NANOS),
    "TIMESTAMP_LTZ(3)": (pa.timestamp("ms", "UTC"), [dt.datetime(1950, 1, 1, tzinfo=UTC), START.replace(tzinfo=UTC)]),
    "TIMESTAMP_LTZ(9)": (pa.timestamp("ns", "UTC"), NANOS),
    "ARRAY": (pa.list_(pa.int32()), [[], [1, None], [1, 2]]),
    "MAP": (pa.map_(pa.string(), pa.int64()), [[("a", 1)], [("a", 1), ("b", None)], []]),
    "ROW": (pa.struct([("a", pa.int32()), ("b", pa.string())]), [{"a": 1, "b": None}, {"a": None, "b": "x"}]),
    "ARRAY<ROW>": (pa.list_(pa.struct([("a", pa.int32())])), [[{"a": 1}], [{"a": None}], []]),
}
ORDERED = [name for name in TYPES if not name.startswith(("ARRAY", "MAP", "ROW"))]
COUNT = 90


def column(name, count=COUNT):
    """Return a column of the type in which each value, and NULL, repeats."""
    type_, values = TYPES[name]
    values = [*values, None]
    chosen = [values[i * 7 % len(values) if i % 3 else i % len(values)] for i in range(count)]
    if "9" in name and "TIMESTAMP" in name:
        return pa.array(chosen, pa.int64()).view(type_)
    return pa.array(chosen, type_)


def plain(value):
    """Return a value that can be compared and hashed."""
    if isinstance(value, list):
        return tuple(plain(each) for each in value)
    if isinstance(value, dict):
        return tuple(sorted((key, plain(each)) for key, each in value.items()))
    if isinstance(value, float) and value == 0:
        return 0.0
    return value


def values_of(array):
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_timestamp(array.type):
        unit = {"s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}[array.type.unit]
        return [None if v is None else v * unit for v in array.view(pa.int64()).to_pylist()]
    return [plain(value) for value in array.to_pylist()]


def table_of(name, count=COUNT):
    seconds = [i * 11 % count for i in range(count)]
    return pa.table(
        {
            "id": pa.array(range(count)),
            "x": column(name, count),
            "n": pa.array([i % 5 for i in range(count)]),
            "ts": pa.array([START + dt.timedelta(seconds=s) for s in seconds], pa.timestamp("ms")),
        }
    )


@pytest.fixture(params=[1, 3], ids=["one task", "three tasks"])
def session(request):
    return fx.Session({"parallelism.default": str(request.param)})


def stream_of(session, name, table="t", count=COUNT):
    return session.from_arrow(
        table_of(name, count).to_batches(max_chunksize=17), name=table, watermark=("ts", "1000 seconds")
    )


def rows(stream):
    table = stream.to_arrow()
    return list(zip(*(values_of(each) for each in table.columns), strict=True))


def given_rows(name, count=COUNT):
    table = table_of(name, count)
    return list(zip(*(values_of(each) for each in table.columns), strict=True))


def rank(value):
    """Return the key that orders values as Flink does: NULL is the lowest, NaN the highest."""
    if value is None:
        return (0, 0)
    return (1, (isinstance(value, float) and math.isnan(value), value))


@pytest.mark.parametrize("name", TYPES)
def test_payload_goes_through_unchanged(session, name):
    stream = stream_of(session, name)
    wanted = [(row[0], row[1]) for row in given_rows(name)]
    by_place = lambda row: row[0]  # noqa: E731
    assert sorted(rows(stream.select("id", "x")), key=by_place) == wanted
    assert rows(stream.select("id", "x").sort("id")) == wanted
    before = stream.over(order_by="ts", before=fx.lag("x"), behind=fx.lag("x", 3)).select("id", "before", "behind")
    by_time = sorted(given_rows(name), key=lambda row: (row[3], row[0]))
    lagged = [(row[0], *(by_time[i - n][1] if i >= n else None for n in (1, 3))) for i, row in enumerate(by_time)]
    assert rows(before) == lagged
    top = stream.top(2, by="id", per=["n"]).select("id", "x")
    assert sorted(rows(top), key=by_place) == wanted[-10:]
    other = stream.select("id", y=fx.col("x"))
    joined = stream.select("id", "x").join(other, on=["id"], how="left")
    assert sorted(rows(joined), key=by_place) == [(a, b, b) for a, b in wanted]
    near = stream.join(stream_of(session, name, "v"), on=["id"], within=("1 s", "1 s")).select("id", "x", "x0")
    assert sorted(rows(near), key=by_place) == [(a, b, b) for a, b in wanted]


@pytest.mark.parametrize("name", TYPES)
def test_aggregates_that_take_any_value(session, name):
    stream = stream_of(session, name)
    functions = {"c": fx.count("x"), "a": fx.array_agg("x")}
    if name.startswith(("ARRAY", "MAP")):  # as in Flink
        with pytest.raises(fx.ScriptError, match="FIRST_VALUE can't take"):
            stream.group_by("n").agg(f=fx.first_value("x"))
        functions |= {"f": fx.count(), "l": fx.count()}
    else:
        functions |= {"f": fx.first_value("x"), "l": fx.last_value("x")}
    found = stream.group_by("n").agg(**functions)
    result = rows(found.select("n", "c", "f", "l"))
    model = {}
    for _, x, n, _ in given_rows(name):
        model.setdefault(n, []).append(x)
    lists = {n: nested(found.to_arrow(), n) for n in model}
    assert {row[0]: row[1] for row in result} == {n: sum(v is not None for v in xs) for n, xs in model.items()}
    for n, _, first, last in result:
        known = {v for v in model[n] if v is not None}
        assert {first, last} <= known or name.startswith(("ARRAY", "MAP"))
        assert Counter(lists[n]) == Counter(model[n])


def nested(table, n):
    place = table["n"].to_pylist().index(n)
    return values_of(table["a"].combine_chunks().slice(place, 1).flatten())


@pytest.mark.parametrize("name", TYPES)
def test_groups_distinct_and_windows_by_a_value(session, name):
    stream = stream_of(session, name)
    model = Counter(row[1] for row in given_rows(name))
    windows = Counter((row[1], row[3] // (30 * 10**9)) for row in given_rows(name))
    cases = [
        (stream.group_by("x").agg(c=fx.count()), lambda found: dict(found) == model),
        (
            session.sql("SELECT DISTINCT x FROM t"),
            lambda found: sorted(found, key=str) == sorted(((x,) for x in model), key=str),
        ),
        (session.sql("SELECT COUNT(DISTINCT x) FROM t"), lambda found: found == [(len(set(model) - {None}),)]),
        (
            stream.window(fx.tumble("ts", "30 seconds"))
            .group_by("x")
            .agg(c=fx.count())
            .select("x", "window_start", "c"),
            lambda found: {(row[0], row[1] // (30 * 10**9)): row[2] for row in found} == windows,
        ),
        (
            stream.window(fx.session("ts", gap="1 hour", per="x")).group_by("x").agg(c=fx.count()).select("x", "c"),
            lambda found: dict(found) == model,
        ),
        (
            stream.over(partition_by="x", order_by="ts", c=fx.count()).select("x", "c"),
            lambda found: last_counts(found) == model,
        ),
    ]
    for place, (query, holds) in enumerate(cases):
        try:
            found = rows(query)
        except fx.ScriptError as error:
            assert error.code == "FX-SQL-0900", error
            assert name.startswith(("ARRAY", "MAP", "ROW")), (place, error)
            assert name.split("<")[0] in str(error), error
            continue
        assert holds(found), (place, found[:5])


def last_counts(found):
    last = {}
    for x, c in found:
        last[x] = max(last.get(x, 0), c)
    return last


@pytest.mark.parametrize("name", TYPES)
def test_joins_on_a_value(session, name):
    stream = stream_of(session, name, count=30)
    other = stream_of(session, name, "u", count=20)
    try:
        found = rows(
            stream.select("id", "x")
            .join(other.select(other=fx.col("id"), x=fx.col("x")), on=["x"])
            .select("id", "other")
        )
    except fx.ScriptError as error:
        assert error.code == "FX-SQL-0900", error
        assert name.startswith(("ARRAY", "MAP", "ROW")), error
        return
    model = [
        (a[0], b[0]) for a in given_rows(name, 30) for b in given_rows(name, 20) if a[1] is not None and a[1] == b[1]
    ]
    assert sorted(found) == sorted(model)


@pytest.mark.parametrize("name", ORDERED)
def test_orders(session, name):
    stream = stream_of(session, name)
    model = sorted(given_rows(name), key=lambda row: (rank(row[1]), row[0]))
    assert [row[1] for row in rows(stream.select("id", "x").sort("x"))] == [row[1] for row in model]
    first = {n: next(row for row in model if row[2] == n) for n in range(5)}
    found = stream.top(1, by=["x", "id"], per=["n"], ascending=True).select("n", "id", "x")
    assert sorted(rows(found)) == sorted((n, row[0], row[1]) for n, row in first.items())
    extremes = stream.group_by("n").agg(a=fx.min("x"), b=fx.max("x"))
    wanted = {}
    for n in range(5):
        known = [row[1] for row in model if row[2] == n and row[1] is not None]
        wanted[n] = (known[0], known[-1]) if known else (None, None)
    assert {row[0]: row[1:] for row in rows(extremes)} == wanted
    in_windows = (
        stream.window(fx.tumble("ts", "1 hour")).group_by("n").agg(a=fx.min("x"), b=fx.max("x")).select("n", "a", "b")
    )
    assert {row[0]: row[1:] for row in rows(in_windows)} == wanted
    over = stream.over(partition_by="n", order_by="ts", a=fx.min("x"), b=fx.max("x")).select("n", "a", "b", "ts")
    last = {}
    for row in rows(over):
        last[row[0]] = max(last.get(row[0], row), row, key=lambda each: each[3])
    assert {n: row[1:3] for n, row in last.items()} == wanted
    whole = stream.over(partition_by="n", order_by="x", r=fx.row_number(), k=fx.rank()).select("id", "r")
    places = {row[0]: row[1] for row in rows(whole)}
    for n in range(5):
        mine = [row[0] for row in model if row[2] == n]
        assert {row: places[row] for row in mine} == {row: place for place, row in enumerate(mine, 1)}
    updated = (
        stream.group_by("id").agg(n=fx.max("n"), x=fx.last_value("x")).group_by("n").agg(a=fx.min("x"), b=fx.max("x"))
    )
    assert {row[0]: row[1:] for row in rows(updated)} == wanted


@pytest.mark.parametrize("unit", ["DAY TO SECOND", "YEAR TO MONTH"])
def test_intervals(session, unit):
    session.from_arrow(table_of("INT").to_batches(max_chunksize=17), name="t", watermark=("ts", "1000 seconds"))
    short, long = (
        ("INTERVAL '2' HOUR", "INTERVAL '3' DAY")
        if unit.startswith("DAY")
        else ("INTERVAL '2' MONTH", "INTERVAL '1' YEAR")
    )
    sizes = (7_200_000, 259_200_000) if unit.startswith("DAY") else (2, 12)
    view = f"SELECT id, n, ts, CASE WHEN n = 1 THEN {short} WHEN n = 2 THEN {long} END AS x FROM t"
    counts = Counter({1: sizes[0], 2: sizes[1]}.get(row[2]) for row in given_rows("INT"))
    assert dict(rows(session.sql(f"SELECT x, COUNT(*) FROM ({view}) GROUP BY x"))) == counts
    assert rows(session.sql(f"SELECT MIN(x), MAX(x), COUNT(DISTINCT x) FROM ({view})")) == [(*sizes, 2)]
    joined = session.sql(f"SELECT COUNT(*) FROM ({view}) a JOIN ({view}) b ON a.x = b.x")
    assert rows(joined) == [(counts[sizes[0]] ** 2 + counts[sizes[1]] ** 2,)]
    ordered = [
        row[0] for row in rows(session.sql(f"SELECT x FROM ({view}) ORDER BY x DESC LIMIT {counts[sizes[1]] + 1}"))
    ]
    assert ordered == [sizes[1]] * counts[sizes[1]] + [sizes[0]]
    over = session.sql(f"SELECT MAX(x) OVER (ORDER BY ts), LAG(x) OVER (ORDER BY ts) FROM ({view})")
    assert rows(over)[-1][0] == sizes[1]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("SELECT SUM(d), AVG(d) FROM m WHERE k = 1", [(Decimal("7.50"), Decimal("2.500000"))]),
        ("SELECT SUM(d), AVG(d) FROM m WHERE k = 2", [(None, None)]),
        ("SELECT SUM(d), AVG(d) FROM m WHERE k = 3", [(Decimal("-0.05"), Decimal("-0.016667"))]),
        ("SELECT SUM(d), AVG(d) FROM m WHERE k = 9", [(None, None)]),
    ],
)
def test_decimals_are_exact_and_overflow_is_null(session, query, wanted):
    """Flink: SUM of DECIMAL(p, s) is DECIMAL(38, s), AVG is DECIMAL(38, max(6, s)), and what does not fit is NULL."""
    big = Decimal("9" * 36 + ".99")
    values = [(1, "2.5"), (1, "-5"), (1, "10"), (2, big), (2, big), (3, "-0.01"), (3, "-0.02"), (3, "-0.02"), (1, None)]
    table = pa.table(
        {
            "k": [k for k, _ in values],
            "d": pa.array([None if v is None else Decimal(v) for _, v in values], pa.decimal128(38, 2)),
        }
    )
    session.from_arrow(table, name="m")
    found = session.sql(query)
    assert [str(each.type) for each in found.schema] == ["DECIMAL(38, 2)", "DECIMAL(38, 6)"]
    assert rows(found) == wanted


def test_windows_over_instants_begin_at_midnight_of_the_zone():
    session = fx.Session({"table.local-time-zone": "Europe/Rome"})
    noon = dt.datetime(2024, 7, 1, 12, tzinfo=dt.UTC)
    table = pa.table({"ts": pa.array([noon], pa.timestamp("ms", "UTC")), "n": [1]})
    stream = session.from_arrow(table, name="t", watermark=("ts", "1 s"))
    day = [dt.datetime(2024, 7, 1), dt.datetime(2024, 7, 2), dt.datetime(2024, 7, 1, 21, 59, 59, 999000, dt.UTC)]
    hour = [dt.datetime(2024, 7, 1, hour) for hour in (14, 15)] + [dt.datetime(2024, 7, 1, 12, 59, 59, 999000, dt.UTC)]
    for window, wanted in ((fx.tumble("ts", "1 day"), day), (fx.session("ts", gap="1 hour"), hour)):
        rows_with_windows = stream.window(window)
        assert [tuple(row.values()) for row in rows_with_windows.to_arrow().to_pylist()] == [(noon, 1, *wanted)]
        counted = rows_with_windows.group_by("n").agg(c=fx.count())
        assert [tuple(row.values()) for row in counted.to_arrow().to_pylist()] == [(1, 1, *wanted)]
        shown = [str(column.type) for column in list(counted.schema)[-3:]]
        assert shown == ["TIMESTAMP(3) NOT NULL", "TIMESTAMP(3) NOT NULL", "TIMESTAMP_LTZ(3) NOT NULL"]
