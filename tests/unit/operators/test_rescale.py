"""Every operator is frozen midway in some tasks and restored in another number of them, with the same answer.

An operator without a case here fails the last test: add one to ``CASES``, a line in most cases.
"""

from __future__ import annotations

import datetime as dt
import importlib
import inspect
import pkgutil
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fluxcore as fx
from fluxcore import operators
from fluxcore.core.async_call import AsyncCall
from fluxcore.core.batch import Batch
from fluxcore.core.evictors import EvictorKind, EvictorSpec
from fluxcore.core.lookups import AskedFunction, LookupOptions
from fluxcore.core.ports import Operator
from fluxcore.core.schema import Column, Schema
from fluxcore.core.time import MAX_TIME_MS
from fluxcore.core.triggers import TriggerKind, TriggerSpec
from fluxcore.core.types import BIGINT, DOUBLE, STRING, TimestampType
from fluxcore.expr.aggregates import aggregate_type
from fluxcore.expr.nodes import AggCall
from fluxcore.operators.group_aggregate import GroupAggregateOperator, GroupAggregateOptions
from fluxcore.operators.joins.join import JoinOperator, JoinOptions
from fluxcore.operators.joins.join_side import JoinInput
from fluxcore.operators.joins.lookup_join import LookupJoinOperator, LookupJoinOptions
from fluxcore.operators.joins.outside_join import OutsideJoinOperator, OutsideJoinOptions
from fluxcore.operators.joins.residuals import Residual
from fluxcore.operators.joins.semi_join import SemiJoinOperator
from fluxcore.operators.joins.temporal_join import TemporalJoinOperator, TemporalJoinOptions, TemporalSide
from fluxcore.operators.joins.window_join import JoinRows, JoinSide, WindowJoinOperator, WindowJoinOptions
from fluxcore.operators.materialize import MaterializeOperator
from fluxcore.operators.order.frames import OverFunction
from fluxcore.operators.order.over import OverOperator, OverOptions
from fluxcore.operators.order.sort import SortOperator, SortOptions
from fluxcore.operators.order.sorted_over import SortedOverOperator
from fluxcore.operators.order.time_sort import TimeSortOperator, TimeSortOptions
from fluxcore.operators.process.async_rows import AsyncOperator, AsyncOptions
from fluxcore.operators.process.batches import BatchOperator, BatchOptions
from fluxcore.operators.process.connected import BroadcastOperator, ConnectedOptions, TwoInputOperator
from fluxcore.operators.process.rows import ProcessOperator, ProcessOptions
from fluxcore.operators.ranking.top_n import TopNOperator
from fluxcore.operators.ranking.tree_top_n import TreeTopNOperator
from fluxcore.operators.ranking.updated_top_n import UpdatedTopNOperator
from fluxcore.operators.ranking.window_rank import RankOptions, WindowRankOperator
from fluxcore.operators.sort_words import OrderKey
from fluxcore.operators.stamp_watermark import StampWatermarkOperator
from fluxcore.operators.windows.session_aggregate import SessionAggregateOperator, SessionOptions
from fluxcore.operators.windows.session_assign import SessionAssignOperator, SessionAssignOptions
from fluxcore.operators.windows.slicing import Slicing
from fluxcore.operators.windows.triggered_aggregate import TriggeredAggregateOperator, TriggeredOptions
from fluxcore.operators.windows.window_aggregate import WindowAggregateOperator, WindowAggregateOptions
from fluxcore.operators.windows.window_assign import AssignKind, Shape
from fluxcore.state.keygroups import tasks_of
from fluxcore.state.rescale import split

TIME = TimestampType(precision=3)
TYPES = (TIME, TIME, TIME, STRING, BIGINT, DOUBLE)
SCHEMA = pa.schema([(name, t.arrow()) for name, t in zip(("ts", "start", "end", "k", "v", "x"), TYPES, strict=True)])
TS, START, END, K, V, X = range(6)
BOTH = pa.schema([*SCHEMA, *(field.with_name(f"r_{field.name}") for field in SCHEMA)])
WINDOW = [(name, pa.timestamp("us")) for name in ("window_start", "window_end", "window_time")]
ROW = st.tuples(
    st.integers(-4, 10),
    st.sampled_from([None, *"abcde"]),
    st.sampled_from([None, -2, 1, 5]),
    st.sampled_from([None, -1.5, 0.5, 2.0]),
)
EVENT = st.one_of(
    st.tuples(st.integers(0, 1), ROW, st.booleans()),
    st.tuples(st.integers(0, 1), ROW, st.booleans()),
    st.integers(0, 5),
)
EVENTS = st.lists(EVENT, min_size=12, max_size=40)
ORDER = (OrderKey(V, descending=True, nulls_first=False),)


