"""How many worker threads a job gets where nobody said it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.limits import SMALL_JOB_ROWS_MAX
from fluxcore.plan.graph import in_order
from fluxcore.plan.nodes import Scan
from fluxcore.plan.sizes import Sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node


def with_threads(plans: Sequence[Node], settings: Settings) -> Settings:
    """Return the settings with one worker thread per stage where the job reads little and no number is asked for.

    Threads would cost more than they save then, and with one the order of rows that tie is always the same. Without a number
    and with more to read, or an amount that isn't known, it is that of the processors.
    """
    if settings.asked_parallelism:
        return settings
    sizes = Sizes(settings)
    tables = [sizes.table(node) for node in in_order(plans) if isinstance(node, Scan)]
    if any(table is None for table in tables) or sum(table.rows for table in tables if table) > SMALL_JOB_ROWS_MAX:
        return settings
    return settings.with_value("parallelism.default", "1")
