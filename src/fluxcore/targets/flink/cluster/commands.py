"""The command lines of Flink's processes, and the files that they read."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.limits import FLINK_LOG_BYTES_MAX
from fluxcore.targets.flink.cluster.configuration import written
from fluxcore.targets.flink.cluster.memory import gateway_limits, job_limits, task_limits
from fluxcore.targets.flink.cluster.profiles import find_profile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fluxcore.targets.flink.cluster.install import Installation
    from fluxcore.targets.flink.cluster.java import Java

JOBMANAGER, TASKMANAGER, GATEWAY = "JobManager", "TaskManager", "SQL gateway"

_MAIN = {
    JOBMANAGER: "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
    TASKMANAGER: "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
    GATEWAY: "org.apache.flink.table.gateway.SqlGateway",
}
_JAVA_OPTIONS = {
    JOBMANAGER: "env.java.opts.jobmanager",
    TASKMANAGER: "env.java.opts.taskmanager",
    GATEWAY: "env.java.opts.sql-gateway",
}
_OPENED = {
    "--add-exports": (
        "java.management/sun.management",
        "java.rmi/sun.rmi.registry",
        "java.security.jgss/sun.security.krb5",
    ),
    "--add-opens": tuple(
        f"java.base/{package}"
        for package in (
            "java.lang",
            "java.lang.reflect",
            "java.io",
            "java.net",
            "java.nio",
            "java.text",
            "java.time",
            "java.util",
            "java.util.concurrent",
            "java.util.concurrent.atomic",
            "java.util.concurrent.locks",
            "sun.nio.ch",
        )
    ),
}
"""What Flink's serialisers of user classes and its connectors reach into; SQL alone needs none of it."""

_LOGGING = f"""\
rootLogger.level = INFO
rootLogger.appenderRef.file.ref = file
logger.pekko.name = org.apache.pekko
logger.pekko.level = WARN
logger.shaded.name = org.apache.flink.shaded.netty4
logger.shaded.level = WARN
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = ${{sys:log.file}}
appender.file.filePattern = ${{sys:log.file}}.%i
appender.file.append = true
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{yyyy-MM-dd HH:mm:ss,SSS}} %-5p %-60c %x - %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = {FLINK_LOG_BYTES_MAX}
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 3
"""


@dataclass(frozen=True)
class Launcher:
    """Knows how to start the processes of one cluster."""

    java: Java
    installation: Installation
    profile: str
    work: Path
    values: Mapping[str, str]

    def prepare(self) -> None:
        """Write the configuration, and make the folders that the processes expect."""
        for name in ("conf", "log", "plugins", "tmp/upload", "checkpoints", "savepoints"):
            (self.work / name).mkdir(parents=True, exist_ok=True)
        (self.work / "conf" / "config.yaml").write_text(written(self.values), "utf-8")
        (self.work / "conf" / "log4j2.properties").write_text(_LOGGING, "utf-8")

    def environment(self) -> dict[str, str]:
        """Return the variables by which Flink finds its folders."""
        libraries = self.installation.libraries
        # a PYTHONPATH of the caller's would come before what PyFlink brings
        own = {"PYTHONPATH": ""} if self.installation.python is not None else {}
        return own | {
            "FLINK_CONF_DIR": str(self.work / "conf"),
            "FLINK_LIB_DIR": str(libraries.lib),
            "FLINK_OPT_DIR": str(libraries.opt),
            "FLINK_PLUGINS_DIR": str(self.work / "plugins"),
            "FLINK_LOG_DIR": str(self.work / "log"),
        }

    def log(self, role: str, number: int = 0) -> Path:
        """Return the log file of a process."""
        name = role.lower().replace(" ", "-")
        return self.work / "log" / (f"{name}-{number}.log" if number else f"{name}.log")

    def command(self, role: str, number: int = 0) -> list[str]:
        """Return the command line of a process; ``number`` tells TaskManagers apart."""
        gateway = role == GATEWAY
        jars = self.installation.gateway_classpath() if gateway else self.installation.classpath()
        arguments = [] if gateway else ["--configDir", str(self.work / "conf")]
        return [
            str(self.java.path),
            *self._flags(role, number),
            "-cp",
            ":".join(map(str, jars)),
            _MAIN[role],
            *arguments,
        ]

    def _flags(self, role: str, number: int) -> list[str]:
        profile = find_profile(self.profile)
        log = self.log(role, number)
        limits = {JOBMANAGER: job_limits, TASKMANAGER: task_limits, GATEWAY: gateway_limits}[role](self.values)
        flags = [*profile.collector(self.java.version), *limits]
        if role == TASKMANAGER and profile.whole_heap:
            flags.append(limits[0].replace("-Xmx", "-Xms"))
        if profile.whole_heap:
            flags.append(f"-Xlog:gc*:file={log.with_suffix('.gc')}:uptime,level:filecount=1,filesize=16M")
        flags += [f"{option}={each}=ALL-UNNAMED" for option, packages in _OPENED.items() for each in packages]
        flags += [f"-Dlog.file={log}", f"-Dlog4j2.configurationFile={(self.work / 'conf/log4j2.properties').as_uri()}"]
        for key in ("env.java.opts.all", _JAVA_OPTIONS[role]):
            flags += shlex.split(self.values.get(key, ""))
        return flags
