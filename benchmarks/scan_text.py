"""Measures the CSV and JSON lines readers beside pyarrow and DuckDB on the same file, in turns, in one process.

    python benchmarks/scan_text.py [--rows N] [--threads 1 2] [--repeat N] [--json FILE]

Each engine delivers the wanted columns of generated Nexmark bids as Arrow data, which is dropped. The file is in the page
cache; DuckDB and pyarrow get the column types and as many threads as we do.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.json

from fluxcore.core.ports import Signal
from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import BIGINT, STRING, TIMESTAMP
from fluxcore.formats.base import DecodeRequest, Format
from fluxcore.formats.csv import CsvFormat
from fluxcore.formats.json import JsonFormat
from fluxcore.limits import TEXT_BLOCK_BYTES

SEED = 7
SCHEMA = Schema.of(
    [
        Column("auction", BIGINT),
        Column("bidder", BIGINT),
        Column("price", BIGINT),
        Column("channel", STRING),
        Column("url", STRING),
        Column("dateTime", TIMESTAMP),
        Column("extra", STRING),
    ]
)
PROJECTIONS = {"five": (0, 1, 2, 5, 6), "two": (0, 2), "all": tuple(range(7))}
SQL_TYPES = {"BIGINT": "BIGINT", "STRING": "VARCHAR", "TIMESTAMP(3)": "TIMESTAMP"}


def generate(rows: int) -> pa.RecordBatch:
    """Return bids with fields of the sizes that Nexmark's have."""
    random = np.random.default_rng(SEED)
    hosts = pa.array(["Google", "Facebook", "Baidu", "Apple", "channel-4711"])
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    fillers = pa.array(["".join(random.choice(letters, size)) for size in random.integers(30, 80, 1000)])
    number = np.arange(rows)
    urls = pa.array([f"https://www.nexmark.com/{filler[:16]}/item.htm?query=1" for filler in fillers.to_pylist()])
    columns = [
        1000 + number // 50 * 3 + random.integers(0, 100, rows),
        1000 + number // 50 + random.integers(0, 1000, rows),
        (10 ** (random.random(rows) * 6) * 100).astype(np.int64),
        hosts.take(random.integers(0, 5, rows)),
        urls.take(random.integers(0, 1000, rows)),
        (np.datetime64("2024-01-01T00:00:00", "us") + (number // 10) * np.timedelta64(1000, "us")),
        fillers.take(random.integers(0, 1000, rows)),
    ]
    arrays = [pa.array(values).cast(each.type.arrow()) for values, each in zip(columns, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA.arrow())


def ours(format_: Format, path: str, columns: tuple[int, ...], threads: int) -> int:
    """Read with our reader; as in a job, one thread at a time cuts a block and all decode."""
    reader = format_.open_file(path, DecodeRequest(SCHEMA, columns))
    lock = threading.Lock()
    counts = [0] * threads

    def work(number: int) -> None:
        while True:
            with lock:
                unit = reader.take()
            if unit is Signal.END:
                return
            counts[number] += reader.decode(unit).rows

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    reader.close()
    return sum(counts)


def arrow_csv(path: str, columns: tuple[int, ...], threads: int) -> int:
    pa.set_cpu_count(threads)
    types = {each.name: each.type.arrow() for each in SCHEMA}
    table = pyarrow.csv.read_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(
            column_names=SCHEMA.names, use_threads=threads > 1, block_size=TEXT_BLOCK_BYTES
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=types, include_columns=[SCHEMA[index].name for index in columns]
        ),
    )
    return table.num_rows


def arrow_json(path: str, columns: tuple[int, ...], threads: int) -> int:
    pa.set_cpu_count(threads)
    fields = [pa.field(SCHEMA[index].name, SCHEMA[index].type.arrow()) for index in columns]
    table = pyarrow.json.read_json(
        path,
        read_options=pyarrow.json.ReadOptions(use_threads=threads > 1, block_size=TEXT_BLOCK_BYTES),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=pa.schema(fields), unexpected_field_behavior="ignore"),
    )
    return table.num_rows


def duck(kind: str, path: str, columns: tuple[int, ...], threads: int) -> int:
    names = ", ".join(f'"{SCHEMA[index].name}"' for index in columns)
    types = ", ".join(f"'{each.name}': '{SQL_TYPES[each.type.name()]}'" for each in SCHEMA)
    reader = (
        f"read_csv('{path}', header=false, auto_detect=false, columns={{{types}}})"
        if kind == "csv"
        else f"read_json('{path}', format='newline_delimited', columns={{{types}}})"
    )
    with duckdb.connect(config={"threads": threads}) as connection:
        return sum(batch.num_rows for batch in connection.sql(f"SELECT {names} FROM {reader}").to_arrow_reader(65536))


def measure(run: Callable[[], int], rows: int) -> float:
    start = time.perf_counter()
    found = run()
    seconds = time.perf_counter() - start
    assert found == rows, f"{found} rows instead of {rows}"
    return seconds


def engines(kind: str, path: str, columns: tuple[int, ...], threads: int) -> dict[str, Callable[[], int]]:
    format_: Format = CsvFormat() if kind == "csv" else JsonFormat()
    arrow = arrow_csv if kind == "csv" else arrow_json
    return {
        "fluxcore": lambda: ours(format_, path, columns, threads),
        "pyarrow": lambda: arrow(path, columns, threads),
        "duckdb": lambda: duck(kind, path, columns, threads),
    }


def write_files(folder: Path, rows: int) -> dict[str, str]:
    """Write the same bids as CSV and JSON lines."""
    paths = {}
    batch = generate(rows)
    for kind, format_ in (("csv", CsvFormat()), ("json", JsonFormat())):
        path = folder / f"bids.{kind}"
        encoder = format_.encoder(SCHEMA, {})
        start = time.perf_counter()
        with path.open("wb") as file:
            for first in range(0, rows, 65536):
                file.write(encoder.encode(batch.slice(first, 65536)))
        seconds = time.perf_counter() - start
        print(f"wrote {path.name}: {path.stat().st_size / rows:.0f} bytes a row, {rows / seconds / 1e6:.2f} M rows/s")
        paths[kind] = str(path)
    return paths


def run(rows: int, threads: Sequence[int], repeat: int) -> list[dict[str, Any]]:
    results = []
    with tempfile.TemporaryDirectory() as folder:
        paths = write_files(Path(folder), rows)
        for kind, path in paths.items():
            for count in threads:
                for name, columns in PROJECTIONS.items():
                    chosen = engines(kind, path, columns, count)
                    seconds: dict[str, list[float]] = {engine: [] for engine in chosen}
                    measure(chosen["fluxcore"], rows)  # compiles what isn't cached
                    for _ in range(repeat):
                        for engine, read in chosen.items():
                            seconds[engine].append(measure(read, rows))
                    for engine, taken in seconds.items():
                        rate = rows / statistics.median(taken)
                        case = f"{kind} {name}"
                        print(f"{case:10} {count} thread(s) {engine:9} {rate / 1e6:7.2f} M rows/s")
                        results.append(
                            {
                                "case": case,
                                "engine": engine,
                                "source": kind,
                                "threads": count,
                                "rows": rows,
                                "bytes": Path(path).stat().st_size,
                                "seconds": taken,
                                "rows_per_s": rate,
                                "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                            }
                        )
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(
        f"scan_text: {options.rows} bids, seed {SEED}, block {TEXT_BLOCK_BYTES} bytes, {os.cpu_count()} processors, "
        f"Python {platform.python_version()}, pyarrow {pa.__version__}, DuckDB {duckdb.__version__}"
    )
    results = run(options.rows, options.threads, options.repeat)
    if options.json:
        options.json.write_text(json.dumps({"results": results}, indent=1))


if __name__ == "__main__":
    main()
