"""Windows with triggers, lateness and evictors beside a model: Flink's WindowOperator, one row after the other.

A window that fires again takes back what it gave before, unless it was purged meanwhile; otherwise the model is Flink's
algorithm: ``processElement``, ``onEventTime`` and ``onProcessingTime``, with the triggers and evictors of its library. One
thing differs: where the watermark or the clock passes several beats of a continuous trigger at once, it fires once.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxcore.core.batch import Batch, Steps
from fluxcore.core.evictors import Evictor, EvictorKind, EvictorSpec
from fluxcore.core.keyed_state import list_state, value
from fluxcore.core.ports import OperatorContext
from fluxcore.core.time import MAX_TIME_MS
from fluxcore.core.triggers import Trigger, TriggerKind, TriggerResult, TriggerSpec
from fluxcore.core.types import BIGINT, STRING, TimestampType
from fluxcore.expr.aggregates import aggregate_type
from fluxcore.expr.nodes import AggCall
from fluxcore.operators.windows.triggered_aggregate import TriggeredAggregateOperator, TriggeredOptions
from fluxcore.operators.windows.window_assign import AssignKind, Shape
from fluxcore.state.backend import MemoryStateBackend
from fluxcore.state.rescale import split

END = 2**63 - 1


@dataclass(eq=False)
class Window:
    key: object
    start: int
    last: int
    rows: list = field(default_factory=list)
    given: list = field(default_factory=list)
    memory: dict = field(default_factory=dict)
    timers: set = field(default_factory=set)
    clock_timers: set = field(default_factory=set)


class Model:
    """``options``: kind, size, slide, offset, gap, lateness, trigger (see ``TriggerSpec``), evictor, appends."""

    def __init__(self, options, answer):
        self.options = options
        self.answer = answer  # (window, rows) -> the row that is given
        self.windows = []
        self.watermark = None
        self.now = None
        self.table = Counter()
        self.log = []
        self.late = []

    # rows

    def row(self, time, key, value):
        row = (time, key, value)
        taken, any_window = False, False
        for start, last in self.assigned(time):
            any_window = True
            window = self.window(key, start, last)
            if window is None:
                continue
            taken = True
            window.rows.append(row)
            self.act(window, self.on_row(window, row))
        if any_window and not taken:
            self.late.append(row)

    def assigned(self, time):
        options = self.options
        if options.kind == "GLOBAL":
            return [(0, END)]
        if options.kind == "SESSION":
            return [(time, time + options.gap - 1)]
        size, slide, offset = options.size, options.slide, options.offset
        if options.kind == "CUMULATE":
            start = (time - offset) // size * size + offset
            return [(start, end - 1) for end in range(start + slide, start + size + 1, slide) if time < end]
        return [(s, s + size - 1) for s in range(-300 + offset, 300, slide) if s <= time < s + size]

    def window(self, key, start, last):
        if self.options.kind != "SESSION":
            if self.is_late(last):
                return None
            for each in self.windows:
                if (each.key, each.start, each.last) == (key, start, last):
                    return each
            self.windows.append(Window(key, start, last))
            return self.windows[-1]
        met = [w for w in self.windows if w.key == key and w.start <= last + 1 and w.last + 1 >= start]
        if not met and self.is_late(last):
            return None
        merged = Window(key, min([start, *(w.start for w in met)]), max([last, *(w.last for w in met)]))
        for each in met:
            self.windows.remove(each)
            merged.rows += each.rows
            merged.given += each.given
            self.merge(merged, each)
        merged.rows.sort(key=self.arrivals)
        if self.options.trigger.kind.name == "EVENT_TIME" and not self.is_over(merged):
            merged.timers = {merged.last}
        self.windows.append(merged)
        return merged

    def arrivals(self, row):
        return row[2][1]

    def merge(self, into, other):
        memory = into.memory
        memory["count"] = memory.get("count", 0) + other.memory.get("count", 0)
        for name, timers, mine in (
            ("next", other.timers, into.timers),
            ("clock", other.clock_timers, into.clock_timers),
        ):
            found = [each for each in (memory.get(name), other.memory.get(name)) if each is not None]
            memory[name] = min(found) if found else None
            if self.options.trigger.kind.name == "EVENT_TIME" and name == "next":
                continue
            mine |= timers
            if found:
                mine.clear()
                mine.add(min(found))

    def is_late(self, last):
        return (
            self.options.kind != "GLOBAL"
            and self.watermark is not None
            and (last + self.options.lateness <= self.watermark)
        )

    def is_over(self, window):
        return self.watermark is not None and window.last <= self.watermark

    # triggers: 0 to continue, 1 to fire, 2 to purge, 3 both

    def on_row(self, window, row):
        spec, memory = self.options.trigger, window.memory
        time, value = row[0], row[2][0]
        fires = 3 if spec.purges else 1
        match spec.kind.name:
            case "EVENT_TIME":
                return fires * self.by_event_time(window)
            case "PROCESSING_TIME":
                window.clock_timers.add(window.last)
            case "COUNT":
                memory["count"] = memory.get("count", 0) + 1
                if memory["count"] >= spec.count:
                    memory["count"] = 0
                    return fires
            case "DELTA" if value is not None:
                if "delta" not in memory:
                    memory["delta"] = value
                elif abs(value - memory["delta"]) > spec.threshold:
                    memory["delta"] = value
                    return fires
            case "CONTINUOUS":
                if self.is_over(window):
                    return fires
                if memory.get("next") is None:
                    memory["next"] = min(time // spec.interval * spec.interval + spec.interval, window.last)
                    window.timers.add(memory["next"])
            case "CONTINUOUS_CLOCK":
                if memory.get("clock") is None:
                    memory["clock"] = self.now // spec.interval * spec.interval + spec.interval
                    window.clock_timers.add(memory["clock"])
        return 0

    def by_event_time(self, window):
        spec, memory = self.options.trigger, window.memory
        if self.is_over(window):
            if not spec.late:
                return 1
            delay = spec.late
        else:
            window.timers.add(window.last)
            if spec.early == 0:
                return 1
            delay = spec.early
        if delay is not None and memory.get("clock") is None:
            memory["clock"] = self.now + delay
            window.clock_timers.add(memory["clock"])
        return 0

    def advance(self, watermark):
        if self.watermark is not None and watermark <= self.watermark:
            return
        self.watermark = watermark
        spec = self.options.trigger
        for window in sorted(self.windows, key=lambda w: w.last):
            if any(time <= watermark for time in window.timers):
                window.timers = {time for time in window.timers if time > watermark}
                if spec.kind.name == "CONTINUOUS":
                    self.next_beat(window)
                else:
                    window.memory["clock"] = None
                    window.clock_timers.clear()
                self.act(window, 3 if spec.purges else 1)
        for window in [w for w in self.windows if self.is_late(w.last)]:
            if spec.late:
                self.act(window, 1)
            self.windows.remove(window)

    def next_beat(self, window):
        memory, interval = window.memory, self.options.trigger.interval
        if self.is_over(window):
            memory["next"] = None
            return
        while memory["next"] <= self.watermark:
            memory["next"] += interval
        memory["next"] = min(memory["next"], window.last)
        window.timers.add(memory["next"])

    def clock(self, now):
        self.now = now if self.now is None else max(now, self.now)
        spec = self.options.trigger
        for window in list(self.windows):
            due = {time for time in window.clock_timers if time <= self.now}
            if not due:
                continue
            window.clock_timers -= due
            memory = window.memory
            interval = spec.interval
            if spec.kind.name == "EVENT_TIME":
                interval = 0 if self.is_over(window) else spec.early
            if interval and now != END:
                while memory["clock"] <= self.now:
                    memory["clock"] += interval
                window.clock_timers.add(memory["clock"])
            else:
                memory["clock"] = None
            self.act(window, 3 if spec.purges else 1)

    # results

    def act(self, window, kind):
        if kind & 1 and window.rows:
            row = self.answer(window, self.evicted(window))
            if self.options.appends:
                self.log.append(row)
            else:
                self.log.append(row)
                for each in window.given:
                    self.table[each] -= 1
                self.table[row] += 1
                window.given = [row]
        if kind & 2:
            window.rows = []
            window.given = []

    def evicted(self, window):
        evictor = self.options.evictor
        if evictor is None:
            return window.rows
        if not evictor.after:
            window.rows = self.kept(window.rows)
            return window.rows
        rows = window.rows
        window.rows = self.kept(rows)
        return rows

    def kept(self, rows):
        evictor = self.options.evictor
        match evictor.kind.name:
            case "LAST":
                return rows[-evictor.count :]
            case "WITHIN":
                latest = max(row[0] for row in rows)
                return [row for row in rows if row[0] > latest - evictor.interval]
        last = rows[-1][2][0]
        return [
            row for row in rows
            if last is None or row[2][0] is None or abs(row[2][0] - last) < evictor.threshold
        ]  # fmt: skip


TIME = TimestampType(precision=3)
TYPES = (TIME, STRING, BIGINT, BIGINT)
SCHEMA = pa.schema([("ts", TIME.arrow()), ("k", pa.string()), ("v", pa.int64()), ("n", pa.int64())])


@dataclass
class Case:
    trigger: TriggerSpec
    kind: str = "TUMBLE"
    size: int = 10
    slide: int = 10
    offset: int = 0
    gap: int = 0
    lateness: int = 0
    evictor: EvictorSpec | None = None
    appends: bool = False

    @property
    def updates(self):
        return not (self.appends or self.trigger.purges or self.trigger.fires_once(self.lateness))


SHAPES = {
    "tumble": {},
    "hop": {"kind": "HOP", "size": 10, "slide": 4, "offset": 1},
    "gaps": {"kind": "HOP", "size": 4, "slide": 10},
    "cumulate": {"kind": "CUMULATE", "size": 12, "slide": 4},
    "session": {"kind": "SESSION", "gap": 5},
    "global": {"kind": "GLOBAL"},
}
EVENT = TriggerSpec(TriggerKind.EVENT_TIME)
TRIGGERS = {
    "event time": EVENT,
    "early": TriggerSpec(TriggerKind.EVENT_TIME, early=7),
    "early, each row": TriggerSpec(TriggerKind.EVENT_TIME, early=0),
    "early and late": TriggerSpec(TriggerKind.EVENT_TIME, early=7, late=5),
    "clock": TriggerSpec(TriggerKind.PROCESSING_TIME),
    "count": TriggerSpec(TriggerKind.COUNT, count=2),
    "each": TriggerSpec(TriggerKind.COUNT, count=1),
    "delta": TriggerSpec(TriggerKind.DELTA, threshold=2.0, column="v", place=2),
    "continuous": TriggerSpec(TriggerKind.CONTINUOUS, interval=3),
    "continuous clock": TriggerSpec(TriggerKind.CONTINUOUS_CLOCK, interval=5),
}
EVICTORS = {
    "last": EvictorSpec(EvictorKind.LAST, count=2),
    "last after": EvictorSpec(EvictorKind.LAST, count=1, after=True),
    "within": EvictorSpec(EvictorKind.WITHIN, interval=4),
    "delta": EvictorSpec(EvictorKind.DELTA, threshold=3.0, column="v", place=2),
}
ROW = st.tuples(st.integers(0, 45), st.sampled_from([None, "a", "b"]), st.sampled_from([None, -2, 1, 5, 8]))
EVENTS = st.lists(st.one_of(ROW, st.integers(0, 60)), max_size=40)


def call(function, *args, distinct=False):
    type_ = aggregate_type(function, [TYPES[a] for a in args], distinct=distinct)
    return AggCall(function=function, type=type_, args=args, distinct=distinct)


PLAIN = (call("COUNT"), call("SUM", 2), call("MIN", 2), call("MAX", 2))
KEPT = (*PLAIN, call("COUNT", 2, distinct=True), call("LAST_VALUE", 2), call("LISTAGG", 1))


def answer(calls):
    def of(window, rows):
        values = [value for _, _, (value, _) in rows if value is not None]
        found = [len(rows), sum(values) if values else None, min(values, default=None), max(values, default=None)]
        if len(calls) > len(PLAIN):
            texts = [key for _, key, _ in rows if key is not None]
            found += [len(set(values)), values[-1] if values else None, ",".join(texts) if texts else None]
        times = () if window.last == END else (window.start, window.last + 1)
        return (window.key, *found, *times)

    return of


def options(case, calls):
    names = [("k", pa.string())] + [(f"a{i}", each.type.arrow()) for i, each in enumerate(calls)]
    if case.kind != "GLOBAL":
        names += [(name, pa.timestamp("us")) for name in ("window_start", "window_end", "window_time")]
    fixed = case.kind not in ("GLOBAL", "SESSION")
    return TriggeredOptions(
        types=TYPES,
        schema=SCHEMA,
        time=0,
        keys=(1,),
        calls=calls,
        trigger=case.trigger,
        output=pa.schema(names),
        shape=Shape(AssignKind(case.kind), case.size, case.slide, case.offset) if fixed else None,
        gap=case.gap,
        evictor=case.evictor,
        lateness=case.lateness,
        updates=case.updates,
    )


def pieces(events, cuts):
    """Yield lists of events: the same stream in batches cut at random."""
    piece = []
    for number, event in enumerate(events):
        if number in cuts and piece:
            yield piece
            piece = []
        piece.append(event)
    yield piece


def batch_of(piece, first):
    """Return the batch of a piece's rows, numbered from ``first``, and the watermark behind them, None when it stands."""
    rows, steps, highest = [], [], None
    for event in piece:
        if not isinstance(event, int):
            rows.append(event)
        elif highest is None or event > highest:
            highest = event
            steps.append((len(rows), event))
    columns = list(zip(*rows, strict=True)) if rows else [(), (), ()]
    times = pa.array(np.array(columns[0], np.int64) * 1000).view(pa.timestamp("us"))
    numbers = pa.array(np.arange(first, first + len(rows)))
    arrays = [times, pa.array(columns[1], pa.string()), pa.array(columns[2], pa.int64()), numbers]
    data = pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
    if not steps:
        return Batch(data), None
    at = Steps(np.array([r for r, _ in steps]), np.array([v for _, v in steps]))
    return Batch(data, None, at.moved(at.rows)), highest


