"""Flink's Kafka connector, fetched by its short name, and a real broker: a script writes a topic there and reads it back."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.services.kafka import running_broker

if TYPE_CHECKING:
    from pathlib import Path

    from fluxcore.targets.flink.cluster.record import Cluster

TABLE = """CREATE TABLE rides (id BIGINT, city STRING, fare DECIMAL(10, 2), started TIMESTAMP(3),
  WATERMARK FOR started AS started - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka', 'topic' = 'rides', 'properties.bootstrap.servers' = '{broker}', 'format' = 'json',
  'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
"""
ROWS = ",\n".join(f"({n}, '{'AB'[n % 2]}', {n}.25, TIMESTAMP '2024-01-01 00:00:{n:02}')" for n in range(20))


def run(cluster: Cluster, script: str, *options: str) -> list[dict[str, object]]:
    command = [sys.executable, "-m", "fluxcore.cli.main", "run", "-", "--target", cluster.address, "--format", "json"]
    done = subprocess.run([*command, *options], input=script, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_rows_go_through_a_topic_of_a_real_broker(flink_kafka: Cluster, tmp_path: Path) -> None:
    with running_broker(tmp_path) as broker:
        cluster, table = flink_kafka, TABLE.format(broker=broker)
        run(cluster, f"{table}INSERT INTO rides VALUES\n{ROWS};")
        rows = run(cluster, f"{table}SELECT * FROM rides;", "--parallelism", "2")
        assert sorted(rows, key=lambda row: str(row["started"])) == [
            {"id": n, "city": "AB"[n % 2], "fare": f"{n}.25", "started": f"2024-01-01T00:00:{n:02}"} for n in range(20)
        ]
        windows = run(
            cluster,
            f"{table}SELECT window_start, city, COUNT(*) AS n, SUM(fare) AS s FROM "
            "TUMBLE(TABLE rides, DESCRIPTOR(started), INTERVAL '10' SECOND) GROUP BY window_start, window_end, city;",
        )
        assert sorted((row["window_start"], row["city"], row["n"], row["s"]) for row in windows) == [
            ("2024-01-01T00:00:00", "A", 5, "21.25"),
            ("2024-01-01T00:00:00", "B", 5, "26.25"),
            ("2024-01-01T00:00:10", "A", 5, "71.25"),
            ("2024-01-01T00:00:10", "B", 5, "76.25"),
        ]
