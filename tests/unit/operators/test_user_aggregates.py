"""Aggregate functions in Python: in groups, windows, sessions and OVER, with retractions, frozen midway."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fluxcore as fx
from fluxcore.core.aggregate import UserAggregate
from fluxcore.core.batch import Batch
from fluxcore.core.types import DOUBLE, STRING
from fluxcore.errors import FluxError
from fluxcore.expr.nodes import AggCall
from fluxcore.operators.group_aggregate import GroupAggregateOperator, GroupAggregateOptions
from fluxcore.state.rescale import split

START = dt.datetime(2024, 5, 1)


class Range(fx.AggregateFunction):
    """Largest minus smallest."""

    def create(self):
        return []

    def accumulate(self, accumulator, value):
        if value is not None:
            accumulator.append(value)

    def retract(self, accumulator, value):
        if value is not None:
            accumulator.remove(value)

    def merge(self, accumulator, other):
        accumulator.extend(other)

    def result(self, accumulator):
        return max(accumulator) - min(accumulator) if accumulator else None


class Weighted(fx.AggregateFunction):
    """A weighted mean, whose accumulator is a value that is never changed."""

    state = pa.list_(pa.float64())

    def create(self):
        return (0.0, 0.0)

    def accumulate(self, accumulator, value, weight):
        if value is None or weight is None:
            return None
        return (accumulator[0] + value * weight, accumulator[1] + weight)

    def result(self, accumulator):
        return accumulator[0] / accumulator[1] if accumulator[1] else None


class Totals(fx.VectorAggregateFunction):
    """A sum that takes batches."""

    def create(self):
        return 0.0

    def accumulate_batch(self, accumulators, groups, values):
        sums = np.bincount(groups, np.asarray(values.fill_null(0)), len(accumulators))
        accumulators[:] = [a + b for a, b in zip(accumulators, sums.tolist(), strict=True)]

    def retract_batch(self, accumulators, groups, values):
        sums = np.bincount(groups, np.asarray(values.fill_null(0)), len(accumulators))
        accumulators[:] = [a - b for a, b in zip(accumulators, sums.tolist(), strict=True)]

    def result(self, accumulator):
        return accumulator


def spread(values):
    values = [v for v in values if v is not None]
    return max(values) - min(values) if values else None


SCHEMA = pa.schema([("k", pa.string()), ("v", pa.float64())])
CHANGES = st.lists(
    st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from([None, 1.0, 2.5, -3.0]), st.booleans()), max_size=30
)


@pytest.mark.parametrize("function", [Range(), Totals()])
@given(changes=CHANGES, cut=st.integers(0, 30))
def test_groups_with_rows_taken_back(kit, function, changes, cut):
    held, given_rows = [], []
    for key, value, back in changes:
        if back and (key, value) not in held:
            continue
        given_rows.append((key, value, -1 if back else 1))
        (held.remove if back else held.append)((key, value))
    user = UserAggregate(function, DOUBLE)
    calls = (AggCall(function="F", type=DOUBLE, args=(1,), user=user),)
    output = pa.schema([("k", pa.string()), ("r", pa.float64())])
    options = GroupAggregateOptions((STRING, DOUBLE), (0,), calls, output, append_only=False)
    operator = GroupAggregateOperator(options)
    operator.open(kit.new_context([]))
    table = {}
    for part in (given_rows[:cut], given_rows[cut:]):
        data = pa.RecordBatch.from_arrays(
            [pa.array([row[0] for row in part], pa.string()), pa.array([row[1] for row in part], pa.float64())],
            schema=SCHEMA,
        )
        for row in kit.rows_of(operator.process(Batch(data, np.array([row[2] for row in part], np.int8)))):
            if row[2] < 0:
                assert table.pop(row[0]) == row[1]
            else:
                table[row[0]] = row[1]
        (frozen,) = split([operator.freeze()], 1)
        operator = GroupAggregateOperator(options)
        operator.open(kit.new_context([]))
        operator.restore(frozen)
    model = spread if isinstance(function, Range) else lambda values: sum(v or 0 for v in values)
    groups = {key: [v for k, v in held if k == key] for key in {k for k, _ in held}}
    assert table == {key: model(values) for key, values in groups.items()}


def rides(count=500):
    cities = ["Rom", "Oslo", None]
    return [
        (cities[i % 3], None if i % 11 == 0 else float(i * 7 % 101), float(i % 4), START + dt.timedelta(seconds=i * 13 % 3000))
        for i in range(count)
    ]  # fmt: skip


@pytest.fixture(params=[1, 2, 3])
def stream(request):
    rows = rides()
    table = pa.table(
        {
            "city": pa.array([row[0] for row in rows]),
            "fare": pa.array([row[1] for row in rows]),
            "weight": pa.array([row[2] for row in rows]),
            "ts": pa.array([row[3] for row in rows], pa.timestamp("ms")),
        }
    )
    session = fx.Session({"parallelism.default": str(request.param)})
    session.register_function("my_range", fx.udaf(Range(), pa.float64()))
    return session.from_arrow(table.to_batches(max_chunksize=64), name="rides", watermark=("ts", "2 hours"))


def by(rows, key):
    found = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def test_groups_windows_and_sql(stream):
    my_range, weighted = fx.udaf(Range(), pa.float64()), fx.udaf(Weighted(), pa.float64())
    found = stream.group_by("city").agg(
        r=my_range("fare"), w=weighted("fare", "weight"), f=my_range("fare").where(fx.col("weight") > 1)
    )
    wanted = {}
    for city, rows in by(rides(), lambda row: row[0]).items():
        known = [row for row in rows if row[1] is not None]
        mean = sum(row[1] * row[2] for row in known) / sum(row[2] for row in known)
        wanted[city] = (spread([r[1] for r in rows]), round(mean, 9), spread([r[1] for r in rows if r[2] > 1]))
    assert {r["city"]: (r["r"], round(r["w"], 9), r["f"]) for r in found.to_arrow().to_pylist()} == wanted

    windows = stream.window(fx.tumble("ts", "10 minutes")).group_by("city").agg(r=my_range("fare"))
    minute = dt.timedelta(minutes=10)
    model = {
        (key[0], START + key[1] * minute): spread([row[1] for row in rows])
        for key, rows in by(rides(), lambda row: (row[0], (row[3] - START) // minute)).items()
    }
    assert {(r["city"], r["window_start"]): r["r"] for r in windows.to_arrow().to_pylist()} == model
    sql = stream._session.sql(
        "SELECT city, window_start, My_Range(fare) AS r FROM TABLE(TUMBLE(TABLE rides, DESCRIPTOR(ts), INTERVAL '10' MINUTE)) "
        "GROUP BY city, window_start, window_end"
    )
    assert {(r["city"], r["window_start"]): r["r"] for r in sql.to_arrow().to_pylist()} == model


def test_windows_that_overlap_merge(stream):
    my_range = fx.udaf(Range(), pa.float64())
    windows = (
        stream.window(fx.hop("ts", size="20 minutes", slide="10 minutes")).group_by("city").agg(r=my_range("fare"))
    )
    minute = dt.timedelta(minutes=10)
    model = {}
    for key, rows in by(rides(), lambda row: (row[0], (row[3] - START) // minute)).items():
        for place in (key[1], key[1] - 1):
            model.setdefault((key[0], START + place * minute), []).extend(row[1] for row in rows)
    model = {key: spread(values) for key, values in model.items()}
    assert {(r["city"], r["window_start"]): r["r"] for r in windows.to_arrow().to_pylist()} == model


def test_over_and_updates(stream):
    my_range = fx.udaf(Range(), pa.float64())
    found = (
        stream.over(order_by="ts", r=my_range("fare").rows(5), all=my_range("fare"))
        .select("r", "all")
        .to_arrow()
        .to_pylist()
    )
    ordered = sorted(rides(), key=lambda row: row[3])
    assert [r["r"] for r in found] == [
        spread([row[1] for row in ordered[max(0, i - 5) : i + 1]]) for i in range(len(ordered))
    ]
    assert found[-1]["all"] == spread([row[1] for row in ordered])
    sums = stream.group_by("city", "weight").agg(s=fx.sum("fare")).group_by("city").agg(r=my_range("s"))
    wanted = {}
    for key, rows in by(rides(), lambda row: (row[0], row[2])).items():
        wanted.setdefault(key[0], []).append(sum(row[1] or 0 for row in rows))
    assert {r["city"]: r["r"] for r in sums.to_arrow().to_pylist()} == {k: spread(v) for k, v in wanted.items()}


def test_what_a_function_lacks_is_said_before_anything_runs(stream):
    weighted = fx.udaf(Weighted(), pa.float64())
    with pytest.raises(fx.ScriptError, match=r"no merge\(\)") as caught:
        stream.window(fx.hop("ts", size="2 minutes", slide="1 minute")).group_by().agg(
            r=weighted("fare", "weight")
        ).to_arrow()
    assert caught.value.code == "FX-API-0013"
    sums = stream.group_by("city", "weight").agg(s=fx.sum("fare"))
    with pytest.raises(fx.ScriptError, match=r"no retract\(\)"):
        list(sums.group_by("city").agg(r=weighted("s", "s")).batches(changelog=True))
    with pytest.raises(fx.ScriptError, match="already"):
        stream._session.register_function("sum", weighted)
    with pytest.raises(fx.ScriptError, match="no function"):
        stream._session.register_function("mine", 7)


class Broken(Range):
    def accumulate(self, accumulator, value):
        accumulator.append(1 / value)


def test_errors_name_the_users_line(stream):
    with pytest.raises(fx.JobError) as caught:
        stream.group_by("city").agg(r=fx.udaf(Broken(), pa.float64())("weight")).to_arrow()
    assert caught.value.code == "FX-RUN-0212"
    assert "Broken.accumulate, line" in str(caught.value.hint)
    assert "test_user_aggregates.py" in str(caught.value.hint)
    assert "given (0.0,)" in str(caught.value.hint)
    with pytest.raises(fx.JobError) as caught:
        stream.group_by("city").agg(r=fx.udaf(Range(), pa.list_(pa.int64()))("weight")).to_arrow()
    assert caught.value.code == "FX-RUN-0213"


def test_results_of_any_type(stream):
    class Seen(Range):
        def result(self, accumulator):
            return {str(value): accumulator.count(value) for value in sorted(set(accumulator))[:2]}

    found = stream.group_by("city").agg(r=fx.udaf(Seen(), pa.map_(pa.string(), pa.int64()))("weight")).to_arrow()
    assert all(len(value) == 2 for value in found["r"].to_pylist())


class Failing(fx.AggregateFunction):
    """Fails where it is told to."""

    def __init__(self, method: str) -> None:
        self.method = method

    def _fail(self, method: str) -> None:
        if method == self.method:
            raise ValueError(f"in {method}")

    def create(self) -> list[float]:
        return []

    def accumulate(self, accumulator: list[float], value: float) -> None:
        self._fail("accumulate")
        accumulator.append(value)

    def result(self, accumulator: list[float]) -> float:
        self._fail("result")
        return sum(accumulator)


@pytest.mark.parametrize("mode", ["streaming", "batch"])
@pytest.mark.parametrize(("method", "given"), [("accumulate", "(1.5,)"), ("result", "([1.5],)")])
def test_an_exception_names_method_line_and_what_was_given(mode, method, given):
    session = fx.Session({"execution.runtime-mode": mode})
    session.from_arrow(pa.table({"k": [1], "v": [1.5]}), name="t")
    session.register_function("failing", fx.udaf(Failing(method)))
    with pytest.raises(FluxError, match=f"ValueError: in {method}") as raised:
        session.sql("SELECT k, failing(v) AS f FROM t GROUP BY k").to_arrow()
    assert raised.value.code == "FX-RUN-0212"
    line = Failing._fail.__code__.co_firstlineno + 2
    assert raised.value.hint == f"in Failing.{method}, line {line} of {__file__}, given {given}"
