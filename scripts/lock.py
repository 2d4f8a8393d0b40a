"""Writes requirements/lock.txt: exact versions of everything, for all supported Pythons and systems.

Needs uv. The file holds names and versions only: no registry hosts and no paths.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = list(project["project"]["dependencies"])
    for name, extra in project["project"]["optional-dependencies"].items():
        if name != "all":
            wanted += extra
    wanted += project["dependency-groups"]["dev"]
    with tempfile.NamedTemporaryFile("w", suffix=".in") as source:
        source.write("\n".join(wanted))
        source.flush()
        command = ["uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--no-header",
                   "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "--upgrade", source.name]  # fmt: skip
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (ROOT / "requirements").mkdir(exist_ok=True)
    head = "# Exact versions of all dependencies, made by scripts/lock.py.\n"
    (ROOT / "requirements" / "lock.txt").write_text(head + text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