class Clock:
    now = 0

    def now_ms(self):
        return self.now

    def monotonic_s(self):
        return self.now / 1000


def milliseconds(value):
    return round((value - np.datetime64(0, "ms").astype(object)).total_seconds() * 1000)


class Driven:
    """An operator with what came out of it."""

    def __init__(self, made):
        self.made = made
        self.clock = Clock()
        self.late = []
        self.side = []
        self.rows = []
        self.table = Counter()
        self.operator = self.opened()

    def opened(self):
        operator = TriggeredAggregateOperator(self.made)
        context = OperatorContext("test", MemoryStateBackend(), self.clock, self.late.append)
        context.side = lambda tag, batch: self.side.append((tag, batch))
        operator.open(context)
        return operator

    def replace(self):
        (frozen,) = split([self.operator.freeze()], 1)
        self.operator = self.opened()
        self.operator.restore(frozen)

    def take(self, batches):
        for batch in batches:
            counts = batch.counts.tolist()
            for row, count in zip(zip(*(c.to_pylist() for c in batch.data.columns), strict=True), counts, strict=True):
                if self.made.is_global:
                    found = row
                else:
                    start, end, time = map(milliseconds, row[-3:])
                    assert time == end - 1
                    found = (*row[:-3], start, end)
                assert count > 0 or self.table[found] > 0, "only what was given is taken back"
                self.table[found] += count
                if count > 0:
                    self.rows.append(found)


