"""The demonstration over the real flights: its comparison is a real one, and its report stands alone."""

from __future__ import annotations

import csv
import datetime as dt
import re
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from fluxcore.demo.check import compare
from fluxcore.demo.data import ROWS, package_data, zone_offsets
from fluxcore.demo.run import DemoOptions, _verdict, run


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Return the work folder of a finished demo, its exit code and what stood on the screen."""
    work = tmp_path_factory.mktemp("demo")
    with (work / "screen.txt").open("w") as file:
        code = run(DemoOptions(str(work)), Console(file=file, width=120))
    return work, code, (work / "screen.txt").read_text()


def test_every_answer_is_duckdbs_too(demo):
    work, code, screen = demo
    assert code == 0
    assert re.search(r"EQUAL: all [\d,]+ rows of all answers, and the [\d,]+ late rows, are DuckDB's too", screen)
    assert f"{ROWS:,} flights" in screen
    assert list((work / "late").iterdir()), "late rows go to files"


def test_an_altered_a_missing_and_an_additional_row_are_noticed(demo, tmp_path):
    work, _, _ = demo
    copy = tmp_path / "work"
    shutil.copytree(work, copy)
    (file,) = (copy / "answers" / "twice_late").iterdir()
    table = pq.read_table(file)
    verdicts = {}
    for name, changed in {
        "altered": table.set_column(7, table.schema.field(7), [[x + 1 if i == 5 else x for i, x in enumerate(table.column(7).to_pylist())]]),
        "missing": table.slice(1),
        "additional": pa.concat_tables([table, table.slice(0, 1)]),
    }.items():  # fmt: skip
        pq.write_table(changed, file)
        verdicts[name] = next(v for v in compare(copy, {}) if v.name == "twice_late")
    assert not any(verdict.equal for verdict in verdicts.values())
    assert (len(verdicts["altered"].only_ours), len(verdicts["altered"].only_theirs)) == (1, 1)
    assert (len(verdicts["missing"].only_ours), len(verdicts["missing"].only_theirs)) == (0, 1)
    assert (len(verdicts["additional"].only_ours), len(verdicts["additional"].only_theirs)) == (1, 0)


def test_another_number_of_late_rows_is_noticed_and_a_difference_is_exit_code_1(demo, tmp_path):
    work, _, screen = demo
    found = re.search(r"late rows of Over\(flights\)\s+([\d,]+)", screen)
    assert found
    count = int(found[1].replace(",", ""))
    right, wrong = (
        next(v for v in compare(work, {"Over(flights)": number}) if v.name == "late rows of Over(flights)")
        for number in (count, count + 1)
    )
    assert right.equal
    assert not wrong.equal
    with (tmp_path / "screen.txt").open("w") as file:
        assert _verdict(Console(file=file), [right, wrong]) == 1
    assert "DIFFERENT" in (tmp_path / "screen.txt").read_text()


def test_the_report_needs_nothing_else(demo):
    work, _, screen = demo
    html = (work / "report.html").read_text("utf-8")
    assert "report.html" in screen
    assert html.count("<svg") >= 4
    assert not re.search(r"<(script|link|iframe|img)\b", html)
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", html)
    assert not re.search(r"url\((?!#)|@import", html)


def test_flights_come_in_the_order_in_which_they_really_happened(demo):
    work, _, _ = demo
    with (work / "input" / "flights.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == ROWS
    happened = [row["happened"] for row in rows]
    assert happened == sorted(happened)
    planned = [row["event_time"] for row in rows]
    assert planned != sorted(planned), "the event time is out of order"
    for row in rows[:: len(rows) // 500]:
        delay = dt.timedelta(minutes=float(row["dep_delay"] or 0))
        assert dt.datetime.fromisoformat(row["event_time"]) + delay == dt.datetime.fromisoformat(row["happened"])
    assert sum(not row["dep_delay"] for row in rows) == 8_255, "cancelled flights come at their planned time"


def test_local_times_become_utc_by_the_zone_in_summer_and_in_winter():
    offsets = zone_offsets(Path(package_data()) / "airports.csv").to_pylist()
    ahead = {row["hour"]: row["ahead"] for row in offsets if row["tzone"] == "America/New_York"}
    assert ahead[dt.datetime(2013, 1, 15, 12)] == -300
    assert ahead[dt.datetime(2013, 7, 15, 12)] == -240
    assert (ahead[dt.datetime(2013, 3, 10, 1)], ahead[dt.datetime(2013, 3, 10, 3)]) == (-300, -240)
