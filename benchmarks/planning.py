"""Times what happens between a script's text and its running job, for the 200 lines of ``planning.sql``.

    python benchmarks/planning.py [--runs 9] [--script FILE] [--json FILE]

Each run is a fresh process with an empty folder for compiled kernels; it imports FluxCore first, which is shown apart. Then the
script is parsed, its names and types are bound, its inserts are optimised as one plan, and the job's operators are made; nothing
is started. A last table says what each rule of the optimiser costs. Results are medians.
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
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_suffix(".sql")
STAGES = ("import", "parse", "bind", "optimise", "build", "in all after import")


def child(script: Path) -> dict[str, Any]:
    """Plan the script once; return milliseconds by stage, and by rule with how often the rule ran."""
    start = time.perf_counter()
    from fluxcore.api.session import Session
    from fluxcore.plan import optimizer
    from fluxcore.runtime.build import Options, build
    from fluxcore.runtime.execute import planned
    from fluxcore.sql import script as scripts

    session = Session()
    imported = time.perf_counter()
    spent: dict[str, list[float]] = defaultdict(list)

    def timed(work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            began = time.perf_counter()
            try:
                return work(*arguments)
            finally:
                spent[work.__name__].append((time.perf_counter() - began) * 1000)

        run.__name__ = work.__name__
        return run

    for group in ("FIRST", "BEFORE", "TOGETHER", "LAST"):
        setattr(optimizer, group, tuple(map(timed, getattr(optimizer, group))))
    scripts.parse_script = timed(scripts.parse_script)
    text = script.read_text("utf-8")
    marks = [time.perf_counter()]
    bound = session.bind(text)
    marks.append(time.perf_counter())
    sets = [each.inserts if isinstance(each, scripts.StatementSet) else (each,) for each in bound.statements
            if isinstance(each, scripts.StatementSet | scripts.InsertStatement)]  # fmt: skip
    plans, fired = planned([insert.plan for inserts in sets for insert in inserts], session.settings)
    marks.append(time.perf_counter())
    build([(plan, None) for plan in plans], Options(session.settings, bounded=False))
    marks.append(time.perf_counter())
    (parse,) = spent.pop("parse_script")
    bind, optimise, make = (1000 * (after - before) for before, after in pairwise(marks))
    took = (1000 * (imported - start), parse, bind - parse, optimise, make, bind + optimise + make)
    return {"stages": dict(zip(STAGES, took, strict=True)), "rules": spent, "fired": fired}


def in_fresh_process(script: Path) -> dict[str, Any]:
    """Return what :func:`child` says in a process of its own, with no compiled kernels on the disk."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--child", "--script", str(script)]
        environment = {**os.environ, "FLUXCORE_CACHE_DIR": folder}
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout)


def main() -> None:
    """Print, and write where asked, the medians of all stages and rules."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--script", type=Path, default=SCRIPT)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(child(options.script)))
        return
    found = [in_fresh_process(options.script) for _ in range(options.runs)]
    lines = len(options.script.read_text("utf-8").splitlines())
    print(f"{options.script.name}, {lines} lines, {options.runs} fresh processes, medians")
    results = []
    for stage in STAGES:
        ms = [each["stages"][stage] for each in found]
        print(f"{stage:22} {statistics.median(ms):8.1f} ms   ({min(ms):.1f} to {max(ms):.1f})")
        results.append({"case": stage, "engine": "fluxcore", "rows": lines, "seconds": [each / 1000 for each in ms]})
    print("\nrule                      runs       ms   changed something")
    costs = {rule: [sum(each["rules"][rule]) for each in found] for rule in found[0]["rules"]}
    for rule in sorted(costs, key=lambda rule: -statistics.median(costs[rule])):
        changed = "yes" if rule in found[0]["fired"] else ""
        print(f"{rule:22} {len(found[0]['rules'][rule]):7} {statistics.median(costs[rule]):8.1f}   {changed}")
        results.append(
            {"case": f"rule {rule}", "engine": "fluxcore", "rows": lines, "seconds": [ms / 1000 for ms in costs[rule]]}
        )
    if options.json:
        options.json.write_text(json.dumps({"results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