def compare(case, events, cuts, *, calls=PLAIN, clocks=(), freeze_at=None, model=Model):
    driven, model = Driven(options(case, calls)), model(case, answer(calls))
    taken = 0
    for number, piece in enumerate(pieces(events, cuts)):
        now = driven.clock.now = driven.clock.now + (clocks[number % len(clocks)] if clocks else 0)
        if number == freeze_at:
            driven.replace()
        wanted = driven.operator.next_tick
        if wanted is not None and wanted <= now:
            driven.take(driven.operator.tick(now))
            model.clock(now)
        batch, watermark = batch_of(piece, taken)
        if batch.rows:
            driven.take(driven.operator.process(batch))
            model.clock(now)
        if watermark is not None:
            driven.take(driven.operator.advance(watermark))
        for event in piece:
            if isinstance(event, int):
                model.advance(event)
            else:
                model.row(event[0], event[1], (event[2], taken))
                taken += 1
        agree(case, driven, model)
    driven.take(driven.operator.advance(MAX_TIME_MS))
    model.advance(END)
    if driven.operator.next_tick is not None:
        driven.take(driven.operator.tick(MAX_TIME_MS))
        model.clock(END)
    agree(case, driven, model)
    if case.kind != "GLOBAL":
        assert driven.operator.state_rows == 0, "all windows are forgotten"


