"""Printed plans on a real Flink: it takes the statements, and its rows are ours."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from tests.unit.targets.flink import pipelines

import fluxcore as fx
from fluxcore.plan.nodes import Insert
from fluxcore.sql.script import SelectStatement
from fluxcore.targets.flink.gateway import Gateway
from fluxcore.targets.flink.settings import flink_settings
from fluxcore.targets.flink.sql.job import print_job
from fluxcore.targets.flink.types import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node
    from fluxcore.targets.flink.cluster.record import Cluster
    from fluxcore.targets.flink.gateway import GatewaySession

pytestmark = pytest.mark.usefixtures("java")

GOLDEN = Path(__file__).parents[1] / "golden"
NOT_PLANNED = {
    "over/ranks": "Flink's planner fails at OVER of different windows in batch mode, as it does with the query's own text",
    "groups/distinct_arrays": "Flink has no DISTINCT over maps in aggregates",
}


@pytest.fixture(scope="module")
def gateway(flink: Cluster) -> Gateway:
    host, port = flink.gateway
    return Gateway(f"{host}:{port}")


@pytest.fixture
def remote(gateway: Gateway) -> Iterator[GatewaySession]:
    properties = {"parallelism.default": "1", "pipeline.auto-watermark-interval": "0", "table.dml-sync": "true"}
    with gateway.session(properties) as session:
        yield session


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs of flink")
    pipelines.write_inputs(folder)
    return folder


def plain(value: Any) -> Any:
    """Bring a value to a form in which those of both engines are equal; doubles to 9 digits."""
    if isinstance(value, float):
        return float(f"{value:.9e}")
    if isinstance(value, Decimal):
        return str(value.normalize())
    if isinstance(value, dict):
        return tuple((key, plain(each)) for key, each in value.items())
    return tuple(plain(each) for each in value) if isinstance(value, list) else value


def rows(batch: pa.Table | pa.RecordBatch) -> list[tuple[Any, ...]]:
    columns = [column.to_pylist() for column in batch.columns]
    return [tuple(plain(value) for value in row) for row in zip(*columns, strict=True)]


def answer(remote: GatewaySession, node: Node, settings: Settings) -> Counter[tuple[Any, ...]]:
    """Return the final rows that Flink gives for a printed plan."""
    job = print_job([node], settings)
    assert job.unportable == ()
    *declared, query = job.statements
    for statement in declared:
        remote.run(statement)
    found: Counter[tuple[Any, ...]] = Counter()
    for page in remote.submit(query).pages():
        for row, weight in zip(rows(rows_of(page.rows, page.schema)), page.weights, strict=True):
            found[row] += weight
    assert min(found.values()) >= 0
    return +found


@pytest.mark.parametrize("name", sorted(pipelines.PIPELINES))
def test_a_pipeline_gives_the_same_rows_on_flink(name: str, inputs: Path, remote: GatewaySession) -> None:
    session = fx.Session({"parallelism.default": "1"})
    stream = pipelines.PIPELINES[name](*pipelines.tables(session, inputs))
    wanted = Counter(rows(stream.to_arrow()))
    assert wanted, "a pipeline without rows proves nothing"
    assert answer(remote, stream.node, session.settings) == wanted


def test_flink_plans_every_golden_query_that_ports(gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "events.csv").touch()
    (tmp_path / "events.jsonl").touch()
    shutil.copy(GOLDEN / "data" / "golden_functions.py", tmp_path)
    failed = {}
    for path in sorted(GOLDEN.rglob("*.sql")):
        text = path.read_text("utf-8").replace("{data}", str(tmp_path)).replace(", 'csv.header' = 'true'", "")
        local = fx.Session()
        select = [each for each in local.bind(text).statements if isinstance(each, SelectStatement)][-1]
        job = print_job([select.plan], select.settings)
        modes = {"execution.runtime-mode": "streaming"}
        if any("batch" in each.why for each in job.unportable):
            modes = {"execution.runtime-mode": "batch"}
            job = print_job([select.plan], select.settings.with_value("execution.runtime-mode", "batch"))
        if job.unportable or any("LANGUAGE PYTHON" in each for each in job.statements):
            continue  # the second need a cluster with PyFlink: test_golden_on_flink.py asks them there
        with gateway.session(modes) as remote:
            try:
                for statement in job.statements[:-1]:
                    remote.run(statement)
                remote.run(f"EXPLAIN {job.statements[-1]}")
            except fx.JobError as error:
                failed[str(path.relative_to(GOLDEN).with_suffix(""))] = str(error)
    assert failed.keys() <= NOT_PLANNED.keys(), failed


def test_inserts_of_one_job_write_all_their_tables(inputs: Path, remote: GatewaySession, tmp_path: Path) -> None:
    session = fx.Session()
    orders, rates = pipelines.tables(session, inputs)
    session.execute(
        f"CREATE TABLE dear (id BIGINT, `select` STRING, price DECIMAL(10, 3)) WITH ('connector' = 'filesystem', "
        f"'path' = '{tmp_path / 'dear ones'}', 'format' = 'json');"
        "CREATE TABLE dropped (n BIGINT) WITH ('connector' = 'blackhole');"
        "CREATE TABLE times (ts TIMESTAMP(3), ts0 TIMESTAMP(3)) WITH ('connector' = 'blackhole')"
    )
    some = orders.filter(fx.col("price") > 80)
    roots = [
        Insert(some.select("id", "customer", fx.col("price").cast(pipelines.t.DecimalType(precision=10, scale=3))).node,
               session.catalog.table("dear")),
        Insert(some.group_by().agg(n=fx.count()).node, session.catalog.table("dropped")),
        Insert(some.join(rates, on=["customer"], within=("1 h", "0 s")).select("ts", "ts0").node, session.catalog.table("times")),
    ]  # fmt: skip
    job = print_job(roots, session.settings)
    assert job.unportable == ()
    for statement in job.statements:
        remote.run(statement)
    lines = [line for file in (tmp_path / "dear ones").iterdir() for line in file.read_text("utf-8").splitlines()]
    wanted = some.select("id", "customer", "price").to_arrow().to_pylist()
    found = sorted((json.loads(line) for line in lines), key=lambda row: row["id"])
    assert [(row["id"], row["select"]) for row in found] == [(row["id"], row["customer"]) for row in wanted]
    assert [Decimal(str(row["price"])) for row in found] == [row["price"] for row in wanted]


def test_flink_refuses_updates_of_files_where_they_are_reported(inputs: Path, gateway: Gateway, tmp_path: Path) -> None:
    session = fx.Session()
    updated, final = pipelines.updated_and_final(*pipelines.tables(session, inputs))
    session.execute(
        f"CREATE TABLE ids (id BIGINT) WITH ('connector' = 'filesystem', 'path' = '{tmp_path}', 'format' = 'json')"
    )
    refused = set()
    for name, stream in (updated | final).items():
        *declared, insert = print_job([Insert(stream.node, session.catalog.table("ids"))], session.settings).statements
        with gateway.session({}) as remote:
            for statement in declared:
                remote.run(statement)
            try:
                remote.run(f"EXPLAIN {insert}")
            except fx.JobError as error:
                assert "doesn't support consuming update" in str(error), name
                refused.add(name)
    assert refused == set(updated)


def test_constants_of_all_types(remote: GatewaySession) -> None:
    moment = dt.datetime(2024, 2, 29, 1, 2, 3, 456789)
    values = {
        "a": -(2**63), "b": 1e-300, "c": Decimal("-.00001"), "d": "it's `x`\n -- é😀", "e": b"\x00\xff", "f": dt.date(1, 1, 1),
        "g": dt.time(23, 59, 59, 999000), "h": moment, "i": moment.replace(tzinfo=dt.UTC), "j": dt.timedelta(days=1234, seconds=-1),
        "k": dt.timedelta(microseconds=-1000), "l": Decimal(10) ** 37, "m": True,
    }  # fmt: skip
    session = fx.Session()
    stream = session.sql("SELECT 1 AS `one`").select(**{name: fx.lit(value) for name, value in values.items()})
    assert answer(remote, stream.node, session.settings) == Counter(rows(stream.to_arrow()))


def test_an_instant_is_the_same_in_any_zone(remote: GatewaySession) -> None:
    session = fx.Session({"table.local-time-zone": "Asia/Tokyo"})
    remote.run("SET 'table.local-time-zone' = 'Asia/Tokyo'")
    moments = [dt.datetime(2024, 2, 29, 1, 2, 3, micros, dt.UTC) for micros in (456789, 456000)]
    shown = [fx.lit(each).cast(pipelines.t.STRING) for each in moments]
    stream = session.sql("SELECT 1 AS `one`").select(a=shown[0], b=shown[1])
    assert answer(remote, stream.node, session.settings) == Counter(
        [("2024-02-29 10:02:03.456789", "2024-02-29 10:02:03.456000")]
    )


def test_early_results_of_a_session(gateway: Gateway, inputs: Path) -> None:
    emit = {"table.exec.emit.early-fire.enabled": "true", "table.exec.emit.early-fire.delay": "1 s"}
    session = fx.Session(emit)
    pipelines.tables(session, inputs)
    query = "FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '1' HOUR)) GROUP BY window_start, window_end, customer"
    job = print_job([session.sql(f"SELECT window_start, customer, COUNT(*) AS n {query}").node], session.settings)
    assert job.unportable == ()
    with gateway.session(flink_settings(session.settings.values)[0]) as remote:
        for statement in job.statements[:-1]:
            remote.run(statement)
        plan = remote.run(f"EXPLAIN {job.statements[-1]}").rows[0][0]
    assert "emit=[early delay 1000 millisecond]" in plan
