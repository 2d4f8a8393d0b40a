"""Addresses of clusters."""

import pytest

from fluxcore.errors import JobError, ScriptError
from fluxcore.targets.flink.address import cluster_at
from fluxcore.targets.flink.settings import flink_properties


def test_an_address_names_the_gateway_and_may_name_the_jobmanager():
    cluster = cluster_at("flink://localhost:8083?jobmanager=localhost:8081")
    assert (cluster.gateway.address, cluster.jobmanager.address) == ("localhost:8083", "localhost:8081")


@pytest.mark.parametrize(
    "address", ["flink://localhost", "flink://localhost:x", "kafka://localhost:1", "flink://h:1/path"]
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(ScriptError, match="no address"):
        cluster_at(address)


def test_nobody_there_is_told_with_what_to_do():
    with pytest.raises(JobError, match="does not answer") as raised:
        cluster_at("flink://127.0.0.1:1").gateway.version()
    assert "fluxcore flink up" in raised.value.hint


def test_own_settings_stay_here():
    settings = {"parallelism.default": "2", "fluxcore.log.level": "info", "taskmanager.memory.process.size": "1 gb"}
    assert flink_properties(settings) == {"parallelism.default": "2", "table.local-time-zone": "UTC"}