def agree(case, driven, model):
    if case.updates:
        assert +driven.table == +model.table
    else:
        assert Counter(driven.rows) == Counter(model.log)
    late = [row for batch in driven.late for row in batch.data.column(3).to_pylist()]
    assert sorted(late) == sorted(row[2][1] for row in model.late)
    assert [tag for tag, _ in driven.side] == ["late"] * len(driven.late)


CLOCKS = st.lists(st.integers(0, 9), min_size=1, max_size=8)
CUTS = st.sets(st.integers(0, 40))


def case_of(draw_shape, trigger, *, purges, lateness, evictor=None):
    is_global = draw_shape == "global"
    spec = replace(trigger, purges=purges)
    return Case(spec, **SHAPES[draw_shape], lateness=0 if is_global else lateness, evictor=evictor)


@pytest.mark.parametrize("trigger", TRIGGERS)
@pytest.mark.parametrize("shape", SHAPES)
@given(
    events=EVENTS, cuts=CUTS, lateness=st.sampled_from([0, 6, 15]), clocks=CLOCKS, freeze_at=st.integers(0, 6),
    purges=st.booleans(),
)  # fmt: skip
@settings(max_examples=15)
def test_triggers(shape, trigger, purges, events, cuts, lateness, clocks, freeze_at):
    kind = TRIGGERS[trigger].kind
    if (shape, kind) in (("session", TriggerKind.DELTA), ("global", TriggerKind.PROCESSING_TIME)):
        return
    case = case_of(shape, TRIGGERS[trigger], purges=purges, lateness=lateness)
    compare(case, events, cuts, clocks=clocks, freeze_at=freeze_at)


