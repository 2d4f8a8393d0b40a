"""The reason why a process of Flink ended, out of logs as Flink and the JVM write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fluxcore.targets.flink.cluster.logs import cause_in_logs

if TYPE_CHECKING:
    from pathlib import Path

STARTED = """\
2026-11-28 19:22:18,083 INFO  org.apache.flink.runtime.entrypoint.ClusterEntrypoint        [] - Starting the cluster.
2026-11-28 19:22:19,000 WARN  org.apache.flink.runtime.util.HadoopUtils                    [] - Could not load Hadoop
java.lang.ClassNotFoundException: org.apache.hadoop.conf.Configuration
\tat java.base/java.net.URLClassLoader.findClass(URLClassLoader.java:445)
"""
FAILED = """\
2026-11-28 19:22:20,896 ERROR org.apache.flink.runtime.entrypoint.ClusterEntrypoint        [] - Could not start it.
org.apache.flink.runtime.entrypoint.ClusterEntrypointException: Failed to initialize the cluster entrypoint.
\tat org.apache.flink.runtime.entrypoint.ClusterEntrypoint.startCluster(ClusterEntrypoint.java:259)
\tat org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint.main(StandaloneSession.java:59)
Caused by: org.apache.flink.util.FlinkException: Could not create the DispatcherResourceManagerComponent.
\tat org.apache.flink.runtime.entrypoint.ClusterEntrypoint.runCluster(ClusterEntrypoint.java:294)
\t... 2 more
Caused by: java.net.BindException: Could not start rest endpoint on any port in port range 8081
\tat org.apache.flink.runtime.rest.RestServerEndpoint.start(RestServerEndpoint.java:298)
\t... 6 more
"""
STOPPED = """\
2026-11-28 19:22:21,100 INFO  org.apache.flink.runtime.blob.BlobServer                     [] - Stopped BLOB server
"""
NO_TRACE = """\
2026-11-28 19:22:20,896 ERROR org.apache.flink.runtime.taskexecutor.TaskManagerRunner      [] - The disk is gone.
2026-11-28 19:22:21,100 INFO  org.apache.flink.runtime.blob.BlobServer                     [] - Stopped BLOB server
"""
WRONG_FLAG = """\
Unrecognized VM option 'NoSuchFlag'
Error: Could not create the Java Virtual Machine.
Error: A fatal exception has occurred. Program will exit.
"""
NO_ROOM = """\
OpenJDK 64-Bit Server VM warning: INFO: os::commit_memory(0x0000000400000000, 17179869184, 0) failed; error='Not enough space'
#
# There is insufficient memory for the Java Runtime Environment to continue.
# Native memory allocation (mmap) failed to map 17179869184 bytes for committing reserved memory.
"""
IN_MAIN = """\
WARNING: A terminally deprecated method in sun.misc.Unsafe has been called
Exception in thread "main" org.apache.flink.table.gateway.api.utils.SqlGatewayException: Failed to start the endpoints.
\tat org.apache.flink.table.gateway.SqlGateway.start(SqlGateway.java:82)
Caused by: java.net.BindException: Could not start rest endpoint on any port in port range 8083
\tat org.apache.flink.runtime.rest.RestServerEndpoint.start(RestServerEndpoint.java:298)
"""


@pytest.mark.parametrize(
    ("out", "log", "cause"),
    [
        ("", STARTED + FAILED + STOPPED, "BindException: Could not start rest endpoint on any port in port range 8081"),
        (WRONG_FLAG, "", "Unrecognized VM option 'NoSuchFlag'\nError: Could not create the Java Virtual Machine."),
        (NO_ROOM, "", "# There is insufficient memory for the Java Runtime Environment to continue."),
        (IN_MAIN, "", "BindException: Could not start rest endpoint on any port in port range 8083"),
        (IN_MAIN, STARTED, "BindException: Could not start rest endpoint on any port in port range 8083"),
        ("", STARTED, "ClassNotFoundException: org.apache.hadoop.conf.Configuration"),
        ("", NO_TRACE, "The disk is gone."),
        ("", STOPPED, "Stopped BLOB server"),
        ("WARNING: a method will be removed", STOPPED, "Stopped BLOB server"),
        ("sh: 1: /nowhere/java: not found", "", "sh: 1: /nowhere/java: not found"),
        ("", "", ""),
    ],
)
def test_the_cause(tmp_path: Path, out: str, log: str, cause: str) -> None:
    (tmp_path / "it.out").write_text(out)
    (tmp_path / "it.log").write_text(log)
    found = cause_in_logs(tmp_path / "it.out", tmp_path / "it.log", tmp_path / "missing.log")
    assert found.startswith(cause)
    assert bool(found) == bool(cause)
    assert len(found.splitlines()) <= 3


def test_only_the_end_of_a_long_log_is_read_and_a_long_cause_is_cut(tmp_path: Path) -> None:
    log = tmp_path / "it.log"
    log.write_bytes(b"\xff" * (2 * 1024 * 1024) + b"\n" + NO_TRACE.replace("gone", "gone " * 500).encode())
    found = cause_in_logs(log)
    assert found.startswith("The disk is gone")
    assert len(found) == 600
