"""Rows that are aggregated before they go on."""

from __future__ import annotations

from collections.abc import Callable

from fluxcore.core.batch import Batch
from fluxcore.core.partial import Partial
from fluxcore.runtime.nodes.failures import errors_of

Partials = Callable[[Batch], Partial | None]
"""Aggregates a batch before it is sent, or returns None."""


def aggregated(partials: Partials | None, batch: Batch, operator: str) -> Partial | None:
    """Return the batch aggregated, where that is possible; errors name the operator."""
    if partials is None or not batch.rows:
        return None
    with errors_of(operator):
        return partials(batch)
