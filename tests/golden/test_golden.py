"""Golden queries: each `.sql` file is a script whose one SELECT must give the expected final table.

The head of a file says who gives the expectation:
- `/* duckdb ... */` holds the same question in DuckDB's SQL, answered by DuckDB over the same files in the same test;
- `/* rows ... */` holds the rows as JSON lines, worked out by hand; the text before them gives the reasoning.
- `/* batch duckdb ... */` or `/* batch rows ... */` holds what batch mode gives, where that is something else: no row is late.
`{data}` stands for the folder of the inputs. Every query runs with 1, 2 and 3 workers, and in batch mode.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from fluxcore.api.session import Session
from fluxcore.connectors.collect import CollectSink
from fluxcore.errors import ScriptError

HERE = Path(__file__).parent
QUERIES = sorted(HERE.rglob("*.sql"))


def plain(value: Any) -> Any:
    """Bring values of both engines to one form; doubles to 9 digits."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else float(f"{value:.9e}")
    if isinstance(value, Decimal):
        return str(value.normalize())
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=None).isoformat(timespec="milliseconds")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return tuple(plain(each) for each in value)
    if isinstance(value, dict):
        return tuple(sorted((key, plain(each)) for key, each in value.items()))
    return value


def run(script: str, parallelism: int, target: str = "embedded") -> list[tuple[Any, ...]]:
    session = Session({"parallelism.default": str(parallelism)}, target=target)
    sinks: list[CollectSink] = []

    def output(statement: Any) -> CollectSink:
        sinks.append(CollectSink())
        return sinks[-1]

    session.execute_script(script, output=output)
    batches = sinks[-1].batches
    columns = (
        [
            [value for batch in batches for value in batch.data.column(i).to_pylist()]
            for i in range(batches[0].data.num_columns)
        ]
        if batches
        else []
    )
    return [tuple(plain(value) for value in row) for row in zip(*columns, strict=True)]


def expected(text: str, mode: str = "") -> list[tuple[Any, ...]]:
    asked = re.search(rf"/\* {mode}duckdb(.*?)\*/", text, re.DOTALL)
    if asked:
        connection = duckdb.connect()
        rows = connection.execute(asked[1]).fetchall()
        return [tuple(plain(value) for value in row) for row in rows]
    given = re.search(rf"/\* {mode}rows(.*?)\*/", text, re.DOTALL)
    assert given, "the file names no expectation"
    return [tuple(plain(value) for value in json.loads(line)) for line in given[1].splitlines() if line.startswith("[")]


def check(text: str, found: list[tuple[Any, ...]], wanted: list[tuple[Any, ...]]) -> None:
    assert wanted, "an expectation without rows proves nothing"
    if re.search(r"^-- ordered", text, re.MULTILINE):
        assert found == wanted
    else:
        assert Counter(found) == Counter(wanted)


def text_of(path: Path) -> str:
    return path.read_text("utf-8").replace("{data}", str(HERE / "data"))


@pytest.mark.parametrize("parallelism", [1, 2, 3])
@pytest.mark.parametrize("path", QUERIES, ids=lambda path: str(path.relative_to(HERE).with_suffix("")))
def test_query_gives_the_expected_table(path: Path, parallelism: int) -> None:
    text = text_of(path)
    check(text, run(text, parallelism), expected(text))


REFUSED_IN_BATCH = {
    f"changes/{name}": "FX-BAT-0102"
    for name in (
        "table_beside_its_changes",
        "to_changelog",
        "to_changelog_codes",
        "to_changelog_of_query",
        "there_and_back",
    )
} | {"stateless/watermark_of_late_rows": "FX-BAT-0102"}
"""Queries that ask for changes or watermarks, of which batch mode makes none; Flink's refuses them too."""


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: str(path.relative_to(HERE).with_suffix("")))
def test_batch_mode_gives_the_same_but_that_no_row_is_late(path: Path) -> None:
    text = text_of(path)
    code = REFUSED_IN_BATCH.get(str(path.relative_to(HERE).with_suffix("")))
    if code is not None:
        with pytest.raises(ScriptError) as caught:
            run(text, 2, "batch")
        assert caught.value.code == code
        return
    apart = "/* batch " in text
    found = run(text, 2, "batch")
    check(text, found, expected(text, "batch " if apart else ""))
    if apart:
        assert Counter(found) != Counter(expected(text)), "batch mode needs no expectation of its own here"
