"""A real Kafka broker for tests: one node on free loopback ports, fetched once with Maven."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from fluxcore.core.folders import cache_folder
from fluxcore.targets.flink.cluster.configuration import free_ports
from fluxcore.targets.flink.cluster.java import find_java
from fluxcore.targets.flink.cluster.locks import alone
from fluxcore.targets.flink.cluster.progress import silent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = "4.1.0"
READY_S = 180.0
CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qk"
POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>fluxcore</groupId><artifactId>kafka-for-tests</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{VERSION}</version></dependency>
</dependencies></project>
"""
PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
log.dirs={folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""


@contextmanager
def running_broker(folder: Path) -> Iterator[str]:
    """Give the address of a broker that takes connections, and end it. A machine without Maven or a network skips the test."""
    libraries = _libraries()
    broker, controller = free_ports(2)
    configuration = folder / "kafka.properties"
    configuration.write_text(PROPERTIES.format(broker=broker, controller=controller, folder=folder))
    java = [str(find_java().path), "-XX:TieredStopAtLevel=1", "-Xmx512m", "-cp", f"{libraries}/*"]
    storage = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(configuration)]
    subprocess.run([*java, *storage], check=True, capture_output=True, timeout=READY_S)
    with (folder / "kafka.log").open("wb") as log:
        server = subprocess.Popen([*java, "kafka.Kafka", str(configuration)], stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait(server, broker, folder / "kafka.log")
        yield f"127.0.0.1:{broker}"
    finally:
        server.terminate()
        server.wait(READY_S)


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        assert server.poll() is None, log.read_text()[-2000:]
        assert time.monotonic() < deadline, "Kafka is not ready"
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)


def _libraries() -> Path:
    """Return the folder of Kafka's jars."""
    folder = cache_folder("kafka-for-tests")
    libraries = folder / VERSION
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder / "fetch.lock", "fetching Kafka", silent):
        if not libraries.is_dir():
            _fetch(folder / f"{VERSION}.part")
            (folder / f"{VERSION}.part" / "libs").replace(libraries)
            shutil.rmtree(folder / f"{VERSION}.part")
    return libraries


def _fetch(part: Path) -> None:
    maven = shutil.which("mvn")
    why = "there is no Maven"
    if maven is not None:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        (part / "pom.xml").write_text(POM)
        command = [maven, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=libs"]
        done = subprocess.run(command, cwd=part, capture_output=True, text=True, check=False, timeout=600)
        if done.returncode == 0:
            return
        why = done.stdout.strip()[:300]
    if os.environ.get("CI"):
        pytest.fail(f"Kafka could not be fetched: {why}")
    pytest.skip(f"NOT TESTED WITH KAFKA: {why}")
