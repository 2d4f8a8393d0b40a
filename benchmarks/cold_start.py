"""Times `fluxcore run` of a script over ten rows: with compiled kernels on the disk, and without.

python benchmarks/cold_start.py [--runs 5] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCRIPT = """
CREATE TABLE t (id BIGINT, name STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts)
WITH ('connector' = 'filesystem', 'path' = 'ten.csv', 'format' = 'csv');
SELECT name, COUNT(*) AS n, SUM(id) AS total FROM t GROUP BY name;
"""


def run(folder: Path, cache: Path) -> float:
    """Return the seconds from command to end."""
    command = [str(Path(sys.executable).parent / "fluxcore"), "run", "ten.sql"]
    start = time.perf_counter()
    subprocess.run(
        command, cwd=folder, env={**os.environ, "FLUXCORE_CACHE_DIR": str(cache)}, check=True, capture_output=True
    )
    return time.perf_counter() - start


def main() -> None:
    """Print, and write where asked, the medians of both cases."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {"no kernels on the disk": [], "kernels on the disk": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "ten.sql").write_text(SCRIPT)
        (folder / "ten.csv").write_text("".join(f"{i},n{i % 3},2024-01-01 00:00:0{i % 10}\n" for i in range(1, 11)))
        for number in range(options.runs):
            cache = folder / f"cache{number}"
            for taken in seconds.values():  # the first one fills the cache of the second
                taken.append(run(folder, cache))
    results = [{"case": case, "engine": "fluxcore", "rows": 10, "seconds": found} for case, found in seconds.items()]
    for result in results:
        print(f"{result['case']:24} {statistics.median(seconds[str(result['case'])]):.2f} s")
    if options.json:
        options.json.write_text(json.dumps({"results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
