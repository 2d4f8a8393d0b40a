"""``fluxcore flink``: exit codes, and what goes where, as far as no cluster has to run."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def flink(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fluxcore.cli.main", "flink", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("up", "--profile", "fast"), "FX-FLK-0015"),
        (("up", "--version", "1.20.0"), "FX-FLK-0002"),
        (("up", "--jars", "missing.jar"), "FX-FLK-0008"),
        (("up", "--set", "parallelism.default"), "FX-CLI-0001"),
        (("status", "--format", "xml"), "FX-CLI-0002"),
    ],
)
def test_a_wrong_command_line_is_exit_code_2(tmp_path: Path, arguments: tuple[str, ...], code: str) -> None:
    told = flink(*arguments, "--work", str(tmp_path))
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith(f"error[{code}]")


def test_no_cluster(tmp_path: Path) -> None:
    asked = flink("status", "--work", str(tmp_path), "--format", "json")
    assert (asked.returncode, asked.stderr) == (1, "")
    told = json.loads(asked.stdout)
    assert (told["state"], told["address"], told["processes"]) == ("stopped", None, [])
    text = flink("status", "--work", str(tmp_path))
    assert (text.returncode, text.stdout.splitlines()[0]) == (1, "state      stopped")
    ended = flink("down", "--work", str(tmp_path))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "no cluster was running\n")


def test_a_broken_record_is_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "cluster.json").write_text("{")
    for command in ("status", "down", "up"):
        told = flink(command, "--work", str(tmp_path))
        assert (told.returncode, told.stdout) == (1, "")
        assert told.stderr.startswith("error[FX-FLK-0017]")