@pytest.mark.parametrize("trigger", ["event time", "count", "continuous"])
@given(
    events=EVENTS, cuts=CUTS, freeze_at=st.integers(0, 6), shape=st.sampled_from(["hop", "session", "global"]),
    purges=st.booleans(),
)  # fmt: skip
def test_aggregates_that_keep_values(trigger, shape, purges, events, cuts, freeze_at):
    case = case_of(shape, TRIGGERS[trigger], purges=purges, lateness=6)
    compare(case, events, cuts, calls=KEPT, freeze_at=freeze_at)


@pytest.mark.parametrize("evictor", EVICTORS)
@pytest.mark.parametrize("trigger", ["event time", "count", "each", "continuous", "early and late"])
@given(
    events=EVENTS, cuts=CUTS, clocks=CLOCKS, freeze_at=st.integers(0, 6), purges=st.booleans(),
    shape=st.sampled_from(["tumble", "hop", "session", "global"]),
)  # fmt: skip
@settings(max_examples=20)
def test_evictors(trigger, evictor, shape, purges, events, cuts, clocks, freeze_at):
    case = case_of(shape, TRIGGERS[trigger], purges=purges, lateness=6, evictor=EVICTORS[evictor])
    compare(case, events, cuts, calls=KEPT, clocks=clocks, freeze_at=freeze_at)


@given(events=EVENTS, cuts=CUTS, freeze_at=st.integers(0, 6), rows=st.integers(1, 4))
def test_the_last_rows_with_every_so_many(events, cuts, freeze_at, rows):
    spec = TriggerSpec(TriggerKind.COUNT, count=2)
    evictor = EvictorSpec(EvictorKind.LAST, count=rows)
    compare(Case(spec, kind="GLOBAL", evictor=evictor, appends=True), events, cuts, calls=KEPT, freeze_at=freeze_at)


