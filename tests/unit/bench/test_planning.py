"""The script of the planning benchmark can be planned, whole, and its figures name every rule."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

from fluxcore.plan.optimizer import RULES

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "planning.py"


def test_the_script_is_planned_and_every_stage_and_rule_is_timed() -> None:
    program = runpy.run_path(str(BENCHMARK))
    found = program["in_fresh_process"](BENCHMARK.with_suffix(".sql"))
    assert tuple(found["stages"]) == program["STAGES"]
    assert set(found["rules"]) == set(RULES)
    assert {"fold_constants", "push_filters", "prune_columns"} <= set(found["fired"])
    assert json.dumps(found)