@dataclass(frozen=True)
class Case:
    """``keys`` of each input, none for an operator of a single task; ``updating`` says which inputs take rows back.

    The rows of the inputs in ``to_all`` go to all tasks.
    """

    make: object
    keys: tuple[tuple[int, ...], ...] = ((K,),)
    updating: tuple[bool, ...] = (False, False)
    to_all: frozenset = frozenset()


def call(function, *args, distinct=False, parameters=()):
    type_ = aggregate_type(function, [TYPES[a] for a in args] + [DOUBLE] * len(parameters), distinct=distinct)
    return AggCall(function=function, type=type_, args=args, parameters=parameters, distinct=distinct)


SIMPLE = (call("COUNT"), call("SUM", V), call("MIN", X), call("MAX", V), call("AVG", X), call("STDDEV_POP", V))
KEPT = (
    call("COUNT", V, distinct=True), call("SUM", V, distinct=True), call("MAX", K), call("ARRAY_AGG", V),
    call("COLLECT", V), call("PERCENTILE", V, parameters=(0.5,)), call("FIRST_VALUE", V), call("LAST_VALUE", K),
)  # fmt: skip
BACK = (call("COUNT"), call("SUM", X), call("MIN", V), call("MAX", X), call("COUNT", V, distinct=True), call("MIN", K))


def grouped(calls, keys=(K,), **options):
    output = pa.schema(
        [*(SCHEMA[key] for key in keys), *((f"a{i}", each.type.arrow()) for i, each in enumerate(calls))]
    )
    return lambda: GroupAggregateOperator(GroupAggregateOptions(TYPES, keys, calls, output, **options))


def windowed(slicing, calls, keys=(K,), time=TS):
    shown = keys[:-1] if slicing.starts_in_key else keys
    names = [*(SCHEMA[key] for key in shown), *((f"a{i}", each.type.arrow()) for i, each in enumerate(calls)), *WINDOW]
    return lambda: WindowAggregateOperator(WindowAggregateOptions(TYPES, time, keys, calls, slicing, pa.schema(names)))


def sessions(calls, keys=(K,)):
    names = [*(SCHEMA[key] for key in keys), *((f"a{i}", each.type.arrow()) for i, each in enumerate(calls)), *WINDOW]
    return lambda: SessionAggregateOperator(SessionOptions(TYPES, TS, keys, calls, 5, pa.schema(names)))


def triggered(trigger, calls, *, keys=(K,), kind=AssignKind.TUMBLE, gap=0, evictor=None, **more):
    names = [*(SCHEMA[key] for key in keys), *((f"a{i}", each.type.arrow()) for i, each in enumerate(calls))]
    if kind or gap:
        names += WINDOW
    shape = Shape(kind, 12, 12 if kind is AssignKind.TUMBLE else 4) if kind and not gap else None
    made = TriggeredOptions(TYPES, SCHEMA, TS, keys, calls, trigger, pa.schema(names), shape, gap, evictor, **more)
    return lambda: TriggeredAggregateOperator(made)


class Turn(fx.Trigger):
    """Fires with every other row, and some time after a row."""

    seen = fx.value(pa.int64(), default=0)

    def on_row(self, row, window):
        self.seen += 1
        self.set_timer(row["ts"] + dt.timedelta(milliseconds=self.seen))
        return fx.TriggerResult.FIRE if self.seen % 2 else None

    def on_event_time(self, time, window):
        return fx.TriggerResult.FIRE_AND_PURGE


def joined(kind, *, append_only=True, interval=None, keys=(K,), ttl_ms=None):
    sides = [JoinInput(SCHEMA, TYPES, keys, append_only, TS if interval else None, ttl_ms) for _ in range(2)]
    output = SCHEMA if kind in (JoinRows.SEMI, JoinRows.ANTI) else BOTH
    residual = (
        Residual(apart, (TS, 6 + TS), 6) if interval else Residual(lambda b: pc.not_equal(*b.columns), (V, 6 + V), 6)
    )
    types = tuple(TYPES[key].with_nullable(False) for key in keys)
    return lambda: JoinOperator(JoinOptions(kind, *sides, types, output, residual, interval))


