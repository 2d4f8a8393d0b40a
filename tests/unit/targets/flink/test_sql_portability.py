"""All that Flink SQL can't say is told at once, each with its reason and its place."""

from __future__ import annotations

import datetime as dt
import re

import pyarrow as pa
import pytest
from tests.unit.targets.flink import pipelines

import fluxcore as fx
from fluxcore.core import types as t
from fluxcore.core.settings import Settings
from fluxcore.plan.nodes import Insert
from fluxcore.targets.flink.portability import Unportable
from fluxcore.targets.flink.settings import flink_settings
from fluxcore.targets.flink.sql.job import print_job

OUT = {"id": pa.int64()}


class Doubled(fx.ProcessFunction):
    odd = fx.output(OUT)

    def process(self, row, context):
        yield row


class Batches(fx.BatchFunction):
    def process(self, batch, context):
        yield batch


class Both(fx.TwoInputFunction):
    def process_left(self, row, context):
        yield row

    def process_right(self, row, context):
        yield row


class Told(fx.BroadcastFunction):
    pass


class Own(fx.Operator):
    def process(self, batch, port=0):
        return [batch]


class Spread(fx.AggregateFunction):
    def create(self):
        return []

    def accumulate(self, accumulator, *values):
        accumulator.append(values)

    def result(self, accumulator):
        return 0.0


class Marks(fx.WatermarkGenerator):
    def on_event(self, time, row):
        return time


class Never(fx.Trigger):
    def on_row(self, row, window):
        return fx.TriggerResult.CONTINUE


class NoneLeft(fx.Evictor):
    def keep(self, rows, window):
        return []


async def ask(row):
    return row


