"""Which versions of Flink are spoken to: those that a user names, and those that a gateway tells."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from fluxcore.errors import JobError, ScriptError
from fluxcore.targets.flink import versions
from fluxcore.targets.flink.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Iterator

SUPPORTED = ["2.0.0", "2.0.1", "2.1.0", "2.2.0", "2.3.0"]
OTHERS = ["1.20.1", "1.19.0", "2.4.0", "2.30.0", "3.0.0"]


class Info(BaseHTTPRequestHandler):
    """What a gateway says about itself: the version is the server's."""

    def do_GET(self) -> None:
        answer = {"productName": "Apache Flink", "version": self.server.version}  # type: ignore[attr-defined]
        told = json.dumps(answer if self.path == "/v1/info" else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Info) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def told_by(server: ThreadingHTTPServer, version: str) -> str:
    server.version = version  # type: ignore[attr-defined]
    return Gateway(f"127.0.0.1:{server.server_port}").version()


@pytest.mark.parametrize("version", [*SUPPORTED, "2.3-SNAPSHOT", "2.2.1-vendor-7"])
def test_a_gateway_of_a_supported_version_is_used(server: ThreadingHTTPServer, version: str) -> None:
    assert told_by(server, version) == version


@pytest.mark.parametrize("version", [*OTHERS, "unknown", ""])
def test_a_gateway_of_another_version_is_refused_with_what_is_supported(
    server: ThreadingHTTPServer, version: str
) -> None:
    with pytest.raises(JobError, match=f"runs Flink {version}, which is not supported") as raised:
        told_by(server, version)
    assert raised.value.code == "FX-FLK-0104"
    assert "Flink 2.0 to 2.3" in (raised.value.hint or "")


@pytest.mark.parametrize("version", SUPPORTED)
def test_a_version_to_start_is_taken(version: str) -> None:
    assert versions.check(version) == version


@pytest.mark.parametrize("version", [*OTHERS, "2.3", "2.3.0-rc1", "newest", ""])
def test_another_version_is_not_started(version: str) -> None:
    with pytest.raises(ScriptError, match="is not supported") as raised:
        versions.check(version)
    assert raised.value.code == "FX-FLK-0002"
    assert "2.0 to 2.3" in (raised.value.hint or "")
