"""The engines that are measured, each behind the same three calls."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fluxcore.bench.checksum import checksum
from fluxcore.bench.queries import QUERIES, WATERMARK, duckdb_view, flink_insert, flink_tables
from fluxcore.limits import BATCH_ROWS
from fluxcore.runtime.kernels import use_cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from fluxcore.bench.worker import Task

STREAMING_BUFFER = "64MB"


class Engine(ABC):
    """An engine with its data in place, ready for one query.

    In: ``path`` the folder of the table's files; ``events`` of how many events the table holds the bids.
    """

    configuration: dict[str, Any]

    def __init__(self, task: Task, path: str | None, events: int) -> None:
        self.task = task
        self.query = QUERIES[task.query]
        self.path = None if path is None else Path(path)
        self.events = events

    @abstractmethod
    def run(self) -> int:
        """Run the query, drop its rows, and return how many there were."""

    @abstractmethod
    def checksum(self) -> tuple[int, str]:
        """Run the query and return the number and the checksum of its rows."""

    @abstractmethod
    def close(self) -> None:
        """Give resources back."""

    def bids(self) -> list[pa.RecordBatch]:
        """Return the table of bids, made in memory."""
        from fluxcore.connectors.nexmark.config import SCHEMAS, NexmarkConfig
        from fluxcore.connectors.nexmark.generator import Generator

        generator = Generator(NexmarkConfig(seed=self.task.seed))
        ranges = range(0, self.events, BATCH_ROWS)
        names = SCHEMAS["bid"].names
        return [generator.batch("bid", first, min(first + BATCH_ROWS, self.events), names) for first in ranges]


class FluxCoreEngine(Engine):
    """FluxCore through its public Python API: a session that runs SQL text."""

    def __init__(self, task: Task, path: str | None, events: int) -> None:
        super().__init__(task, path, events)
        use_cache_folder()
        from fluxcore.api.session import Session  # loads the engine

        self.session = Session({"parallelism.default": str(task.parallelism)})
        self.configuration = {"parallelism.default": task.parallelism, "batch_rows": BATCH_ROWS}
        if task.source == "memory":
            self.session.from_arrow(self.bids(), name="bid", watermark=WATERMARK)

    def run(self) -> int:
        """Run CREATE TABLE and INSERT INTO a blackhole."""
        script = flink_tables(self.task.source, self.path) + flink_insert(self.query)
        job: Any = self.session.start_script(script)
        job.result()
        return int(job.metrics().operators[-1].rows_in)

    def checksum(self) -> tuple[int, str]:
        """Run the query alone."""
        self.session.execute(flink_tables(self.task.source, self.path))
        return checksum(self.session.sql(self.query.flink).batches(), self.query.result)

    def close(self) -> None:
        """Nothing to do: jobs end by themselves."""


class DuckDbEngine(Engine):
    """DuckDB with the same number of threads; its rows are delivered as a stream of Arrow batches."""

    def __init__(self, task: Task, path: str | None, events: int) -> None:
        super().__init__(task, path, events)
        import duckdb

        self.configuration = {
            "threads": task.parallelism,
            "preserve_insertion_order": "false",
            "streaming_buffer_size": STREAMING_BUFFER,
        }
        self.connection = duckdb.connect()
        for key, value in self.configuration.items():
            self.connection.execute(f"SET {key} = '{value}'")
        if task.source == "memory":
            import pyarrow as pa

            self.connection.register("bid", pa.Table.from_batches(self.bids()))

    def run(self) -> int:
        """Run the query over a view of the files."""
        return sum(batch.num_rows for batch in self._batches())

    def checksum(self) -> tuple[int, str]:
        """Run the query."""
        return checksum(self._batches(), self.query.result)

    def close(self) -> None:
        """Close the database."""
        self.connection.close()

    def _batches(self) -> Iterator[pa.RecordBatch]:
        view = duckdb_view(self.task.source, self.path)
        if view:
            self.connection.execute(view)
        result: Any = self.connection.execute(self.query.duckdb)
        # versions before 2 name it otherwise
        read = getattr(result, "to_arrow_reader", None) or result.fetch_record_batch
        yield from read(BATCH_ROWS)


ENGINES: dict[str, Callable[[Task, str | None, int], Engine]] = {"fluxcore": FluxCoreEngine, "duckdb": DuckDbEngine}
