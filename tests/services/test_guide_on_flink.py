"""The code blocks of the guide to Flink, on a real cluster: what they call the local cluster is the tests' own."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fluxcore.targets.flink.cluster.record import Cluster

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```(console|python)\n(.*?)```", re.DOTALL)
OF_THE_CLUSTER = ("up", "status", "down")
TABLE = """CREATE TABLE rides (ride_id BIGINT, city STRING, fare DOUBLE, started TIMESTAMP(3))
WITH ('connector' = 'filesystem', 'path' = 'rides.csv', 'format' = 'csv');
"""


def commands(kind: str, text: str, address: str, folder: Path) -> list[list[str]]:
    """Return what a block runs."""
    if kind == "python":
        (folder / "block.py").write_text(text.replace('target="flink"', f'target="{address}"'))
        return [[sys.executable, "block.py"]]
    found = []
    for line in text.splitlines():
        words = shlex.split(line.removeprefix("$ fluxcore "))
        if words[0] == "flink" and words[1] in OF_THE_CLUSTER:
            continue
        words = [
            address if word == "flink" and words[place - 1] == "--target" else word for place, word in enumerate(words)
        ]
        target = [] if "--target" in words else ["--target", address]
        found.append([sys.executable, "-m", "fluxcore.cli.main", *words, *target])
    return found


def test_the_blocks_of_the_guide_run(flink: Cluster, tmp_path: Path) -> None:
    lines = (ROOT / "docs" / "data" / "rides.csv").read_text("utf-8").splitlines(keepends=True)
    (tmp_path / "rides.csv").write_text("".join(lines[1:]))
    (tmp_path / "rides.sql").write_text(TABLE + "SELECT city, COUNT(*) AS rides FROM rides GROUP BY city;\n")
    (tmp_path / "rides_into.sql").write_text(
        TABLE
        + "CREATE TABLE busy (city STRING) WITH ('connector' = 'blackhole');\nINSERT INTO busy SELECT city FROM rides;\n"
    )
    ran = 0
    for kind, text in BLOCK.findall((ROOT / "docs" / "guide" / "flink.md").read_text("utf-8")):
        for command in commands(kind, text, flink.address, tmp_path):
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False)
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
            ran += 1
    assert ran >= 8
