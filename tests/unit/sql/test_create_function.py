"""CREATE, ALTER, DROP, DESCRIBE and SHOW of functions, and where their modules are looked for."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

import fluxcore as fx
from fluxcore.connectors.collect import CollectSink
from fluxcore.errors import ScriptError
from fluxcore.sql.script import CommandReply

SOURCE = """
from __future__ import annotations
from collections.abc import Iterator
import fluxcore as fx

@fx.udf
def half(x: int) -> float:
    return x / 2

@fx.udtf
def digits(x: int) -> Iterator[str]:
    yield from str(x)

class Longest(fx.AggregateFunction):
    def create(self): return [""]
    def accumulate(self, accumulator, value):
        accumulator[0] = max(accumulator[0], value or "", key=len)
    def result(self, accumulator) -> str: return accumulator[0]

def plain(x: int) -> int:
    return 10 // x

CONSTANT = 7
"""


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    (tmp_path / "my_functions.py").write_text(SOURCE)
    return tmp_path


def run(script: str, folder: Path, session: fx.Session | None = None) -> list[Any]:
    """Run a script that lies in a folder; return the replies of commands and the rows of queries, in order."""
    session = session or fx.Session()
    found: list[Any] = []
    bound = session.bind(script, file=str(folder / "script.sql"))
    for step in session.steps(bound):
        if step.reply:
            found.append(step.reply)
        elif step.select:
            sink = CollectSink()
            session.start_step(step, lambda _, sink=sink: sink).result()  # type: ignore[misc]
            found.append([tuple(row.values()) for batch in sink.batches for row in batch.data.to_pylist()])
    return found


def refused(script: str, folder: Path) -> ScriptError:
    with pytest.raises(ScriptError) as caught:
        run(script, folder)
    assert caught.value.place is not None
    assert caught.value.place.line is not None
    return caught.value


def test_functions_beside_the_script(folder: Path) -> None:
    script = """
        CREATE FUNCTION half AS 'my_functions.half' LANGUAGE PYTHON;
        CREATE TEMPORARY FUNCTION digits AS 'my_functions.digits' LANGUAGE PYTHON;
        CREATE TEMPORARY SYSTEM FUNCTION IF NOT EXISTS longest AS 'my_functions.Longest' LANGUAGE PYTHON;
        CREATE FUNCTION plain AS 'my_functions.plain' LANGUAGE PYTHON;
        SELECT Half(3) AS a, plain(3) AS b, default_catalog.default_database.half(1) AS c;
        SELECT d FROM (VALUES (12)) AS t(n), LATERAL TABLE(DIGITS(n)) AS r(d);
        SELECT longest(s) AS l FROM (VALUES ('a'), ('bb')) AS t(s);
    """
    *_, scalars, rows, groups = run(script, folder)
    assert scalars == [(1.5, 3, 0.5)]
    assert rows == [("1",), ("2",)]
    assert groups == [("bb",)]


def test_they_are_listed_and_described(folder: Path) -> None:
    script = """
        CREATE FUNCTION Half AS 'my_functions.half' LANGUAGE PYTHON;
        CREATE TEMPORARY FUNCTION digits AS 'my_functions.digits' LANGUAGE PYTHON;
        SHOW USER FUNCTIONS;
        DESCRIBE FUNCTION half;
        DESC FUNCTION EXTENDED digits;
        DESCRIBE FUNCTION `UPPER`;
        SHOW FUNCTIONS;
    """
    _, _, users, half, digits, upper, every = run(script, folder)
    assert users == CommandReply(None, ("function name",), (("digits",), ("half",)))
    assert half.columns == ("info name", "info value")
    assert dict(half.rows) == {
        "is system function": "false",
        "is temporary": "false",
        "class name": "my_functions.half",
        "function language": "PYTHON",
        "resource uris": "[]",
    }
    told = dict(digits.rows)
    assert (told["kind"], told["is temporary"], told["is deterministic"]) == ("TABLE", "true", "true")
    assert told["signature"] == "digits(x BIGINT) => ROW<`f0` STRING>"
    assert dict(upper.rows) == {"is system function": "true", "is temporary": "false"}
    assert ("half",) in every.rows


def test_they_are_altered_and_dropped(folder: Path) -> None:
    script = """
        CREATE FUNCTION f AS 'my_functions.half' LANGUAGE PYTHON;
        ALTER FUNCTION f AS 'my_functions.plain' LANGUAGE PYTHON;
        SELECT f(3) AS a;
        DROP FUNCTION F;
        DROP FUNCTION IF EXISTS f;
        ALTER FUNCTION IF EXISTS f AS 'my_functions.half' LANGUAGE PYTHON;
        DROP TEMPORARY SYSTEM FUNCTION IF EXISTS f;
        SHOW USER FUNCTIONS;
    """
    found = run(script, folder)
    assert found[2] == [(3,)]
    assert found[-1].rows == ()


def test_temporary_functions_come_first_and_built_in_ones_before_those_of_a_catalog(folder: Path) -> None:
    script = """
        CREATE FUNCTION f AS 'my_functions.half' LANGUAGE PYTHON;
        CREATE TEMPORARY FUNCTION f AS 'my_functions.plain' LANGUAGE PYTHON;
        CREATE FUNCTION `abs` AS 'my_functions.half' LANGUAGE PYTHON;
        SELECT f(3) AS a, ABS(-3) AS b, default_database.`abs`(3) AS c;
        CREATE TEMPORARY SYSTEM FUNCTION `abs` AS 'my_functions.plain' LANGUAGE PYTHON;
        SELECT ABS(3) AS b;
    """
    found = run(script, folder)
    assert found[3] == [(3, 3, 1.5)]
    assert found[5] == [(3,)]


def test_computed_columns_views_and_inserts_call_them(folder: Path) -> None:
    (folder / "in.csv").write_text("1\n4\n")
    script = f"""
        CREATE FUNCTION half AS 'my_functions.half' LANGUAGE PYTHON;
        CREATE TABLE t (n BIGINT, h AS half(n)) WITH ('connector' = 'filesystem', 'path' = '{folder}/in.csv', 'format' = 'csv');
        CREATE VIEW v AS SELECT n, half(n + 1) AS g FROM t WHERE half(n) < 1;
        DROP FUNCTION half;
        SELECT t.n, h, g FROM t LEFT JOIN v ON t.n = v.n;
    """
    assert sorted(run(script, folder)[-1]) == [(1, 0.5, 1.0), (4, 2.0, None)]


@pytest.mark.parametrize("form", ["py", "folder", "zip"])
def test_python_files_names_more_places(tmp_path: Path, form: str) -> None:
    name, away = f"far_{form}", tmp_path / "away"
    away.mkdir()
    (away / f"{name}.py").write_text(SOURCE)
    if form == "zip":
        with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
            packed.write(away / f"{name}.py", f"{name}.py")
    place = {"py": away / f"{name}.py", "folder": away, "zip": tmp_path / "all.zip"}[form]
    script = f"""
        SET 'python.files' = '{place}';
        CREATE FUNCTION half AS '{name}.half' LANGUAGE PYTHON;
        SELECT half(1) AS a;
    """
    assert run(script, tmp_path)[-1] == [(0.5,)]


def test_two_scripts_of_one_process_have_modules_of_their_own(tmp_path: Path) -> None:
    for number in ("1", "2"):
        (tmp_path / number).mkdir()
        (tmp_path / number / "same_name.py").write_text(f"def f(x: int) -> int:\n    return x + {number}\n")
    script = "CREATE FUNCTION f AS 'same_name.f' LANGUAGE PYTHON; SELECT f(10) AS a;"
    assert run(script, tmp_path / "1")[-1] == [(11,)]
    assert run(script, tmp_path / "2")[-1] == [(12,)]
    assert run(script, tmp_path / "1")[-1] == [(11,)]


def test_modules_import_their_neighbours(tmp_path: Path) -> None:
    (tmp_path / "helper_of_it.py").write_text("FACTOR = 3\n")
    (tmp_path / "main_of_it.py").write_text(
        "from helper_of_it import FACTOR\ndef f(x: int) -> int: return x * FACTOR\n"
    )
    script = "CREATE FUNCTION f AS 'main_of_it.f' LANGUAGE PYTHON; SELECT f(2) AS a;"
    assert run(script, tmp_path)[-1] == [(6,)]


@pytest.mark.parametrize(
    ("statement", "code", "column"),
    [
        ("CREATE FUNCTION f AS 'no_such_module.f' LANGUAGE PYTHON", "FX-SQL-0601", 22),
        ("CREATE FUNCTION f AS 'my_functions.hal' LANGUAGE PYTHON", "FX-SQL-0602", 22),
        ("CREATE FUNCTION f AS 'my_functions.CONSTANT' LANGUAGE PYTHON", "FX-SQL-0603", 22),
        ("CREATE FUNCTION f AS 'half' LANGUAGE PYTHON", "FX-SQL-0603", 22),
        ("CREATE FUNCTION f AS 'broken_module.f' LANGUAGE PYTHON", "FX-SQL-0604", 22),
        ("CREATE FUNCTION f AS 'broken_hints.f' LANGUAGE PYTHON", "FX-SQL-0603", 22),
        ("CREATE FUNCTION f AS 'com.acme.F'", "FX-SQL-0607", 22),
        ("DROP FUNCTION f", "FX-SQL-0606", 1),
        ("ALTER FUNCTION f AS 'my_functions.half' LANGUAGE PYTHON", "FX-SQL-0606", 1),
        ("DESCRIBE FUNCTION f", "FX-SQL-0606", 1),
    ],
)
def test_what_is_wrong_is_told_at_its_place(folder: Path, statement: str, code: str, column: int) -> None:
    (folder / "broken_module.py").write_text("1 / 0\n")
    (folder / "broken_hints.py").write_text("def f(x): return x\n")
    error = refused(statement, folder)
    assert error.code == code
    assert error.place is not None
    assert error.place.column == column


def test_a_name_in_use_is_refused(folder: Path) -> None:
    one = "CREATE FUNCTION f AS 'my_functions.half' LANGUAGE PYTHON;"
    assert refused(one + one.replace("f AS", "F AS"), folder).code == "FX-SQL-0605"


def test_a_module_that_fails_names_the_line(folder: Path) -> None:
    (folder / "failing_module.py").write_text("\n\nraise ValueError('not today')\n")
    error = refused("CREATE FUNCTION f AS 'failing_module.f' LANGUAGE PYTHON", folder)
    assert "ValueError: not today" in error.message
    assert error.hint is not None
    assert error.hint.startswith("line 3 of ")


def test_an_exception_ends_the_command_with_1_and_names_script_and_module(folder: Path) -> None:
    script = folder / "script.sql"
    script.write_text("CREATE FUNCTION plain AS 'my_functions.plain' LANGUAGE PYTHON;\nSELECT 1 AS a,\n  plain(n) AS b\n"
                      "FROM (VALUES (1), (0)) AS t(n);\n")  # fmt: skip
    command = [sys.executable, "-m", "fluxcore.cli.main", "run", str(script), "--format", "json"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert "ZeroDivisionError" in found.stderr
    assert f"{script}:3:3" in found.stderr
    assert f"in plain, line 21 of {folder / 'my_functions.py'}, given (0,)" in found.stderr
