"""Functions in Python on their way to a cluster: what is sent, what can't go, and how they run there."""

from __future__ import annotations

import errno
import importlib.util
import os
import resource
import sys
import time
import types
import zipfile
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from tests.golden.data import golden_functions

import fluxcore as fx
from fluxcore.core.describe_function import described
from fluxcore.errors import FluxError, ScriptError
from fluxcore.sql.parse_types import type_of
from fluxcore.targets.flink.python import shipment as shipping
from fluxcore.targets.flink.python.scripts import ready_script
from fluxcore.targets.flink.python.shipment import FOLDER, Shipment
from fluxcore.targets.flink.python.specs import NotShipped, spec_of
from fluxcore.targets.flink.script import sent_statements
from fluxcore.targets.flink.sql.job import print_job
from fluxcore.targets.flink.statements import statements_of

if TYPE_CHECKING:
    from types import ModuleType

MODULE = """
import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Iterator
import shipped_helper
import fluxcore as fx

@dataclass
class Point:
    x: int
    y: float

@fx.udf
def half(x: int) -> float:
    return shipped_helper.divide(x, 2)

@fx.udf
def later(x: dt.timedelta) -> dt.timedelta:
    return x

@fx.udf
def shown(x: int | None) -> str:
    return f"<{x}>"

@fx.udf
def tiny(x: int) -> Annotated[int, "TINYINT"]:
    return x

@fx.udf
def wrong(x: int) -> str:
    return x

@fx.udf
def money(x: float) -> Annotated[Decimal, "DECIMAL(5, 2)"]:
    return Decimal(repr(x))

@fx.udf
def moved(p: Point, by: list[int]) -> Point:
    return Point(p.x + by[0], p.y)

@fx.udf
def inverse(x: int) -> float:
    return 1 / x

@fx.udtf
def upto(n: int) -> Iterator[tuple[int, str]]:
    for i in range(n):
        yield i, str(i)

class Largest(fx.AggregateFunction):
    def create(self): return []
    def accumulate(self, held, x): held.append(x)
    def retract(self, held, x): held.remove(x)
    def merge(self, held, other): held.extend(other)
    def result(self, held) -> int: return max(held, default=None)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module of functions and one that it imports."""
    (tmp_path / "shipped_module.py").write_text(MODULE)
    (tmp_path / "shipped_helper.py").write_text("import shipped_package.deep\ndef divide(a, b):\n    return a / b\n")
    (tmp_path / "shipped_package").mkdir()
    (tmp_path / "shipped_package" / "__init__.py").write_text("")
    (tmp_path / "shipped_package" / "deep.py").write_text("X = 1\n")
    (tmp_path / "not_needed.py").write_text("X = 1\n")
    monkeypatch.setenv("FLUXCORE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


def script(name: str) -> str:
    return f"CREATE FUNCTION f AS 'shipped_module.{name}' LANGUAGE PYTHON;\nSELECT f(1);"


def test_hidden_files_of_a_package_stay_here(folder: Path) -> None:
    package = folder / "shipped_package"
    (package / ".env").write_text("TOKEN=secret")
    (package / ".git").mkdir()
    (package / ".git" / "config").write_text("secret")
    ready = ready_script(statements_of(script("half")), str(folder / "a.sql"), {})
    ready.shipment.write("127.0.0.1:8083")
    with zipfile.ZipFile(BytesIO((ready.shipment.folder / "shipped_package.zip").read_bytes())) as archive:
        assert archive.namelist() == ["shipped_package/__init__.py", "shipped_package/deep.py"]


def test_a_script_names_the_module_that_goes_along(folder: Path) -> None:
    ready = ready_script(statements_of(script("half")), str(folder / "a.sql"), {})
    created = ready.statements[0].text
    own = created.split("'")[1].partition(".")[0]
    assert created == f"CREATE FUNCTION f AS '{own}.function' LANGUAGE PYTHON"
    ready.shipment.write("127.0.0.1:8083")
    files = sorted(each.name for each in ready.shipment.folder.iterdir())
    assert files == sorted(
        [f"{own}.py", "fluxcore_on_flink.py", "shipped_helper.py", "shipped_module.py", "shipped_package.zip"]
    )
    assert ready.properties == {"python.files": ",".join(str(ready.shipment.folder / each) for each in files)}
    with zipfile.ZipFile(BytesIO((ready.shipment.folder / "shipped_package.zip").read_bytes())) as archive:
        assert archive.namelist() == ["shipped_package/__init__.py", "shipped_package/deep.py"]
    assert (
        ready_script(statements_of(script("half")), str(folder / "a.sql"), {}).shipment.folder == ready.shipment.folder
    )


def test_files_that_a_script_names_go_along_and_others_stay_the_clusters(folder: Path, tmp_path: Path) -> None:
    text = f"SET 'python.files' = '{folder}/shipped_module.py, /on/the/cluster.zip';\n{script('half')}"
    ready = ready_script(statements_of(text), None, {})
    shown = ready.statements[0].text.split("'")[3].split(",")
    assert shown[-1] == "/on/the/cluster.zip"
    assert {Path(each).name for each in shown} >= {"shipped_module.py", "shipped_helper.py"}


def test_files_of_the_settings_that_are_not_here_stay_the_clusters(folder: Path) -> None:
    ready = ready_script(statements_of(script("half")), str(folder / "a.sql"), {"python.files": "/on/the/cluster.zip"})
    assert ready.properties["python.files"] == f"{ready.shipment.paths},/on/the/cluster.zip"


def zipped(path: Path, module: str, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(module, text)
    return path


def test_a_function_of_an_archive_goes_along_with_it(folder: Path) -> None:
    text = "import shipped_helper\nimport fluxcore as fx\n@fx.udf\ndef f(x: int) -> int:\n    return x\n"
    archives = [zipped(folder / part / "some.zip", f"{part}_of_archive.py", text) for part in ("one", "two")]
    values = {"python.files": ",".join(map(str, archives))}
    create = "".join(f"CREATE FUNCTION {m} AS '{m}_of_archive.f' LANGUAGE PYTHON;" for m in ("one", "two"))
    ready = ready_script(statements_of(create), str(folder / "a.sql"), values)
    assert not [each.unportable for each in ready.statements if each.unportable]
    ready.shipment.write("127.0.0.1:8083")
    sent = ready.properties["python.files"].split(",")
    assert sorted(Path(each).read_bytes() for each in sent if each.endswith("some.zip")) == sorted(
        each.read_bytes() for each in archives
    )
    assert {Path(each).name for each in sent} >= {"shipped_helper.py", "shipped_package.zip"}


def test_a_module_that_a_function_needs_is_not_replaced_by_a_later_one_of_its_name(folder: Path) -> None:
    (folder / "other").mkdir()
    (folder / "other" / "shipped_module.py").write_text("X = 1\n")
    text = f"{script('half').split(chr(10))[0]}\nSET 'python.files' = '{folder}/other/shipped_module.py';"
    ready = ready_script(statements_of(text), str(folder / "a.sql"), {})
    ready.shipment.write("127.0.0.1:8083")
    assert (ready.shipment.folder / "shipped_module.py").read_text() == MODULE


def test_a_file_of_a_package_that_is_no_python_goes_along_unread(folder: Path) -> None:
    (folder / "shipped_package" / "template.py").write_text("def {{name}}(:\n")
    (folder / "shipped_package" / "zeros.py").write_bytes(b"\0")
    ready = ready_script(statements_of(script("half")), str(folder / "a.sql"), {})
    ready.shipment.write("127.0.0.1:8083")
    with zipfile.ZipFile(ready.shipment.folder / "shipped_package.zip") as archive:
        assert "shipped_package/template.py" in archive.namelist()


def test_files_of_the_cache_go_a_month_after_their_last_use(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUXCORE_CACHE_DIR", str(folder / "cache"))
    kept, new = (ready_script(statements_of(script(name)), str(folder / "a.sql"), {}) for name in ("half", "shown"))
    kept.shipment.write("127.0.0.1:8083")
    old, young = (kept.shipment.folder.with_name(name) for name in ("old", "young"))
    for each, days in ((old, 31), (young, 29), (kept.shipment.folder, 31)):
        each.mkdir(exist_ok=True)
        (each / "fluxcore_function.py").write_text("")
        os.utime(each, (time.time() - days * 86_400,) * 2)
    kept.shipment.write("127.0.0.1:8083")
    new.shipment.write("127.0.0.1:8083")
    assert {each.name for each in old.parent.iterdir()} == {
        "young", kept.shipment.folder.name, new.shipment.folder.name
    }  # fmt: skip


def test_files_that_can_not_be_read_or_named_are_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = ready_script(statements_of(script("half")), str(folder / "a.sql"), {FOLDER: str(folder / "a,b")})
    with pytest.raises(FluxError, match="commas stand between the names") as raised:
        ready.shipment.write("127.0.0.1:8083")
    assert raised.value.code == "FX-FLK-0206"
    (folder / "file").write_text("")
    ready = ready_script(statements_of(script("half")), str(folder / "a.sql"), {FOLDER: str(folder / "file")})
    with pytest.raises(FluxError, match="can't be written into") as raised:
        ready.shipment.write("127.0.0.1:8083")
    assert raised.value.code == "FX-FLK-0206"

    def refused(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(FluxError, match=r"lib.zip of python.files can't be read: Permission denied") as raised:
        Shipment().add_file(folder / "lib.zip")
    assert raised.value.code == "FX-FLK-0206"
    _, (found,) = sent_statements(script("half"), str(folder / "a.sql"))
    assert found.why == f"{folder}/shipped_module.py can't be read: Permission denied"


def test_a_full_disk_leaves_no_pieces_of_a_shipment(folder: Path) -> None:
    ready = ready_script(statements_of(script("half")), str(folder / "a.sql"), {})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(FluxError, match="File too large") as raised:
            ready.shipment.write("127.0.0.1:8083")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert raised.value.code == "FX-FLK-0206"
    assert not [each for each in (folder / "cache").rglob("*") if each.is_file()]


def test_what_is_no_module_of_this_machine_is_the_clusters(folder: Path) -> None:
    text = "CREATE FUNCTION f AS 'only_there.f' LANGUAGE PYTHON"
    ready = ready_script(statements_of(text), str(folder / "a.sql"), {})
    assert not ready.shipment
    assert ready.statements[0].text == text
    (folder / "of_pyflink.py").write_text("from pyflink.table.udf import udf\n")
    text = "CREATE FUNCTION f AS 'of_pyflink.f' LANGUAGE PYTHON"
    assert ready_script(statements_of(text), str(folder / "a.sql"), {}).statements[0].text == text


def test_a_module_that_is_here_and_wrong_is_an_error_at_its_line(folder: Path) -> None:
    with pytest.raises(ScriptError, match="has no 'halve'") as raised:
        sent_statements(script("halve"), str(folder / "a.sql"))
    assert raised.value.code == "FX-SQL-0602"
    assert raised.value.place is not None
    assert raised.value.place.line == 1


def test_explain_lists_the_functions_and_what_can_not_go(folder: Path) -> None:
    sent, unportable = sent_statements(script("later"), str(folder / "a.sql"))
    assert sent[0].startswith("CREATE FUNCTION f AS 'shipped_module.later'")
    (found,) = unportable
    assert found.what == "the function f"
    assert found.why.startswith("PyFlink has no values of INTERVAL")
    sent, unportable = sent_statements(script("half"), str(folder / "a.sql"))
    assert sent[0].startswith("SET 'python.files' = '")
    assert sent[1].startswith("CREATE FUNCTION f AS 'fluxcore_function_")
    assert not unportable


def test_a_gateway_elsewhere_needs_a_folder_that_it_sees(folder: Path) -> None:
    ready = ready_script(statements_of(script("half")), str(folder / "a.sql"), {})
    with pytest.raises(FluxError) as raised:
        ready.shipment.write("flink.example.org:8083")
    assert raised.value.code == "FX-FLK-0205"
    assert FOLDER in (raised.value.hint or "")
    shared = folder / "shared"
    ready = ready_script(statements_of(script("half")), str(folder / "a.sql"), {FOLDER: str(shared)})
    ready.shipment.write("flink.example.org:8083")
    assert ready.shipment.folder.parent == shared
    assert (ready.shipment.folder / "shipped_module.py").exists()


def test_a_plan_declares_its_functions() -> None:
    session = fx.Session()
    session.from_arrow(pa.table({"n": [1], "s": ["a b"]}), name="t")
    t = session.table("t")
    stream = t.select("s", steps=golden_functions.collatz(fx.col("n")), again=golden_functions.collatz(fx.col("n")))
    stream = stream.join_lateral(golden_functions.cut(fx.col("s"), " "))
    job = print_job([stream.node], session.settings)
    declared = [each for each in job.statements if each.startswith("CREATE TEMPORARY FUNCTION")]
    assert [each.split("`")[1] if "`" in each else each.split()[3] for each in declared] == ["collatz", "cut"]
    assert not [each for each in job.unportable if "function" in each.what]
    assert job.shipment.labels == ["collatz", "cut"]


@fx.udf
def nowhere(x: int) -> int:
    return x


def test_functions_of_the_running_program_stay_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    @fx.udf
    def inner(x: int) -> int:
        return x

    session = fx.Session()
    session.from_arrow(pa.table({"n": [1]}), name="t")

    def why(function: Any) -> str:
        node = session.table("t").select(x=function(fx.col("n"))).node
        (found,) = [each for each in print_job([node], session.settings).unportable if "function" in each.what]
        return found.why

    assert why(inner) == "it is no name of its module, by which a cluster could find it"
    monkeypatch.setattr(nowhere.function, "__module__", "__main__")
    assert why(nowhere) == "it is Python of the program that runs; in a module of its own it could go along"
    monkeypatch.setattr(nowhere.function, "__module__", "json")
    assert "is an installed package" in why(nowhere)


class VectorSum(fx.VectorAggregateFunction):
    def create(self) -> float:
        return 0.0

    def result(self, accumulator: float) -> float:
        return accumulator


def test_what_pyflink_can_not_hold() -> None:
    with pytest.raises(NotShipped, match="batches of several groups"):
        spec_of(described(VectorSum, type_of), "m", "VectorSum")


@pytest.fixture
def runner(folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The runner as it is on a cluster without the package ``fluxcore``, with classes in PyFlink's place."""

    class Row(tuple):
        def __new__(cls, *values: Any) -> Row:
            return super().__new__(cls, values)

        def set_field_names(self, names: list[str]) -> None:
            self.names = names

    def keep(function: Any, **_: Any) -> Any:
        return function

    table = types.ModuleType("pyflink.table.udf")
    for name in ("AggregateFunction", "ScalarFunction", "TableFunction"):
        setattr(table, name, type(name, (), {}))
    for name in ("udf", "udtf", "udaf"):
        setattr(table, name, keep)
    common = types.ModuleType("pyflink.common")
    common.Row = Row  # type: ignore[attr-defined]
    for name, module in (("pyflink.common", common), ("pyflink.table.udf", table)):
        monkeypatch.setitem(sys.modules, name, module)
    for name in ("pyflink", "pyflink.table"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    path = Path(shipping.__file__).with_name("on_flink.py")
    spec = importlib.util.spec_from_file_location("fluxcore_on_flink", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def there(runner: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function as it runs on a cluster."""
    users = ready_modules(folder)
    for name in [each for each in sys.modules if each == "fluxcore" or each.startswith("shipped_")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(runner.importlib, "import_module", without_fluxcore(runner.importlib.import_module))

    def make(name: str) -> Any:
        maker, spec = spec_of(users[name], "shipped_module", name)
        found = getattr(runner, maker)(spec)
        found.open(None)
        return found

    yield make
    for name in [each for each in sys.modules if each.startswith("shipped_")]:
        del sys.modules[name]


def ready_modules(folder: Path) -> dict[str, Any]:
    sys.path.insert(0, str(folder))
    try:
        module = importlib.import_module("shipped_module")
    finally:
        sys.path.remove(str(folder))
    names = ("half", "shown", "tiny", "wrong", "money", "moved", "inverse", "upto", "Largest")
    return {name: described(getattr(module, name), type_of) for name in names}


def without_fluxcore(load: Any) -> Any:
    def import_module(name: str) -> Any:
        if name == "fluxcore":
            raise ImportError(name)
        return load(name)

    return import_module


def test_scalar_functions_run_as_here(there: Any) -> None:
    assert there("half").eval(3) == 1.5
    assert there("half").eval(None) is None
    assert there("shown").eval(None) == "<None>"
    assert there("tiny").eval(127) == 127
    assert there("money").eval(1.005) == Decimal("1.01")
    assert there("money").eval(1234.0) is None
    assert there("moved").eval((1, 2.5), [3]) == (4, 2.5)
    assert there("moved").eval((1, 2.5), [3]).names == ["x", "y"]


def test_exceptions_and_wrong_results_name_line_and_row(there: Any) -> None:
    line = MODULE[: MODULE.index("    return 1 / x")].count("\n") + 1
    with pytest.raises(Exception, match=r"ZeroDivisionError: division by zero \(in inverse, line") as raised:
        there("inverse").eval(0)
    assert f"line {line} of shipped_module.py, given (0,))" in str(raised.value)
    with pytest.raises(Exception, match="gave 128, which is no TINYINT"):
        there("tiny").eval(128)
    with pytest.raises(Exception, match="gave 1, which is no STRING"):
        there("wrong").eval(1)


def test_table_and_aggregate_functions_run_as_here(there: Any) -> None:
    assert list(there("upto").eval(2)) == [(0, "0"), (1, "1")]
    assert list(there("upto").eval(None)) == []
    largest = there("Largest")
    held, other = largest.create_accumulator(), largest.create_accumulator()
    for value in (3, 9, 4):
        largest.accumulate(held, value)
    largest.retract(held, 9)
    assert largest.get_value(held) == 4
    largest.accumulate(other, 7)
    largest.merge(held, [other])
    assert largest.get_value(held) == 7
    with pytest.raises(
        Exception, match=r"ValueError: list.remove.*in Largest, line \d+ of shipped_module.py, given \(5,\)"
    ):
        largest.retract(held, 5)


def test_an_empty_shipment_sends_nothing() -> None:
    assert not Shipment()
    sent, _ = sent_statements("SELECT 1", None)
    assert sent == ["SELECT 1"]
