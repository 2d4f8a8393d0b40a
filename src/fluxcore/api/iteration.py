"""Hands the rows of a query to the program batch by batch, wherever it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.connectors.collect import QueueSink
from fluxcore.errors import Cancelled
from fluxcore.operators.change_kinds import with_operations
from fluxcore.plan.changelog import unique_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from fluxcore.api.target import Target
    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node


def iterate(target: Target, node: Node, settings: Settings, *, changelog: bool) -> Iterator[pa.RecordBatch]:
    """Run a query on a target and yield its rows batch by batch; closing the iterator stops the job.

    With ``changelog`` a first column ``op`` says +I, -U, +U or -D.
    """
    queue, key = QueueSink(), unique_key(node)
    job = target.start([(node, queue)], settings, changelog=changelog)
    try:
        for batch in queue:
            yield with_operations(batch, key) if changelog else batch.data
        job.result()
    except BaseException as error:
        job.stop()
        if isinstance(error, Cancelled):
            job.result()
        raise
