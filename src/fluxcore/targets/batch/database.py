"""The DuckDB of one job: in memory, with a limit from the job's budget, and a folder for what doesn't fit."""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from fluxcore.core.machine import free_bytes
from fluxcore.core.size import size_bytes
from fluxcore.errors import DataError, FluxError, JobError
from fluxcore.limits import BATCH_DATABASE_BYTES_MIN, BATCH_DATABASE_SHARE, BATCH_ROWS, MEMORY_SHARE_FREE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fluxcore.core.settings import Settings

_TOLD = re.compile(r"fluxcore:(FX-RUN-0201):([^\n]*)")
_STREAMING_BUFFER = "64MB"
_OPTIMIZERS_OFF = "join_order,build_side_probe_side"
"""DuckDB knows no sizes of what is streamed in: the joins are written in the order in which they should run."""


class Database:
    """Runs queries one within the other: each has a connection of its own. It opens with the first of them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder: Path | None = None
        self._root: Any = None
        self._open: list[Any] = []
        self._lock = threading.Lock()

    def read(self, query: str, streams: dict[str, object]) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a query over streams of Arrow data, each read at most once."""
        connection = self._connection()
        self._open.append(connection)
        try:
            with told():
                for name, stream in streams.items():
                    connection.register(name, stream)
                relation: Any = connection.sql(query)
                # versions before 2 name it otherwise
                read = getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader
                reader = read(BATCH_ROWS)
            while True:
                with told():
                    try:
                        batch = reader.read_next_batch()
                    except StopIteration:
                        return
                if batch.num_rows:
                    yield batch
        finally:
            self._open.remove(connection)
            connection.close()

    def keep(self, table: str, query: str, streams: dict[str, object]) -> None:
        """Make a table of a query's rows."""
        connection = self._connection()
        self._open.append(connection)
        try:
            with told():
                for name, stream in streams.items():
                    connection.register(name, stream)
                connection.execute(f"CREATE TABLE {table} AS {query}")
        finally:
            self._open.remove(connection)
            connection.close()

    def interrupt(self) -> None:
        """Stop all queries that run, from any thread."""
        for connection in list(self._open):
            connection.interrupt()

    def close(self) -> None:
        """Close the database and remove its folder."""
        if self._root is not None:
            self._root.close()
            self._root = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _connection(self) -> Any:
        with self._lock:
            if self._root is None:
                self._folder = Path(tempfile.mkdtemp(prefix="fluxcore-batch-"))
                self._root = duckdb.connect()
                for key, value in _configuration(self._settings, self._folder).items():
                    self._root.execute(f"SET {key} = '{value}'")
            return self._root.cursor()


class told:  # noqa: N801  (a context manager that is used as a word)
    """Turns DuckDB's errors into FluxCore's.

    Raises: ``DataError`` FX-RUN-0201 for a NULL event time; ``JobError`` FX-BAT-0302 when memory and disk don't do, FX-BAT-0301
    for all else.
    """

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise the error that says the same."""
        if error is None or isinstance(error, FluxError | StopIteration):
            return
        if isinstance(error, duckdb.Error | pa.ArrowException | OSError):
            raise _translated(error) from error


def _configuration(settings: Settings, folder: Path) -> dict[str, str | int]:
    found: dict[str, str | int] = {
        "threads": settings.parallelism,
        "preserve_insertion_order": "false",
        "temp_directory": str(folder),
        "disabled_optimizers": _OPTIMIZERS_OFF,
        "streaming_buffer_size": _STREAMING_BUFFER,
        "enable_progress_bar": "false",
    }
    limit = _memory_bytes(settings)
    return found if limit is None else {**found, "memory_limit": f"{limit // 1_000_000}MB"}


def _translated(error: BaseException) -> FluxError:
    text = str(error)
    found = _TOLD.search(text)
    if found:
        message = f"the event time '{found[2]}' is NULL"
        return DataError(found[1], message, hint=f"drop such rows before: WHERE `{found[2]}` IS NOT NULL")
    if isinstance(error, duckdb.OutOfMemoryException) or "Out of Memory" in text:
        hint = "raise taskmanager.memory.process.size, or give the folder for temporary files (TMPDIR) more room"
        return JobError("FX-BAT-0302", f"the query needs more memory than it may take: {_first_line(text)}", hint=hint)
    return JobError("FX-BAT-0301", f"DuckDB failed: {_first_line(text)}")


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0]


def _memory_bytes(settings: Settings) -> int | None:
    """Return the most memory that DuckDB may take: a share of the process's budget; None where nobody knows one."""
    size = settings.text("taskmanager.memory.process.size")
    free = free_bytes()
    budget = size_bytes(size) if size else None if free is None else int(free * MEMORY_SHARE_FREE)
    return None if budget is None else max(int(budget * BATCH_DATABASE_SHARE), BATCH_DATABASE_BYTES_MIN)
