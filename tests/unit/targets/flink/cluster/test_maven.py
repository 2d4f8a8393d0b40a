"""Jars from a Maven repository: whole or not there, over a connection that breaks and from a server that errs."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from fluxcore.errors import JobError, ScriptError
from fluxcore.targets.flink.cluster.configuration import free_ports
from fluxcore.targets.flink.cluster.maven import CENTRAL, Coordinates, Repository
from fluxcore.targets.flink.cluster.progress import silent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JAR = bytes(range(256)) * 4096
NAME = Coordinates("org.example", "some-jar", "1.2.3")


@dataclass
class Served:
    """What a server gives, and what it was asked. Each answer of `breaks` ends a download after so many bytes."""

    checksum: str = hashlib.sha1(JAR).hexdigest()
    body: bytes = JAR
    breaks: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def served() -> Iterator[Served]:
    """A repository on the loopback interface."""
    what = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            span = self.headers.get("Range")
            what.asked.append((self.path, span))
            if what.statuses:
                self.send_error(what.statuses.pop(0))
                return
            if NAME.path not in self.path:
                self.send_error(404)
                return
            body = f"{what.checksum}  a name\n".encode() if self.path.endswith(".sha1") else what.body
            start = int(span.removeprefix("bytes=").removesuffix("-")) if span else 0
            if start >= len(body):
                self.send_error(416)
                return
            self.send_response(206 if span else 200)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            stop = start + what.breaks.pop(0) if what.breaks and body is what.body else len(body)
            self.wfile.write(body[start:stop])

        def log_message(self, format: str, *arguments: object) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    what.url = f"http://127.0.0.1:{server.server_port}/repository"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield what
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(url: str, folder: Path, coordinates: Coordinates = NAME, attempts: int = 3) -> Path:
    return Repository(url, attempts, pause_s=0.001).fetch(coordinates, folder, silent)


def files(folder: Path) -> list[str]:
    return [each.name for each in folder.rglob("*") if each.is_file()]


def test_a_jar_is_fetched_once(served: Served, tmp_path: Path) -> None:
    lines: list[str] = []
    path = Repository(served.url).fetch(NAME, tmp_path, lines.append)
    assert path == tmp_path / "org/example/some-jar/1.2.3/some-jar-1.2.3.jar"
    assert path.read_bytes() == JAR
    assert lines == ["fetching org.example:some-jar:1.2.3, 1.0 MB"]
    number = len(served.asked)
    assert fetch(served.url, tmp_path) == path
    assert len(served.asked) == number
    assert files(tmp_path) == ["some-jar-1.2.3.jar"]


def test_a_download_that_breaks_goes_on_where_it_was(served: Served, tmp_path: Path) -> None:
    served.breaks = [100_000, 50_000]
    assert fetch(served.url, tmp_path).read_bytes() == JAR
    spans = [span for path, span in served.asked if not path.endswith(".sha1")]
    assert spans[0] is None
    starts = [int(span.removeprefix("bytes=").removesuffix("-")) for span in spans[1:] if span]
    assert len(starts) == 2
    assert starts[1] >= starts[0]


def test_what_an_earlier_process_left_is_gone_on_with(served: Served, tmp_path: Path) -> None:
    part = tmp_path / (NAME.path + ".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(JAR[:70_000])
    assert fetch(served.url, tmp_path).read_bytes() == JAR
    assert served.asked[-1][1] == "bytes=70000-"


@pytest.mark.parametrize("left", [b"of another version", JAR + b"too much"])
def test_what_was_left_and_does_not_fit_is_fetched_anew(served: Served, tmp_path: Path, left: bytes) -> None:
    part = tmp_path / (NAME.path + ".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(left)
    assert fetch(served.url, tmp_path).read_bytes() == JAR


def test_a_wrong_checksum_is_an_error_and_leaves_nothing(served: Served, tmp_path: Path) -> None:
    served.checksum = "0" * 40
    with pytest.raises(JobError, match=f"has SHA-1 {hashlib.sha1(JAR).hexdigest()}") as error:
        fetch(served.url, tmp_path)
    assert error.value.code == "FX-FLK-0006"
    assert files(tmp_path) == []


def test_a_busy_server_is_asked_again(served: Served, tmp_path: Path) -> None:
    served.statuses = [503, 429]
    assert fetch(served.url, tmp_path).read_bytes() == JAR


def test_a_server_that_stays_busy(served: Served, tmp_path: Path) -> None:
    served.statuses = [503] * 3
    with pytest.raises(JobError, match="the server answers 503") as error:
        fetch(served.url, tmp_path)
    assert error.value.code == "FX-FLK-0005"


@pytest.mark.parametrize(("statuses", "says"), [([], "has no jar org.example:other:1"), ([403], "answers 403")])
def test_a_jar_that_is_not_to_be_had(served: Served, tmp_path: Path, statuses: list[int], says: str) -> None:
    served.statuses = statuses
    with pytest.raises(JobError, match=says) as error:
        fetch(served.url, tmp_path, Coordinates("org.example", "other", "1"))
    assert error.value.code == "FX-FLK-0009"
    assert len(served.asked) == 1


def test_no_connection(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with pytest.raises(JobError, match=r"some-jar:1\.2\.3 could not be fetched .*refused") as error:
        fetch(f"http://127.0.0.1:{port}", tmp_path)
    assert error.value.code == "FX-FLK-0005"
    assert "FLUXCORE_MAVEN_REPOSITORY" in (error.value.hint or "")


def test_no_such_host(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="could not be fetched") as error:
        fetch("http://nowhere.invalid", tmp_path, attempts=1)
    assert error.value.code == "FX-FLK-0005"
    assert "object at 0x" not in error.value.message


FULL = """
import resource, signal, sys
from pathlib import Path
from fluxcore.targets.flink.cluster.maven import Coordinates, Repository

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
Repository(sys.argv[1]).fetch(Coordinates("org.example", "some-jar", "1.2.3"), Path(sys.argv[2]), print)
"""


def test_a_full_disk(served: Served, tmp_path: Path) -> None:
    """A limit on the size of files stands for it: the system refuses to write in the same place."""
    told = subprocess.run(
        [sys.executable, "-c", FULL, served.url, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert f"FX-FLK-0007]: the disk of {tmp_path} is full" in told.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_can_not_be_written_to(served: Served, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(JobError, match="can't be written to") as error:
        fetch(served.url, tmp_path)
    assert error.value.code == "FX-FLK-0018"


def test_the_environment_names_a_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLUXCORE_MAVEN_REPOSITORY", raising=False)
    assert Repository.chosen().url == CENTRAL
    monkeypatch.setenv("FLUXCORE_MAVEN_REPOSITORY", "http://mirror/maven/")
    assert Repository.chosen().url == "http://mirror/maven"


def test_coordinates() -> None:
    plain, classified = Coordinates.parse("a.b:c-d:1.0"), Coordinates.parse(" a.b:c-d:1.0:all ")
    assert (plain.path, str(plain)) == ("a/b/c-d/1.0/c-d-1.0.jar", "a.b:c-d:1.0")
    assert (classified.path, str(classified)) == ("a/b/c-d/1.0/c-d-1.0-all.jar", "a.b:c-d:1.0:all")


@pytest.mark.parametrize("text", ["", "a", "a:b", "a:b:c:d:e", "a:b:..", "a::c", "a:b c:1"])
def test_what_are_no_coordinates(text: str) -> None:
    with pytest.raises(ScriptError, match="names no jar") as error:
        Coordinates.parse(text)
    assert error.value.code == "FX-FLK-0008"
