import datetime as dt
import itertools
import math
from collections import Counter
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxcore.api.session import Session
from fluxcore.core.batch import Batch
from fluxcore.core.types import from_arrow
from fluxcore.operators import materialize
from fluxcore.operators.materialize import MaterializeOperator
from fluxcore.operators.order import sort
from fluxcore.operators.order.sort import SortOperator, SortOptions
from fluxcore.operators.order.time_sort import TimeSortOperator, TimeSortOptions
from fluxcore.operators.ranking.top_n import TopNOperator
from fluxcore.operators.ranking.window_rank import RankOptions
from fluxcore.operators.sort_words import OrderKey, dense_codes, equality_words, order_words, stable_order

NAN = float("nan")
NESTED = [
    (pa.list_(pa.int64()), [None, [], [1], [1, 2], [None], [2, 1]]),
    (pa.list_(pa.string()), [None, [], ["a"], ["", "a"], ["a", ""]]),
    (pa.map_(pa.string(), pa.int64()), [None, [], [("a", 1)], [("a", 1), ("b", 2)], [("b", 2), ("a", 1)]]),
    (
        pa.struct([("x", pa.int64()), ("y", pa.list_(pa.float64()))]),
        [None, {"x": None, "y": None}, {"x": 1, "y": [NAN]}, {"x": 1, "y": []}],
    ),
    (pa.null(), [None]),
]
PLAIN = [
    (pa.int64(), [None, 0, 1, 2, -(2**63), 2**63 - 1]),
    (pa.int8(), [None, 0, 1, -128, 127]),
    (pa.string(), [None, "", "a", "b", "ä", "\U0001f600", "\uffee"]),
    (pa.float64(), [None, 0.0, -0.0, NAN, math.inf, -math.inf, 1.5, -2.5]),
    (pa.decimal128(38, 2), [None, Decimal("0.00"), Decimal("-1.50"), Decimal("9" * 36), Decimal("-" + "9" * 36)]),
    (pa.bool_(), [None, True, False]),
    (pa.timestamp("us"), [None, 0, -1, 10**15]),
    (pa.time32("ms"), [None, 0, 5]),
    (pa.binary(), [None, b"", b"\xff", b"\x00"]),
]


def ident(value):
    """What two values have in common exactly when they are equal as keys."""
    if isinstance(value, float):
        return ("f", "NaN" if math.isnan(value) else value + 0.0)
    if isinstance(value, dict):
        return tuple((k, ident(v)) for k, v in value.items())
    if isinstance(value, list):
        parts = [ident(v) for v in value]
        return ("l", frozenset(parts) if value and isinstance(value[0], tuple) else tuple(parts))
    return value


def rank_of(value, key):
    """A Python sort key for one value."""
    if value is None:
        return (0 if key.nulls_first else 2, _Down(0) if key.descending else 0)
    if isinstance(value, float):
        value = (math.isnan(value), 0.0 if math.isnan(value) else value)
    if isinstance(value, str):
        value = value.encode()
    return (1, _Down(value) if key.descending else value)


class _Down:
    def __init__(self, value):
        self.value = value

    def __lt__(self, other):
        return other.value < self.value

    def __eq__(self, other):
        return other.value == self.value

    def __hash__(self):
        return hash(self.value)