def apart(batch):
    left, right = (column.view(pa.int64()) for column in batch.columns)
    distance = pc.subtract(right, left)
    return pc.and_(pc.greater_equal(distance, -4_000), pc.less_equal(distance, 6_000))


def window_joined(kind):
    side = JoinSide(SCHEMA, END, START, (K,))
    output = SCHEMA if kind in (JoinRows.SEMI, JoinRows.ANTI) else BOTH
    return lambda: WindowJoinOperator(WindowJoinOptions(kind, side, side, output))


def semi_joined(kind, *, updated):
    left, right = (JoinInput(SCHEMA, TYPES, (K,), append_only=not each) for each in updated)
    return lambda: SemiJoinOperator(JoinOptions(kind, left, right, (STRING.with_nullable(False),), SCHEMA))


def temporal(*, updated=False):
    side = TemporalSide(SCHEMA, (K,), TS)
    options = TemporalJoinOptions(True, side, side, (STRING.with_nullable(False),), BOTH, updated=updated)
    return lambda: TemporalJoinOperator(options)


def lookup(*, right_ends, right_key=(), append_only=True):
    left, right = JoinInput(SCHEMA, TYPES, (K,)), JoinInput(SCHEMA, TYPES, (K,), append_only)
    types = (STRING.with_nullable(False),)
    return lambda: LookupJoinOperator(LookupJoinOptions(True, left, right, types, BOTH, right_ends, right_key))


def outside():
    asked = AskedFunction(
        lambda key: [{"n": number} for number in range(ord(key) - ord("a"))],
        Schema.of([Column("k", STRING)]), Schema.of([Column("n", BIGINT)]), LookupOptions(cached=True, rows_max=2),
    )  # fmt: skip
    n = pa.schema([("n", pa.int64())])
    output = pa.schema([*SCHEMA, *n])
    return OutsideJoinOperator(
        OutsideJoinOptions(True, (K,), (STRING,), n, output, lambda: asked.source({}), asked.options, "function")
    )


def ranked(operator, *, numbered=False, window=False, ttl_ms=None, **more):
    output = SCHEMA.append(pa.field("n", pa.int64())) if numbered else SCHEMA
    partition = (START, END, K) if window else (K,)
    options = RankOptions(SCHEMA, output, partition, ORDER, 2, window_end=END if window else -1, ttl_ms=ttl_ms)
    return lambda: operator(options, *([] if window else [TYPES]), **more)


def over(*functions):
    output = pa.schema([*SCHEMA, *((f"f{i}", each.call.type.arrow()) for i, each in enumerate(functions))])
    return OverOptions(TYPES, SCHEMA, output, (K,), TS, functions)


FRAMES = (
    OverFunction(call("SUM", V), True, None),
    OverFunction(call("MAX", V), True, 2),
    OverFunction(call("COUNT"), False, None),
    OverFunction(call("COUNT"), False, 3),
    OverFunction(call("LAST_VALUE", V), True, None),
    OverFunction(call("ARRAY_AGG", V), True, None),
)


class Counting(fx.ProcessFunction):
    """Counts rows of a key; a timer says the count and forgets the key."""

    seen = fx.value(pa.int64(), default=0)
    kept = fx.map_state(pa.int64(), pa.int64())

    def process(self, row):
        self.seen += 1
        if row["v"] is not None:
            self.kept[row["v"]] = self.seen
        self.set_timer(row["ts"] + dt.timedelta(milliseconds=4))
        yield {"k": row["k"], "n": self.seen, "what": str(sorted(self.kept.items()))}

    def on_timer(self, time):
        yield {"k": self.key[0], "n": self.seen, "what": str(time)}
        self.clear()


class Meeting(fx.TwoInputFunction):
    """Counts the rows of a key on both sides; a timer says the counts and forgets the key."""

    left = fx.value(pa.int64(), default=0)
    right = fx.reducing_state(pa.int64(), max)

    def process_left(self, row):
        self.left += 1
        self.set_timer(row["ts"] + dt.timedelta(milliseconds=4))
        yield {"k": row["k"], "n": self.left, "what": str(self.right.get())}

    def process_right(self, row):
        self.right.add(row["v"] or 0)

    def on_timer(self, time):
        yield {"k": self.key[0], "n": self.left, "what": f"{time} {self.right.get()}"}
        self.clear()


