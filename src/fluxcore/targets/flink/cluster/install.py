"""Fetches what a Flink cluster needs into the user's cache folder, once: libraries, the SQL gateway, further jars."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fluxcore.core.folders import cache_folder
from fluxcore.errors import ScriptError
from fluxcore.targets.flink import versions
from fluxcore.targets.flink.cluster.disk import writing
from fluxcore.targets.flink.cluster.libraries import Libraries, fetch_libraries
from fluxcore.targets.flink.cluster.locks import alone
from fluxcore.targets.flink.cluster.maven import Coordinates, Repository

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fluxcore.targets.flink.cluster.progress import Progress

HADOOP = "3.4.1"
BUNDLES = {
    "parquet": (
        "org.apache.flink:flink-sql-parquet:{version}",
        f"org.apache.hadoop:hadoop-client-api:{HADOOP}",
        f"org.apache.hadoop:hadoop-client-runtime:{HADOOP}",
    ),
    "avro": ("org.apache.flink:flink-sql-avro:{version}",),
    "kafka": ("org.apache.flink:flink-sql-connector-kafka:5.0.0-2.2",),
}
"""Jars that are asked for by one word. Flink's Parquet format needs classes of Hadoop, which its own jar lacks."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What is there to start: the libraries, the gateway's jar, and further jars for all processes."""

    version: str
    libraries: Libraries
    gateway: Path
    jars: tuple[Path, ...] = ()

    def classpath(self) -> tuple[Path, ...]:
        """Return the jars of JobManager and TaskManagers, in a fixed order."""
        return (*sorted(self.libraries.lib.glob("*.jar")), *self.jars)

    def gateway_classpath(self) -> tuple[Path, ...]:
        """Return the jars of the SQL gateway."""
        own = (self.gateway, self.libraries.optional("flink-sql-client"), self.libraries.optional("flink-python"))
        return (*self.classpath(), *(jar for jar in own if jar is not None))


def install(version: str, jars: Iterable[str], progress: Progress, *, cache: Path | None = None) -> Installation:
    """Return the installation of a version of Flink, fetching what is missing.

    In: ``jars`` are paths, coordinates such as ``org.apache.flink:flink-sql-avro:2.3.0``, or one of ``BUNDLES``.
    Raises: ``ScriptError`` FX-FLK-0002 and FX-FLK-0008 for a version or jar that can't be; ``JobError`` FX-FLK-0005 to
    FX-FLK-0010, FX-FLK-0013 and FX-FLK-0018 when fetching fails.
    """
    wanted = wanted_jars(version, jars)
    cache = cache or cache_folder("flink")
    with writing(cache):
        cache.mkdir(parents=True, exist_ok=True)
    repository, maven = Repository.chosen(), cache / "maven"
    with alone(cache / "install.lock", "fetching Flink", progress):
        libraries = fetch_libraries(version, cache, progress)
        gateway = repository.fetch(Coordinates("org.apache.flink", "flink-sql-gateway", version), maven, progress)
        more = [jar if isinstance(jar, Path) else repository.fetch(jar, maven, progress) for jar in wanted]
    return Installation(version, libraries, gateway, tuple(more))


def wanted_jars(version: str, jars: Iterable[str]) -> list[Path | Coordinates]:
    """Return the jars that a user names. Raises ``ScriptError`` FX-FLK-0002 and FX-FLK-0008, before anything is fetched."""
    versions.check(version)
    return [each for jar in jars for each in _wanted(jar, version)]


def _wanted(jar: str, version: str) -> list[Path | Coordinates]:
    if jar in BUNDLES:
        return [Coordinates.parse(each.format(version=version)) for each in BUNDLES[jar]]
    path = Path(jar).expanduser()
    if path.is_file():
        return [path.resolve()]
    if ":" in jar and "/" not in jar:
        return [Coordinates.parse(jar)]
    hint = f"give the path of a jar, group:artifact:version, or one of {', '.join(BUNDLES)}"
    raise ScriptError("FX-FLK-0008", f"there is no jar '{jar}'", hint=hint)
