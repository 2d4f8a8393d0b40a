"""Queries over windows in local time beside a naive model, in batches cut at random, with one thread and with three."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections import Counter, defaultdict
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.operators.local_clock import CHANGES, EPOCH, MINUTE, MS, at, instant, local, over

import fluxcore as fx
from fluxcore.connectors.collect import QueueSink
from fluxcore.core.time import ScriptedClock
from fluxcore.runtime.execute import EmbeddedTarget

SCHEMA = pa.schema([("ts", pa.timestamp("ms", "UTC")), ("k", pa.string()), ("v", pa.int64())])
ROWS = st.lists(
    st.tuples(st.integers(-130, 130), st.sampled_from([0, 0, 0, 15, 70]), st.sampled_from(["a", "b"]), st.integers(0, 9)),
    min_size=1, max_size=40,
).map(sorted)  # fmt: skip
"""Minutes around the change and how much earlier the row's time is, its key and its value."""
CUTS = st.sets(st.integers(1, 39), max_size=5)
ANY = st.sampled_from(list(CHANGES))
WINDOWS = {
    "TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' HOUR)": (60, 60, None),
    "TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' DAY)": (1440, 1440, None),
    "TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '20' MINUTE)": (20, 20, None),
    "HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '30' MINUTE, INTERVAL '2' HOUR)": (120, 30, None),
    "CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '30' MINUTE, INTERVAL '3' HOUR)": (180, 180, 30),
}
GAP = 18 * MINUTE
fx.Session().sql("SELECT 1").to_arrow()  # the first query raises the recursion limit, which Hypothesis watches


def stamp(ms, zone=None):
    return (EPOCH + ms * MS).replace(tzinfo=zone)


def session_of(change, rows, cuts, parallelism, delay):
    """Return a session over the rows, and the rows as (instant, key, value) with the watermark before each."""
    zone, middle = CHANGES[change]
    made = fx.Session({"parallelism.default": str(parallelism), "table.local-time-zone": zone})
    found, highest = [], None
    for minutes, early, key, value in rows:
        moment = at(middle) + (minutes - early) * MINUTE
        found.append((moment, key, value, None if highest is None else highest - delay * MINUTE))
        highest = moment if highest is None else max(moment, highest)
    table = pa.Table.from_pylist([{"ts": stamp(ms, dt.UTC), "k": k, "v": v} for ms, k, v, _ in found], SCHEMA)
    bounds = [0, *sorted(cut for cut in cuts if cut < len(found)), len(found)]
    batches = [table.slice(a, b - a).combine_chunks().to_batches()[0] for a, b in pairwise(bounds)]
    made.from_arrow(batches, name="t", watermark=("ts", f"{delay} min"))
    return made, zone, found


def windows_of(shape, moment):
    """Return the start and the end of each window that a local time falls in."""
    size, slide, step = (each and each * MINUTE for each in shape)
    first = (moment - size) // slide * slide
    starts = [start for start in range(first, moment + 1, slide) if start <= moment < start + size]
    if step is None:
        return [(start, start + size) for start in starts]
    return [(start, end) for start in starts for end in range(start + step, start + size + 1, step) if moment < end]


def contents(zone, rows, shape):
    """Return the rows of each (key, start, end): a window that is over takes none."""
    found = defaultdict(list)
    for moment, key, value, watermark in rows:
        for start, end in windows_of(shape, local(zone, moment)):
            if watermark is None or over(zone, watermark) < end - 1:
                found[key, start, end].append(value)
    return found


def sessions(zone, rows):
    """Return (key, start, end, values) of sessions: rows less than a gap apart on the clock."""
    open_, closed = [], []
    for moment, key, value, watermark in rows:
        reached = -(2**62) if watermark is None else over(zone, watermark)
        closed += [each for each in open_ if each[2] - 1 <= reached]
        open_ = [each for each in open_ if each[2] - 1 > reached]
        start = local(zone, moment)
        end = start + GAP
        met = [each for each in open_ if each[0] == key and each[1] <= end and each[2] >= start]
        if not met and end - 1 <= reached:
            continue
        for each in met:
            open_.remove(each)
        bounds = min([start, *(e[1] for e in met)]), max([end, *(e[2] for e in met)])
        open_.append((key, *bounds, [v for each in met for v in each[3]] + [value]))
    return closed + open_


