"""Settings as properties of a Flink session: the keys are Flink's already, but for FluxCore's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ZONE = "table.local-time-zone"
DEFAULT_ZONE = "UTC"
_OWN = "fluxcore."
_OF_THE_PROCESS = frozenset({"taskmanager.memory.process.size"})
"""Keys that say something about this process here and about another one on a cluster."""


def flink_properties(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that a Flink session takes; FluxCore's own are left out."""
    return {key: value for key, value in settings.items() if not key.startswith(_OWN) and key not in _OF_THE_PROCESS}
