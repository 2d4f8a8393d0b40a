"""The target ``flink://HOST:PORT``: a plan becomes Flink SQL and runs on a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from fluxcore.api.iteration import iterate
from fluxcore.errors import ScriptError
from fluxcore.plan.endless import is_bounded
from fluxcore.targets.flink.address import SCHEME, cluster_at
from fluxcore.targets.flink.job import FlinkJob
from fluxcore.targets.flink.python.clusters import check_python, no_python
from fluxcore.targets.flink.python.shipment import FILES
from fluxcore.targets.flink.rest import RestError
from fluxcore.targets.flink.settings import flink_properties
from fluxcore.targets.flink.sql.job import print_job

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fluxcore.core.ports import Sink
    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node


class FlinkTarget:
    """Runs plans on the cluster at ``address``, such as ``flink://127.0.0.1:8083``; ``flink`` is the local one."""

    def __init__(self, address: str = SCHEME) -> None:
        self._address = address

    def at(self, address: str) -> FlinkTarget:
        """Return the target of a cluster."""
        return FlinkTarget(address)

    def start(
        self, roots: Sequence[tuple[Node, Sink | None]], settings: Settings, *, changelog: bool = False
    ) -> FlinkJob:
        """Start one job for all inserts, and one for each query, whose rows come back into its sink.

        Raises: ``ScriptError`` FX-FLK-0202 naming all that Flink has no twin of, FX-FLK-0201 for what it refuses; ``JobError``
        FX-FLK-0101 to 0104 for a cluster that is down or of an unknown version, FX-FLK-0205 to 0207 for one that can't run
        the functions in Python.
        """
        job = print_job([node for node, _ in roots], settings)
        if job.unportable:
            lines = "\n".join(each.describe() for each in job.unportable)
            raise ScriptError("FX-FLK-0202", f"the pipeline can't run on Flink:\n{lines}")
        cluster = cluster_at(self._address)
        cluster.gateway.version()
        properties = flink_properties(settings.values)
        if job.shipment:
            check_python(cluster.gateway.address, job.shipment.labels)
            job.shipment.write(cluster.gateway.address)
            properties[FILES] = job.shipment.paths_before(properties.get(FILES, ""))
        session = cluster.gateway.session(properties)
        bounded = all(is_bounded(node, settings) for node, _ in roots)
        started = FlinkJob(cluster, session, bounded=bounded, python=job.shipment.labels)
        try:
            for definition in job.definitions:
                session.run(definition)
            if job.insert is not None:
                started.insert(job.insert)
            wanted = [(node, sink) for node, sink in roots if sink is not None]
            for query, (node, sink) in zip(job.queries, wanted, strict=True):
                schema = pa.schema([pa.field(column.name, column.type.arrow()) for column in node.schema])
                started.query(query, sink, schema, changes=changelog or not started.bounded)
        except RestError as error:
            session.close()
            if job.shipment and (found := no_python(error, job.shipment.labels)) is not None:
                raise found from error
            raise ScriptError("FX-FLK-0201", f"Flink refuses the pipeline: {error.message}") from error
        except BaseException:
            session.close()
            raise
        return started

    def iterate(self, node: Node, settings: Settings, *, changelog: bool = False) -> Iterator[pa.RecordBatch]:
        """Run a query and yield its rows batch by batch; closing the iterator ends the job.

        With ``changelog`` a first column ``op`` says +I, -U, +U or -D.
        """
        yield from iterate(self, node, settings, changelog=changelog)

    def is_bounded(self, node: Node, settings: Settings) -> bool:
        """Return whether all sources of the plan end."""
        return is_bounded(node, settings)

    def explain(self, roots: Sequence[Node], settings: Settings, details: Sequence[str] = ()) -> str:  # noqa: ARG002
        """Return the statements that would be sent, below comments that tell what is not quite the same there."""
        job = print_job(roots, settings)
        notes = "".join(f"-- not quite the same on Flink: {note}\n" for note in job.notes)
        return notes + "\n\n".join(f"{statement};" for statement in job.statements)

    def problems(self, roots: Sequence[Node], settings: Settings) -> Sequence[str]:
        """Return what Flink has no twin of, and why."""
        return [each.describe() for each in print_job(roots, settings).unportable]
