"""Real servers for tests, each started once for all test processes and ended behind the last of them."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from fluxcore.errors import JobError
from fluxcore.targets.flink.cluster.configuration import ClusterOptions
from fluxcore.targets.flink.cluster.java import find_java
from fluxcore.targets.flink.cluster.shared import running_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fluxcore.targets.flink.cluster.record import Cluster

MISSING = {"FX-FLK-0003", "FX-FLK-0004", "FX-FLK-0005", "FX-FLK-0019"}
"""No Java, none that Flink runs on, nothing fetched yet and no connection, no Python that PyFlink runs on."""


@contextmanager
def needed() -> Iterator[None]:
    """What a machine may lack: tests without it are skipped, and fail in CI, where it must be."""
    try:
        yield
    except JobError as error:
        if os.environ.get("CI") or error.code not in MISSING:
            raise
        pytest.skip(f"NOT TESTED WITH FLINK: {error.message}")


@pytest.fixture(scope="session")
def java() -> None:
    """A Java for Flink."""
    with needed():
        find_java()


@pytest.fixture(scope="session")
def services_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all test processes of this run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@pytest.fixture(scope="session")
def flink(java: None, services_folder: Path) -> Iterator[Cluster]:
    """A Flink cluster of profile ``small``: ``.gateway`` (host, port), ``.jobmanager`` (URL), ``.address``, 4 slots."""
    with needed(), running_cluster(ClusterOptions(profile="small", work=services_folder / "flink")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def flink_python(java: None, services_folder: Path) -> Iterator[Cluster]:
    """A Flink cluster as ``flink``, with PyFlink: functions in Python run there."""
    options = ClusterOptions(profile="small", work=services_folder / "flink-python", python=True)
    with needed(), running_cluster(options) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def flink_kafka(java: None, services_folder: Path) -> Iterator[Cluster]:
    """A Flink cluster as ``flink``, with the connector of Kafka, fetched by its short name."""
    options = ClusterOptions(profile="small", work=services_folder / "flink-kafka", jars=("kafka",))
    with needed(), running_cluster(options) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def flink_adaptive(java: None, services_folder: Path) -> Iterator[Cluster]:
    """A Flink cluster as ``flink``, whose scheduler gives jobs that run another parallelism."""
    settings = {"jobmanager.scheduler": "adaptive"}
    options = ClusterOptions(profile="small", work=services_folder / "flink-adaptive", settings=settings)
    with needed(), running_cluster(options) as cluster:
        yield cluster
