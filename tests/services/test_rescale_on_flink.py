"""A job of a real cluster with the adaptive scheduler gets another parallelism while it runs; where that can't be, it is refused."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fluxcore.targets.flink.address import cluster_at
from fluxcore.targets.flink.jobmanager import ENDED

if TYPE_CHECKING:
    from pathlib import Path

    from fluxcore.targets.flink.cluster.record import Cluster
    from fluxcore.targets.flink.jobmanager import JobManager

SCRIPT = """CREATE TABLE numbers (id BIGINT, seen AS PROCTIME()) WITH ('connector' = 'datagen', 'rows-per-second' = '500',
  'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '200000');
CREATE TABLE counted (id BIGINT, k BIGINT, n BIGINT) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'json');
INSERT INTO counted SELECT id, MOD(id, 10), COUNT(*) OVER (PARTITION BY MOD(id, 10) ORDER BY seen) FROM numbers;
"""
CHECKPOINTS = ("--set", "execution.checkpointing.interval=10min")


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "job.sql"
    path.write_text(SCRIPT.format(path=tmp_path / "counted"))
    return str(path)


def fluxcore(cluster: Cluster, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fluxcore.cli.main", *arguments, "--target", cluster.address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def wait_for_rows(manager: JobManager, job: str, rows: int) -> int:
    """Wait until each operator runs, and the first one has given some rows since it began; return the job's parallelism."""
    while True:
        told = manager.job(job)
        assert told["state"] not in ENDED, manager.failure(job)
        first = told["vertices"][0]["metrics"]
        if all(each["status"] == "RUNNING" for each in told["vertices"]) and first["write-records"] >= rows:
            return max(each["parallelism"] for each in told["vertices"])


def test_a_running_job_gets_another_parallelism(flink_adaptive: Cluster, script: str) -> None:
    cluster, manager = flink_adaptive, cluster_at(flink_adaptive.address).jobmanager
    job = fluxcore(cluster, "run", script, "--detach", "--parallelism", "2", *CHECKPOINTS).stdout.strip()
    assert wait_for_rows(manager, job, 200) == 2
    for parallelism in (4, 1):
        told = fluxcore(cluster, "flink", "rescale", job, str(parallelism)).stderr
        assert f"job {job} runs with parallelism {parallelism}" in told
        assert wait_for_rows(manager, job, 200) == parallelism
    fluxcore(cluster, "flink", "cancel", job)


def test_a_job_without_checkpoints_is_not_rescaled(flink_adaptive: Cluster, script: str) -> None:
    job = fluxcore(flink_adaptive, "run", script, "--detach", "--parallelism", "1").stdout.strip()
    told = fluxcore(flink_adaptive, "flink", "rescale", job, "2", code=1).stderr
    assert "FX-FLK-0122" in told
    assert "it would begin anew" in told
    fluxcore(flink_adaptive, "flink", "cancel", job)
    assert "it is canceled" in fluxcore(flink_adaptive, "flink", "rescale", job, "2", code=1).stderr


def test_another_scheduler_refuses_and_the_hint_says_which_one_does_it(flink: Cluster, script: str) -> None:
    job = fluxcore(flink, "run", script, "--detach", "--parallelism", "1", *CHECKPOINTS).stdout.strip()
    told = fluxcore(flink, "flink", "rescale", job, "2", code=1).stderr
    fluxcore(flink, "flink", "cancel", job)
    assert "the cluster can't rescale job" in told
    assert "jobmanager.scheduler: adaptive" in told
