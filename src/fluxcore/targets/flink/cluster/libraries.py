"""Flink's own jars: the package ``apache-flink-libraries`` of PyPI, in a folder of its own."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fluxcore.errors import JobError
from fluxcore.limits import INSTALL_S
from fluxcore.targets.flink.cluster.disk import full, need, writing

if TYPE_CHECKING:
    from fluxcore.targets.flink.cluster.progress import Progress

PACKAGE = "apache-flink-libraries"
_NEEDED_BYTES = 900 * 1024 * 1024  # the package as it comes and as it is unpacked, and some room
_TELL_EVERY_S = 5.0
_POLL_S = 0.2
_FULL = re.compile(r"No space left on device|Disk quota exceeded")
_OFFLINE = re.compile(
    r"NewConnectionError|ConnectTimeout|Read timed out|ProxyError|name resolution|Name or service not known|"
    r"Failed to fetch|ConnectionError|error sending request|Network is unreachable|from versions: none"
)


@dataclass(frozen=True, slots=True)
class Libraries:
    """The folders of an unpacked package."""

    folder: Path

    @property
    def lib(self) -> Path:
        """The jars that every process of Flink has on its class path."""
        return self.folder / "pyflink" / "lib"

    @property
    def opt(self) -> Path:
        """Jars for single uses, such as Python functions."""
        return self.folder / "pyflink" / "opt"

    @property
    def plugins(self) -> Path:
        """Plugins, a folder each."""
        return self.folder / "pyflink" / "plugins"

    def optional(self, name: str) -> Path | None:
        """Return the jar of ``opt`` that begins with a name."""
        return next(iter(sorted(self.opt.glob(f"{name}-*.jar"))), None)

    @property
    def whole(self) -> bool:
        """Whether the package is there."""
        return any(self.lib.glob("flink-dist-*.jar"))


def fetch_libraries(version: str, cache: Path, progress: Progress) -> Libraries:
    """Return the libraries of a version below ``cache``, fetched unless they are there.

    They are unpacked beside their place and renamed at the end, so a folder that is there is whole. The caller holds the
    lock of ``cache``. Raises: ``JobError`` FX-FLK-0005 without a connection, FX-FLK-0007 when the disk is full,
    FX-FLK-0010 when the installation fails otherwise.
    """
    libraries = Libraries(cache / version)
    if libraries.whole:
        return libraries
    part = cache / f"{version}.part"
    with writing(cache):
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(libraries.folder, ignore_errors=True)
        part.mkdir(parents=True)
        need(cache, _NEEDED_BYTES)
    progress(f"fetching Flink {version} from PyPI ({PACKAGE}, about 330 MB, once)")
    try:
        _install(version, part, progress)
        if not Libraries(part).whole:
            raise _failed(f"{PACKAGE} {version}", "the package holds no flink-dist jar")
        with writing(cache):
            part.replace(libraries.folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return libraries


def _install(version: str, part: Path, progress: Progress) -> None:
    """Install with the ``pip`` of this Python, else ``uv``, else the ``pip`` of a new environment."""
    wanted, what = f"{PACKAGE}=={version}", f"{PACKAGE} {version}"
    pip = ["-m", "pip", "install", "--no-deps", "--no-compile", "--no-cache-dir", "--no-input",
           "--disable-pip-version-check", "--progress-bar", "off", "--target", str(part), wanted]  # fmt: skip
    if importlib.util.find_spec("pip") is not None:
        run_installer([sys.executable, *pip], what, part, progress)
    elif uv := shutil.which("uv"):
        command = [uv, "pip", "install", "--no-deps", "--no-cache", "--python", sys.executable, "--target", str(part)]
        run_installer([*command, wanted], what, part, progress)
    else:
        environment = part / "environment"
        run_installer([sys.executable, "-m", "venv", str(environment)], what, part, progress)
        run_installer([str(environment / "bin" / "python"), *pip], what, part, progress)
        shutil.rmtree(environment)


def _explained(what: str, part: Path, text: str) -> JobError:
    if _FULL.search(text):
        return full(part.parent)
    offline = _OFFLINE.search(text)
    if offline:
        hint = "Flink is fetched once; check the network, or set PIP_INDEX_URL to a mirror and HTTPS_PROXY to a proxy"
        why = "the package index shows none" if offline[0].endswith("none") else offline[0]
        return JobError("FX-FLK-0005", f"{what} could not be fetched: {why}", hint=hint)
    errors = [line for line in text.splitlines() if line.lower().startswith("error")]
    return _failed(what, "\n".join(errors[:2] or text.splitlines()[-3:]))


def _failed(what: str, why: str) -> JobError:
    hint = f"try it by hand: {Path(sys.executable).name} -m pip download --no-deps {what.replace(' ', '==')}"
    return JobError("FX-FLK-0010", f"{what} could not be installed: {why}", hint=hint)


def run_installer(command: list[str], what: str, part: Path, progress: Progress) -> None:
    """Run an installer of ``what``, a package and its version, that writes to a log, and tell now and then that it goes on.

    Raises: ``JobError`` FX-FLK-0005 without a connection, FX-FLK-0007 when the disk is full, FX-FLK-0010 otherwise.
    """
    log = part / "install.log"
    hidden = {"PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_USER", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV"}
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    with writing(part), log.open("wb") as out:
        started = told = time.monotonic()
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=environment, cwd=part
        ) as process:
            try:
                while process.poll() is None:
                    now = time.monotonic()
                    if now - started > INSTALL_S:
                        raise _failed(what, f"it took more than {INSTALL_S:.0f} s")
                    if now - told > _TELL_EVERY_S:
                        progress(f"still fetching {what}, {now - started:.0f} s")
                        told = now
                    time.sleep(_POLL_S)
            finally:
                process.kill()
    if process.returncode:
        raise _explained(what, part, log.read_text("utf-8", "replace"))
