"""Settings of a session as Flink's configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.targets.flink.sql.portability import Unportable

if TYPE_CHECKING:
    from fluxcore.core.settings import Settings

_LOCAL = frozenset(
    {"fluxcore.log.level", "fluxcore.log.format", "fluxcore.metrics.show", "sql-client.execution.result-mode"}
)
"""Settings of this process, whatever runs a plan."""
_WHY = {
    "fluxcore.late-rows.path": "Flink SQL drops the rows that come too late",
    "taskmanager.memory.process.size": "the memory of a cluster is set where it is started",
}


def flink_settings(settings: Settings) -> tuple[dict[str, str], tuple[Unportable, ...]]:
    """Return the settings that were set as Flink's, and those that it has no twin of."""
    done: dict[str, str] = {}
    found = []
    for key, value in settings.values.items():
        if key in _LOCAL or not value:
            continue
        if key in _WHY or key.startswith("fluxcore."):
            why = _WHY.get(key, "it is a setting of FluxCore")
            found.append(Unportable(f"the setting '{key}' = '{value}'", why, "settings"))
        elif key != "parallelism.default" or value != "0":  # as many as there are processors: Flink's cluster says
            done[key] = value
    return done, tuple(found)
