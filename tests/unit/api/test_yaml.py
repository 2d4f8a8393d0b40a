"""Pipelines in YAML: the SQL that they are written as, their rows, and errors at their places."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import fluxcore as fx
from fluxcore.api.yaml import read_pipeline

TABLES = """\
tables:
  rides:
    columns:
      id: BIGINT
      city: STRING
      fare: DOUBLE
      ts: TIMESTAMP(3)
      half: AS fare / 2
    watermark: {ts: 5 seconds}
    with: {connector: filesystem, path: rides.csv, format: csv}
  cities:
    columns: {city: STRING, country: STRING}
    primary_key: [city]
    with: {connector: filesystem, path: cities.csv, format: csv}
"""
RIDES = "1,Rom,10,2024-05-01 00:00:00\n2,Oslo,20,2024-05-01 00:00:30\n3,Rom,30,2024-05-01 00:01:00\n4,Ulm,4,2024-05-01 00:02:00\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "rides.csv").write_text(RIDES)
    (tmp_path / "cities.csv").write_text("Rom,Italy\nOslo,Norway\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows_of(folder, views, name="v"):
    (folder / "job.yaml").write_text(TABLES + "views:\n" + views)
    session = fx.Session()
    session.load("job.yaml")
    return sorted(session.table(name).to_arrow().to_pylist(), key=repr)


def asked(folder, query):
    """Return the rows of a query in SQL over the same tables."""
    session = fx.Session()
    session.execute(read_pipeline(TABLES).definitions.text)
    return sorted(session.sql(query).to_arrow().to_pylist(), key=repr)


WINDOWS = {
    "{tumble: ts, size: 1 min}": "TUMBLE(TABLE rides, DESCRIPTOR(ts), INTERVAL '1' MINUTE)",
    "{tumble: ts, size: 1 min, offset: 10 s}": "TUMBLE(TABLE rides, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '10' SECOND)",
    "{hop: ts, slide: 30 s, size: 1 min}": "HOP(TABLE rides, DESCRIPTOR(ts), INTERVAL '30' SECOND, INTERVAL '1' MINUTE)",
    "{cumulate: ts, step: 30 s, size: 1 min}": "CUMULATE(TABLE rides, DESCRIPTOR(ts), INTERVAL '30' SECOND, INTERVAL '1' MINUTE)",
    "{session: ts, gap: 90 s, by: city}": "SESSION(TABLE rides PARTITION BY city, DESCRIPTOR(ts), INTERVAL '90' SECOND)",
}


@pytest.mark.parametrize("window", WINDOWS)
def test_windows_are_those_of_sql(folder, window):
    views = f"  v: {{from: rides, window: {window}, group_by: city, select: {{n: COUNT(*), fare: SUM(fare)}}}}\n"
    query = (
        f"SELECT window_start, window_end, city, COUNT(*) AS n, SUM(fare) AS fare FROM TABLE({WINDOWS[window]}) "
        "GROUP BY window_start, window_end, city"
    )
    found = rows_of(folder, views)
    assert found == asked(folder, query)
    assert found


VIEWS = {
    "{from: rides}": "SELECT * FROM rides",
    "{from: rides, select: [id, half], where: [fare > 5, city <> 'Oslo']}": "SELECT id, half FROM rides WHERE fare > 5 AND city <> 'Oslo'",
    "{from: rides, select: {twice: fare * 2, 'a `b`': id}}": "SELECT fare * 2 AS twice, id AS `a ``b``` FROM rides",
    "{from: rides, group_by: [city], select: {n: COUNT(*)}, having: COUNT(*) > 1}": (
        "SELECT city, COUNT(*) AS n FROM rides GROUP BY city HAVING COUNT(*) > 1"
    ),
    "{from: rides, group_by: city}": "SELECT city FROM rides GROUP BY city",
    "{from: rides, select: [city], distinct: true}": "SELECT DISTINCT city FROM rides",
    "{from: rides, order_by: [fare DESC], limit: 2}": "SELECT * FROM rides ORDER BY fare DESC LIMIT 2",
    "{from: rides, as: r, join: {to: cities, as: c, how: left, on: r.city = c.city}, select: [id, country]}": (
        "SELECT id, country FROM rides r LEFT JOIN cities c ON r.city = c.city"
    ),
    "{from: rides, join: [{to: cities, using: [city]}], select: [id, country]}": "SELECT id, country FROM rides JOIN cities USING (city)",
    "{union: [rides, rides]}": "SELECT * FROM rides UNION ALL SELECT * FROM rides",
    "{sql: SELECT COUNT(*) AS n FROM rides}": "SELECT COUNT(*) AS n FROM rides",
}  # fmt: skip


@pytest.mark.parametrize("view", VIEWS)
def test_clauses_are_those_of_sql(folder, view):
    found = rows_of(folder, f"  v: {view}\n")
    assert found == asked(folder, VIEWS[view])
    assert found


WRONG = {
    "a name inside a quoted text": ('  v: {from: rides, where: "fare > fair"}\n', "FX-SQL-0201", "fair"),
    "a name inside a plain text": ("  v:\n    from: rides\n    where: fare > fair\n", "FX-SQL-0201", "fair"),
    "a name in a block": (
        "  v:\n    sql: |\n      SELECT id,\n        fair\n      FROM rides\n",
        "FX-SQL-0201",
        "fair",
    ),
    "a table": ("  v: {from: ride}\n", "FX-SQL-0203", "ride"),
    "a key": ("  v: {from: rides, grouped_by: city}\n", "FX-YAML-0002", "grouped_by"),
    "a key twice": ("  v: {from: rides, from: cities}\n", "FX-YAML-0002", "from"),
    "no source": ("  v: {where: id > 1}\n", "FX-YAML-0002", "{where: id > 1}"),
    "sql and more": ("  v: {sql: SELECT 1, where: a}\n", "FX-YAML-0002", "a"),
    "a window of no kind": ("  v: {from: rides, window: {size: 1 s}}\n", "FX-YAML-0002", "{size: 1 s}"),
    "a window without its size": ("  v: {from: rides, window: {tumble: ts}}\n", "FX-YAML-0002", "{tumble: ts}"),
    "a gap of a tumbling window": (
        "  v: {from: rides, window: {tumble: ts, size: 1 s, gap: 2}}\n",
        "FX-YAML-0002",
        "2",
    ),
    "no duration": ("  v: {from: rides, window: {tumble: ts, size: long}}\n", "FX-YAML-0002", "long"),
    "an unknown join": ("  v: {from: rides, join: {to: cities, how: outer}}\n", "FX-YAML-0002", "outer"),
    "a list where one value stands": ("  v: {from: [rides]}\n", "FX-YAML-0002", "[rides]"),
    "no value": ("  v: {from: }\n", "FX-YAML-0002", None),
    "a flag": ("  v: {from: rides, distinct: maybe}\n", "FX-YAML-0002", "maybe"),
    "no YAML": ("  v: {from: [rides}\n", "FX-YAML-0001", None),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_stand_at_their_place(folder, case):
    views, code, marked = WRONG[case]
    with pytest.raises(fx.ScriptError) as told:
        rows_of(folder, views)
    assert told.value.code == code
    place = told.value.place
    assert place.file == "job.yaml"
    assert place.source_line == (folder / "job.yaml").read_text().split("\n")[place.line - 1]
    if marked is not None:
        start = place.column - 1
        assert place.source_line[start : start + place.length] == marked


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "- a\n", "tables: 5\n", "tables: {t: {}}\n", "what: {}\n", "\t- x: [", "a: &a [*a]\n"]
)
def test_what_is_no_pipeline_is_refused(text):
    with pytest.raises(fx.ScriptError) as told:
        read_pipeline(text, "x.yaml")
    assert told.value.code in ("FX-YAML-0001", "FX-YAML-0002")


def test_settings_functions_and_quotes(folder):
    (folder / "my_functions.py").write_text(
        "import fluxcore as fx\n\n@fx.udf\ndef half(x: float) -> float:\n    return x / 2\n"
    )
    (folder / "it's.csv").write_text(RIDES)
    text = TABLES.replace("path: rides.csv", 'path: "it\'s.csv"') + "functions: {half: my_functions.half}\n"
    (folder / "job.yaml").write_text(
        text + "settings: {pipeline.name: it's mine}\nviews: {v: {from: rides, select: {h: half(fare)}}}\n"
    )
    session = fx.Session()
    session.load("job.yaml")
    assert session.settings.text("pipeline.name") == "it's mine"
    assert sorted(session.table("v").to_arrow()["h"].to_pylist()) == [2, 5, 10, 15]


def test_the_command_line_runs_and_explains_pipelines(folder):
    text = TABLES + (
        "  out: {columns: {city: STRING, country: STRING}, with: {connector: filesystem, path: out.jsonl, format: json}}\n"
        "views:\n  v: {from: cities, where: country <> 'Norway'}\n  w: {from: cities, where: country = 'Norway'}\n"
        "insert: {out: [v, w]}\nshow: [v, w]\n"
    )
    (folder / "job.yml").write_text(text)

    def fluxcore(*args):
        command = [sys.executable, "-m", "fluxcore.cli.main", *args]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)

    done = fluxcore("run", "job.yml", "--format", "json")
    assert (done.returncode, [json.loads(line)["city"] for line in done.stdout.splitlines()]) == (0, ["Rom", "Oslo"])
    found = [json.loads(line) for file in (folder / "out.jsonl").glob("*") for line in file.read_text().splitlines()]
    assert sorted(row["country"] for row in found) == ["Italy", "Norway"]
    assert "Insert(out)" in fluxcore("explain", "job.yml").stdout
    sent = fluxcore("explain", "job.yml", "--target", "flink")
    assert (sent.returncode, sent.stdout.count("INSERT INTO")) == (0, 2)
    (folder / "job.yml").write_text(text.replace("country = ", "land = "))
    failed = fluxcore("run", "job.yml")
    assert failed.returncode == 2
    assert "job.yml:18:" in failed.stderr, failed.stderr
