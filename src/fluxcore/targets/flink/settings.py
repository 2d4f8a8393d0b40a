"""Settings of a session as Flink's configuration: the keys are Flink's already, but for FluxCore's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.targets.flink.portability import Unportable

if TYPE_CHECKING:
    from collections.abc import Mapping

ZONE = "table.local-time-zone"
DEFAULT_ZONE = "UTC"
_OWN = "fluxcore."
_LOCAL = frozenset(
    {
        "fluxcore.log.level",
        "fluxcore.log.format",
        "fluxcore.metrics.show",
        "fluxcore.flink.python.folder",
        "sql-client.execution.result-mode",
    }
)
"""Settings of this process, whatever runs a plan."""
_WHY = {
    "fluxcore.late-rows.path": "Flink SQL drops the rows that come too late",
    "taskmanager.memory.process.size": "the memory of a cluster is set where it is started",
}


def flink_settings(values: Mapping[str, str]) -> tuple[dict[str, str], tuple[Unportable, ...]]:
    """Return settings as Flink's, and those that it has no twin of. Keys that only Flink has are among the first."""
    done: dict[str, str] = {}
    found = []
    for key, value in values.items():
        if key in _LOCAL or not value:
            continue
        if key in _WHY or key.startswith(_OWN):
            why = _WHY.get(key, "it is a setting of FluxCore")
            found.append(Unportable(f"the setting '{key}' = '{value}'", why, "settings"))
        elif key != "parallelism.default" or value != "0":  # as many as there are processors: Flink's cluster says
            done[key] = value
    return done, tuple(found)


def flink_properties(values: Mapping[str, str]) -> dict[str, str]:
    """Return what a session of the gateway is opened with: settings without FluxCore's own.

    A session without a zone of its own is in UTC, as here, not where the cluster's machine is.
    """
    return {ZONE: DEFAULT_ZONE, **flink_settings(values)[0]}
