"""Flink's libraries from a package index, and the jars around them, with stand-ins for the large files."""

from __future__ import annotations

import base64
import hashlib
import multiprocessing
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fluxcore.errors import JobError, ScriptError
from fluxcore.targets.flink.cluster.configuration import free_ports
from fluxcore.targets.flink.cluster.disk import need
from fluxcore.targets.flink.cluster.install import install
from fluxcore.targets.flink.cluster.libraries import fetch_libraries
from fluxcore.targets.flink.cluster.maven import Coordinates
from fluxcore.targets.flink.cluster.progress import silent

VERSION = "2.3.0"
JARS = ("lib/flink-dist-2.3.0.jar", "lib/log4j-core-2.25.3.jar", "opt/flink-sql-client-2.3.0.jar")


def wheel(folder: Path, version: str = VERSION, jars: tuple[str, ...] = JARS) -> None:
    """Build a package of the real one's name and form, with empty jars."""
    name, info = "apache_flink_libraries", f"apache_flink_libraries-{version}.dist-info"
    texts = {f"pyflink/{jar}": "" for jar in jars} | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: apache-flink-libraries\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{path},sha256={_digest(text)},{len(text)}" for path, text in texts.items()]
    texts[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in texts.items():
            archive.writestr(path, text)


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages that pip takes instead of PyPI."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def cache_with_gateway(folder: Path) -> Path:
    """A cache that has the gateway's jars already."""
    for name in (
        f"org.apache.flink:flink-sql-gateway:{VERSION}",
        "org.apache.hadoop:hadoop-client-api:3.5.0",
        "org.apache.hadoop:hadoop-client-runtime:3.5.0",
    ):
        jar = folder / "maven" / Coordinates.parse(name).path
        jar.parent.mkdir(parents=True)
        jar.write_bytes(b"")
    return folder


@pytest.mark.parametrize(("java", "hadoop"), [(17, 0), (21, 0), (25, 2)])
def test_the_gateway_needs_hadoop_on_a_new_java(index: Path, tmp_path: Path, java: int, hadoop: int) -> None:
    wheel(index)
    found = install(VERSION, [], java, silent, cache=cache_with_gateway(tmp_path / "cache"))
    assert len([jar for jar in found.gateway_classpath() if "hadoop" in jar.name]) == hadoop
    assert not [jar for jar in found.classpath() if "hadoop" in jar.name]


def test_an_installation_lists_what_each_process_needs(index: Path, tmp_path: Path) -> None:
    wheel(index)
    mine = tmp_path / "my.jar"
    mine.write_bytes(b"")
    cache = cache_with_gateway(tmp_path / "cache")
    lines: list[str] = []
    found = install(VERSION, [str(mine)], 17, lines.append, cache=cache)
    assert [jar.name for jar in found.classpath()] == ["flink-dist-2.3.0.jar", "log4j-core-2.25.3.jar", "my.jar"]
    more = [jar.name for jar in found.gateway_classpath() if jar not in found.classpath()]
    assert more == ["flink-sql-gateway-2.3.0.jar", "flink-sql-client-2.3.0.jar"]
    assert "fetching Flink 2.3.0 from PyPI" in lines[0]
    assert sorted(path.name for path in cache.iterdir()) == [VERSION, "install.lock", "maven"]

    shutil.rmtree(index)
    assert install(VERSION, [], 17, lines.append, cache=cache).libraries == found.libraries
    assert len(lines) == 1, "what is there is not fetched again"


def test_what_was_cut_short_is_fetched_anew(index: Path, tmp_path: Path) -> None:
    wheel(index)
    (tmp_path / f"{VERSION}.part" / "pyflink" / "lib").mkdir(parents=True)
    (tmp_path / VERSION / "pyflink" / "lib").mkdir(parents=True)
    assert fetch_libraries(VERSION, tmp_path, silent).whole
    assert not (tmp_path / f"{VERSION}.part").exists()


def test_two_installers_take_turns(index: Path, tmp_path: Path) -> None:
    wheel(index)
    cache = cache_with_gateway(tmp_path / "cache")
    context = multiprocessing.get_context("spawn")
    lines = context.Queue()
    both = [context.Process(target=_install, args=(cache, lines)) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    told = []
    while not lines.empty():
        told.append(lines.get())
    assert [each.exitcode for each in both] == [0, 0]
    assert len([line for line in told if line.startswith("fetching Flink")]) == 1
    lines.close()
    lines.join_thread()


def _install(cache: Path, lines: multiprocessing.Queue[str]) -> None:
    install(VERSION, [], 17, lines.put, cache=cache)


def test_a_package_without_flink_is_refused(index: Path, tmp_path: Path) -> None:
    wheel(index, jars=("lib/other.jar",))
    with pytest.raises(JobError, match="holds no flink-dist jar") as error:
        fetch_libraries(VERSION, tmp_path, silent)
    assert error.value.code == "FX-FLK-0010"
    assert [path.name for path in tmp_path.iterdir() if path != index] == []


def test_a_version_that_the_index_lacks(index: Path, tmp_path: Path) -> None:
    wheel(index, "2.2.0")
    with pytest.raises(JobError, match=r"Could not find a version .*from versions: 2\.2\.0") as error:
        fetch_libraries(VERSION, tmp_path, silent)
    assert error.value.code == "FX-FLK-0010"
    assert "pip download" in (error.value.hint or "")


@pytest.mark.parametrize("retries", ["0", "1"])
def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, retries: str) -> None:
    """Without retries pip only says that it found nothing."""
    (port,) = free_ports(1)
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_RETRIES", retries)
    with pytest.raises(JobError, match=f"apache-flink-libraries {VERSION} could not be fetched") as error:
        fetch_libraries(VERSION, tmp_path, silent)
    assert error.value.code == "FX-FLK-0005"
    assert "PIP_INDEX_URL" in (error.value.hint or "")


WITHOUT_PIP = """
import importlib.util
import sys
from pathlib import Path

from fluxcore.targets.flink.cluster.libraries import fetch_libraries

importlib.util.find_spec = lambda name: None
print(fetch_libraries("2.3.0", Path(sys.argv[1]), print).whole)
"""


def test_a_python_without_pip_makes_an_environment_that_has_it(index: Path, tmp_path: Path) -> None:
    wheel(index)
    told = subprocess.run(
        [sys.executable, "-c", WITHOUT_PIP, str(tmp_path)],
        env=os.environ | {"PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.stdout.splitlines()[-1:] == ["True"], told.stderr
    assert not (tmp_path / VERSION / "environment").exists()


@pytest.mark.parametrize("version", ["1.20.0", "2.4.0", "2.3", "3.0.0", "two", "2.3.0; rm"])
def test_versions_that_are_not_supported(version: str, tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"is not supported") as error:
        install(version, [], 17, silent, cache=tmp_path)
    assert error.value.code == "FX-FLK-0002"
    assert "2.0 to 2.3" in (error.value.hint or "")


@pytest.mark.parametrize("jar", ["missing.jar", "folder/missing.jar", "parket", "a:b"])
def test_jars_that_are_none(jar: str, tmp_path: Path) -> None:
    with pytest.raises(ScriptError) as error:
        install(VERSION, [jar], 17, silent, cache=tmp_path)
    assert error.value.code == "FX-FLK-0008"
    assert list(tmp_path.iterdir()) == [], "nothing is fetched before the command line is right"


def test_too_little_room(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"is full, and 4,398,046,511,104 MB are needed") as error:
        need(tmp_path, 2**62)
    assert error.value.code == "FX-FLK-0007"
