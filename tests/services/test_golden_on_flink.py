"""Every golden query on FluxCore and on a real Flink, at parallelism 1 and 2: the final tables must compare as written down.

``verdicts.toml`` says of each query ``equal``; ``equal in batch``, where only Flink's batch mode takes what FluxCore gives at the
end of bounded input; ``differs: why``, where Flink gives other rows; or ``refused: why``, where Flink can't do it at all. A verdict that no longer holds fails, a better one too. ``make oracle`` runs all
queries, the ordinary tests every fifth.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fluxcore.errors import FluxError
from fluxcore.targets.flink.address import cluster_at
from fluxcore.targets.flink.compare import compare

if TYPE_CHECKING:
    from fluxcore.targets.flink.cluster.record import Cluster

GOLDEN = Path(__file__).parents[1] / "golden"
QUERIES = sorted(str(path.relative_to(GOLDEN).with_suffix("")) for path in GOLDEN.rglob("*.sql"))
VERDICTS = tomllib.loads((GOLDEN / "verdicts.toml").read_text("utf-8"))
ASKED = QUERIES if os.environ.get("FLUXCORE_ORACLE") == "all" else QUERIES[::5]
REFUSALS = {"FX-FLK-0201", "FX-FLK-0202"}


def verdict(name: str, flink: Cluster) -> tuple[str, str]:
    """Return the verdict's word, and what was seen."""
    word, seen = judged(name, flink, {})
    if word != "refused":
        return word, seen
    word, _ = judged(name, flink, {"execution.runtime-mode": "batch"})
    return ("equal in batch", "") if word == "equal" else ("refused", seen)


def judged(name: str, flink: Cluster, there: dict[str, str]) -> tuple[str, str]:
    """Return ``equal``, ``differs`` or ``refused`` with settings on Flink's side, and what was seen."""
    text = (GOLDEN / f"{name}.sql").read_text("utf-8").replace("{data}", str(GOLDEN / "data"))
    # with two readers Flink's second one holds the watermark back until it finds no file: which rows are late is then chance
    late = "late" in name or "some late" in text
    for parallelism in ("1",) if late else ("1", "2"):
        settings = {"parallelism.default": parallelism}
        try:
            found = compare(text, f"{name}.sql", cluster_at(flink.address), settings, there)
        except FluxError as error:
            if error.code not in REFUSALS:
                raise
            return "refused", error.message
        for each in found:
            if not each.equal:
                only = (
                    f"only here {list(each.only_here.items())[:3]}, only on Flink {list(each.only_there.items())[:3]}"
                )
                return "differs", f"{each.rows_here} rows here, {each.rows_there} on Flink: {only}"
    return "equal", ""


@pytest.mark.parametrize("name", ASKED)
def test_both_give_the_table_that_is_written_down(name: str, request: pytest.FixtureRequest) -> None:
    in_python = "LANGUAGE PYTHON" in (GOLDEN / f"{name}.sql").read_text("utf-8")
    found, seen = verdict(name, request.getfixturevalue("flink_python" if in_python else "flink"))
    assert found == VERDICTS[name].partition(":")[0], f"{name} is now {found} {seen}"


def test_every_golden_query_has_a_verdict_and_every_other_one_a_reason() -> None:
    assert sorted(VERDICTS) == QUERIES
    for name, told in VERDICTS.items():
        word, _, why = told.partition(":")
        assert word in ("equal", "equal in batch", "differs", "refused"), name
        assert word.startswith("equal") == (not why.strip()), name


def test_at_least_nine_of_ten_that_flink_can_run_are_equal() -> None:
    words = [told.partition(":")[0] for told in VERDICTS.values()]
    equal = sum(word.startswith("equal") for word in words)
    assert equal >= 0.9 * (equal + words.count("differs"))