def batches_of(schema, rows, cuts, weights=None):
    edges = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    for start, end in itertools.pairwise(edges):
        columns = list(zip(*rows[start:end], strict=True))
        data = pa.RecordBatch.from_arrays(
            [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema
        )
        yield Batch(data, None if weights is None else np.array(weights[start:end], np.int8))


def run(kit, make, batches, freeze_at=None):
    operator = make()
    operator.open(kit.new_context([]))
    out = []
    for number, batch in enumerate(batches):
        if number == freeze_at:
            frozen = operator.freeze()
            operator = make()
            operator.open(kit.new_context([]))
            operator.restore(frozen)
        out += operator.process(batch)
    out += operator.finish()
    return kit.rows_of(out)


rows_cuts = st.sets(st.integers(0, 30), max_size=8)


@settings(deadline=None, print_blob=True, max_examples=200)
@given(kinds=st.lists(st.sampled_from(PLAIN), min_size=1, max_size=4), data=st.data())
def test_words_group_and_order_rows_as_python_does(kinds, data):
    count = data.draw(st.integers(0, 25))
    columns = [[data.draw(st.sampled_from(values)) for _ in range(count)] for _, values in kinds]
    keys = [OrderKey(i, data.draw(st.booleans()), data.draw(st.booleans())) for i in range(len(kinds))]
    arrays = [
        pa.array([values[0], *column], type_).slice(1) for column, (type_, values) in zip(columns, kinds, strict=True)
    ]
    shown = [
        array.cast(pa.int64()).to_pylist() if pa.types.is_timestamp(array.type) else array.to_pylist()
        for array in arrays
    ]
    order = stable_order([w for array, key in zip(arrays, keys, strict=True) for w in order_words(array, key)], count)
    expected = sorted(
        range(count), key=lambda r: [rank_of(column[r], key) for column, key in zip(shown, keys, strict=True)]
    )
    assert order.tolist() == expected
    codes, groups = dense_codes([w for array in arrays for w in equality_words(array)], count)
    idents = [tuple(ident(column[r]) for column in shown) for r in range(count)]
    assert groups == len(set(idents)) == len(set(codes.tolist()))
    assert len(set(zip(idents, codes.tolist(), strict=True))) == groups


def test_order_of_many_wide_words_is_stable():
    rng = np.random.default_rng(3)
    words = [rng.choice(rng.integers(-(2**63), 2**63 - 1, 40), 5000) for _ in range(4)]
    assert stable_order(words, 5000).tolist() == np.lexsort(words[::-1]).tolist()
    wide = [rng.integers(-(2**63), 2**63 - 1, 70_000) for _ in range(5)]
    assert stable_order(wide, 70_000).tolist() == np.lexsort(wide[::-1]).tolist()


def test_nested_values_have_no_order():
    with pytest.raises(TypeError):
        order_words(pa.array([[1]]), OrderKey(0))


@settings(deadline=None, print_blob=True, max_examples=150)
@given(
    keys=st.lists(st.tuples(st.sampled_from(PLAIN), st.booleans(), st.booleans()), max_size=3),
    limit=st.one_of(st.none(), st.integers(0, 6)),
    offset=st.integers(0, 4),
    cuts=rows_cuts,
    data=st.data(),
)
def test_sort_with_limit_as_python_sorts(kit, keys, limit, offset, cuts, data):
    schema = pa.schema([("n", pa.int64()), *((f"k{i}", t) for i, ((t, _), _, _) in enumerate(keys))])
    order = tuple(OrderKey(i + 1, down, nulls) for i, (_, down, nulls) in enumerate(keys))
    rows = [
        (i, *(data.draw(st.sampled_from(v)) for (_, v), _, _ in keys)) for i in range(data.draw(st.integers(0, 30)))
    ]

    def make():
        operator = SortOperator(SortOptions(schema, order, limit, offset))
        operator._prune_at = 4
        return operator

    batches = list(batches_of(schema, rows, cuts))
    out = run(kit, make, batches, data.draw(st.one_of(st.none(), st.integers(0, 5))))
    numbers = [row[0] for row in sorted(rows, key=lambda row: [rank_of(row[k.column], k) for k in order])]
    assert [row[0] for row in out] == numbers[offset:][: len(rows) if limit is None else limit]


def test_a_limit_without_order_says_when_it_has_enough(kit):
    schema = pa.schema([("n", pa.int64())])
    operator = SortOperator(SortOptions(schema, (), 2, 1))
    operator.open(kit.new_context([]))
    seen = []
    for batch in batches_of(schema, [(i,) for i in range(6)], {1, 3, 5}):
        operator.process(batch)
        seen.append(operator.satisfied)
    assert seen == [False, True, True, True]
    assert operator.state_rows == 3
    assert kit.rows_of(operator.finish()) == [(1,), (2,)]


def test_a_sort_with_limit_keeps_few_rows(kit, monkeypatch):
    monkeypatch.setattr(sort, "BATCH_ROWS", 50)
    schema = pa.schema([("n", pa.int64())])
    operator = SortOperator(SortOptions(schema, (OrderKey(0, True),), 3))
    operator._prune_at = 100
    operator.open(kit.new_context([]))
    for batch in batches_of(schema, [((i * 37) % 1000,) for i in range(1000)], set(range(0, 1000, 40))):
        operator.process(batch)
        assert operator.state_rows <= 140
    assert kit.rows_of(operator.finish()) == [(999,), (998,), (997,)]


@settings(deadline=None, print_blob=True, max_examples=200)
@given(
    kinds=st.lists(st.sampled_from(PLAIN + NESTED), min_size=1, max_size=3),
    cuts=rows_cuts,
    ordered=st.booleans(),
    data=st.data(),
)
def test_a_changelog_ends_in_its_multiset_whatever_the_batches(kit, kinds, cuts, ordered, data):
    schema = pa.schema([(f"c{i}", t) for i, (t, _) in enumerate(kinds)])
    rows, weights = [], []
    for _ in range(data.draw(st.integers(0, 30))):
        known = rows and data.draw(st.booleans())
        rows.append(
            data.draw(st.sampled_from(rows)) if known else tuple(data.draw(st.sampled_from(v)) for _, v in kinds)
        )
        weights.append(data.draw(st.sampled_from([1, 1, -1])))
    net, expected = Counter(), []
    for row, weight in zip(rows, weights, strict=True):
        net[tuple(map(ident, row))] += weight
    left = {key: count for key, count in net.items() if count > 0}
    for row, weight in reversed(list(zip(rows, weights, strict=True))):
        key = tuple(map(ident, row))
        if weight > 0 and left.get(key, 0) > 0:
            left[key] -= 1
            expected.insert(0, key)
    eager = data.draw(st.booleans())

    def make():
        if ordered:
            operator = SortOperator(SortOptions(schema, (), updating=True))
            operator._table._settle_at = 0 if eager else 10**9
        else:
            operator = MaterializeOperator(schema)
            operator._rows._settle_at = 0 if eager else 10**9
        return operator

    batches = list(batches_of(schema, rows, cuts, weights))
    out = run(kit, make, batches, data.draw(st.one_of(st.none(), st.integers(0, 5))))
    assert [tuple(map(ident, row)) for row in out] == _stamped(schema, expected)


def _stamped(schema, rows):
    """Arrow gives timestamps and times back as datetimes: take the expected rows through it as well."""
    if not rows:
        return []
    found = []
    for row in rows:
        values = []
        for value, field in zip(row, schema, strict=True):
            plain = pa.types.is_timestamp(field.type) or pa.types.is_time(field.type)
            values.append(ident(pa.array([value], field.type).to_pylist()[0]) if plain else value)
        found.append(tuple(values))
    return found


def test_a_materialised_table_settles_as_it_grows(kit, monkeypatch):
    monkeypatch.setattr(materialize, "BATCH_ROWS", 10)
    schema = pa.schema([("k", pa.int64()), ("n", pa.int64())])
    operator = MaterializeOperator(schema)
    operator._rows._settle_at = 20
    operator.open(kit.new_context([]))
    for i in range(200):
        for batch in batches_of(schema, [(1, i), (1, i + 1)][i == 0 :], (), [-1, 1][i == 0 :]):
            operator.process(batch)
        assert operator.state_rows <= 24
    assert kit.rows_of(operator.finish()) == [(1, 200)]


@settings(deadline=None, print_blob=True, max_examples=150)
@given(
    partition=st.booleans(),
    value=st.sampled_from(PLAIN),
    down=st.booleans(),
    first=st.integers(1, 2),
    more=st.integers(0, 2),
    numbered=st.booleans(),
    later=st.booleans(),
    cuts=rows_cuts,
    data=st.data(),
)
def test_top_n_changelog_leads_to_the_ranking_after_every_batch(
    kit, partition, value, down, first, more, numbered, later, cuts, data
):
    schema = pa.schema([("n", pa.int64()), ("p", pa.string()), ("v", value[0])])
    output = schema.append(pa.field("rn", pa.int64(), False)) if numbered else schema
    order = OrderKey(2, down, data.draw(st.booleans()))
    options = RankOptions(schema, output, (1,) if partition else (), (order,), first + more, first, later)
    rows = [
        (i, data.draw(st.sampled_from([None, "a", "b"])), data.draw(st.sampled_from(value[1])))
        for i in range(data.draw(st.integers(0, 30)))
    ]
    operator = TopNOperator(options, [from_arrow(field.type) for field in schema])
    operator.open(kit.new_context([]))
    table, seen = Counter(), 0
    for number, batch in enumerate(batches_of(schema, rows, cuts)):
        if number == 2:
            frozen = operator.freeze()
            operator = TopNOperator(options, [from_arrow(field.type) for field in schema])
            operator.open(kit.new_context([]))
            operator.restore(frozen)
        for change in operator.process(batch):
            weights = [1] * change.rows if change.weights is None else change.weights.tolist()
            for row, weight in zip(kit.rows_of([Batch(change.data)]), weights, strict=True):
                table[(row[0], row[3] if numbered else None)] += weight
                assert table[(row[0], row[3] if numbered else None)] in (0, 1)
        seen += batch.rows
        expected = Counter()
        for part in {row[1] for row in rows[:seen]} if partition else {0}:
            mine = [row for row in rows[:seen] if not partition or row[1] == part]
            mine = sorted(mine[::-1] if later else mine, key=lambda row: rank_of(row[2], order))
            for rank, row in enumerate(mine[first - 1 : first + more], first):
                expected[(row[0], rank if numbered else None)] += 1
        assert +table == expected
        assert operator.state_rows <= (first + more) * 3


@given(events=st.lists(st.one_of(st.tuples(st.integers(0, 20), st.integers(0, 3)), st.integers(0, 20)), max_size=25),
       cuts=rows_cuts, freeze_at=st.integers(0, 6))  # fmt: skip
def test_rows_that_never_end_come_in_the_order_of_their_time(kit, events, cuts, freeze_at):
    schema = pa.schema([("ts", pa.timestamp("ms")), ("v", pa.int64()), ("number", pa.int64())])
    highest, stream, wanted, late = -1, [], [], []
    for number, event in enumerate(events):
        if isinstance(event, int):
            highest = max(highest, event)
            stream.append((None, highest))
        else:
            stream.append((0, (*event, number)))
            (late if event[0] <= highest else wanted).append((*event, number))
    options = TimeSortOptions(schema, (OrderKey(0), OrderKey(1, descending=True)))
    rows, gone, _ = kit.drive(
        lambda: TimeSortOperator(options), kit.Stream([schema], stream, cuts), freeze_at=freeze_at
    )
    numbers = [row[2] for row in rows]
    assert numbers == [row[2] for row in sorted(wanted, key=lambda row: (row[0], -row[1], row[2]))]
    assert [row[2] for row in gone] == [row[2] for row in late]


def test_rows_that_were_ordered_are_not_late_for_a_join_by_time():
    times = [dt.datetime(2024, 1, 1, 0, 0, second) for second in range(8)]
    left = pa.table({"ts": pa.array(times[:4], pa.timestamp("us")), "a": range(4)})
    right = pa.table({"ts": pa.array(times, pa.timestamp("us")), "b": range(8)})
    for _ in range(10):  # which side ends first is chance
        session = Session({"parallelism.default": "1"})
        session.from_arrow(left, name="l", watermark=("ts", "1 s"))
        session.from_arrow(right, name="r", watermark=("ts", "1 s"))
        query = "SELECT a, b FROM (SELECT * FROM l ORDER BY ts) AS x FULL JOIN r ON x.ts = r.ts"
        found = session.sql(query).to_arrow()
        assert sorted(found["a"].to_pylist(), key=repr) == [0, 1, 2, 3, None, None, None, None]
