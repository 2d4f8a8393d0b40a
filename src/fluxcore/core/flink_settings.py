"""Settings of Flink that change how fast or how safely a job runs there, and no answer here: they are taken and kept."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIXES = (
    "classloader.", "client.", "cluster.", "env.", "execution.", "fs.", "high-availability.", "io.", "jobmanager.", "jobstore.",
    "kubernetes.", "metrics.", "parallelism.", "pekko.", "pipeline.", "process.", "python.", "queryable-state.", "rest.",
    "restart-strategy", "s3.", "security.", "slot.", "sql-client.", "state.", "table.display.", "table.optimizer.", "table.plan.",
    "table.resources.", "task.", "taskmanager.", "user.", "web.", "yarn.", "zookeeper.",
)  # fmt: skip
"""What begins the names of settings of a cluster, of its state and of the planner's choices."""

NAMES = frozenset(
    {
        "table.dml-sync", "table.dml-async", "table.exec.async-scalar.buffer-capacity", "table.exec.async-scalar.max-attempts",
        "table.exec.async-scalar.retry-delay", "table.exec.async-scalar.retry-strategy", "table.exec.async-scalar.timeout",
        "table.exec.async-state.enabled", "table.exec.async-table.max-concurrent-operations",
        "table.exec.deduplicate.insert-update-after-sensitive-enabled",
        "table.exec.deduplicate.mini-batch.compact-changes-enabled", "table.exec.disabled-operators",
        "table.exec.interval-join.min-cleanup-interval", "table.exec.local-hash-agg.adaptive.distinct-value-rate-threshold",
        "table.exec.local-hash-agg.adaptive.enabled", "table.exec.local-hash-agg.adaptive.sampling-threshold",
        "table.exec.operator-fusion-codegen.enabled", "table.exec.rank.topn-cache-size",
        "table.exec.resource.external-buffer-memory", "table.exec.resource.hash-agg.memory",
        "table.exec.resource.hash-join.memory", "table.exec.resource.sort.memory", "table.exec.resource.default-parallelism",
        "table.exec.shuffle-mode", "table.exec.simplify-operator-name-enabled", "table.exec.sink.keyed-shuffle",
        "table.exec.sink.rowtime-inserter", "table.exec.sink.upsert-materialize",
        "table.exec.sink.upsert-materialize.adaptive.threshold.high",
        "table.exec.sink.upsert-materialize.adaptive.threshold.low", "table.exec.sink.upsert-materialize.strategy",
        "table.exec.sort.async-merge-enabled", "table.exec.sort.max-num-file-handles",
        "table.exec.spill-compression.block-size", "table.exec.uid.format", "table.exec.uid.generation",
        "table.exec.unbounded-over.version", "table.exec.window-agg.buffer-size-limit",
        "table.generated-code.max-length", "table.generated-code.max-members", "table.rtas-ctas.atomicity-enabled",
    }
)  # fmt: skip
"""Further ones, by name."""

ONLY = {
    "table.exec.legacy-cast-behaviour": "DISABLED",
    "table.exec.sink.not-null-enforcer": "ERROR",
    "table.exec.sink.type-length-enforcer": "IGNORE",
    "table.exec.source.cdc-events-duplicate": "false",
    "table.sql-dialect": "default",
}
"""Settings that change answers in Flink, with the one value that is as FluxCore does."""

_ALIKE = 0.92


def is_flinks(key: str, known: Iterable[str]) -> bool:
    """Return whether a key is a setting of Flink on which nothing depends here; one that looks like a known one is a mistake."""
    if key in NAMES or key in ONLY:
        return True
    return key.startswith(PREFIXES) and not get_close_matches(key, list(known), n=1, cutoff=_ALIKE)
