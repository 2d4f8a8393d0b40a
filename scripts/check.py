"""Runs every check and says in a line each whether it holds; the output of a failed one is shown."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CHECKS = {
    "format": [str(BIN / "ruff"), "format", "--check", "-q", "."],
    "lint": [str(BIN / "ruff"), "check", "-q", "."],
    "types": [str(BIN / "mypy")],
    "ladder": [str(BIN / "lint-imports"), "--no-cache"],
    "docs": [sys.executable, "-m", "pytest", "-q", "tests/tidy"],
}


def main() -> int:
    failed = []
    for name, command in CHECKS.items():
        start = time.monotonic()
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        verdict = "ok" if result.returncode == 0 else "FAILED"
        print(f"{name:8} {verdict:6} {time.monotonic() - start:5.1f} s", flush=True)
        if result.returncode:
            failed.append(name)
            print(result.stdout + result.stderr)
    print("all checks hold" if not failed else f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
