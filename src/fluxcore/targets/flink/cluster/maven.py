"""Fetches single files from Maven Central, or from a mirror that ``FLUXCORE_MAVEN_REPOSITORY`` names."""

from __future__ import annotations

import hashlib
import os
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError

from fluxcore.errors import JobError, ScriptError
from fluxcore.limits import DOWNLOAD_ATTEMPTS, DOWNLOAD_CONNECT_S, DOWNLOAD_PAUSE_S, DOWNLOAD_READ_S
from fluxcore.targets.flink.cluster.disk import writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fluxcore.targets.flink.cluster.progress import Progress

CENTRAL = "https://repo1.maven.org/maven2"
REPOSITORY_VARIABLE = "FLUXCORE_MAVEN_REPOSITORY"

_WORD = r"[A-Za-z0-9_][A-Za-z0-9_.\-]*"
_FORM = re.compile(rf"({_WORD}):({_WORD}):({_WORD})(?::({_WORD}))?")
_CHUNK_BYTES = 64 * 1024  # what an attempt that breaks off may lose
_OK, _PARTIAL, _NOT_FOUND, _RANGE = 200, 206, 404, 416
_AGAIN = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True, slots=True)
class Coordinates:
    """The name of a jar: ``group:artifact:version`` and perhaps ``:classifier``."""

    group: str
    artifact: str
    version: str
    classifier: str = ""

    @staticmethod
    def parse(text: str) -> Coordinates:
        """Read coordinates. Raises ``ScriptError`` FX-FLK-0008 for what has another form."""
        found = _FORM.fullmatch(text.strip())
        if found is None:
            hint = "write group:artifact:version, such as org.apache.flink:flink-sql-avro:2.3.0, or the path of a jar"
            raise ScriptError("FX-FLK-0008", f"'{text}' names no jar", hint=hint)
        return Coordinates(found[1], found[2], found[3], found[4] or "")

    @property
    def path(self) -> str:
        """The place below a repository."""
        end = f"-{self.classifier}" if self.classifier else ""
        folder = f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}"
        return f"{folder}/{self.artifact}-{self.version}{end}.jar"

    def __str__(self) -> str:
        parts = (self.group, self.artifact, self.version, self.classifier)
        return ":".join(part for part in parts if part)


