"""Functions in Python on a real Flink: shipped from a script and from a program, wrong there, and where there is no PyFlink."""

from __future__ import annotations

import importlib
import subprocess
import sys
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from tests.golden.data import golden_functions

import fluxcore as fx
from fluxcore.errors import FluxError

if TYPE_CHECKING:
    from pathlib import Path

    from fluxcore.targets.flink.cluster.record import Cluster

MODULE = """
import divisions
import fluxcore as fx

@fx.udf
def half(x: int) -> float:
    return divisions.divide(x, 2)

@fx.udf
def inverse(x: int) -> float:
    return 1 / x
"""
SCRIPT = """
CREATE FUNCTION half AS 'halves.half' LANGUAGE PYTHON;
CREATE FUNCTION inverse AS 'halves.inverse' LANGUAGE PYTHON;
CREATE TEMPORARY VIEW t AS SELECT * FROM (VALUES (1), (2), (CAST(NULL AS INT))) AS t(x);
SELECT {column} AS found FROM t;
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "halves.py").write_text(MODULE)
    (tmp_path / "divisions.py").write_text("def divide(a, b):\n    return a / b\n")
    return tmp_path


def run(folder: Path, column: str, address: str) -> subprocess.CompletedProcess[str]:
    (folder / "a.sql").write_text(SCRIPT.format(column=column))
    command = [sys.executable, "-m", "fluxcore.cli.main", "run", "a.sql", "--target", address, "--format", "json"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)


def test_a_script_takes_its_functions_and_what_they_import_along(folder: Path, flink_python: Cluster) -> None:
    done = run(folder, "half(x)", flink_python.address)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ['{"found": 0.5}', '{"found": 1.0}', '{"found": null}']


def test_an_exception_there_names_line_and_row(folder: Path, flink_python: Cluster) -> None:
    done = run(folder, "inverse(x - 1)", flink_python.address)
    assert done.returncode == 1
    assert "FX-FLK-0301" in done.stderr
    line = MODULE[: MODULE.index("    return 1 / x")].count("\n") + 1
    assert f"ZeroDivisionError: division by zero (in inverse, line {line} of halves.py, given (0,))" in done.stderr


def test_a_cluster_without_python_says_so(folder: Path, flink: Cluster) -> None:
    done = run(folder, "half(x)", flink.address)
    assert done.returncode == 1
    assert "error[FX-FLK-0207]: the cluster can't run functions in Python (half, inverse)" in done.stderr
    assert "fluxcore flink up --python" in done.stderr


def table(folder: Path, address: str, setting: str = "") -> fx.Stream:
    (folder / "t.csv").write_text("1,a bb\n6,c\n1,ccc dd\n")
    session = fx.Session(target=address)
    if setting:
        session.execute(setting)
    session.execute(
        f"CREATE TABLE t (x INT, s STRING) WITH ('connector' = 'filesystem', 'path' = '{folder}/t.csv', 'format' = 'csv')"
    )
    return session.table("t")


def rows(found: pa.Table) -> list[tuple[object, ...]]:
    return sorted(tuple(row.values()) for row in found.to_pylist())


def test_a_program_takes_its_functions_along(folder: Path, flink_python: Cluster) -> None:
    t = table(folder, flink_python.address)
    steps = t.select("s", steps=golden_functions.collatz(fx.col("x")))
    assert rows(steps.to_arrow()) == [("a bb", 0), ("c", 8), ("ccc dd", 0)]
    longest = t.group_by("x").agg(longest=fx.udaf(golden_functions.Longest())("s"))
    assert rows(longest.to_arrow()) == [(1, "ccc dd"), (6, "c")]


def test_the_files_that_a_program_names_go_along_beside_its_functions(
    folder: Path, flink_python: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "named_file.py").write_text("ONE = 1\n")
    text = (
        "import fluxcore as fx\n@fx.udf\ndef f(x: int) -> int:\n    import named_file\n    return x + named_file.ONE\n"
    )
    (folder / "uses_a_named_file.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    function = importlib.import_module("uses_a_named_file").f
    t = table(folder, flink_python.address, f"SET 'python.files' = '{folder}/elsewhere/named_file.py'")
    assert rows(t.select(more=function(fx.col("x"))).to_arrow()) == [(2,), (2,), (7,)]


def test_a_program_hears_of_a_cluster_without_python(folder: Path, flink: Cluster) -> None:
    steps = table(folder, flink.address).select(steps=golden_functions.collatz(fx.col("x")))
    with pytest.raises(FluxError) as raised:
        steps.to_arrow()
    assert raised.value.code == "FX-FLK-0207"
