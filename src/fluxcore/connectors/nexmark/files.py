"""Writes made events to files, and finds them again the next time."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fluxcore.connectors.nexmark.config import SCHEMAS, NexmarkConfig
from fluxcore.connectors.nexmark.generator import Generator
from fluxcore.errors import JobError, ScriptError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FORMATS = ("csv", "json", "parquet")
ROW_GROUP_ROWS = 122_880
"""Rows of a Parquet row group; what DuckDB reads best."""

_VERSION = 1  # part of the folder's name: raised when the generator or the files change
_BLOCK_EVENTS = 50_000


@dataclass(frozen=True)
class FileOptions:
    """Which files are wanted: ``files`` of each table, which take turns block by block, so that they advance together."""

    events: int
    format: str = "csv"
    tables: tuple[str, ...] = ("bid",)
    files: int = 1
    config: NexmarkConfig = field(default_factory=NexmarkConfig)
    threads: int = 2


def write_files(folder: Path, options: FileOptions) -> dict[str, Path]:
    """Make the files that are not there yet, and return the folder of each table.

    CSV has no header and writes times as ``yyyy-MM-dd HH:mm:ss.SSS``, as JSON lines do; Parquet has row groups of
    :data:`ROW_GROUP_ROWS` rows, Snappy, and times in milliseconds. A folder appears under its name when it is complete.

    Raises: ``ScriptError`` FX-CON-0124 for an unknown format or table, ``JobError`` FX-CON-0125 when writing fails.
    """
    for what, name, known in [
        ("format", options.format, FORMATS),
        *(("table", t, tuple(SCHEMAS)) for t in options.tables),
    ]:
        if name not in known:
            hint = nearest(name, known) or f"one of {', '.join(known)}"
            raise ScriptError("FX-CON-0124", f"there is no {what} '{name}' of Nexmark events", hint=hint)
    places = {table: folder / f"{_name(options)}-{table}" for table in options.tables}
    for table, place in places.items():
        if not place.is_dir():
            _make(place, table, options)
    return places


def _name(options: FileOptions) -> str:
    config, plain = options.config, NexmarkConfig()
    changed = [f"{key}{value}" for key, value in vars(config).items() if value != getattr(plain, key) and key != "seed"]
    parts = [
        f"nexmark-v{_VERSION}",
        f"seed{config.seed}",
        f"{options.events}",
        *changed,
        options.format,
        f"x{options.files}",
    ]
    return "-".join(part.replace("_", "") for part in parts)


def _make(place: Path, table: str, options: FileOptions) -> None:
    """Write into a hidden folder beside the place, then move it there."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        hidden = Path(mkdtemp(prefix=f".{place.name}-", dir=place.parent))
        try:
            _write(hidden, table, options)
            hidden.chmod(0o755)
            try:
                hidden.rename(place)
            except OSError:
                if not place.is_dir():  # another process may have been quicker
                    raise
        finally:
            shutil.rmtree(hidden, ignore_errors=True)
    except OSError as error:
        message = (
            f"the events can't be written to '{error.filename or place}': {(error.strerror or str(error)).lower()}"
        )
        raise JobError("FX-CON-0125", message, hint="choose another folder with --data") from error


def _write(folder: Path, table: str, options: FileOptions) -> None:
    """Make blocks in several threads, a few ahead, and append them in order."""
    generator, names = Generator(options.config), SCHEMAS[table].names
    encode = _ENCODERS[options.format]
    blocks = range(0, options.events, _BLOCK_EVENTS)

    def block(first: int) -> Any:
        return encode(generator.batch(table, first, min(first + _BLOCK_EVENTS, options.events), names))

    with ExitStack() as stack:
        paths = [folder / f"part-{number:04}.{options.format}" for number in range(options.files)]
        append = [stack.enter_context(_WRITERS[options.format](path, table)) for path in paths]
        pool = stack.enter_context(ThreadPoolExecutor(options.threads))
        for number, made in enumerate(_ahead(pool, block, blocks, 2 * options.threads)):
            append[number % options.files].write(made)


def _ahead(pool: ThreadPoolExecutor, make: Callable[[int], Any], inputs: range, most: int) -> Iterator[Any]:
    """Yield the results in order, with at most ``most`` of them waiting."""
    waiting = []
    for each in inputs:
        waiting.append(pool.submit(make, each))
        if len(waiting) >= most:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()


class _Bytes:
    """A file of encoded rows, put on the disk before it is closed."""

    def __init__(self, path: Path, table: str) -> None:  # noqa: ARG002
        self._file = path.open("wb")

    def write(self, data: pa.Buffer) -> None:
        self._file.write(data)

    def __enter__(self) -> _Bytes:
        return self

    def __exit__(self, *_: object) -> None:
        with self._file:
            self._file.flush()
            os.fsync(self._file.fileno())


class _Parquet:
    """A Parquet file; rows wait until they make a row group."""

    def __init__(self, path: Path, table: str) -> None:
        self._schema = _in_ms(SCHEMAS[table].arrow())
        words = [name for name in ("channel", "url", "city", "state", "name") if name in self._schema.names]
        self._writer = pq.ParquetWriter(path, self._schema, compression="snappy", use_dictionary=words)
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0

    def write(self, data: pa.RecordBatch) -> None:
        self._waiting.append(data)
        self._rows += data.num_rows
        while self._rows >= ROW_GROUP_ROWS:
            self._put(ROW_GROUP_ROWS)

    def _put(self, rows: int) -> None:
        whole = pa.Table.from_batches(self._waiting, self._schema)
        self._writer.write_table(whole.slice(0, rows), row_group_size=rows)
        self._waiting = whole.slice(rows).to_batches()
        self._rows -= rows

    def __enter__(self) -> _Parquet:
        return self

    def __exit__(self, *_: object) -> None:
        if self._rows:
            self._put(self._rows)
        self._writer.close()


def _in_ms(schema: pa.Schema) -> pa.Schema:
    fields = [pa.field(f.name, pa.timestamp("ms") if pa.types.is_timestamp(f.type) else f.type) for f in schema]
    return pa.schema(fields)


def _batch_in_ms(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.cast(_in_ms(batch.schema))


def _csv(batch: pa.RecordBatch) -> pa.Buffer:
    """Return one record a row; the texts hold nothing that CSV would have to quote."""
    parts: list[Any] = []
    for column in _batch_in_ms(batch).columns:
        parts += [column.cast(pa.string()), ","]
    return _joined([*parts[:-1], "\n"])


def _json(batch: pa.RecordBatch) -> pa.Buffer:
    """Return one object a row; the texts hold nothing that JSON would have to escape."""
    parts: list[Any] = []
    before = "{"
    for name, column in zip(batch.schema.names, _batch_in_ms(batch).columns, strict=True):
        quote = "" if pa.types.is_integer(column.type) else '"'
        parts += [f'{before}"{name}":{quote}', column.cast(pa.string())]
        before = f"{quote},"
    return _joined([*parts, before[:-1] + "}\n"])


def _joined(parts: list[Any]) -> pa.Buffer:
    """Return the bytes of rows made of columns of text and of constants."""
    rows = pc.binary_join_element_wise(*parts, "")
    _, offsets, data = rows.buffers()
    ends = memoryview(offsets).cast("i")
    return data.slice(ends[0], ends[len(rows)] - ends[0])


_ENCODERS: dict[str, Callable[[pa.RecordBatch], Any]] = {"csv": _csv, "json": _json, "parquet": _batch_in_ms}
_WRITERS: dict[str, Any] = {"csv": _Bytes, "json": _Bytes, "parquet": _Parquet}
