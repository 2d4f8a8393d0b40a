"""Operators whose state has a lifetime beside naive models, row by row, on a clock that the test drives."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxcore.core.batch import Batch
from fluxcore.core.ports import OperatorContext
from fluxcore.core.types import BIGINT, STRING
from fluxcore.expr.aggregates import aggregate_type
from fluxcore.expr.nodes import AggCall
from fluxcore.operators.group_aggregate import GroupAggregateOperator, GroupAggregateOptions
from fluxcore.operators.joins.join import JoinOperator, JoinOptions
from fluxcore.operators.joins.join_side import JoinInput
from fluxcore.operators.joins.window_join import JoinRows
from fluxcore.operators.ranking.top_n import TopNOperator
from fluxcore.operators.ranking.updated_top_n import UpdatedTopNOperator
from fluxcore.operators.ranking.window_rank import RankOptions
from fluxcore.operators.sort_words import OrderKey
from fluxcore.state.backend import MemoryStateBackend

TTL = 10
TYPES = (STRING, BIGINT)
SCHEMA = pa.schema([("k", pa.string()), ("v", pa.int64())])
ROW = st.tuples(st.sampled_from([None, "a", "b"]), st.integers(0, 3))
MOMENT = st.tuples(st.integers(0, 14), st.integers(0, 1), st.lists(st.tuples(ROW, st.booleans()), max_size=5))
MOMENTS = st.lists(MOMENT, max_size=10)


class Hand:
    def __init__(self):
        self.now = 1

    def now_ms(self):
        return self.now

    def monotonic_s(self):
        return self.now / 1000


def weighted(moments, *, takes_back=True):
    """Make changelogs of random rows: one is taken back where that is asked for and it is there, else it comes."""
    there, made = (Counter(), Counter()), []
    for passed, port, rows in moments:
        part = []
        for row, back in rows:
            weight = -1 if takes_back and back and there[port][row] else 1
            there[port][row] += weight
            part.append((row, weight))
        made.append((passed, port, part))
    return made


def drive(make, moments, size, freeze_at, *, weights=True):
    """Return what an operator gives at each moment, as counts; it is frozen and replaced at one of them."""
    clock = Hand()

    def opened():
        operator = make()
        operator.open(OperatorContext("test", MemoryStateBackend(), clock, lambda _: None))
        return operator

    operator, found = opened(), []
    for number, (passed, port, rows) in enumerate(moments):
        if number == freeze_at:
            frozen = operator.freeze()
            operator = opened()
            operator.restore(frozen)
        clock.now += passed
        net = Counter()
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            columns = zip(*(row for row, _ in part), strict=True)
            arrays = [pa.array(each, f.type) for each, f in zip(columns, SCHEMA, strict=True)]
            signs = np.array([weight for _, weight in part], np.int8) if weights else None
            for batch in operator.process(Batch(pa.RecordBatch.from_arrays(arrays, schema=SCHEMA), signs), port):
                given_rows = zip(*(column.to_pylist() for column in batch.data.columns), strict=True)
                for row, weight in zip(given_rows, batch.counts.tolist(), strict=True):
                    net[row] += weight
        found.append({row: count for row, count in net.items() if count})
    return found


def call(function, *args, distinct=False):
    types = [TYPES[arg] for arg in args]
    return AggCall(
        function=function, type=aggregate_type(function, types, distinct=distinct), args=args, distinct=distinct
    )


CALLS = (call("COUNT"), call("SUM", 1), call("MAX", 1), call("COUNT", 1, distinct=True))
GROUPED = pa.schema([("k", pa.string()), *((f"a{i}", each.type.arrow()) for i, each in enumerate(CALLS))])


@given(MOMENTS, st.integers(1, 5), st.integers(0, 10), st.booleans(), st.booleans())
def test_groups_are_forgotten_and_start_afresh(moments, size, freeze_at, takes_back, keyed):
    moments = weighted(moments, takes_back=takes_back)
    output = GROUPED if keyed else pa.schema(list(GROUPED)[1:])
    options = GroupAggregateOptions(TYPES, (0,) if keyed else (), CALLS, output, append_only=not takes_back, ttl_ms=TTL)
    groups, now, wanted = {}, 1, []

    def row_of(key):
        values = groups[key][0]
        plain = [v for v, n in values.items() for _ in range(n)]
        row = (len(plain), sum(plain), max(plain), len(set(plain)))
        return (key, *row) if keyed else row

    for passed, _, rows in moments:
        now += passed
        net = Counter()
        for (key, v), weight in rows:
            key = key if keyed else 0
            if key in groups and now >= groups[key][1] + TTL:
                del groups[key]
            if key in groups:
                net[row_of(key)] -= 1
            elif weight < 0:
                continue
            values = groups.setdefault(key, [Counter(), 0])[0]
            values[v] += weight
            groups[key][1] = now
            if (
                min(values.values()) < 0
            ):  # a row of the former life is taken for one of this: rows and batches may differ
                return
            if sum(values.values()) == 0:
                del groups[key]
            else:
                net[row_of(key)] += 1
        wanted.append({row: count for row, count in net.items() if count})
    assert drive(lambda: GroupAggregateOperator(options), moments, size, freeze_at, weights=takes_back) == wanted


KINDS = [JoinRows.INNER, JoinRows.LEFT, JoinRows.FULL, JoinRows.SEMI, JoinRows.ANTI]


class JoinModel:
    """Two sides of rows, each with its count, its partners, and when it was touched."""

    def __init__(self, kind, lifetimes, *, append_only):
        self.kind, self.lifetimes, self.append_only = kind, lifetimes, append_only
        self.alone = (kind in (JoinRows.LEFT, JoinRows.FULL, JoinRows.ANTI), kind is JoinRows.FULL)
        self.counts = (self.alone[0] or kind is JoinRows.SEMI, self.alone[1])
        self.sides, self.now, self.net = ([], []), 1, Counter()

    def give(self, port, row, other, weight):
        if self.kind in (JoinRows.SEMI, JoinRows.ANTI):
            self.net[row] += weight
        else:
            left, right = (row, other) if port == 0 else (other, row)
            self.net[(*(left or (None, None)), *(right or (None, None)))] += weight

    def living(self, port):
        ttl = self.lifetimes[port]
        return [each for each in self.sides[port] if not ttl or self.now < each["touched"] + ttl]

    def take(self, port, row, weight):
        others = [each for each in self.living(1 - port) if row[0] is not None and each["row"][0] == row[0]]
        for each in others:
            if self.kind not in (JoinRows.SEMI, JoinRows.ANTI):
                self.give(port, row, each["row"], weight * each["count"])
            if self.counts[1 - port]:
                before, each["partners"], each["touched"] = each["partners"], each["partners"] + weight, self.now
                turned = (each["partners"] > 0) - (before > 0)
                sign = turned if self.kind is JoinRows.SEMI else -turned
                self.give(1 - port, each["row"], None, sign * each["count"])
        partners = sum(each["count"] for each in others)
        if (self.alone[port] and partners <= 0) or (self.kind is JoinRows.SEMI and port == 0 and partners > 0):
            self.give(port, row, None, weight)
        if row[0] is not None:
            self.keep(port, row, weight, partners)

    def keep(self, port, row, weight, partners):
        side = self.sides[port]
        side[:] = self.living(port)
        mine = next((each for each in side if each["row"] == row and not self.append_only), None)
        if mine is None:
            if weight < 0:
                return
            mine = {"row": row, "count": 0}
            side.append(mine)
        mine |= {"count": mine["count"] + weight, "partners": partners, "touched": self.now}
        if mine["count"] == 0:
            side.remove(mine)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.value)
@given(
    moments=MOMENTS,
    size=st.integers(1, 5),
    freeze_at=st.integers(0, 10),
    takes_back=st.booleans(),
    lifetimes=st.sampled_from([(TTL, TTL), (TTL, None), (5, 12), (None, TTL)]),
)
def test_joined_rows_are_forgotten(kind, moments, size, freeze_at, takes_back, lifetimes):
    moments = weighted(moments, takes_back=takes_back)
    one_sided = kind in (JoinRows.SEMI, JoinRows.ANTI)
    columns = [("k", pa.string()), ("v", pa.int64())]
    output = pa.schema(columns if one_sided else [*columns, ("k0", pa.string()), ("v0", pa.int64())])
    sides = [JoinInput(SCHEMA, TYPES, (0,), not takes_back, ttl_ms=ttl) for ttl in lifetimes]
    options = JoinOptions(kind, *sides, (STRING,), output)
    model, wanted = JoinModel(kind, lifetimes, append_only=not takes_back), []
    for passed, port, rows in moments:
        model.now += passed
        model.net = Counter()
        for row, weight in rows:
            model.take(port, row, weight)
        wanted.append({row: count for row, count in model.net.items() if count})
    assert drive(lambda: JoinOperator(options), moments, size, freeze_at) == wanted


@pytest.mark.parametrize("updated", [False, True])
@given(
    moments=MOMENTS,
    size=st.integers(1, 5),
    freeze_at=st.integers(0, 10),
    last=st.sampled_from([1, 2, 40]),
    numbered=st.booleans(),
    later_first=st.booleans(),
)
def test_partitions_are_forgotten_and_start_afresh(updated, moments, size, freeze_at, last, numbered, later_first):
    moments = weighted(moments, takes_back=updated)
    output = SCHEMA.append(pa.field("r", pa.int64())) if numbered else SCHEMA
    options = RankOptions(SCHEMA, output, (0,), (OrderKey(1),), last, later_first=later_first, ttl_ms=TTL)
    parts, now, arrived, wanted = {}, 1, 0, []

    def shown(part):
        equal_first = {}
        for v, at in part["rows"]:
            equal_first.setdefault(v, at)
        key = (lambda each: (each[0], -each[1])) if later_first else (lambda each: each)
        if updated:  # equal rows follow one another
            key = lambda each: (each[0], equal_first[each[0]])  # noqa: E731
        ranked = sorted(part["rows"], key=key)[:last]
        return [(part["key"], v, *([place] if numbered else [])) for place, (v, _) in enumerate(ranked, 1)]

    for passed, _, rows in moments:
        now += passed
        net = Counter()
        for (key, v), weight in rows:
            arrived += 1
            if key in parts and now >= parts[key]["touched"] + TTL:
                del parts[key]
            part = parts.setdefault(key, {"key": key, "rows": [], "touched": now})
            before = shown(part)
            net.subtract(before)
            if weight > 0:
                part["rows"].append((v, arrived))
                entered = updated
                if not updated:  # what is not among the first is not kept, and touches nothing
                    key_of = (lambda each: (each[0], -each[1])) if later_first else (lambda each: each)
                    kept = sorted(part["rows"], key=key_of)[:last]
                    entered = (v, arrived) in kept
                    part["rows"] = [each for each in part["rows"] if each in kept]
                if entered:
                    part["touched"] = now
            else:
                mine = [each for each in part["rows"] if each[0] == v]
                if mine:
                    part["rows"].remove(mine[-1])
                part["touched"] = now
            net.update(shown(part))
            if not part["rows"]:
                del parts[key]
        wanted.append({row: count for row, count in net.items() if count})
    operator = UpdatedTopNOperator if updated else TopNOperator
    made = [(passed, 0, rows) for passed, _, rows in moments]
    assert drive(lambda: operator(options, TYPES), made, size, freeze_at, weights=updated) == wanted


def test_what_nobody_asks_for_goes_in_the_background():
    clock = Hand()
    group = GroupAggregateOperator(
        GroupAggregateOptions(TYPES, (0,), CALLS[:1], pa.schema(list(GROUPED)[:2]), ttl_ms=TTL)
    )
    join = JoinOperator(
        JoinOptions(
            JoinRows.LEFT,
            *[JoinInput(SCHEMA, TYPES, (0,), ttl_ms=TTL)] * 2,
            (STRING,),
            pa.schema([*SCHEMA, pa.field("k0", pa.string()), pa.field("v0", pa.int64())]),
        )
    )
    top = TopNOperator(RankOptions(SCHEMA, SCHEMA, (0,), (OrderKey(1),), 1, ttl_ms=TTL), TYPES)
    many = [f"k{number}" for number in range(5000)]
    for operator in (group, join, top):
        clock.now = 1
        operator.open(OperatorContext("test", MemoryStateBackend(), clock, lambda _: None))
        operator.process(Batch(pa.RecordBatch.from_arrays([pa.array(many), pa.array(range(5000))], schema=SCHEMA)))
        assert operator.state_rows == 5000
        clock.now = 1 + TTL
        sizes = []
        for _ in range(6):
            one = Batch(pa.RecordBatch.from_arrays([pa.array(["k"]), pa.array([1])], schema=SCHEMA))
            operator.process(one)
            sizes.append(operator.state_rows)
        assert sizes[0] > 3000, "a batch looks at a bounded number of slots"
        assert sizes[-1] <= 6
        if isinstance(operator, JoinOperator):
            continue
        clock.now += 2 * TTL
        assert operator.ticks
        assert operator.next_tick is not None
        assert operator.tick(clock.now) == ()
        assert operator.state_rows == 0
        assert operator.next_tick is None