class Third(Trigger):
    """Fires with every third row, purges with every fifth, and says what there is some time after a row."""

    seen = value(pa.int64(), default=0)
    times = list_state(pa.int64())

    def on_row(self, row, window):
        assert set(row) == {"ts", "k", "v", "n"} and window.key == (row["k"],)
        self.seen += 1
        self.times.append(milliseconds(row["ts"]))
        if row["v"] is not None:
            self.set_timer(row["ts"] + dt.timedelta(milliseconds=3))
            if row["v"] < 0:
                self.delete_timer(row["ts"] + dt.timedelta(milliseconds=3))
            self.set_clock_timer(self.now + dt.timedelta(milliseconds=row["v"] + 2))
        if self.seen % 5 == 0:
            return TriggerResult.PURGE
        return TriggerResult.FIRE if self.seen % 3 == 0 else None

    def on_event_time(self, time, window):
        assert window.end is None or time < window.end + dt.timedelta(milliseconds=100)
        self.set_timer(time + dt.timedelta(milliseconds=self.seen))
        return TriggerResult.FIRE if len(self.times) % 2 else TriggerResult.FIRE_AND_PURGE

    def on_processing_time(self, time, window):
        return TriggerResult.FIRE


class ThirdModel(Model):
    """The same, told in the model's words."""

    def on_row(self, window, row):
        memory, (time, _, (number, _)) = window.memory, row
        memory["seen"] = memory.get("seen", 0) + 1
        if number is not None:
            window.timers.add(time + 3)
            if number < 0:
                window.timers.discard(time + 3)
            window.clock_timers.add(self.now + number + 2)
        if memory["seen"] % 5 == 0:
            return 2
        kind = 1 if memory["seen"] % 3 == 0 else 0
        return 3 if kind and self.options.trigger.purges else kind

    def advance(self, watermark):
        if self.watermark is not None and watermark <= self.watermark:
            return
        self.watermark = watermark
        while True:
            due = [(time, w) for w in self.windows for time in w.timers if time <= watermark]
            due = [
                (time, w) for time, w in due if self.options.kind == "GLOBAL" or time <= w.last + self.options.lateness
            ]
            if not due or (watermark == END and self.options.kind == "GLOBAL"):
                break
            time, window = min(due, key=lambda each: each[0])
            window.timers.remove(time)
            window.timers.add(time + window.memory["seen"])
            self.act(window, 1 if window.memory["seen"] % 2 and not self.options.trigger.purges else 3)
        for window in [w for w in self.windows if self.is_late(w.last)]:
            self.windows.remove(window)

    def clock(self, now):
        self.now = now if self.now is None else max(now, self.now)
        for window in self.windows:
            for time in sorted(each for each in window.clock_timers if each <= self.now):
                window.clock_timers.remove(time)
                self.act(window, 3 if self.options.trigger.purges else 1)


@pytest.mark.parametrize("evictor", [None, "last"])
@given(
    events=EVENTS, cuts=CUTS, clocks=CLOCKS, freeze_at=st.integers(0, 6), purges=st.booleans(),
    shape=st.sampled_from(["tumble", "hop", "cumulate"]),
)  # fmt: skip
def test_a_trigger_of_a_user(evictor, shape, events, cuts, clocks, freeze_at, purges):
    spec = TriggerSpec(TriggerKind.CUSTOM, custom=Third())
    case = case_of(shape, spec, purges=purges, lateness=6, evictor=EVICTORS.get(evictor))
    compare(case, events, cuts, calls=KEPT, clocks=clocks, freeze_at=freeze_at, model=ThirdModel)


class Odd(Evictor):
    """Keeps rows of odd numbers before, and all but the first of them afterwards."""

    def before(self, rows, window):
        return [each % 2 == 1 for each in rows.column("n").to_pylist()]

    def after(self, rows, window):
        return np.arange(rows.num_rows) > 0 if window.key[0] == "a" else None


class OddModel(Model):
    def evicted(self, window):
        rows = [row for row in window.rows if row[2][1] % 2 == 1]
        window.rows = rows[1:] if window.key == "a" else rows
        return rows


@given(events=EVENTS, cuts=CUTS, freeze_at=st.integers(0, 6), shape=st.sampled_from(["tumble", "session", "global"]))
def test_an_evictor_of_a_user(shape, events, cuts, freeze_at):
    evictor = EvictorSpec(EvictorKind.CUSTOM, custom=Odd())
    case = case_of(shape, TRIGGERS["count"], purges=False, lateness=6, evictor=evictor)
    compare(case, events, cuts, calls=KEPT, freeze_at=freeze_at, model=OddModel)
