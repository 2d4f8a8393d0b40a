"""Finds a Java that Flink runs on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fluxcore.errors import JobError
from fluxcore.limits import JAVA_ANSWER_S

if TYPE_CHECKING:
    from collections.abc import Mapping

OLDEST = 17

_VERSION = re.compile(r'version "(?:1\.)?(\d+)')
_HINT = (
    f"install a JDK of version {OLDEST} or newer (Debian and Ubuntu: apt-get install -y openjdk-17-jre-headless), "
    "or point JAVA_HOME at one"
)


@dataclass(frozen=True, slots=True)
class Java:
    """A ``java`` and its feature version, such as 17."""

    path: Path
    version: int


def find_java(environment: Mapping[str, str] | None = None) -> Java:
    """Return the Java of ``JAVA_HOME``, or the first on ``PATH`` when that one can't be used.

    Raises: ``JobError`` FX-FLK-0003 when there is none, FX-FLK-0004 when none is new enough.
    """
    environment = os.environ if environment is None else environment
    problems = []
    old = False
    for place, path in _candidates(environment):
        version = _version(path) if path.is_file() else None
        if version is not None and version >= OLDEST:
            return Java(path, version)
        old = old or version is not None
        state = f"version {version}" if version is not None else "no Java" if path.is_file() else "not there"
        problems.append(f"{path} ({place}) is {state}")
    found = "; ".join(problems) or "JAVA_HOME is not set, and PATH has no java"
    if old:
        raise JobError("FX-FLK-0004", f"Flink needs Java {OLDEST} or newer: {found}", hint=_HINT)
    raise JobError("FX-FLK-0003", f"Flink needs Java {OLDEST} or newer, and none was found: {found}", hint=_HINT)


def _candidates(environment: Mapping[str, str]) -> list[tuple[str, Path]]:
    home = environment.get("JAVA_HOME")
    found = [("JAVA_HOME", Path(home, "bin", "java"))] if home else []
    on_path = shutil.which("java", path=environment.get("PATH", ""))
    return [*found, ("PATH", Path(on_path))] if on_path else found


def _version(path: Path) -> int | None:
    """Return the feature version that a ``java`` tells, None when it tells none."""
    try:
        told = subprocess.run(
            [str(path), "-version"], capture_output=True, text=True, timeout=JAVA_ANSWER_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(told.stderr + told.stdout)
    return int(found[1]) if found and told.returncode == 0 else None