class Ruled(fx.BroadcastFunction):
    """Counts the rows of a key that are not below the last rule for their value."""

    rules = fx.broadcast_state(pa.int64(), pa.float64())
    seen = fx.value(pa.int64(), default=0)

    def process(self, row):
        self.seen += (row["x"] or 0) >= self.rules.get(row["v"], 0)
        yield {"k": row["k"], "n": self.seen, "what": str(sorted(self.rules.items(), key=str))}

    def process_broadcast(self, row):
        if row["v"] is not None:
            self.rules[row["v"]] = row["x"] or 0.0


class Totals(fx.BatchFunction):
    """Counts the rows of a key, batch by batch."""

    seen = fx.column(pa.int64())

    def process(self, batch, slots):
        np.add.at(self.seen, slots, 1)

    def finish(self):
        slots = self.slots
        return {"k": self.keys(slots)[0], "n": self.seen[slots], "what": pa.nulls(len(slots), pa.string())}


async def echoed(row):
    return {"k": row["k"], "n": row["v"], "what": str(row["x"])}


def connected(operator, function):
    return lambda: operator(ConnectedOptions(function, (STRING,), ((K,), (K,)), COUNTED))


COUNTED = pa.schema([("k", pa.string()), ("n", pa.int64()), ("what", pa.string())])
ASSIGN = SessionAssignOptions(SCHEMA, TYPES, TS, (K,), 5, pa.schema([*SCHEMA, *WINDOW]))
TWO = ((K,), (K,))
ALONE = ((),)
DAY_MS = 86_400_000

