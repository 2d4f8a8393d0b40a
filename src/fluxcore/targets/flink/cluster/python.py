"""The Python environment in which a local cluster runs functions in Python: PyFlink, in the user's cache folder.

PyFlink brings Flink's jars as a package of its own, which the cluster has already: everything else that it needs is installed.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fluxcore.errors import JobError
from fluxcore.targets.flink.cluster.disk import need, writing
from fluxcore.targets.flink.cluster.libraries import PACKAGE, run_installer

if TYPE_CHECKING:
    from fluxcore.targets.flink.cluster.progress import Progress

_OLDEST, _NEWEST = (3, 9), (3, 12)
_NEEDED_BYTES = 1200 * 1024 * 1024
_REQUIRES = "import importlib.metadata, json; print(json.dumps(importlib.metadata.requires('apache-flink') or []))"
_VERSION = "import sys; print(*sys.version_info[:2])"
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def fetch_python(version: str, cache: Path, progress: Progress) -> Path:
    """Return the Python of an environment with PyFlink of a version, made unless it is there.

    It is made in its place, since environments can't be moved, and counts as whole when a file says so at the end. The caller holds the lock of ``cache``.
    Raises: ``JobError`` FX-FLK-0019 without a Python that PyFlink runs on, FX-FLK-0005, 0007 and 0010 when fetching fails.
    """
    folder = cache / f"python-{version}"
    python, whole = folder / "bin" / "python", folder / "whole"
    if whole.exists():
        return python
    base = _base_python()
    with writing(cache):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        need(cache, _NEEDED_BYTES)
    progress(f"fetching PyFlink {version} from PyPI (apache-flink and what it needs, about 200 MB, once)")
    try:
        _run([base, "-m", "venv", str(folder)], version, folder, progress)
        pip = [
            str(python),
            "-m",
            "pip",
            "install",
            "--no-input",
            "--disable-pip-version-check",
            "--progress-bar",
            "off",
        ]
        _run([*pip, "--no-deps", "--only-binary", ":all:", f"apache-flink=={version}"], version, folder, progress)
        asked = subprocess.run([str(python), "-c", _REQUIRES], capture_output=True, check=True, text=True)
        _run([*pip, "--prefer-binary", *_needed(json.loads(asked.stdout))], version, folder, progress)
        _run([str(python), "-c", "import pyflink.table.udf"], version, folder, progress)
        with writing(cache):
            whole.touch()
    finally:
        if not whole.exists():
            shutil.rmtree(folder, ignore_errors=True)
    return python


def _needed(requires: list[str]) -> list[str]:
    """Return what PyFlink needs but Flink's jars and its extras."""
    found = []
    for each in requires:
        match = _NAME.match(each)
        if match and match[0].lower().replace("_", "-") != PACKAGE and "extra ==" not in each:
            found.append(each)
    return found


def _run(command: list[str], version: str, folder: Path, progress: Progress) -> None:
    run_installer(command, f"apache-flink {version}", folder, progress)


def _base_python() -> str:
    """Return a Python that PyFlink runs on: this one, or the newest on the PATH."""
    if _OLDEST <= sys.version_info[:2] <= _NEWEST:
        return sys.executable
    for minor in range(_NEWEST[1], _OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found and _is_there(found, minor):
            return found
    shown = f"{_OLDEST[0]}.{_OLDEST[1]} to {_NEWEST[0]}.{_NEWEST[1]}"
    hint = "install one of them, or name an environment that has PyFlink: --set python.executable=/path/to/python"
    raise JobError("FX-FLK-0019", f"PyFlink runs on Python {shown}, and there is none", hint=hint)


def _is_there(python: str, minor: int) -> bool:
    """Return whether a name on the PATH is really that Python, and no stand-in that says it is not installed."""
    told = subprocess.run([python, "-c", _VERSION], capture_output=True, check=False, text=True)
    return told.returncode == 0 and told.stdout.split() == ["3", str(minor)]
