"""Makes the environment `.venv` at the root, and makes it again when it is stale.

Runs with any Python 3.11+ and the standard library alone:
1. A stamp inside the environment names what it was made from (pyproject.toml, the lock, the Python version).
2. When the stamp fits, nothing is done. Otherwise uv makes the environment if uv is there, else venv and pip do.
3. The locked packages are installed, then the project itself, editable; then the kernels are compiled.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "fluxcore-stamp"
LOCK = ROOT / "requirements" / "lock.txt"
INPUTS = ("pyproject.toml", "requirements/lock.txt", "scripts/setup_env.py")
START = time.monotonic()


def main() -> int:
    if sys.version_info < (3, 11):
        print(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    with (ROOT / ".setup-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if STAMP.is_file() and STAMP.read_text() == wanted() and "--force" not in sys.argv:
            return 0
        return build()


def wanted() -> str:
    """Return the text of the stamp for the environment that belongs to these sources."""
    digest = hashlib.sha256(sys.version.split()[0].encode())
    for name in INPUTS:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def build() -> int:
    say(f"environment .venv with Python {sys.version.split()[0]}")
    uv = shutil.which("uv")
    make = make_with_uv if uv else make_with_venv
    try:
        install = make()
        say("installing the locked packages")
        run([*install, "-r", str(LOCK)])
        say("installing fluxcore")
        run([*install, "--no-deps", "--no-build-isolation", "-e", str(ROOT)])
        say("compiling kernels (once; they are kept in the user's cache folder)")
        run([str(python()), "-m", "fluxcore.cli.main", "warm"])
    except subprocess.CalledProcessError as error:
        print(f"setup failed: {' '.join(error.cmd[:4])} … ended with {error.returncode}", file=sys.stderr)
        return 1
    STAMP.write_text(wanted())
    say("ready")
    return 0


def make_with_uv() -> list[str]:
    """Make the environment with uv; return the command that installs into it."""
    run(["uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(VENV)])
    return ["uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python())]


def make_with_venv() -> list[str]:
    """Make the environment with the standard library; return the command that installs into it."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    probe = subprocess.run([sys.executable, "-c", "import venv, ensurepip"], capture_output=True, check=False)
    if probe.returncode:
        print(
            "this Python can't make environments; on Debian and Ubuntu install the missing part with\n\n"
            f"    apt-get install -y python{version}-venv\n\nand run the same command again",
            file=sys.stderr,
        )
        raise SystemExit(1)
    shutil.rmtree(VENV, ignore_errors=True)
    run([sys.executable, "-m", "venv", str(VENV)])
    return [str(python()), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def python() -> Path:
    return VENV / "bin" / "python"


def run(command: list[str]) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in {"VIRTUAL_ENV", "PYTHONHOME"}}
    subprocess.run(command, check=True, cwd=ROOT, env=environment)


def say(text: str) -> None:
    print(f"[{time.monotonic() - START:5.1f} s] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