CASES = {
    "group": Case(grouped(SIMPLE)),
    "group by two": Case(grouped(SIMPLE, (V, K)), ((V, K),)),
    "group, values kept": Case(grouped(KEPT)),
    "group at the end": Case(grouped(KEPT, at_end=True)),
    "group, updated": Case(grouped(BACK, append_only=False), updating=(True,)),
    "group, no keys": Case(grouped(BACK, (), append_only=False), ALONE, (True,)),
    "group with a lifetime": Case(grouped(BACK, append_only=False, ttl_ms=DAY_MS), updating=(True,)),
    "tumble": Case(windowed(Slicing("TUMBLE", 10, 10), SIMPLE)),
    "hop": Case(windowed(Slicing("HOP", 12, 4), (*SIMPLE, *KEPT))),
    "cumulate": Case(windowed(Slicing("CUMULATE", 12, 4), SIMPLE, (K, V)), ((K, V),)),
    "no keys, tumble": Case(windowed(Slicing("TUMBLE", 10, 10), KEPT, ()), ALONE),
    "windows that rows carry": Case(windowed(Slicing("TUMBLE", 10, 10, attached=True), SIMPLE, time=END)),
    "sessions that rows carry": Case(windowed(Slicing("SESSION", 10, 10, attached=True), KEPT, (K, START), END)),
    "session": Case(sessions((*SIMPLE, *KEPT))),
    "session, no keys": Case(sessions(KEPT, ()), ALONE),
    "late rows count": Case(triggered(TriggerSpec(TriggerKind.EVENT_TIME), (*SIMPLE, *KEPT), lateness=6)),
    "late rows of sessions count": Case(triggered(TriggerSpec(TriggerKind.EVENT_TIME), KEPT, gap=4, lateness=6)),
    "early results": Case(triggered(TriggerSpec(TriggerKind.EVENT_TIME, early=0), SIMPLE, kind=AssignKind.HOP)),
    "every two rows": Case(triggered(TriggerSpec(TriggerKind.COUNT, count=2), KEPT, kind=AssignKind.CUMULATE)),
    "two rows a window": Case(
        triggered(TriggerSpec(TriggerKind.COUNT, count=2, purges=True), KEPT, kind=None, updates=False)
    ),
    "last rows": Case(
        triggered(
            TriggerSpec(TriggerKind.COUNT, count=2),
            KEPT,
            kind=None,
            updates=False,
            evictor=EvictorSpec(EvictorKind.LAST, count=3),
        )
    ),
    "moved values": Case(triggered(TriggerSpec(TriggerKind.DELTA, threshold=2.0, column="v", place=V), SIMPLE)),
    "a user's trigger": Case(triggered(TriggerSpec(TriggerKind.CUSTOM, custom=Turn()), SIMPLE)),
    "rows with sessions": Case(lambda: SessionAssignOperator(ASSIGN)),
    **{f"join {kind.value}": Case(joined(kind), TWO) for kind in JoinRows},
    **{f"join {kind.value}, updated": Case(joined(kind, append_only=False), TWO, (True, True)) for kind in JoinRows},
    "join with lifetimes": Case(joined(JoinRows.FULL, ttl_ms=DAY_MS), TWO),
    "join with lifetimes, updated": Case(joined(JoinRows.FULL, append_only=False, ttl_ms=DAY_MS), TWO, (True, True)),
    "join without keys": Case(joined(JoinRows.INNER, keys=()), ((), ())),
    "interval join": Case(joined(JoinRows.FULL, interval=(-4, 6)), TWO),
    **{f"window join {kind.value}": Case(window_joined(kind), TWO) for kind in JoinRows},
    "semi join": Case(semi_joined(JoinRows.SEMI, updated=(False, False)), TWO),
    "anti join": Case(semi_joined(JoinRows.ANTI, updated=(True, False)), TWO, (True, False)),
    "anti join, updated": Case(semi_joined(JoinRows.ANTI, updated=(True, True)), TWO, (True, True)),
    "temporal join": Case(temporal(), TWO),
    "temporal join, updated": Case(temporal(updated=True), TWO, (False, True)),
    "lookup join": Case(lookup(right_ends=False), TWO),
    "lookup join, latest": Case(lookup(right_ends=False, right_key=(K,)), TWO),
    "lookup join, updated": Case(lookup(right_ends=False, append_only=False), TWO, (False, True)),
    "lookup join that waits": Case(lookup(right_ends=True), TWO),
    "lookup outside": Case(outside),
    "window rank": Case(ranked(WindowRankOperator, window=True, numbered=True), ((START, END, K),)),
    "top": Case(ranked(TopNOperator)),
    "top with a lifetime": Case(ranked(TopNOperator, ttl_ms=DAY_MS)),
    "updated top with a lifetime": Case(ranked(UpdatedTopNOperator, ttl_ms=DAY_MS), updating=(True,)),
    "top, numbered": Case(ranked(TopNOperator, numbered=True)),
    "top at the end": Case(ranked(TopNOperator, numbered=True, at_end=True)),
    "updated top": Case(ranked(UpdatedTopNOperator), updating=(True,)),
    "updated top, numbered": Case(ranked(UpdatedTopNOperator, numbered=True), updating=(True,)),
    "updated top in trees": Case(ranked(TreeTopNOperator), updating=(True,)),
    "updated top in trees, numbered": Case(ranked(TreeTopNOperator, numbered=True), updating=(True,)),
    "over": Case(lambda: OverOperator(over(*FRAMES, OverFunction(call("LAG", V), True, None)))),
    "over in any order": Case(
        lambda: SortedOverOperator(over(*FRAMES[:1]), (OrderKey(V), OrderKey(X))), updating=(True,)
    ),
    "watermark stamped": Case(
        lambda: StampWatermarkOperator(SCHEMA.append(pa.field("mark", pa.timestamp("us", "UTC")))), ALONE
    ),
    "sort by time": Case(lambda: TimeSortOperator(TimeSortOptions(SCHEMA, (OrderKey(TS), OrderKey(V)))), ALONE),
    "sort": Case(lambda: SortOperator(SortOptions(SCHEMA, (OrderKey(V), OrderKey(X)), 5, 1)), ALONE),
    "sort, updated": Case(lambda: SortOperator(SortOptions(SCHEMA, (OrderKey(V),), None, 0, True)), ALONE, (True,)),
    "process": Case(lambda: ProcessOperator(ProcessOptions(Counting(), TYPES, (K,), COUNTED))),
    "async calls": Case(lambda: AsyncOperator(AsyncOptions(AsyncCall(echoed, 60_000, 5), SCHEMA, COUNTED)), ALONE),
    "process batches": Case(lambda: BatchOperator(BatchOptions(Totals(), TYPES, (K,), COUNTED))),
    "connected": Case(connected(TwoInputOperator, Meeting()), TWO),
    "broadcast": Case(connected(BroadcastOperator, Ruled()), ((K,), ()), to_all=frozenset({1})),
    "materialize": Case(lambda: MaterializeOperator(SCHEMA), ALONE, (True,)),
}


