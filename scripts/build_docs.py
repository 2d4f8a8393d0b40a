"""Writes the generated reference pages and builds the site into site/."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    subprocess.run([sys.executable, str(ROOT / "scripts" / "reference.py")], check=True, cwd=ROOT)
    result = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if result.returncode:
        print(result.stdout + result.stderr)
        return result.returncode
    print("site/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
