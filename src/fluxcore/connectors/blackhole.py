"""A sink that drops its rows: for measuring, and for trying a job out."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fluxcore.core.ports import ChangeMode, Connector, Sink

if TYPE_CHECKING:
    from fluxcore.core.batch import Batch
    from fluxcore.core.ports import SinkRequest


class BlackholeConnector(Connector):
    """Takes every row, with all its columns, and drops it."""

    name = "blackhole"
    takes_partitions = True

    def sink(self, request: SinkRequest) -> Sink:  # noqa: ARG002
        """Return the sink."""
        return BlackholeSink()


class BlackholeSink(Sink):
    """Counts the rows that it drops, in ``rows``."""

    modes: ClassVar[frozenset[ChangeMode]] = frozenset(ChangeMode)

    def __init__(self) -> None:
        self.rows = 0

    def write(self, batch: Batch) -> None:
        """Drop a batch."""
        self.rows += batch.rows

    def commit(self) -> None:
        """Nothing to do."""