def window(zone, start, end):
    return stamp(start), stamp(end), stamp(instant(zone, end - 1), dt.UTC)


def answer(made, query):
    table = made.sql(query).to_arrow()
    return Counter(zip(*(column.to_pylist() for column in table.columns), strict=True))


@pytest.mark.parametrize("parallelism", [1, 3])
@pytest.mark.parametrize("call", WINDOWS)
@settings(max_examples=25)
@given(change=ANY, rows=ROWS, cuts=CUTS, delay=st.sampled_from([0, 10, 45]))
def test_windows_count_what_the_model_counts(call, parallelism, change, rows, cuts, delay):
    made, zone, found = session_of(change, rows, cuts, parallelism, delay)
    held = contents(zone, found, WINDOWS[call])
    got = answer(
        made, f"SELECT k, window_start, window_end, window_time, COUNT(*), SUM(v) FROM TABLE({call}) "
        "GROUP BY k, window_start, window_end, window_time"
    )  # fmt: skip
    assert got == Counter((k, *window(zone, s, e), len(values), sum(values)) for (k, s, e), values in held.items())
    got = answer(made, f"SELECT k, v, window_start, window_end, window_time FROM TABLE({call})")
    wanted = Counter()
    for moment, key, value, _ in found:
        wanted.update((key, value, *window(zone, *each)) for each in windows_of(WINDOWS[call], local(zone, moment)))
    assert got == wanted, "rows without an aggregate are never late"


