"""The address of a Flink cluster: ``flink://HOST:PORT`` is its SQL gateway, ``flink`` alone the local cluster's."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from fluxcore.errors import JobError, ScriptError
from fluxcore.targets.flink.cluster.cluster import status
from fluxcore.targets.flink.gateway import Gateway
from fluxcore.targets.flink.jobmanager import JobManager

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEME = "flink"


class Cluster:
    """A cluster: its SQL gateway, and its JobManager, which the gateway knows unless the address says ``?jobmanager=``."""

    def __init__(self, gateway: str, jobmanager: str | None = None) -> None:
        self.gateway = Gateway(gateway)
        self._jobmanager = jobmanager

    @cached_property
    def jobmanager(self) -> JobManager:
        """Return the JobManager that the gateway submits to. Raises ``JobError`` FX-FLK-0101."""
        if self._jobmanager is None:
            with self.gateway.session({}) as session:
                self._jobmanager = _jobmanager_of(session.properties(), self.gateway.address)
        return JobManager(self._jobmanager)


def cluster_at(address: str) -> Cluster:
    """Return the cluster at ``flink://HOST:PORT[?jobmanager=HOST:PORT]``, or with ``flink`` the local one.

    Raises: ``ScriptError`` FX-FLK-0105 for an address without host or port; for ``flink`` alone ``JobError`` FX-FLK-0106
    when no local cluster runs.
    """
    parts = urlsplit(address if "://" in address else f"{address}://")
    if not parts.netloc:
        return _local()
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme != SCHEME or not parts.hostname or port is None or parts.path.strip("/"):
        hint = "write flink://HOST:PORT of the SQL gateway, or flink alone for the local cluster"
        raise ScriptError("FX-FLK-0105", f"'{address}' is no address of a Flink cluster", hint=hint)
    jobmanager = parse_qs(parts.query).get("jobmanager", [None])[0]
    return Cluster(f"{parts.hostname}:{port}", jobmanager)


def _local() -> Cluster:
    found = status().cluster
    if found is None:
        raise JobError("FX-FLK-0106", "no local Flink cluster runs", hint="start one with `fluxcore flink up`")
    return cluster_at(f"{found.address}?jobmanager={found.host}:{found.rest_port}")


def _jobmanager_of(properties: Mapping[str, str], gateway: str) -> str:
    host = properties.get("rest.address") or properties.get("jobmanager.rpc.address") or gateway.rpartition(":")[0]
    return f"{host}:{properties.get('rest.port', '8081')}"