def find(id):
    return {"name": "x"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("portability")
    pipelines.write_inputs(folder, rows=3)
    return folder


def windows(orders, **more):
    return orders.window(fx.tumble("ts", "1 minute"), **more).group_by("customer").agg(n=fx.count())


CASES = {
    "process": (lambda o, r: o.process(Doubled(), by="id", schema=OUT), "the function Doubled", "Python on the rows"),
    "map": (lambda o, r: o.map(dict, schema=OUT), "the function dict", "Python on whole rows"),
    "batches": (lambda o, r: o.process(Batches(), by="id", schema=OUT), "the function Batches", "Python on the rows"),
    "async": (lambda o, r: o.map_async(ask, schema=OUT), "the function async ask", "Python on the rows"),
    "operator": (lambda o, r: o.transform(Own, schema=OUT), "the function Own", "Python on the rows"),
    "connect": (
        lambda o, r: o.connect(r).process(Both(), by="customer", schema=OUT),
        "the function Both",
        "two streams",
    ),
    "broadcast": (
        lambda o, r: o.connect(r.broadcast()).process(Told(), by="id", schema=OUT),
        "the function Told",
        "two streams",
    ),
    "side": (
        lambda o, r: o.process(Doubled(), by="id", schema=OUT).side("odd"),
        "the side output 'odd'",
        "no side outputs",
    ),
    "late": (lambda o, r: windows(o).late(), "late rows as a stream", "no side outputs"),
    "udaf": (
        lambda o, r: o.window(fx.tumble("ts", "1 s")).group_by("id").agg(x=fx.udaf(Spread(), pa.float64())("v")),
        "the function Spread",
        "in plain groups only",
    ),
    "lookup": (
        lambda o, r: o.lookup(find, on="id", schema={"name": pa.string()}),
        "the lookup find",
        "no Python",
    ),
    "count trigger": (lambda o, r: windows(o, trigger=fx.on_count(3)), "the trigger 'every 3 rows'", "at their end"),
    "own trigger": (lambda o, r: windows(o, trigger=Never()), "the trigger 'Never'", "at their end"),
    "early": (
        lambda o, r: windows(o, trigger=fx.on_event_time(early="1 s")),
        "the trigger 'event time, early",
        "at their end",
    ),
    "lateness": (
        lambda o, r: windows(o, allowed_lateness="1 minute"),
        "allowed lateness of 60000 ms",
        "table.exec.emit",
    ),
    "evictor": (lambda o, r: windows(o, evictor=fx.keep_last(3)), "the evictor", "keep all their rows"),
    "own evictor": (lambda o, r: windows(o, evictor=NoneLeft()), "the evictor", "keep all their rows"),
    "count window": (
        lambda o, r: o.window(fx.count_window(4)).group_by("id").agg(n=fx.count()),
        "the trigger 'purging(every 4 rows)'",
        "at their end",
    ),
    "global window": (
        lambda o, r: o.window(fx.global_window()).group_by("id").agg(n=fx.count()),
        "a global window",
        "groups without a window",
    ),
    "lifetime of ranking": (
        lambda o, r: o.top(1, by="v", per=["customer"], ttl="1 h"),
        "a lifetime of a ranking",
        "STATE_TTL",
    ),
    "lifetime of anti join": (
        lambda o, r: o.join(r, on=["customer"], how="anti", ttl="1 h"),
        "a lifetime of the rows of this join",
        "STATE_TTL",
    ),
    "approximate": (
        lambda o, r: o.group_by().agg(x=fx.approx_quantile("v", 0.5)),
        "the function APPROX_PERCENTILE",
        "PERCENTILE is the exact one",
    ),
    "distinct": (
        lambda o, r: o.group_by().agg(x=fx.approx_count_distinct("v")),
        "the function APPROX_COUNT_DISTINCT",
        "batch mode only",
    ),
    "nth": (lambda o, r: o.over(order_by="ts", x=fx.nth_value("v", 2)), "the function NTH_VALUE", "no function"),
    "lead": (lambda o, r: o.over(order_by="ts", x=fx.lead("v")), "LEAD over a stream", "batch mode only"),
    "descending": (
        lambda o, r: o.over(order_by="v", ascending=False, x=fx.rank()),
        "OVER in another order",
        "batch mode only",
    ),
    "bounded": (lambda o, r: o.over(order_by="v", x=fx.sum("v").rows(2)), "OVER in another order", "batch mode only"),
    "behind": (
        lambda o, r: o.over(order_by="id", x=fx.count().rows(2, 1)),
        "a frame that does not end at the current row",
        "batch mode only",
    ),
    "best of each": (
        lambda o, r: o.top(1, by=["v", "id"], per=["customer"]),
        "one row of each partition in an order of several columns",
        "loses their changes",
    ),
    "list": (
        lambda o, r: o.over(order_by="ts", x=fx.array_agg("v").where(fx.col("ok"))),
        "ARRAY_AGG with a condition",
        "no FILTER before OVER",
    ),
    "order": (lambda o, r: o.sort("v"), "ORDER BY v", "execution.runtime-mode=batch"),
    "long window": (lambda o, r: o.window(fx.tumble("ts", "1200 d")), "a window as long as this", "at most 999 days"),
    "nan": (lambda o, r: o.select(x=fx.lit(float("nan"))), "the number nan", "as a constant"),
    "interval": (
        lambda o, r: o.select(x=fx.lit(dt.timedelta(days=1)) / 2),
        "an interval divided by a number",
        "doesn't divide intervals",
    ),
    "interval as number": (
        lambda o, r: o.select(x=fx.lit(dt.timedelta(days=1)).cast(t.BIGINT)),
        "CAST of INTERVAL",
        "doesn't convert intervals",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_has_its_reason(name, inputs):
    make, what, why = CASES[name]
    session = fx.Session()
    stream = make(*pipelines.tables(session, inputs))
    found = [each for each in print_job([stream.node], session.settings).unportable if each.what.startswith(what)]
    assert len(found) == 1, print_job([stream.node], session.settings).unportable
    assert why in found[0].why
    assert found[0].where
    assert found[0].what in found[0].describe() and found[0].where in found[0].describe()


def printed(session, *streams):
    return print_job([each.node for each in streams], session.settings)


def test_all_of_it_is_told_at_once_and_the_rest_is_printed(inputs):
    session = fx.Session({"fluxcore.late-rows.path": "late"})
    orders, _ = pipelines.tables(session, inputs)
    memory = session.from_arrow(pa.table({"id": [1]}), name="here")
    first = orders.process(Doubled(), by="id", schema=OUT).filter(fx.col("id") > 7).join(memory, on=["id"])
    second = windows(orders, trigger=fx.on_count(3), allowed_lateness="1 s")
    job = printed(session, first, second)
    assert [each.what for each in job.unportable] == [
        "the function Doubled", "the connector 'memory'", "the trigger 'every 3 rows'", "allowed lateness of 1000 ms",
        "the setting 'fluxcore.late-rows.path' = 'late'",
    ]  # fmt: skip
    assert re.fullmatch(r"line \d+ of test_sql_portability.py", job.unportable[0].where)
    assert "CAST(NULL AS BIGINT) AS `id` /* not in Flink: Process(Doubled, by=[id]) */" in job.statements[-2]
    assert "WHERE `id` > 7" in job.statements[-2]
    assert "GROUP BY `customer`, TUMBLE(`ts`, INTERVAL '1' MINUTE)" in job.statements[-1]
    assert printed(session, first, first).unportable == printed(session, first).unportable, "each is told once"


def test_a_pipeline_that_ports_has_nothing_to_tell(inputs):
    session = fx.Session({"parallelism.default": "2", "table.local-time-zone": "Europe/Berlin"})
    orders, _ = pipelines.tables(session, inputs)
    assert printed(session, orders).unportable == ()


def test_watermark_generators_do_not_port(inputs):
    session = fx.Session()
    orders = session.read(inputs / "orders.jsonl", schema=pipelines.ORDERS, watermark=("ts", Marks()))
    (found,) = printed(session, orders).unportable
    assert found.what == "the watermark generator Marks"
    assert "line" in found.where
    named = session.read(inputs / "orders.jsonl", schema=pipelines.ORDERS, watermark=("ts", lambda times, batch: times))
    (found,) = printed(session, named).unportable
    assert found.what == "the watermark generator <lambda>"


@pytest.mark.parametrize("connector", ["memory", "sqlite", "duckdb", "nexmark"])
def test_connectors_without_a_twin(connector, inputs, tmp_path):
    session = fx.Session()
    if connector == "memory":
        stream = session.from_arrow(pa.table({"id": [1]}), name="x")
    else:
        options = {"sqlite": "'path' = 'x', 'table-name' = 't'", "duckdb": "'path' = 'x', 'table-name' = 't'"}.get(
            connector
        )
        columns = "auction BIGINT, price BIGINT" if connector == "nexmark" else "id BIGINT"
        options = options or "'table' = 'bid'"
        session.execute(f"CREATE TABLE x ({columns}) WITH ('connector' = '{connector}', {options})")
        stream = session.table("x")
    (found,) = printed(session, stream).unportable
    assert (found.what, found.where) == (f"the connector '{connector}'", "table 'x'")


def test_a_table_as_it_stands_does_not_port(inputs):
    session = fx.Session()
    pipelines.tables(session, inputs)
    stream = session.sql(
        "SELECT a.id, b.rate FROM (SELECT *, PROCTIME() AS p FROM orders) AS a "
        "JOIN rates FOR SYSTEM_TIME AS OF a.p AS b ON a.customer = b.customer"
    )
    (found,) = printed(session, stream).unportable
    assert found.what == "a join with a table as it stands"


def test_a_table_that_is_asked_by_key(inputs, tmp_path):
    import sqlite3

    with sqlite3.connect(tmp_path / "names.db") as database:
        database.execute("CREATE TABLE names (id INTEGER, name TEXT)")
    database.close()
    session = fx.Session()
    pipelines.tables(session, inputs)
    session.execute(
        f"CREATE TABLE names (id BIGINT, name STRING) WITH "
        f"('connector' = 'sqlite', 'path' = '{tmp_path / 'names.db'}', 'table-name' = 'names')"
    )
    stream = session.sql(
        "SELECT a.id, b.name FROM (SELECT id, PROCTIME() AS p FROM orders) AS a "
        "LEFT JOIN names FOR SYSTEM_TIME AS OF a.p AS b ON a.id + 1 = b.id AND b.name <> 'x'"
    )
    job = printed(session, stream)
    assert [each.what for each in job.unportable] == ["the connector 'sqlite'"]
    assert (
        "LEFT JOIN `names` FOR SYSTEM_TIME AS OF `l`.`p` AS `r`\n  ON `l`.`$expr0` = `r`.`id`\n  AND `r`.`name` <> 'x'"
        in (job.statements[-1])
    )
    now = session.sql(
        "SELECT a.id, b.name FROM orders AS a JOIN names FOR SYSTEM_TIME AS OF PROCTIME() AS b ON a.id = b.id"
    )
    assert "PROCTIME() AS `proc_time`" in printed(session, now).statements[-1]


def test_batch_mode_orders_all_there_is(inputs):
    session = fx.Session()
    orders, rates = pipelines.tables(session, inputs)
    batch = Settings({"execution.runtime-mode": "batch"})
    for stream in (orders.sort("v"), orders.over(order_by="ts", x=fx.lead("v")), orders.over(x=fx.sum("v"))):
        assert printed(session, stream).unportable
        assert print_job([stream.node], batch).unportable == ()
    for what, stream in (
        ("distinct values before OVER", orders.over(order_by="ts", x=fx.count("v").distinct())),
        ("sessions in batch mode", orders.window(fx.session("ts", gap="1 s")).group_by().agg(n=fx.count())),
        ("versions in batch mode", orders.join_as_of(rates, on=["customer"])),
    ):
        assert print_job([stream.node], batch).unportable[0].what == what
        assert printed(session, stream).unportable == ()


def test_rows_that_are_updated_go_into_no_file(inputs):
    session = fx.Session()
    orders, rates = pipelines.tables(session, inputs)
    session.execute(
        "CREATE TABLE `out` (id BIGINT) WITH ('connector' = 'filesystem', 'path' = '/out', 'format' = 'json');"
        "CREATE TABLE shown (id BIGINT) WITH ('connector' = 'print')"
    )
    out, shown = session.catalog.table("out"), session.catalog.table("shown")
    updated, final = pipelines.updated_and_final(orders, rates)
    for name, stream in (updated | final).items():
        told = [each.what for each in print_job([Insert(stream.node, out)], session.settings).unportable]
        assert told == (["rows that are updated"] if name in updated else []), name
        assert print_job([Insert(stream.node, shown)], session.settings).unportable == ()
    batch = print_job([Insert(updated["groups"].node, out)], Settings({"execution.runtime-mode": "batch"}))
    assert batch.unportable == ()


def test_early_results_of_a_session_are_the_older_windows(inputs):
    emit = {"table.exec.emit.early-fire.enabled": "true", "table.exec.emit.early-fire.delay": "1 s"}
    session = fx.Session(emit)
    orders, _ = pipelines.tables(session, inputs)
    stream = session.sql(
        "SELECT window_start, customer, COUNT(*) AS n FROM TABLE(HOP(TABLE orders, DESCRIPTOR(ts), INTERVAL '1' MINUTE, "
        "INTERVAL '2' MINUTE)) GROUP BY window_start, window_end, customer"
    )
    job = printed(session, stream)
    assert job.unportable == ()
    assert "GROUP BY `customer`, HOP(`ts`, INTERVAL '1' MINUTE, INTERVAL '2' MINUTE)" in job.statements[-1]
    assert printed(session, windows(orders)).unportable[0].what == "early or late results of this window"
    assert print_job([stream.node], Settings()).unportable[0].what.startswith("the trigger")


def test_settings_are_flinks_own_but_for_some():
    given = {
        "parallelism.default": "3", "table.local-time-zone": "Asia/Tokyo", "table.exec.state.ttl": "1 h",
        "fluxcore.log.level": "debug", "taskmanager.memory.process.size": "1 gb",
    }  # fmt: skip
    done, found = flink_settings(given)
    assert done == {"parallelism.default": "3", "table.local-time-zone": "Asia/Tokyo", "table.exec.state.ttl": "1 h"}
    assert [each.what for each in found] == ["the setting 'taskmanager.memory.process.size' = '1 gb'"]
    assert flink_settings({"parallelism.default": "0"}) == ({}, ())


def test_it_is_a_value():
    assert Unportable("a", "b", "c") == Unportable("a", "b", "c")
    assert Unportable("a", "b").describe() == "a: b"
