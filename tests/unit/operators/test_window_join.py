import math
from datetime import datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxcore.core.batch import Batch
from fluxcore.core.time import MIN_TIME_MS
from fluxcore.operators.joins import window_join_pairs
from fluxcore.operators.joins.window_join import JoinRows, JoinSide, WindowJoinOperator, WindowJoinOptions

EPOCH = datetime(1970, 1, 1)
STAMP = pa.timestamp("us")
NAN = float("nan")
KEYS = [
    (pa.int64(), [None, 0, 1, -(2**63), 2**63 - 1]),
    (pa.int8(), [None, 0, 1, -128, 127]),
    (pa.string(), [None, "", "a", "ä", "a\0"]),
    (pa.float64(), [None, 0.0, -0.0, NAN, math.inf, -math.inf, 1.5]),
    (pa.decimal128(38, 2), [None, Decimal("0.00"), Decimal("-1.50"), Decimal("9" * 36 + ".99")]),
    (pa.bool_(), [None, True, False]),
    (STAMP, [None, EPOCH, EPOCH - timedelta(microseconds=1)]),
    (pa.date32(), [None, EPOCH.date()]),
    (pa.binary(), [None, b"", b"\xff"]),
]


def stamp(ms):
    return EPOCH + timedelta(milliseconds=ms)


def key_of(values):
    return tuple("NaN" if isinstance(v, float) and math.isnan(v) else v for v in values)


def options_for(kind, key_types, residual, *, start=True):
    schema = pa.schema(
        [("n", pa.int64()), ("ws", STAMP), ("we", STAMP), *((f"k{i}", t) for i, t in enumerate(key_types))]
    )
    keys = tuple(range(3, 3 + len(key_types)))
    side = JoinSide(schema, 2, 1 if start else None, keys)
    both = schema if kind in (JoinRows.SEMI, JoinRows.ANTI) else pa.schema([*schema, *schema])
    width = len(schema)
    if residual is None:
        return WindowJoinOptions(kind, side, side, both)
    if residual == "narrow":
        return WindowJoinOptions(kind, side, side, both, _odd_sum, (0, width))
    return WindowJoinOptions(kind, side, side, both, lambda rows: _odd_sum(rows.select([0, width])))


def _odd_sum(rows):
    """n + n is odd; NULL where the sum is a multiple of 5."""
    total = pc.add(rows.column(0), rows.column(1))
    odd = pc.equal(pc.bit_wise_and(total, 1), 1)
    fifth = pc.equal(total, pc.multiply(pc.divide(total, 5), 5))
    return pc.if_else(fifth, pa.scalar(None, pa.bool_()), odd)


def odd_sum(a, b):
    return (a + b) % 2 == 1 and (a + b) % 5 != 0


def naive(kind, residual, events, width):
    """Rows in the order of firing, and late rows: one watermark or row at a time."""
    open_rows, out, late, watermark = {}, [], [], MIN_TIME_MS

    def fire(upto):
        for end in sorted(end for end in open_rows if end - 1 <= upto):
            out.extend(join(*open_rows.pop(end)))

    def join(left, right):
        used = set()
        for a in left:
            partners = [
                j
                for j, b in enumerate(right)
                if a[1] == b[1]
                and None not in a[3:]
                and key_of(a[3:]) == key_of(b[3:])
                and (residual is None or odd_sum(a[0], b[0]))
            ]
            used.update(partners)
            if kind in (JoinRows.SEMI, JoinRows.ANTI):
                if bool(partners) == (kind is JoinRows.SEMI):
                    yield a
                continue
            for j in partners:
                yield a + right[j]
            if not partners and kind in (JoinRows.LEFT, JoinRows.FULL):
                yield a + (None,) * width
        if kind in (JoinRows.RIGHT, JoinRows.FULL):
            yield from ((None,) * width + b for j, b in enumerate(right) if j not in used)

    for port, value in events:
        if port is None:
            watermark = max(watermark, value)
            fire(watermark)
            continue
        end = round((value[2] - EPOCH) / timedelta(milliseconds=1))
        if end - 1 <= watermark:
            late.append(value)
        else:
            open_rows.setdefault(end, ([], []))[port].append(value)
    fire(2**63)
    return out, late


def clean(rows):
    return [tuple("NaN" if isinstance(v, float) and math.isnan(v) else v for v in row) for row in rows]


