"""Windows with lateness, triggers and evictors through the Python API, at several parallelisms, beside plain Python."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fluxcore as fx
from fluxcore.connectors.collect import CollectSink
from fluxcore.runtime.execute import EmbeddedTarget

EPOCH = dt.datetime(1970, 1, 1)
ROWS = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from([None, "a", "b", "c"]), st.sampled_from([None, 1, 4, 9])),
    min_size=1,
    max_size=40,
)
PARALLELISM = pytest.mark.parametrize("parallelism", ["1", "2", "3"])
SCHEMA = pa.schema([("ts", pa.timestamp("us")), ("k", pa.string()), ("v", pa.int64())])


def stream(rows, parallelism="1", *, batch=7, delay="10 s"):
    times, keys, values = zip(*rows, strict=True)
    stamps = pa.array([EPOCH + dt.timedelta(seconds=time) for time in times], pa.timestamp("us"))
    table = pa.table([stamps, pa.array(keys, pa.string()), pa.array(values, pa.int64())], schema=SCHEMA)
    session = fx.Session({"parallelism.default": parallelism})
    return session.from_arrow(table.to_batches(max_chunksize=batch), name="t", watermark=("ts", delay))


def seconds(moment):
    return round((moment - EPOCH).total_seconds())


def final(found):
    rows = [tuple(row.values()) for row in found.to_arrow().to_pylist()]
    return Counter(tuple(seconds(each) if isinstance(each, dt.datetime) else each for each in row) for row in rows)


def judged(rows, delay=10):
    """Yield each row with the watermark before it (s)."""
    watermark = float("-inf")
    for row in rows:
        yield row, watermark
        watermark = max(watermark, row[0] - delay)


def totals(members):
    values = [value for *_, value in members if value is not None]
    return len(members), sum(values) if values else None


@PARALLELISM
@given(rows=ROWS, late=st.sampled_from([20, 60]))
@settings(max_examples=12)
def test_late_rows_change_results_for_a_while(parallelism, rows, late):
    windowed = stream(rows, parallelism).window(fx.tumble("ts", "1 minute"), allowed_lateness=f"{late} s")
    found = windowed.group_by("k").agg(n=fx.count(), total=fx.sum("v"))
    members, lost = defaultdict(list), []
    for row, watermark in judged(rows):
        start = row[0] // 60 * 60
        if start + 60 - 0.001 + late <= watermark:
            lost.append(row)
        else:
            members[row[1], start].append(row)
    wanted = Counter((k, *totals(each), s, s + 60) for (k, s), each in members.items())
    got = final(found.select("k", "n", "total", "window_start", "window_end"))
    assert got == wanted
    assert final(found.late().select("ts", "k", "v")) == Counter(lost)


@PARALLELISM
@given(rows=ROWS)
@settings(max_examples=8)
def test_rows_that_no_window_took_beside_plain_windows(parallelism, rows):
    windows = {
        "tumble": fx.tumble("ts", "1 minute"),
        "hop": fx.hop("ts", size="1 minute", slide="30 s"),
        "session": fx.session("ts", gap="1 minute", per="k"),
    }
    last = {"tumble": lambda t: t // 60 * 60 + 60, "hop": lambda t: t // 30 * 30 + 60}
    for name, window in windows.items():
        found = stream(rows, parallelism).window(window).group_by("k").agg(n=fx.count(), high=fx.max("v"))
        late, taken = final(found.late()), final(found.select("n"))
        if name in last:
            assert late == Counter(row for row, mark in judged(rows) if last[name](row[0]) - 0.001 <= mark)
        if name != "hop":
            assert sum(late.values()) + sum(n * times for (n,), times in taken.items()) == len(rows)


def test_results_and_late_rows_are_one_job():
    rows = [(s, "a", 1) for s in (0, 100, 10, 200, 20, 90)]
    found = (
        stream(rows).window(fx.tumble("ts", "1 minute"), allowed_lateness="1 minute").group_by("k").agg(n=fx.count())
    )
    own, late = CollectSink(), CollectSink()
    job = EmbeddedTarget().start([(found.node, own), (found.late().node, late)], found._session.settings)
    job.result()
    assert sum(batch.rows for batch in late.batches) == 2
    assert [batch.data.column("n").to_pylist() for batch in own.batches] == [[2, 1, 1]]


@PARALLELISM
@given(rows=ROWS, size=st.integers(1, 4))
@settings(max_examples=12)
def test_count_windows(parallelism, rows, size):
    by_key = defaultdict(list)
    for row in rows:
        by_key[row[1]].append(row)
    one_by_one = stream(rows, parallelism).window(fx.count_window(size)).group_by("k").agg(n=fx.count(), s=fx.sum("v"))
    wanted = Counter()
    for key, each in by_key.items():
        for first in range(0, len(each) - size + 1, size):
            wanted[key, *totals(each[first : first + size])] += 1
    assert final(one_by_one) == wanted
    sliding = stream(rows, parallelism).window(fx.count_window(size, 2)).group_by("k").agg(n=fx.count(), s=fx.sum("v"))
    wanted = Counter()
    for key, each in by_key.items():
        for end in range(2, len(each) + 1, 2):
            wanted[key, *totals(each[max(0, end - size) : end])] += 1
    assert final(sliding) == wanted


@PARALLELISM
def test_the_changes_of_a_global_window(parallelism):
    rows = [(s, k, v) for s, k, v in ((0, "a", 1), (1, "a", 5), (2, "b", 5), (3, "a", 6), (4, "a", 9), (5, "b", 9))]
    whole = stream(rows, parallelism).window(fx.global_window()).group_by("k").agg(n=fx.count(), s=fx.sum("v"))
    assert final(whole) == Counter({("a", 4, 21): 1, ("b", 2, 14): 1})
    moved = stream(rows, parallelism, batch=1).window(fx.global_window(), trigger=fx.on_delta("v", 3))
    changes = moved.group_by("k").agg(n=fx.count(), s=fx.sum("v")).batches(changelog=True)
    found = [tuple(row.values()) for batch in changes for row in batch.to_pylist()]
    assert sorted(each for each in found if each[1] == "a") == [
        ("+I", "a", 2, 6), ("+U", "a", 4, 21), ("-U", "a", 2, 6)
    ]  # fmt: skip
    assert [each for each in found if each[1] == "b"] == [("+I", "b", 2, 14)]


@PARALLELISM
def test_windows_fire_by_every_trigger_and_forget_or_keep_rows(parallelism):
    rows = [(s, "ab"[s % 2], s) for s in range(130)]
    source = stream(rows, parallelism, delay="0 s")
    minute = fx.tumble("ts", "1 minute")

    def counts(trigger, evictor=None):
        found = source.window(minute, trigger=trigger, evictor=evictor).group_by("k").agg(n=fx.count())
        return sorted(row[:1] + row[2:] for row in final(found.select("k", "window_start", "n")).elements())

    whole = [("a", 5), ("a", 30), ("a", 30), ("b", 5), ("b", 30), ("b", 30)]
    assert counts(fx.on_event_time(early=0)) == whole
    assert counts(fx.continuous("20 s")) == whole
    beats = [("a", n) for n in (5, 9, 9, 10, 10, 11, 11)] + [("b", n) for n in (5, 10, 10, 10, 10, 10, 10)]
    assert counts(fx.purging(fx.continuous("20 s"))) == beats
    assert counts(fx.on_count(20)) == [("a", 20), ("a", 20), ("b", 20), ("b", 20)]
    assert counts(fx.on_event_time(early="1 hour"), fx.keep_last(3)) == [(k, 3) for k in "ab" for _ in range(3)]
    assert counts(fx.on_event_time(early="1 hour"), fx.keep_within("5 s")) == [(k, 3) for k in "ab" for _ in range(3)]
    assert counts(None, fx.keep_delta("v", 10)) == [(k, 5) for k in "ab" for _ in range(3)]
    assert counts(fx.continuous("1 hour", time="processing")) == [], "the clock alone decides"
    by_clock = source.window(fx.global_window(), trigger=fx.continuous("1 hour", time="processing"))
    assert final(by_clock.group_by("k").agg(n=fx.count())) == Counter({("a", 65): 1, ("b", 65): 1})


class Highest(fx.Trigger):
    """Fires when a value is higher than all before it."""

    highest = fx.value(pa.int64(), default=-1)

    def on_row(self, row, window):
        if row["v"] is None or row["v"] <= self.highest:
            return fx.TriggerResult.CONTINUE
        self.highest = row["v"]
        return fx.TriggerResult.FIRE


class Known(fx.Evictor):
    def before(self, rows, window):
        return rows.column("v").is_valid()


@PARALLELISM
@given(rows=ROWS)
@settings(max_examples=8)
def test_a_user_writes_both(parallelism, rows):
    source = stream(rows, parallelism).filter(fx.col("ts").is_not_null())
    found = (
        source.window(fx.global_window(), trigger=fx.purging(Highest()), evictor=Known())
        .group_by("k")
        .agg(n=fx.count(), dear=fx.count().where(fx.col("v") > 3))
    )
    wanted, members, highest = Counter(), defaultdict(list), defaultdict(lambda: -1)
    for row in rows:
        members[row[1]].append(row)
        if row[2] is not None and row[2] > highest[row[1]]:
            highest[row[1]] = row[2]
            known = [each[2] for each in members.pop(row[1]) if each[2] is not None]
            wanted[row[1], len(known), sum(each > 3 for each in known)] += 1
    assert final(found) == wanted


class Broken(fx.Trigger):
    def on_row(self, row, window):
        return 1 // (row["v"] - 4) and "fire"


def test_a_broken_trigger_is_named_with_its_line():
    def run(value):
        windowed = stream([(0, "a", value)]).window(fx.global_window(), trigger=Broken())
        with pytest.raises(fx.DataError) as caught:
            windowed.group_by("k").agg(n=fx.count()).to_arrow()
        return caught.value

    error = run(4)
    assert error.code == "FX-RUN-0210" and "Broken.on_row, line" in error.hint and "'v': 4" in error.hint
    assert run(5).code == "FX-RUN-0220"


class Forgetful(fx.Trigger):
    seen = fx.value(pa.int64(), ttl="1 s")


@pytest.mark.parametrize(
    ("code", "windowed"),
    [
        ("FX-API-0003", lambda s: s.window(fx.tumble("ts", "1 s"), allowed_lateness="soon")),
        ("FX-API-0003", lambda s: s.window(fx.count_window(0))),
        ("FX-API-0003", lambda s: s.window(fx.global_window(), trigger=fx.on_count(0))),
        ("FX-API-0003", lambda s: s.window(fx.global_window(), evictor=fx.keep_delta("v", 0))),
        ("FX-API-0003", lambda s: s.window(fx.global_window(), trigger=fx.continuous("1 s", time="lunch"))),
        ("FX-API-0030", lambda s: s.window(fx.tumble("ts", "1 s"), trigger="often")),
        ("FX-API-0030", lambda s: s.window(fx.tumble("ts", "1 s"), evictor=3)),
        ("FX-API-0031", lambda s: s.window(fx.global_window(), allowed_lateness="1 s")),
        ("FX-API-0031", lambda s: s.window(fx.global_window(), trigger=fx.on_processing_time())),
        ("FX-API-0031", lambda s: s.window(fx.global_window(), trigger=fx.continuous("1 s"))),
        ("FX-API-0031", lambda s: s.window(fx.global_window(), evictor=fx.keep_within("1 s"))),
        ("FX-API-0031", lambda s: s.window(fx.global_window(), trigger=Forgetful())),
        ("FX-API-0031", lambda s: s.window(fx.count_window(2), trigger=fx.on_count(1))),
        ("FX-API-0031", lambda s: s.window(fx.session("ts", gap="1 s"), trigger=fx.on_delta("v", 1))),
        ("FX-API-0031", lambda s: s.window(fx.session("ts", gap="1 s", per="v"), trigger=fx.on_count(1))),
        ("FX-API-0031", lambda s: s.window(fx.global_window(), trigger=fx.on_delta("k", 1))),
        ("FX-API-0031", lambda s: s.window(fx.global_window()).filter(fx.col("v") > 1)),
        ("FX-API-0001", lambda s: s.window(fx.global_window(), trigger=fx.on_delta("w", 1))),
        ("FX-API-0002", lambda s: s.window(fx.global_window("v"))),
    ],
)
def test_what_does_not_fit_is_refused(code, windowed):
    with pytest.raises(fx.ScriptError) as caught:
        windowed(stream([(0, "a", 1)])).group_by("k").agg(n=fx.count())
    assert caught.value.code == code


def test_late_rows_of_what_has_no_windows():
    source = stream([(0, "a", 1)])
    for each in (source, source.group_by("k").agg(n=fx.count()), source.window(fx.tumble("ts", "1 s"))):
        with pytest.raises(fx.ScriptError) as caught:
            each.late()
        assert caught.value.code == "FX-API-0032"


def test_the_plan_says_when_results_come():
    source = stream([(0, "a", 1)])
    plan = source.window(
        fx.hop("ts", size="1 minute", slide="10 s"),
        allowed_lateness="5 s",
        trigger=fx.on_event_time(early="2 s", late="3 s"),
        evictor=fx.keep_last(9),
    )
    text = plan.group_by("k").agg(n=fx.count()).explain()
    assert (
        "TriggeredAggregate(HOP(size=60000 ms, slide=10000 ms), by=[k], calls=[COUNT(*)], trigger=[event time, "
        "early after 2000 ms of the clock, late after 3000 ms of the clock], evictor=[keep last 9 rows], lateness=5000 ms) "
        "changelog=[I,UB,UA,D] tasks=1 state=[all of its rows and its last result per key and open window]"
    ) in text
    assert "Scan(t, columns=[ts, k])" in text, "columns that nobody wants are not read"
    text = source.window(fx.count_window(3)).group_by("k").agg(s=fx.sum("v")).explain()
    assert "TriggeredAggregate(GLOBAL, by=[k], calls=[SUM(v)], trigger=[purging(every 3 rows)]) changelog=[I]" in text
    assert "AssignWatermark" in text
    plain = source.window(fx.tumble("ts", "1 s"), trigger=fx.on_event_time()).group_by("k").agg(n=fx.count())
    assert plain.explain() == source.window(fx.tumble("ts", "1 s")).group_by("k").agg(n=fx.count()).explain()


def test_results_that_change_are_grouped_again():
    rows = [(0, "a", 1), (1, "b", 2), (100, "a", 3), (50, "a", 4), (51, "b", 5)]
    first = stream(rows, "2", batch=1, delay="0 s").window(fx.tumble("ts", "1 minute"), allowed_lateness="1 hour")
    again = first.group_by("k").agg(s=fx.sum("v")).group_by("window_start").agg(keys=fx.count(), s=fx.sum("s"))
    assert final(again) == Counter({(0, 2, 12): 1, (60, 1, 3): 1})


class Product(fx.AggregateFunction):
    """Multiplies; states can't be merged."""

    def create(self):
        return [1]

    def accumulate(self, accumulator, value):
        accumulator[0] *= 1 if value is None else value

    def result(self, accumulator):
        return accumulator[0]


def test_a_users_aggregate_in_windows_with_triggers():
    product = fx.udaf(Product(), pa.int64())
    source = stream([(0, "a", 2), (1, "a", 3), (2, "a", 4), (3, "a", 5), (4, "a", 6)])
    pairs = source.window(fx.count_window(2)).group_by("k").agg(p=product("v"))
    assert final(pairs) == Counter({("a", 6): 1, ("a", 20): 1})
    late = source.window(fx.tumble("ts", "1 minute"), allowed_lateness="1 s").group_by("k").agg(p=product("v"))
    assert final(late.select("k", "p")) == Counter({("a", 720): 1})
    with pytest.raises(fx.ScriptError) as caught:
        source.window(fx.session("ts", gap="1 s"), trigger=fx.on_count(1)).group_by("k").agg(p=product("v")).to_arrow()
    assert caught.value.code == "FX-API-0013"