class _BrokenOff(Exception):
    """A download did not come to its end; another attempt goes on with it."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A server of Maven files; ``pause_s`` is the first pause between two attempts."""

    url: str
    attempts: int = DOWNLOAD_ATTEMPTS
    pause_s: float = DOWNLOAD_PAUSE_S

    @staticmethod
    def chosen() -> Repository:
        """Return the repository of the environment, or Maven Central."""
        return Repository((os.environ.get(REPOSITORY_VARIABLE) or CENTRAL).rstrip("/"))

    def fetch(self, coordinates: Coordinates, folder: Path, progress: Progress) -> Path:
        """Return the jar below ``folder``, which holds it afterwards as a Maven repository would.

        1. The bytes go to ``*.part``; what an earlier attempt left there is kept, and the rest is asked for.
        2. The whole is checked against the SHA-1 that the repository tells. A wrong one is fetched once more from the
           beginning, since it may have been put together from two versions.
        3. Only then it gets its name, so a jar that is there is whole.

        Raises: ``JobError`` FX-FLK-0005 without a connection, FX-FLK-0006 for a wrong checksum, FX-FLK-0007 when the disk
        is full, FX-FLK-0009 when the repository has no such jar.
        """
        target = folder / coordinates.path
        if target.is_file():
            return target
        url = f"{self.url}/{coordinates.path}"
        with writing(folder):
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(target.name + ".part")
            with _pool(url) as pool:
                wanted = self._checksum(pool, coordinates)
                for last in (False, True):
                    self._download(pool, coordinates, part, progress)
                    found = _sha1(part)
                    if found == wanted:
                        part.replace(target)
                        return target
                    part.unlink()
                    if not last:
                        progress(f"{coordinates} came with a wrong checksum; fetching it once more")
        hint = f"the repository or something on the way changes files; set {REPOSITORY_VARIABLE} to another one"
        message = f"{url} has SHA-1 {found}, and its repository says {wanted}"
        raise JobError("FX-FLK-0006", message, hint=hint)

    def _checksum(self, pool: urllib3.PoolManager, coordinates: Coordinates) -> str:
        def read() -> str:
            with _answer(pool, f"{self.url}/{coordinates.path}.sha1", {}) as response:
                _expect(response, coordinates, self.url, _OK)
                text = response.data.decode("ascii", "replace").split()
            if not text:
                raise _BrokenOff("the checksum is empty")
            return text[0].lower()

        return self._repeated(read, coordinates)

    def _download(self, pool: urllib3.PoolManager, coordinates: Coordinates, part: Path, progress: Progress) -> None:
        def read() -> str:
            have = part.stat().st_size if part.is_file() else 0
            span = {"Range": f"bytes={have}-"} if have else {}
            with _answer(pool, f"{self.url}/{coordinates.path}", span) as response:
                if (
                    have and response.status == _RANGE
                ):  # all is there already, or the file has shrunk: the checksum tells
                    return ""
                _expect(response, coordinates, self.url, _OK, _PARTIAL)
                have = have if response.status == _PARTIAL else 0
                size = int(response.headers.get("Content-Length") or 0)
                progress(f"fetching {coordinates}" + (f", {(size + have) / 2**20:,.1f} MB" if size else ""))
                with part.open("ab" if have else "wb") as file:
                    for chunk in response.stream(_CHUNK_BYTES):
                        file.write(chunk)
            return ""

        self._repeated(read, coordinates)

    def _repeated(self, read: Callable[[], str], coordinates: Coordinates) -> str:
        """Return what ``read`` does, tried again when the connection breaks or the server is busy."""
        pause_s = self.pause_s
        for attempt in range(1, self.attempts + 1):
            try:
                return read()
            except (HTTPError, _BrokenOff) as error:
                if attempt == self.attempts:
                    hint = (
                        f"Flink is fetched once; check the network, or set {REPOSITORY_VARIABLE} to a mirror "
                        "and HTTPS_PROXY to a proxy"
                    )
                    message = f"{coordinates} could not be fetched from {self.url}: {_plain(error)}"
                    raise JobError("FX-FLK-0005", message, hint=hint) from error
            time.sleep(pause_s)
            pause_s *= 2
        raise AssertionError("at least one attempt is made")


def _pool(url: str) -> urllib3.PoolManager:
    """Return connections, by the proxy that the environment names for this address."""
    scheme, _, rest = url.partition("://")
    proxy = getproxies().get(scheme)
    if proxy and not proxy_bypass(rest.split("/")[0]):
        return urllib3.ProxyManager(proxy)
    return urllib3.PoolManager()


@contextmanager
def _answer(pool: urllib3.PoolManager, url: str, headers: dict[str, str]) -> Iterator[urllib3.BaseHTTPResponse]:
    """Give the answer to a question, and close its connection: what was not read of it is of no use to the next."""
    response = pool.request(
        "GET",
        url,
        headers=headers,
        preload_content=False,
        timeout=urllib3.Timeout(connect=DOWNLOAD_CONNECT_S, read=DOWNLOAD_READ_S),
        retries=urllib3.Retry(connect=0, read=0, other=0, redirect=5),
    )
    try:
        yield response
    finally:
        response.close()


def _expect(response: urllib3.BaseHTTPResponse, coordinates: Coordinates, repository: str, *good: int) -> None:
    if response.status in good:
        return
    if response.status in _AGAIN:
        raise _BrokenOff(f"the server answers {response.status} {response.reason}")
    if response.status == _NOT_FOUND:
        hint = "check group, artifact and version at https://central.sonatype.com"
        raise JobError("FX-FLK-0009", f"{repository} has no jar {coordinates}", hint=hint)
    hint = f"set {REPOSITORY_VARIABLE} to another repository"
    message = f"{repository} answers {response.status} {response.reason} when asked for {coordinates}"
    raise JobError("FX-FLK-0009", message, hint=hint)


def _sha1(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.sha1(usedforsecurity=False)).hexdigest()


def _plain(error: Exception) -> str:
    """Return the innermost reason that the HTTP library gives."""
    reason: BaseException = error
    while isinstance(inner := getattr(reason, "reason", None), BaseException):
        reason = inner
    return str(reason).rsplit(">: ", 1)[-1].rsplit("): ", 1)[-1] or type(reason).__name__