@pytest.mark.parametrize("parallelism", [1, 3])
@settings(max_examples=25)
@given(change=ANY, rows=ROWS, cuts=CUTS, delay=st.sampled_from([0, 10, 45]))
def test_ranks_and_cascades_of_windows(parallelism, change, rows, cuts, delay):
    made, zone, found = session_of(change, rows, cuts, parallelism, delay)
    held = contents(zone, found, (60, 60, None))
    call = "TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' HOUR)"
    ranked = "SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end, k ORDER BY v) AS n"
    got = answer(made, f"SELECT k, v, window_start, n FROM ({ranked} FROM TABLE({call})) WHERE n <= 2")
    wanted = Counter()
    for (key, start, _), values in held.items():
        wanted.update((key, v, stamp(start), n) for n, v in enumerate(sorted(values)[:2], 1))
    assert got == wanted
    inner = (
        f"SELECT k, window_time AS wt, SUM(v) AS s FROM TABLE({call}) GROUP BY k, window_start, window_end, window_time"
    )
    made.execute_script(f"CREATE VIEW hours AS {inner}")
    outer = "TABLE(TUMBLE(TABLE hours, DESCRIPTOR(wt), INTERVAL '1' DAY))"
    got = answer(made, f"SELECT window_start, SUM(s) FROM {outer} GROUP BY window_start, window_end")
    days = Counter()
    for (_, _, end), values in held.items():
        last = local(zone, instant(zone, end - 1))  # where a window ends in a gap, its time lies behind the gap
        days[stamp(last // (1440 * MINUTE) * 1440 * MINUTE)] += sum(values)
    assert dict(got) == dict.fromkeys(days.items(), 1)


@pytest.mark.parametrize("parallelism", [1, 3])
@settings(max_examples=25)
@given(change=ANY, rows=ROWS, cuts=CUTS)
def test_joins_within_windows(parallelism, change, rows, cuts):
    """No row is late: two inputs would have no common order."""
    made, zone, found = session_of(change, rows, cuts, parallelism, 2000)
    call = "TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '30' MINUTE, INTERVAL '1' HOUR))"
    on = "a.window_start = b.window_start AND a.window_end = b.window_end"
    got = answer(
        made, f"SELECT a.v, b.v, a.window_start, b.window_end FROM (SELECT * FROM {call} WHERE k = 'a') a "
        f"JOIN (SELECT * FROM {call} WHERE k = 'b') b ON {on}"
    )  # fmt: skip
    held = contents(zone, found, (60, 30, None))
    wanted = Counter()
    for (key, start, end), values in held.items():
        if key == "a":
            others = held.get(("b", start, end), ())
            wanted.update((v, other, stamp(start), stamp(end)) for v in values for other in others)
    assert got == wanted


@pytest.mark.parametrize("parallelism", [1, 3])
@settings(max_examples=25)
@given(change=ANY, rows=ROWS, cuts=CUTS, delay=st.sampled_from([0, 10, 45]))
def test_sessions_are_apart_on_the_clock(parallelism, change, rows, cuts, delay):
    made, zone, found = session_of(change, rows, cuts, parallelism, delay)
    call = "TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '18' MINUTE))"
    got = answer(
        made, f"SELECT k, window_start, window_end, window_time, SUM(v) FROM {call} "
        "GROUP BY k, window_start, window_end, window_time"
    )  # fmt: skip
    held = sessions(zone, found)
    assert got == Counter((k, *window(zone, s, e), sum(values)) for k, s, e, values in held)
    got = answer(made, f"SELECT k, v, window_start, window_end, window_time FROM {call}")
    assert got == Counter((k, v, *window(zone, s, e)) for k, s, e, values in held for v in values)


@pytest.mark.parametrize("parallelism", [1, 3])
@settings(max_examples=25)
@given(change=ANY, rows=ROWS, cuts=CUTS, delay=st.sampled_from([0, 10, 45]))
def test_windows_in_group_by(parallelism, change, rows, cuts, delay):
    made, zone, found = session_of(change, rows, cuts, parallelism, delay)
    asked = "ts, INTERVAL '30' MINUTE, INTERVAL '1' HOUR"
    got = answer(
        made, f"SELECT k, HOP_START({asked}), HOP_END({asked}), HOP_ROWTIME({asked}), SUM(v) FROM t GROUP BY k, HOP({asked})"
    )  # fmt: skip
    held = contents(zone, found, (60, 30, None))
    assert got == Counter((k, *window(zone, s, e), sum(values)) for (k, s, e), values in held.items())


@settings(max_examples=25)
@given(change=ANY, rows=ROWS, cuts=CUTS)
def test_windows_of_the_python_interface(change, rows, cuts):
    made, zone, found = session_of(change, rows, cuts, 1, 10)
    stream = made.table("t").window(fx.cumulate("ts", size="3 hours", step="30 min")).group_by("k")
    table = stream.agg(s=fx.sum("v")).to_arrow()
    got = Counter(tuple(row[name] for name in ("k", "window_start", "window_end", "window_time", "s"))
                  for row in table.to_pylist())  # fmt: skip
    held = contents(zone, found, (180, 180, 30))
    assert got == Counter((k, *window(zone, s, e), sum(values)) for (k, s, e), values in held.items())


PROCESSING = """
SELECT COUNT(*) AS n, TUMBLE_START(`at`, INTERVAL '1' HOUR) AS s, TUMBLE_END(`at`, INTERVAL '1' HOUR) AS e
FROM (SELECT *, PROCTIME() AS `at` FROM t) GROUP BY TUMBLE(`at`, INTERVAL '1' HOUR)
"""


@pytest.mark.parametrize("parallelism", ["1", "3"])
def test_windows_by_the_clock_wait_for_the_hour_that_comes_twice(parallelism):
    """The last row is given only when the window was seen, which no row but the clock alone has closed."""
    clock, seen, jobs = ScriptedClock(at("2024-11-03T05:50")), threading.Event(), []  # 01:50 in New York

    def stamped():
        return sum(each.rows_in for job in jobs for each in job.metrics().operators if each.name == "StampTime")

    def batches():
        for count, minutes in ((1, 10), (2, 59)):
            yield pa.RecordBatch.from_pydict({"v": [count]})
            while stamped() < count:
                time.sleep(0)
            clock.advance(minutes * MINUTE)  # to 02:00, which is 01:00 again, then to 01:59
            assert not jobs[0].metrics().operators[-1].rows_in, "the hour is not over"
        clock.advance(MINUTE)
        assert seen.wait(30)
        yield pa.RecordBatch.from_pydict({"v": [3]})

    made = fx.Session({"parallelism.default": parallelism, "table.local-time-zone": "America/New_York"})
    made.from_arrow(pa.RecordBatchReader.from_batches(pa.schema({"v": pa.int64()}), batches()), name="t")
    sink = QueueSink()
    jobs.append(EmbeddedTarget(clock).start([(made.sql(PROCESSING).node, sink)], made.settings))
    found = []
    for batch in sink:
        found += [tuple(row.values()) for row in batch.data.to_pylist()]
        seen.set()
    jobs[0].result()
    hours = [dt.datetime(2024, 11, 3, hour) for hour in (1, 2, 3)]
    assert found == [(2, hours[0], hours[1]), (1, hours[1], hours[2])]
