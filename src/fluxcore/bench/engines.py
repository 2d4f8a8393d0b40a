"""The engines that are measured, each behind the same three calls."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fluxcore.bench.checksum import checksum
from fluxcore.bench.queries import FILE_SOURCES, SIDE_INPUT, WATERMARK, duckdb_views, flink_tables, query_of, side_input
from fluxcore.limits import BATCH_ROWS
from fluxcore.runtime.kernels import use_cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pyarrow as pa

    from fluxcore.bench.queries import Query
    from fluxcore.bench.worker import Task
    from fluxcore.core.schema import Schema

STREAMING_BUFFER = "64MB"


class Engine(ABC):
    """An engine with its data in place, ready for one query.

    In: ``paths`` the folder of each table's files, none for tables in memory; ``events`` how many events there are.
    """

    configuration: dict[str, Any]

    def __init__(self, task: Task, paths: Mapping[str, str], events: int) -> None:
        self.task = task
        self.query = query_of(task.query)
        self.paths = {table: Path(path) for table, path in paths.items()}
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

    def tables(self) -> dict[str, list[pa.RecordBatch]]:
        """Return the tables that the query reads, made in memory."""
        from fluxcore.connectors.nexmark.config import SCHEMAS, NexmarkConfig
        from fluxcore.connectors.nexmark.generator import Generator

        generator = Generator(NexmarkConfig(seed=self.task.seed))
        ranges = [(first, min(first + BATCH_ROWS, self.events)) for first in range(0, self.events, BATCH_ROWS)]
        found = {SIDE_INPUT: side_input().to_batches()} if SIDE_INPUT in self.query.tables else {}
        for table in self.query.tables:
            if table != SIDE_INPUT:
                found[table] = [generator.batch(table, *each, SCHEMAS[table].names) for each in ranges]
        return found


class FluxCoreEngine(Engine):
    """FluxCore through its public Python API: a session that runs SQL text."""

    target = "embedded"

    def __init__(self, task: Task, paths: Mapping[str, str], events: int) -> None:
        super().__init__(task, paths, events)
        use_cache_folder()
        from fluxcore.api.session import Session  # loads the engine

        self.session = Session({"parallelism.default": str(task.parallelism)}, target=self.target)
        self.configuration = {
            "parallelism.default": task.parallelism, "batch_rows": BATCH_ROWS, "target": self.target
        }  # fmt: skip
        columns = enumerate(result_schema(self.query))
        self.columns = ", ".join(f"c{index} {each.type.sql()}" for index, each in columns)
        if task.source == "memory":
            for name, batches in self.tables().items():
                self.session.from_arrow(batches, name=name, watermark=None if name == SIDE_INPUT else WATERMARK)

    def run(self) -> int:
        """Run CREATE TABLE and INSERT INTO a blackhole."""
        tables = flink_tables(self.query, self.task.source, self.paths)
        sink = f"CREATE TABLE nexmark_{self.query.name} ({self.columns}) WITH ('connector' = 'blackhole');\n"
        insert = f"INSERT INTO nexmark_{self.query.name}\n{self.query.flink};\n"
        job: Any = self.session.start_script(tables + sink + insert)
        job.result()
        return int(job.metrics().operators[-1].rows_in)

    def checksum(self) -> tuple[int, str]:
        """Run the query alone."""
        self.session.execute(flink_tables(self.query, self.task.source, self.paths))
        return checksum(self.session.sql(self.query.flink).batches(), arrow_schema(self.query))

    def close(self) -> None:
        """Nothing to do: jobs end by themselves."""


class FluxCoreBatchEngine(FluxCoreEngine):
    """The same in batch mode."""

    target = "batch"


class DuckDbEngine(Engine):
    """DuckDB with the same number of threads; its rows are delivered as a stream of Arrow batches."""

    def __init__(self, task: Task, paths: Mapping[str, str], events: int) -> None:
        super().__init__(task, paths, events)
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

            for name, batches in self.tables().items():
                self.connection.register(name, pa.Table.from_batches(batches))

    def run(self) -> int:
        """Run the query over a view of the files."""
        return sum(batch.num_rows for batch in self._batches())

    def checksum(self) -> tuple[int, str]:
        """Run the query."""
        return checksum(self._batches(), arrow_schema(self.query))

    def close(self) -> None:
        """Close the database."""
        self.connection.close()

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for view in duckdb_views(self.query, self.task.source, self.paths):
            self.connection.execute(view)
        result: Any = self.connection.execute(self.query.duckdb)
        # versions before 2 name it otherwise
        read = getattr(result, "to_arrow_reader", None) or result.fetch_record_batch
        yield from read(BATCH_ROWS)


def result_schema(query: Query) -> Schema:
    """Return the columns of a query's answer as FluxCore plans it."""
    from fluxcore.api.session import Session

    session = Session()
    session.execute(flink_tables(query, FILE_SOURCES[0], {table: Path() for table in query.tables}))
    return session.sql(query.flink).schema


def arrow_schema(query: Query) -> pa.Schema:
    """Return the types to which both engines' answers are cast before they are compared; times in microseconds."""
    import pyarrow as pa

    def plain(type_: pa.DataType) -> pa.DataType:
        return pa.timestamp("us") if pa.types.is_timestamp(type_) else type_

    return pa.schema([(f"c{index}", plain(each.type.arrow())) for index, each in enumerate(result_schema(query))])


ENGINES: dict[str, Callable[[Task, Mapping[str, str], int], Engine]] = {
    "fluxcore": FluxCoreEngine,
    "fluxcore-batch": FluxCoreBatchEngine,
    "duckdb": DuckDbEngine,
}
