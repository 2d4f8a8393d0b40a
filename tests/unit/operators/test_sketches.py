"""Approximate aggregates beside the exact answer, within the bounds that their pages promise."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fluxcore as fx
from fluxcore.core.batch import Batch
from fluxcore.core.types import BIGINT, DOUBLE, STRING
from fluxcore.expr.nodes import AggCall
from fluxcore.operators.group_aggregate import GroupAggregateOperator, GroupAggregateOptions
from fluxcore.state.rescale import split

DEVIATIONS = 5 * 0.0081
"""Five standard errors of HyperLogLog with 2**14 registers."""
START = dt.datetime(2024, 5, 1)


def group_operator(function, type_, parameters=(), *, append_only=True):
    result = BIGINT if function == "APPROX_COUNT_DISTINCT" else DOUBLE
    calls = (AggCall(function=function, type=result, args=(1,), parameters=parameters),)
    output = pa.schema([("k", pa.int64()), ("r", result.arrow())])
    return GroupAggregateOperator(
        GroupAggregateOptions((BIGINT, type_), (0,), calls, output, at_end=True, append_only=append_only)
    )


def run(kit, make, batches, freeze_at=None):
    operator = make()
    operator.open(kit.new_context([]))
    for number, batch in enumerate(batches):
        if number == freeze_at:
            (frozen,) = split([operator.freeze()], 1)
            operator = make()
            operator.open(kit.new_context([]))
            operator.restore(frozen)
        operator.process(batch)
    return dict(kit.rows_of(operator.finish()))


def batches_of(keys, values, size, weights=None):
    for start in range(0, len(keys), size):
        part = slice(start, start + size)
        data = pa.RecordBatch.from_arrays([pa.array(keys[part]), pa.array(values[part])], ["k", "v"])
        yield Batch(data, None if weights is None else weights[part])


@pytest.mark.parametrize("count", [0, 1, 2, 10, 500, 4000, 9000, 20_000, 50_000, 400_000])
def test_different_values_are_counted_within_the_standard_error(kit, count):
    values = np.random.default_rng(count).integers(0, 2**62, count)
    twice = np.concatenate([values, values]) if count else np.zeros(0, np.int64)
    found = run(
        kit,
        lambda: group_operator("APPROX_COUNT_DISTINCT", BIGINT),
        batches_of(np.zeros(len(twice), np.int64), twice, 50_000),
    )
    exact = len(set(values.tolist()))
    assert abs(found.get(0, 0) - exact) <= DEVIATIONS * exact
    if exact <= 10:
        assert found.get(0, 0) == exact


def test_many_groups_at_once_and_text(kit):
    random = np.random.default_rng(7)
    keys, numbers = random.integers(0, 300, 200_000), random.integers(0, 2000, 200_000)
    texts = [None if n % 10 == 0 else f"user {n}" for n in numbers.tolist()]
    make = lambda: group_operator("APPROX_COUNT_DISTINCT", STRING)  # noqa: E731
    found = run(kit, make, batches_of(keys, texts, 20_000), freeze_at=5)
    exact = {}
    for key, text in zip(keys.tolist(), texts, strict=True):
        exact.setdefault(key, set()).add(text)
    for key, seen in exact.items():
        assert abs(found[key] - len(seen - {None})) <= DEVIATIONS * len(seen)
    again = run(kit, make, batches_of(keys, texts, 777))
    assert again == found, "batches and freezing don't change a sketch"


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.999, 1.0])
@pytest.mark.parametrize("shape", ["uniform", "lognormal", "signed", "constant", "tiny"])
def test_quantiles_are_within_one_percent_of_the_value(kit, share, shape):
    random = np.random.default_rng(3)
    values = {
        "uniform": random.uniform(0, 1000, 20_000),
        "lognormal": random.lognormal(0, 5, 20_000),
        "signed": random.normal(0, 100, 20_000),
        "constant": np.full(1000, -42.5),
        "tiny": np.array([5e-324, 1e-300, 0.0, -0.0, 1e300]),
    }[shape]
    keys = np.arange(len(values)) % 2
    found = run(
        kit, lambda: group_operator("APPROX_PERCENTILE", DOUBLE, (share,)), batches_of(keys, values, 3000), freeze_at=1
    )
    for key in (0, 1):
        mine = np.sort(values[keys == key])
        exact = float(mine[math.floor(share * (len(mine) - 1))])
        assert abs(found[key] - exact) <= 0.010001 * abs(exact) + 5e-324


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from([None, 0.0, -5.0, 3.0, 1e9, math.inf, -math.inf, math.nan])),
        max_size=30,
    ),
    share=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_rows_taken_back_leave_no_trace(kit, rows, share):
    kept = [row for place, row in enumerate(rows) if place % 3]
    gone = [row for place, row in enumerate(rows) if not place % 3]
    changes = [(*row, 1) for row in rows] + [(*row, -1) for row in gone]
    keys, values, weights = (
        np.array([c[0] for c in changes], np.int64), [c[1] for c in changes], np.array([c[2] for c in changes], np.int8),
    )  # fmt: skip
    make = lambda: group_operator("APPROX_PERCENTILE", DOUBLE, (share,), append_only=False)  # noqa: E731
    values = pa.array(values, pa.float64())
    found = run(kit, make, batches_of(keys, values, 7, weights), freeze_at=2)
    wanted = {}
    for key in {row[0] for row in kept}:
        mine = sorted((v for k, v in kept if k == key and v is not None), key=lambda v: (math.isnan(v), v))
        wanted[key] = mine[math.floor(share * (len(mine) - 1))] if mine else None
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        if value is None or math.isinf(value):
            assert found[key] == value
        elif math.isnan(value):
            assert math.isnan(found[key])
        else:
            assert abs(found[key] - value) <= 0.010001 * abs(value)


@pytest.mark.parametrize("parallelism", [1, 2, 3])
def test_in_windows_sessions_over_and_sql(parallelism):
    count = 4000
    random = np.random.default_rng(5)
    seconds = np.sort(random.integers(0, 3000, count))
    users, spent = random.integers(0, 500, count), random.uniform(1, 100, count)
    table = pa.table(
        {
            "ts": pa.array([START + dt.timedelta(seconds=int(s)) for s in seconds], pa.timestamp("ms")),
            "who": users,
            "spent": spent,
        }
    )
    session = fx.Session({"parallelism.default": str(parallelism)})
    stream = session.from_arrow(table.to_batches(max_chunksize=500), name="t", watermark=("ts", "1 s"))
    rows = list(zip(seconds.tolist(), users.tolist(), spent.tolist(), strict=True))

    def check(found, inside):
        assert abs(found["n"] - len({row[1] for row in inside})) <= DEVIATIONS * len(inside)
        mine = sorted(row[2] for row in inside)
        assert abs(found["m"] - mine[math.floor(0.5 * (len(mine) - 1))]) <= 0.010001 * found["m"] + 1e-9

    asked = {"n": fx.approx_count_distinct("who"), "m": fx.approx_quantile("spent", 0.5)}
    hops = (
        stream.window(fx.hop("ts", size="10 minutes", slide="2 minutes")).group_by().agg(**asked).to_arrow().to_pylist()
    )
    assert len(hops) == 29
    for each in hops:
        first = (each["window_start"] - START).total_seconds()
        check(each, [row for row in rows if first <= row[0] < first + 600])
    (whole,) = stream.window(fx.session("ts", gap="1 hour")).group_by().agg(**asked).to_arrow().to_pylist()
    check(whole, rows)
    over = stream.over(order_by="ts", **asked).to_arrow().to_pylist()
    check(over[-1], rows)
    sql = session.sql("SELECT APPROX_COUNT_DISTINCT(who) AS n, APPROX_PERCENTILE(spent, 0.5) AS m FROM t")
    check(sql.to_arrow().to_pylist()[0], rows)
    updated = session.sql("SELECT APPROX_COUNT_DISTINCT(n) AS n FROM (SELECT who, COUNT(*) AS n FROM t GROUP BY who)")
    counts = {user: users.tolist().count(user) for user in set(users.tolist())}
    assert updated.to_arrow()["n"].to_pylist() == [len(set(counts.values()))]