@st.composite
def streams(draw, key_values):
    events = []
    watermark = 0
    for number in range(draw(st.integers(0, 40))):
        if draw(st.integers(0, 4)) == 0:
            watermark += draw(st.integers(0, 12))
            events.append((None, watermark))
        else:
            end = max(10, watermark // 10 * 10 + draw(st.sampled_from([0, 10, 10, 20, 30])))
            length = draw(st.sampled_from([10, 10, 10, 20]))
            keys = tuple(draw(st.sampled_from(values)) for values in key_values)
            events.append((draw(st.integers(0, 1)), (number, stamp(end - length), stamp(end), *keys)))
    cuts = draw(st.sets(st.integers(0, 40), max_size=12))
    return events, cuts


@settings(deadline=None, print_blob=True, max_examples=250)
@given(
    kind=st.sampled_from(list(JoinRows)),
    residual=st.sampled_from([None, "narrow", "wide"]),
    keys=st.lists(st.sampled_from(KEYS), max_size=2),
    data=st.data(),
)
def test_joins_as_a_naive_model_with_late_rows_and_any_batches(kit, kind, residual, keys, data):
    options = options_for(kind, [t for t, _ in keys], residual)
    events, cuts = data.draw(streams([values for _, values in keys]))
    stream = kit.Stream([options.left.schema, options.right.schema], events, cuts)
    freeze_at = data.draw(st.one_of(st.none(), st.integers(0, 6)))
    out, late, counters = kit.drive(lambda: WindowJoinOperator(options), stream, freeze_at=freeze_at)
    expected, expected_late = naive(kind, residual, events, len(options.left.schema))
    assert clean(out) == clean(expected)
    assert clean(late) == clean(expected_late)
    assert counters.get("late_rows", 0) == len(expected_late)


@pytest.mark.parametrize("kind", list(JoinRows))
@pytest.mark.parametrize("residual", [None, "narrow"])
def test_candidate_pairs_in_small_portions_give_the_same_rows(kit, monkeypatch, kind, residual):
    options = options_for(kind, [pa.int64()], residual)
    rows = [(i % 2, (i, stamp(0), stamp(10), [None, 1, 1, 2, 3][i % 5])) for i in range(60)]
    expected, _ = naive(kind, residual, rows, len(options.left.schema))
    monkeypatch.setattr(window_join_pairs, "PAIRS_MAX", 7)
    stream = kit.Stream([options.left.schema, options.right.schema], rows)
    out, _, _ = kit.drive(lambda: WindowJoinOperator(options), stream)
    assert out == expected


def test_keys_of_different_widths_meet(kit):
    left = pa.schema([("we", STAMP), ("k", pa.int32()), ("d", pa.decimal128(5, 1))])
    right = pa.schema([("we", STAMP), ("k", pa.int64()), ("d", pa.decimal128(9, 3))])
    options = WindowJoinOptions(
        JoinRows.INNER, JoinSide(left, 0, None, (1, 2)), JoinSide(right, 0, None, (1, 2)), pa.schema([*left, *right])
    )
    rows = [
        (0, (stamp(5), 7, Decimal("1.5"))),
        (1, (stamp(5), 7, Decimal("1.500"))),
        (1, (stamp(5), 7, Decimal("1.501"))),
    ]
    out, _, _ = kit.drive(lambda: WindowJoinOperator(options), kit.Stream([left, right], rows))
    assert out == [(*rows[0][1], *rows[1][1])]


def test_state_is_counted_and_given_back_when_the_window_fires(kit):
    options = options_for(JoinRows.INNER, [pa.int64()], None)
    operator = WindowJoinOperator(options)
    operator.open(kit.new_context([]))
    stream = kit.Stream([options.left.schema] * 2, [(0, (1, stamp(0), stamp(10), 1)), (1, (2, stamp(0), stamp(20), 1))])
    for port, batch, _ in stream.pieces():
        operator.process(batch, port)
    assert operator.state_rows == 2 and operator.state_bytes > 0
    assert list(operator.advance(8)) == [] and operator.state_rows == 2
    operator.advance(9)
    assert operator.state_rows == 1
    operator.advance(19)
    assert (operator.state_rows, operator.state_bytes) == (0, 0)


def test_many_windows_of_one_row_against_one_row_fire_together(kit):
    options = options_for(JoinRows.INNER, [], "narrow", start=False)
    left = [(0, (i, stamp(0), stamp(10 * (1 + i % 50)))) for i in range(2000)]
    right = [(1, (i + 1, stamp(0), stamp(10 * (1 + i)))) for i in range(50)]
    rows = left + right
    operator = WindowJoinOperator(options)
    operator.open(kit.new_context([]))
    for port, batch, _ in kit.Stream([options.left.schema] * 2, rows).pieces():
        operator.process(batch, port)
    expected, _ = naive(JoinRows.INNER, "narrow", rows, 3)
    out = operator.advance(10_000)
    assert len(out) == 1 and isinstance(out[0], Batch) and out[0].steps is None
    assert kit.rows_of(out) == expected
