import math
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cmp_to_key

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxcore.core.batch import Batch
from fluxcore.core.time import MIN_TIME_MS
from fluxcore.operators.ranking import window_rank
from fluxcore.operators.ranking.window_rank import RankOptions, WindowRankOperator
from fluxcore.operators.sort_words import OrderKey

EPOCH = datetime(1970, 1, 1)
STAMP = pa.timestamp("us")
VALUES = [
    (pa.int64(), [None, 0, 1, 2, -(2**63), 2**63 - 1]),
    (pa.int16(), [None, 0, 1, -32768, 32767]),
    (pa.string(), [None, "", "a", "b", "ä", "Z", "\U0001f600", "\uffee"]),
    (pa.float64(), [None, 0.0, -0.0, float("nan"), math.inf, -math.inf, 1.5, -2.5]),
    (pa.float32(), [None, 0.5, float("nan"), -math.inf]),
    (
        pa.decimal128(38, 2),
        [None, Decimal("0.00"), Decimal("-1.50"), Decimal("9" * 36 + ".99"), Decimal("-" + "9" * 36)],
    ),
    (pa.bool_(), [None, True, False]),
    (STAMP, [None, EPOCH, EPOCH - timedelta(microseconds=1), EPOCH + timedelta(days=9999)]),
    (pa.date32(), [None, EPOCH.date(), datetime(1900, 1, 1).date()]),
    (pa.binary(), [None, b"", b"\xff", b"\x00"]),
]


def stamp(ms):
    return EPOCH + timedelta(milliseconds=ms)


def compare(a, b, key):
    if a is None or b is None:
        if a is None and b is None:
            return 0
        return -1 if (a is None) == key.nulls_first else 1

    def plain(v):
        if isinstance(v, float):
            return (math.isnan(v), 0.0 if math.isnan(v) else v)
        return v.encode() if isinstance(v, str) else v

    a, b = plain(a), plain(b)
    return (a > b) - (a < b) if not key.descending else (a < b) - (a > b)


def in_order(rows, keys):
    def by(a, b):
        return next((c for key in keys if (c := compare(a[key.column], b[key.column], key))), 0)

    return sorted(rows, key=cmp_to_key(by))


def ident(v):
    if isinstance(v, float):
        return "NaN" if math.isnan(v) else v + 0.0
    return v


def naive(options, events):
    open_rows, out, late, watermark = {}, [], [], MIN_TIME_MS

    def fire(upto):
        for end in sorted(end for end in open_rows if end - 1 <= upto):
            parts = {}
            for row in open_rows.pop(end):
                parts.setdefault(tuple(ident(row[c]) for c in options.partition), []).append(row)
            for part, rows in parts.items():
                if options.later_first:
                    rows = rows[::-1]
                ranked = in_order(rows, options.order)[options.first - 1 : options.last]
                out.append(
                    (end, part, [(*r, options.first + i) if options.numbered else r for i, r in enumerate(ranked)])
                )

    for port, value in events:
        if port is None:
            watermark = max(watermark, value)
            fire(watermark)
            continue
        end = round((value[1] - EPOCH) / timedelta(milliseconds=1))
        if end - 1 <= watermark:
            late.append(value)
        else:
            open_rows.setdefault(end, []).append(value)
    fire(2**63)
    return out, late


def groups(options, out):
    """The operator's rows gathered per window and partition, in the order in which they came."""
    found = {}
    for row in out:
        end = round((row[1] - EPOCH) / timedelta(milliseconds=1))
        found.setdefault((end, tuple(ident(row[c]) for c in options.partition)), []).append(row)
    return found


def clean(rows):
    return [tuple("NaN" if isinstance(v, float) and math.isnan(v) else v for v in row) for row in rows]


@settings(deadline=None, print_blob=True, max_examples=250)
@given(
    partition=st.lists(st.sampled_from(VALUES), max_size=2),
    order=st.lists(st.tuples(st.sampled_from(VALUES), st.booleans(), st.booleans()), min_size=1, max_size=3),
    first=st.integers(1, 2),
    more=st.integers(0, 3),
    numbered=st.booleans(),
    later=st.booleans(),
    data=st.data(),
)
def test_ranks_as_a_naive_model_with_late_rows_and_any_batches(
    kit, partition, order, first, more, numbered, later, data
):
    kinds = [*partition, *(kind for kind, _, _ in order)]
    schema = pa.schema([("n", pa.int64()), ("we", STAMP), *((f"c{i}", t) for i, (t, _) in enumerate(kinds))])
    keys = tuple(
        OrderKey(2 + len(partition) + i, descending, nulls_first)
        for i, (_, descending, nulls_first) in enumerate(order)
    )
    output = schema.append(pa.field("rn", pa.int64(), False)) if numbered else schema
    options = RankOptions(
        schema, output, tuple(range(2, 2 + len(partition))), keys, first + more, first, later, window_end=1
    )
    events, watermark = [], 0
    for number in range(data.draw(st.integers(0, 40))):
        if data.draw(st.integers(0, 5)) == 0:
            watermark += data.draw(st.integers(0, 12))
            events.append((None, watermark))
        else:
            end = max(10, watermark // 10 * 10 + data.draw(st.sampled_from([0, 10, 10, 20])))
            events.append((0, (number, stamp(end), *(data.draw(st.sampled_from(values)) for _, values in kinds))))
    stream = kit.Stream([schema], events, data.draw(st.sets(st.integers(0, 40), max_size=10)))
    freeze_at = data.draw(st.one_of(st.none(), st.integers(0, 6)))
    prune = data.draw(st.booleans())

    def make():
        operator = WindowRankOperator(options)
        if prune:
            operator._prune_at = 5
        return operator

    out, late, counters = kit.drive(make, stream, freeze_at=freeze_at)
    expected, expected_late = naive(options, events)
    found = groups(options, out)
    assert {key: clean(rows) for key, rows in found.items()} == {
        (end, part): clean(rows) for end, part, rows in expected if rows
    }
    ends = [row[1] for row in out]
    assert ends == sorted(ends)
    assert clean(late) == clean(expected_late)
    assert counters.get("late_rows", 0) == len(expected_late)


def test_pruning_bounds_the_rows_kept(kit, monkeypatch):
    monkeypatch.setattr(window_rank, "BATCH_ROWS", 100)
    schema = pa.schema([("n", pa.int64()), ("we", STAMP), ("k", pa.int64())])
    operator = WindowRankOperator(RankOptions(schema, schema, (2,), (OrderKey(0),), 2, window_end=1))
    operator.open(kit.new_context([]))
    stream = kit.Stream([schema])
    for start in range(0, 5000, 50):
        rows = [((i * 37) % 5000, stamp(10), i % 3) for i in range(start, start + 50)]
        operator.process(Batch(stream.batch(0, rows)))
        assert operator.state_rows <= 250
    out = kit.rows_of(operator.advance(9))
    assert len(out) == 6 and operator.state_rows == 0


@pytest.mark.parametrize("later", [False, True])
def test_deduplication_takes_the_first_or_the_last_of_rows_that_tie(kit, later):
    schema = pa.schema([("n", pa.int64()), ("we", STAMP), ("t", pa.int64())])
    options = RankOptions(schema, schema, (), (OrderKey(2, later),), 1, later_first=later, window_end=1)
    rows = [(0, (i, stamp(10), 5)) for i in range(4)]
    out, _, _ = kit.drive(lambda: WindowRankOperator(options), kit.Stream([schema], rows, {2}))
    assert [row[0] for row in out] == [3 if later else 0]
