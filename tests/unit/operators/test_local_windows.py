"""Windows in local time: an operator in a zone does what it does in UTC with the times that a naive clock shows."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import ClassVar

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.operators.local_clock import CHANGES, MINUTE, MS, at, instant, local, over

from fluxcore.core.batch import Batch
from fluxcore.core.time import MAX_TIME_MS
from fluxcore.core.triggers import Trigger, TriggerKind, TriggerResult, TriggerSpec
from fluxcore.core.types import BIGINT, STRING, TimestampType
from fluxcore.core.zones import zone_of
from fluxcore.expr.aggregates import aggregate_type
from fluxcore.expr.nodes import AggCall
from fluxcore.operators.joins.window_join import JoinRows, JoinSide, WindowJoinOperator, WindowJoinOptions
from fluxcore.operators.ranking.window_rank import RankOptions, WindowRankOperator
from fluxcore.operators.sort_words import OrderKey
from fluxcore.operators.windows.session_aggregate import SessionAggregateOperator, SessionOptions
from fluxcore.operators.windows.session_assign import SessionAssignOperator, SessionAssignOptions
from fluxcore.operators.windows.slicing import Slicing
from fluxcore.operators.windows.triggered_aggregate import TriggeredAggregateOperator, TriggeredOptions
from fluxcore.operators.windows.window_aggregate import WindowAggregateOperator, WindowAggregateOptions
from fluxcore.operators.windows.window_assign import AssignKind, AssignOptions, Shape, assign_windows
from fluxcore.operators.windows.window_partial import WindowPartials
from fluxcore.state.backend import MemoryStateBackend

EPOCH = dt.datetime(1970, 1, 1)
WALL, MOMENT = TimestampType(precision=3), TimestampType(precision=3, local=True)
COUNT = AggCall(function="COUNT", type=aggregate_type("COUNT", ()), args=())
SUM = AggCall(function="SUM", type=aggregate_type("SUM", [BIGINT]), args=(2,))
CALLS = (COUNT, SUM)
SHAPES = {
    "TUMBLE": ("TUMBLE", 60, 60, 0),
    "TUMBLE of 45 minutes with an offset": ("TUMBLE", 45, 45, 10),
    "TUMBLE of a day": ("TUMBLE", 1440, 1440, 0),
    "HOP": ("HOP", 120, 30, 0),
    "HOP with gaps": ("HOP", 20, 50, 5),
    "CUMULATE": ("CUMULATE", 240, 30, 0),
}  # fmt: skip
MINUTES = st.integers(-200, 200)
EVENTS = st.lists(
    st.one_of(
        st.tuples(MINUTES, st.sampled_from(["a", "b"]), st.integers(0, 9)),
        st.tuples(MINUTES, st.sampled_from([0, -1])),  # a watermark: minutes and ms
    ),
    max_size=30,
)
ANY = st.sampled_from(list(CHANGES))
CUTS = st.sets(st.integers(0, 30), max_size=6)


class InZone:
    """An operator in a zone beside the same one in UTC; rows are (time, key, value), or windows that rows carry."""

    def __init__(self, change):
        self.zone, text = CHANGES[change]
        self.middle = at(text)

    def schema(self, type_):
        return pa.schema([("ts", type_.arrow()), ("k", pa.string()), ("v", pa.int64())])

    def events(self, events, *, wall):
        """Return the events in a stream's form, as instants or as what the clock shows."""
        for event in events:
            time = self.middle + event[0] * MINUTE
            if len(event) == 2:
                time += event[1]
                yield None, over(self.zone, time) if wall else time
            else:
                yield 0, (stamp(local(self.zone, time)) if wall else stamp(time, dt.UTC), *event[1:])

    def shown(self, rows, window_time=None):
        """Return rows with instants as what the clock shows; but at ``window_time`` (from the end) the other way round."""
        return [
            tuple(
                as_instant(self.zone, value) if at_end == window_time and value.tzinfo is None
                else as_wall(self.zone, value) if isinstance(value, dt.datetime) and value.tzinfo and at_end != window_time
                else value
                for at_end, value in enumerate(row, -len(row))
            )
            for row in rows
        ]  # fmt: skip


