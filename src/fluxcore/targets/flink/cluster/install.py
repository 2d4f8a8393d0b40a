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
from fluxcore.targets.flink.cluster.python import fetch_python

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fluxcore.targets.flink.cluster.progress import Progress

_HADOOP = ("org.apache.hadoop:hadoop-client-api:3.5.0", "org.apache.hadoop:hadoop-client-runtime:3.5.0")
_NEWEST_JAVA_WITHOUT_HADOOP = 21
BUNDLES = {
    "parquet": ("org.apache.flink:flink-sql-parquet:{version}", *_HADOOP),
    "avro": ("org.apache.flink:flink-sql-avro:{version}",),
    "kafka": ("org.apache.flink:flink-sql-connector-kafka:5.0.0-2.2",),
}
"""Jars that are asked for by one word. Flink's Parquet format needs classes of Hadoop, which its own jar lacks."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What is there to start: the libraries, the gateway's own jars, and further jars for all processes."""

    version: str
    libraries: Libraries
    gateway: tuple[Path, ...]
    jars: tuple[Path, ...] = ()
    python: Path | None = None

    def classpath(self) -> tuple[Path, ...]:
        """Return the jars of JobManager and TaskManagers, in a fixed order."""
        runner = self.libraries.optional("flink-python") if self.python is not None else None
        return (*sorted(self.libraries.lib.glob("*.jar")), *([runner] if runner else []), *self.jars)

    def gateway_classpath(self) -> tuple[Path, ...]:
        """Return the jars of the SQL gateway."""
        optional = (self.libraries.optional("flink-sql-client"), self.libraries.optional("flink-python"))
        own = (*self.gateway, *(jar for jar in optional if jar is not None))
        return tuple(dict.fromkeys((*self.classpath(), *own)))


def install(
    version: str,
    jars: Iterable[str],
    java: int,
    progress: Progress,
    *,
    cache: Path | None = None,
    python: str | None = None,
) -> Installation:
    """Return the installation of a version of Flink for a version of Java, fetching what is missing.

    The gateway looks through ways to run jobs that need Hadoop. Up to Java 21 it passes over those that can't be loaded;
    after that it ends with the first of them, so there it gets Hadoop's client.

    In: ``python`` is None for a cluster without functions in Python, else the Python with PyFlink that the user names, or empty
    for one that is fetched. ``jars`` are paths, coordinates such as ``org.apache.flink:flink-sql-avro:2.3.0``, or one of ``BUNDLES``.
    Raises: ``ScriptError`` FX-FLK-0002 and FX-FLK-0008 for a version or jar that can't be; ``JobError`` FX-FLK-0005 to
    FX-FLK-0010, FX-FLK-0013, FX-FLK-0018 and FX-FLK-0019 when fetching fails.
    """
    wanted = wanted_jars(version, jars)
    cache = cache or cache_folder("flink")
    with writing(cache):
        cache.mkdir(parents=True, exist_ok=True)
    repository, maven = Repository.chosen(), cache / "maven"
    with alone(cache / "install.lock", "fetching Flink", progress):
        libraries = fetch_libraries(version, cache, progress)
        names = [
            f"org.apache.flink:flink-sql-gateway:{version}",
            *(_HADOOP if java > _NEWEST_JAVA_WITHOUT_HADOOP else ()),
        ]
        gateway = [repository.fetch(Coordinates.parse(name), maven, progress) for name in names]
        more = [jar if isinstance(jar, Path) else repository.fetch(jar, maven, progress) for jar in wanted]
        own = fetch_python(version, cache, progress) if python == "" else Path(python) if python is not None else None
    return Installation(version, libraries, tuple(gateway), tuple(more), own)


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
