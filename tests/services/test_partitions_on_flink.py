"""Partitions that one side wrote and the other reads, and what INSERT OVERWRITE leaves on both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fluxcore.api.session import Session
from fluxcore.connectors.collect import CollectSink
from fluxcore.targets.flink.address import cluster_at
from fluxcore.targets.flink.compare import rows
from fluxcore.targets.flink.script import ScriptOptions, ScriptRun

if TYPE_CHECKING:
    from fluxcore.targets.flink.cluster.record import Cluster

pytestmark = pytest.mark.usefixtures("java")

TABLE = """CREATE TABLE t (s STRING, a INT, b BOOLEAN, ts TIMESTAMP(3), x DOUBLE, n BIGINT, d DATE) PARTITIONED BY ({keys})
WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = '{format}');
"""
FILL = """INSERT INTO t VALUES ('a/b=c%', 1, TRUE, TIMESTAMP '2024-01-01 10:00:00', 2.5E0, 7, DATE '2024-01-01'),
('Zürich 1', 2, FALSE, TIMESTAMP '2024-01-01 10:00:01.5', 1E10, -1, DATE '2024-01-02'),
(' !"#$%&''()*+,-./09:;<=>?@AZ[\\]^_`az{|}~', 3, FALSE, TIMESTAMP '1999-12-31 23:59:59', 1E-1, 0, DATE '1969-12-31');
"""


class Console:
    """Takes what a script gives on the cluster."""

    def __init__(self) -> None:
        self.sinks: list[CollectSink] = []

    def reply(self, *_: Any) -> None:
        """Take no answer."""

    started = detached = seen = reply

    def sink(self, schema: Any, *, changes: bool) -> CollectSink:
        self.sinks.append(CollectSink())
        return self.sinks[-1]


def on_flink(flink: Cluster, text: str) -> list[str]:
    """Run a script in Flink's batch mode; return the rows of its last query as text."""
    console = Console()
    properties = {"parallelism.default": "1", "table.dml-sync": "true", "execution.runtime-mode": "batch"}
    ScriptRun(text, "script.sql", console, ScriptOptions()).run(cluster_at(flink.address), properties)
    return sorted(map(str, rows(console.sinks[-1].batches))) if console.sinks else []


def here(text: str) -> list[str]:
    sinks: list[CollectSink] = []

    def output(_: Any) -> CollectSink:
        sinks.append(CollectSink())
        return sinks[-1]

    Session().execute_script(text, output=output)
    return sorted(map(str, rows(sinks[-1].batches))) if sinks else []


def folders(path: Path) -> list[str]:
    return sorted({str(each.parent.relative_to(path)) for each in path.rglob("part-*")})


@pytest.mark.parametrize("format_", ["csv", "json"])
def test_both_write_the_same_folders_and_read_each_other(flink: Cluster, tmp_path: Path, format_: str) -> None:
    tables = {
        who: TABLE.format(keys="s, b, ts, x, n", path=tmp_path / who, format=format_) for who in ("there", "here")
    }
    on_flink(flink, tables["there"] + FILL)
    here(tables["here"] + FILL)
    assert folders(tmp_path / "there") == folders(tmp_path / "here")
    ask = "SELECT * FROM t;"  # a condition on the partition fails in Flink: its pruning can't read the TIMESTAMP that it wrote
    answers = [run(table + ask) for table in tables.values() for run in (here, lambda text: on_flink(flink, text))]
    assert len(answers[0]) == 3
    assert all(each == answers[0] for each in answers)


def test_dates_that_flink_writes_and_can_not_read_are_read_here(flink: Cluster, tmp_path: Path) -> None:
    tables = {who: TABLE.format(keys="d", path=tmp_path / who, format="csv") for who in ("there", "here")}
    on_flink(flink, tables["there"] + FILL)
    here(tables["here"] + FILL)
    assert folders(tmp_path / "there") == ["d=-1", "d=19723", "d=19724"]
    assert folders(tmp_path / "here") == ["d=1969-12-31", "d=2024-01-01", "d=2024-01-02"]
    wanted = on_flink(flink, tables["here"] + "SELECT * FROM t;")
    assert len(wanted) == 3
    assert wanted == here(tables["here"] + "SELECT * FROM t;") == here(tables["there"] + "SELECT * FROM t;")


def test_overwriting_leaves_the_same(flink: Cluster, tmp_path: Path) -> None:
    table = """CREATE TABLE t (p INT, a INT, q INT) PARTITIONED BY (p, q)
    WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'csv');
    CREATE TABLE u (a INT) WITH ('connector' = 'filesystem', 'path' = '{path}_u', 'format' = 'csv');
    """
    for step in (
        "INSERT INTO t VALUES (1, 1, 1), (1, 2, 2), (2, 3, 1); INSERT INTO u VALUES (1), (2);",
        "INSERT OVERWRITE t PARTITION (p = 1) VALUES (9, 2); INSERT OVERWRITE u SELECT a + 10 FROM u;",
        "INSERT OVERWRITE t SELECT 2, 8, 1;",
        "INSERT OVERWRITE t PARTITION (p = 1, q = 1) SELECT 7; INSERT INTO t PARTITION (q = 5) SELECT 3, 6;",
        "INSERT OVERWRITE t SELECT p, a, q FROM t WHERE a < 0; INSERT OVERWRITE u SELECT a FROM u WHERE a < 0;",
    ):
        texts = {who: table.format(path=tmp_path / who) for who in ("there", "here")}
        on_flink(flink, texts["there"] + step)
        here(texts["here"] + step)
        for ask in ("SELECT * FROM t;", "SELECT * FROM u;"):
            assert on_flink(flink, texts["there"] + ask) == here(texts["here"] + ask), (step, ask)
