"""Writes the events of a benchmark into files once, and finds them again."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fluxcore.connectors.nexmark.generator import SCHEMAS, Generator
from fluxcore.core import registry

_CHUNK_EVENTS = 200_000
_SUFFIX = {"csv": "csv", "json": "jsonl", "parquet": "parquet", "memory": "parquet"}


def default_folder() -> Path:
    """Return the folder for benchmark data in the user's cache."""
    base = (
        os.environ.get("FLUXCORE_CACHE_DIR")
        or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fluxcore"
    )
    return Path(base) / "nexmark"


def bids_file(folder: Path, source: str, events: int, seed: int) -> Path:
    """Return the file with the bids among so many events, written if it is not there yet."""
    path = folder / f"bid-{events}-{seed}.{_SUFFIX[source]}"
    if path.is_file():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(path.suffix + ".part")
    schema = SCHEMAS["bid"]
    generator = Generator(seed)
    arrow = pa.schema([pa.field(column.name, column.type.arrow()) for column in schema])

    def batches() -> object:
        for first in range(0, events, _CHUNK_EVENTS):
            numbers = generator.numbers("bid", first, min(first + _CHUNK_EVENTS, events))
            yield pa.RecordBatch.from_arrays(generator.columns("bid", numbers, schema.names), schema=arrow)

    if path.suffix == ".parquet":
        with pq.ParquetWriter(part, arrow, compression="snappy") as writer:
            for batch in batches():  # type: ignore[attr-defined]
                writer.write_batch(batch, row_group_size=122_880)
    else:
        encoder = registry.find(registry.FORMATS, source).encoder(schema, {})
        with part.open("wb") as file:
            for batch in batches():  # type: ignore[attr-defined]
                file.write(encoder.encode(batch))
    part.replace(path)
    return path
