"""Every code block of the documentation runs.

Blocks of one page run in order in one folder, which holds a copy of `docs/data`:
- ```sql``` and ```yaml``` as a script, ```python``` as a program, in one namespace per page;
- ```console``` lines that begin with `$ fluxcore` as commands, which must end with exit code 0.
`<!-- skip: reason -->` before a block leaves it out; `<!-- fails -->` means that it must fail with a clear error.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"(?:<!-- (skip: [^>]*|fails) -->\s*)?```(sql|yaml|python|console)\n(.*?)```", re.DOTALL)
FLUXCORE = str(Path(sys.executable).parent / "fluxcore")


def blocks(path: Path) -> list[tuple[str, str, str]]:
    return [(mark or "", kind, text) for mark, kind, text in BLOCK.findall(path.read_text("utf-8"))]


def commands(kind: str, text: str, folder: Path, number: int) -> list[list[str]]:
    if kind in ("sql", "yaml"):
        (folder / f"block{number}.{kind}").write_text(text)
        return [[FLUXCORE, "run", f"block{number}.{kind}"]]
    if kind == "python":
        (folder / f"block{number}.py").write_text(text)
        return [[sys.executable, f"block{number}.py"]]
    lines = [line[2:] for line in text.splitlines() if line.startswith("$ fluxcore")]
    return [[FLUXCORE, *shlex.split(line, comments=True)[1:]] for line in lines]


@pytest.mark.parametrize("path", [p for p in PAGES if any(not m.startswith("skip") for m, _, _ in blocks(p))],
                         ids=lambda path: str(path.relative_to(ROOT)))  # fmt: skip
def test_blocks_of_a_page_run(path: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs" / "data", tmp_path, dirs_exist_ok=True)
    ran = 0
    for number, (mark, kind, text) in enumerate(blocks(path)):
        if mark.startswith("skip"):
            continue
        for command in commands(kind, text, tmp_path, number):
            environment = {**os.environ, "COLUMNS": "120"}
            result = subprocess.run(
                command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
            )
            told = f"{' '.join(command)}\n{text}\n--- stdout\n{result.stdout}\n--- stderr\n{result.stderr}"
            if mark == "fails":
                assert result.returncode in (1, 2), told
                assert "error[FX-" in result.stderr, told
            else:
                assert result.returncode == 0, told
            ran += 1
    assert ran or all(kind == "console" for _, kind, _ in blocks(path))