def stamp(ms, zone=None):
    return (EPOCH + ms * MS).replace(tzinfo=zone)


def as_wall(zone, value):
    return stamp(local(zone, (value.replace(tzinfo=None) - EPOCH) // MS))


def as_instant(zone, value):
    return stamp(instant(zone, (value - EPOCH) // MS), dt.UTC)


def output(names, type_, calls=CALLS):
    window = [("window_start", WALL), ("window_end", WALL), ("window_time", type_)]
    columns = [*names, *((f"a{i}", each.type) for i, each in enumerate(calls)), *window]
    return pa.schema([(name, each.arrow()) for name, each in columns])


def beside(kit, change, make, events, cuts, freeze_at=None, *, window_time=-1):
    """Compare ``make(zone or None, type of the times)`` in the zone with what it does in UTC with the clock's times."""
    place, found = InZone(change), []
    for zone, type_ in ((None, WALL), (zone_of(place.zone), MOMENT)):
        stream = kit.Stream([place.schema(type_)], list(place.events(events, wall=zone is None)), cuts)
        rows, late, counts = kit.drive(lambda zone=zone, type_=type_: make(zone, type_), stream, freeze_at=freeze_at)
        rows = sorted(place.shown(rows, window_time), key=repr)
        found.append((rows, sorted(place.shown(late), key=repr), counts))
    assert found[0] == found[1]


def aggregate(name):
    kind, size, slide, offset = SHAPES[name]
    slicing = Slicing(kind, size * MINUTE, slide * MINUTE, offset * MINUTE)

    def options(zone, type_):
        types, columns = (type_, STRING, BIGINT), output([("k", STRING)], type_)
        return WindowAggregateOptions(types, 0, (1,), CALLS, slicing, columns, zone=zone)

    return options


@pytest.mark.parametrize("name", SHAPES)
@given(change=ANY, events=EVENTS, cuts=CUTS, freeze_at=st.integers(0, 6))
def test_aggregates(kit, name, change, events, cuts, freeze_at):
    options = aggregate(name)
    beside(kit, change, lambda *made: WindowAggregateOperator(options(*made)), events, cuts, freeze_at)


class Halved(WindowAggregateOperator):
    """A window aggregate that takes its rows aggregated by slice before."""

    def __init__(self, options):
        super().__init__(options)
        self._halves = WindowPartials(options, MemoryStateBackend)

    def process(self, batch, port=0):
        partial = self._halves(batch) if batch.rows and not self._inside else None
        if partial is None:
            return super().process(batch, port)
        self._inside = True
        found = self.process_partial(partial)
        self._inside = False
        return found

    _inside = False


@pytest.mark.parametrize("name", SHAPES)
@given(change=ANY, events=EVENTS, cuts=CUTS, freeze_at=st.integers(0, 6))
def test_aggregates_in_two_halves(kit, name, change, events, cuts, freeze_at):
    options = aggregate(name)
    beside(kit, change, lambda *made: Halved(options(*made)), events, cuts, freeze_at)


@given(change=ANY, events=EVENTS, cuts=CUTS, freeze_at=st.integers(0, 6))
def test_sessions(kit, change, events, cuts, freeze_at):
    def make(zone, type_):
        columns = output([("k", STRING)], type_)
        options = SessionOptions((type_, STRING, BIGINT), 0, (1,), CALLS, 25 * MINUTE, columns, zone=zone)
        return SessionAggregateOperator(options)

    beside(kit, change, make, events, cuts, freeze_at)


@given(change=ANY, events=EVENTS, cuts=CUTS, freeze_at=st.integers(0, 6))
def test_rows_of_sessions(kit, change, events, cuts, freeze_at):
    def make(zone, type_):
        schema = pa.schema([("ts", type_.arrow()), ("k", pa.string()), ("v", pa.int64())])
        columns = output([("ts", type_), ("k", STRING), ("v", BIGINT)], type_, ())
        types = type_, STRING, BIGINT
        return SessionAssignOperator(SessionAssignOptions(schema, types, 0, (1,), 25 * MINUTE, columns, zone))

    beside(kit, change, make, events, cuts, freeze_at)


TRIGGERS = {
    "lateness": (TriggerSpec(TriggerKind.EVENT_TIME), 40 * MINUTE),
    "early and lateness": (TriggerSpec(TriggerKind.EVENT_TIME, early=0), 40 * MINUTE),
    "count": (TriggerSpec(TriggerKind.COUNT, count=2), 0),
    "continuous": (TriggerSpec(TriggerKind.CONTINUOUS, interval=20 * MINUTE), 10 * MINUTE),
}


@pytest.mark.parametrize("trigger", TRIGGERS)
@pytest.mark.parametrize("name", [*SHAPES, "SESSION"])
@settings(max_examples=20)
@given(change=ANY, events=EVENTS, cuts=CUTS, freeze_at=st.integers(0, 6))
def test_triggers(kit, name, trigger, change, events, cuts, freeze_at):
    spec, lateness = TRIGGERS[trigger]

    def make(zone, type_):
        schema = pa.schema([("ts", type_.arrow()), ("k", pa.string()), ("v", pa.int64())])
        shape, gap = None, 25 * MINUTE
        if name != "SESSION":
            kind, size, slide, offset = SHAPES[name]
            shape, gap = Shape(AssignKind(kind), size * MINUTE, slide * MINUTE, offset * MINUTE), 0
        parts = (type_, STRING, BIGINT), schema, 0, (1,), CALLS, spec, output([("k", STRING)], type_)
        return TriggeredAggregateOperator(TriggeredOptions(*parts, shape, gap, lateness=lateness, zone=zone))

    beside(kit, change, make, events, cuts, freeze_at, window_time=-2)


class Told(Trigger):
    """Fires at half past the window's start, and tells what it sees."""

    seen: ClassVar[list] = []

    def on_row(self, row, window):
        self.set_timer(window.start + dt.timedelta(minutes=30))
        self.set_timer(row["ts"] + dt.timedelta(minutes=40))  # an instant: 01:50 and again 01:45
        self.delete_timer(row["ts"] + dt.timedelta(minutes=40))
        self.set_timer(row["ts"] + dt.timedelta(minutes=40))

    def on_event_time(self, time, window):
        self.seen.append((time, window.start, window.end, self.watermark))
        return TriggerResult.FIRE


def test_a_trigger_of_a_user_is_told_local_times(kit):
    place = InZone("New York, back")
    Told.seen.clear()
    schema = place.schema(MOMENT)
    shape = Shape(AssignKind.TUMBLE, 60 * MINUTE, 60 * MINUTE)
    parts = (MOMENT, STRING, BIGINT), schema, 0, (1,), CALLS, TriggerSpec(TriggerKind.CUSTOM, custom=Told())
    columns = output([("k", STRING)], MOMENT)
    options = TriggeredOptions(*parts, columns, shape, zone=zone_of(place.zone))
    minutes = [(-50, "a", 1), (-25, 0), (5, "a", 2), (29, 0), (30, 0)]  # 01:10, 01:35, again 01:05, 01:29, 01:30
    stream = kit.Stream([schema], list(place.events(minutes, wall=False)), set())
    rows, late, _ = kit.drive(lambda: TriggeredAggregateOperator(options), stream)
    hour = [dt.datetime(2024, 11, 3, hour) for hour in (1, 2)]
    half = hour[0] + dt.timedelta(minutes=30)
    quarters = [hour[0] + dt.timedelta(minutes=minutes) for minutes in (45, 50)]
    assert Told.seen == [(half, *hour, half), *((quarter, *hour, None) for quarter in quarters)]
    assert rows == [("a", 2, 3, *hour, dt.datetime(2024, 11, 3, 5, 59, 59, 999000, dt.UTC), 1)]
    assert late == []


@pytest.mark.parametrize("name", SHAPES)
@given(change=ANY, minutes=st.lists(MINUTES, max_size=20))
def test_rows_are_given_the_windows_of_their_local_time(name, change, minutes):
    place, (kind, size, slide, offset) = InZone(change), SHAPES[name]
    parts = AssignKind(kind), 0, size * MINUTE, slide * MINUTE
    times = [place.middle + each * MINUTE for each in minutes]
    found = []
    for type_, values, zone in (
        (MOMENT, [stamp(time, dt.UTC) for time in times], zone_of(place.zone)),
        (WALL, [stamp(local(place.zone, time)) for time in times], None),
    ):
        columns = pa.schema([("ts", type_.arrow()), *list(output([], type_, ()))])
        data = pa.RecordBatch.from_arrays([pa.array(values, type_.arrow())], ["ts"])
        done = assign_windows(AssignOptions(*parts, columns, offset * MINUTE, zone))(Batch(data))
        found.append([tuple(row.values()) for row in done.data.to_pylist()])
    assert place.shown(found[0], -1) == place.shown(found[1], -1)


def carried(place, events, size):
    """Return (port, row) and watermarks, of rows that carry the start and the end of their windows."""
    for port, (minutes, *rest) in events:
        time = place.middle + minutes * MINUTE
        if len(rest) == 1:
            yield None, time + rest[0], over(place.zone, time + rest[0])
        else:
            start = local(place.zone, time) // size * size
            yield port, (stamp(start), stamp(start + size), *rest), None


@pytest.mark.parametrize("what", ["rank", "join", "aggregate"])
@given(change=ANY, events=st.lists(st.tuples(st.integers(0, 1), EVENTS.map(lambda each: each[:1])), max_size=30), cuts=CUTS,
       freeze_at=st.integers(0, 6))  # fmt: skip
def test_rows_that_carry_their_window(kit, what, change, events, cuts, freeze_at):
    place = InZone(change)
    schema = pa.schema([("s", WALL.arrow()), ("e", WALL.arrow()), ("k", pa.string()), ("v", pa.int64())])
    ports = [(port if what == "join" else 0, event[0]) for port, event in events if event]
    lines = list(carried(place, ports, 60 * MINUTE))
    side = JoinSide(schema, 1, 0, (2,))
    both = pa.schema([*schema, *(field.with_name(f"r{field.name}") for field in schema)])
    types, window = (WALL, WALL, STRING, BIGINT), Slicing("TUMBLE", 60 * MINUTE, 60 * MINUTE, attached=True)
    calls = (COUNT, replace(SUM, args=(3,)))

    def make(zone):
        if what == "rank":
            options = RankOptions(schema, schema, (2,), (OrderKey(3, False, True),), 2, window_end=1, zone=zone)
            return WindowRankOperator(options)
        if what == "join":
            return WindowJoinOperator(WindowJoinOptions(JoinRows.FULL, side, side, both, zone=zone))
        columns = output([("k", STRING)], WALL if zone is None else MOMENT, calls)
        return WindowAggregateOperator(WindowAggregateOptions(types, 1, (2,), calls, window, columns, zone=zone))

    found = []
    for zone in (None, zone_of(place.zone)):
        told = [
            (port, value if port is not None else (progress if zone is None else value))
            for port, value, progress in lines
        ]
        found.append(
            kit.drive(lambda zone=zone: make(zone), kit.Stream([schema, schema], told, cuts), freeze_at=freeze_at)
        )
    window_time = -1 if what == "aggregate" else None
    assert place.shown(found[0][0], window_time) == place.shown(found[1][0], window_time)
    assert found[0][1:] == found[1][1:]


def test_the_end_of_the_input_is_no_local_time(kit):
    options = aggregate("TUMBLE")(zone_of("Asia/Tokyo"), MOMENT)
    operator = WindowAggregateOperator(options)
    operator.open(kit.new_context([]))
    row = pa.RecordBatch.from_pylist(
        [{"ts": stamp(0, dt.UTC), "k": "a", "v": 1}], InZone("New York, back").schema(MOMENT)
    )
    operator.process(Batch(row))
    (batch,) = operator.advance(MAX_TIME_MS)
    wanted = ("a", 1, 1, dt.datetime(1970, 1, 1, 9), dt.datetime(1970, 1, 1, 10), stamp(60 * MINUTE - 1, dt.UTC))
    assert kit.rows_of([batch]) == [wanted]