def pieces(case, events, cuts):
    """Yield (port, batch) and watermarks: rows that are there may be taken back where the case says so.

    Time passes with the number of the event: a row is a little before or after it, a watermark a little before.
    """
    rows, port, highest = [], None, -1
    there = [[], []]
    for number, event in enumerate(events):
        where = None if isinstance(event, int) else event[0] % len(case.keys)
        if rows and (number in cuts or where != port):
            yield port, batch_of(rows)
            rows = []
        if where is None:
            highest = max(highest, number - event)
            yield None, highest
            continue
        port, row, weight = where, (max(0, number + event[1][0]), *event[1][1:]), 1
        if case.updating[port] and event[2] and there[port]:
            row, weight = there[port].pop(0), -1
        else:
            there[port].append(row)
        rows.append((row, weight))
    if rows:
        yield port, batch_of(rows)


def batch_of(rows):
    moments = np.array([row[0] for row, _ in rows], np.int64) * 1000
    starts = moments // 10_000 * 10_000
    stamps = [pa.array(each).view(pa.timestamp("us")) for each in (moments, starts, starts + 10_000)]
    others = [pa.array([row[i] for row, _ in rows], SCHEMA.field(i + 2).type) for i in range(1, 4)]
    weights = np.array([weight for _, weight in rows], np.int8)
    data = pa.RecordBatch.from_arrays([*stamps, *others], schema=SCHEMA)
    return Batch(data, weights if (weights < 0).any() else None)


class Tasks:
    """An operator in some tasks: rows go to them as the exchange sends them, watermarks to all."""

    def __init__(self, case, parallelism, kit, late, states=None):
        self.case = case
        self.members = []
        for number in range(parallelism):
            operator = case.make()
            operator.open(kit.new_context(late))
            if states is not None:
                operator.restore(states[number])
            self.members.append(operator)

    def push(self, port, batch):
        if port in self.case.to_all:
            for operator in self.members:
                yield from operator.process(batch, port)
            return
        keys = [batch.column(key) for key in self.case.keys[port]]
        tasks = tasks_of(keys, batch.rows, len(self.members))
        for number, operator in enumerate(self.members):
            mine = batch.take(np.flatnonzero(tasks == number))
            if mine.rows:
                yield from operator.process(mine, port)

    def advance(self, watermark):
        return [batch for operator in self.members for batch in operator.advance(watermark)]

    def end(self):
        for operator in self.members:
            for port in reversed(range(len(self.case.keys))):
                yield from operator.port_ended(port)
            yield from operator.advance(MAX_TIME_MS)
            yield from operator.finish()
            operator.close()

    def freeze(self):
        states = [member.freeze() for member in self.members]
        for member in self.members:
            member.close()
        return states


def answer(case, events, cuts, kit, *, before=1, after=1, freeze_at=-1):
    """Return how often each row stands at the end, and the late rows; tasks are frozen and divided anew at a piece."""
    late, out = [], []
    tasks = Tasks(case, before, kit, late)
    for number, (port, what) in enumerate(pieces(case, events, cuts)):
        if number == freeze_at:
            states = split(tasks.freeze(), after)
            tasks = Tasks(case, after, kit, late, states)
        out += tasks.advance(what) if port is None else tasks.push(port, what)
    out += tasks.end()
    return net(out), net(late)


def net(batches):
    found = Counter()
    for batch in batches:
        rows = zip(*(column.to_pylist() for column in batch.data.columns), strict=True)
        for row, weight in zip(rows, batch.counts.tolist(), strict=True):
            found[repr(row)] += weight
    return {row: count for row, count in found.items() if count}


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=settings.default.max_examples // 3)
@given(
    events=EVENTS, cuts=st.sets(st.integers(0, 40)), freeze_at=st.integers(0, 16),
    before=st.integers(1, 3), after=st.integers(1, 3),
)  # fmt: skip
def test_the_same_answer_in_another_number_of_tasks(kit, name, events, cuts, freeze_at, before, after):
    case = CASES[name]
    if not all(keys or port in case.to_all for port, keys in enumerate(case.keys)):
        before = after = 1
    found = answer(case, events, cuts, kit, before=before, after=after, freeze_at=freeze_at)
    assert found == answer(case, events, cuts, kit)


def concrete_operators():
    """Return the names of all operators that can be made."""
    found = set()
    for module in pkgutil.walk_packages(operators.__path__, f"{operators.__name__}."):
        for each in vars(importlib.import_module(module.name)).values():
            if isinstance(each, type) and issubclass(each, Operator) and not inspect.isabstract(each):
                found.add(each.__name__)
    return found


def test_every_operator_has_a_case():
    made = {type(case.make()).__name__ for case in CASES.values()}
    assert concrete_operators() <= made, "add a case for each operator that is missing here"
