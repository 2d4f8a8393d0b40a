"""Applies the optimiser's rules to the plans of one job, in a fixed order, and says which of them changed something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.plan.rules.drop_watermarks import drop_watermarks
from fluxcore.plan.rules.fold_constants import fold_constants
from fluxcore.plan.rules.merge_projects import merge_projects
from fluxcore.plan.rules.prune_columns import prune_columns
from fluxcore.plan.rules.push_filters import push_filters
from fluxcore.plan.rules.slice_windows import slice_windows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node

RULES: tuple[Callable[[Sequence[Node]], list[Node]], ...] = (
    fold_constants,
    merge_projects,
    slice_windows,
    drop_watermarks,
    push_filters,
    merge_projects,
    prune_columns,
    merge_projects,
)
"""The rules in the order of application; some make room for another and come twice."""


def optimize(roots: Sequence[Node], settings: Settings | None = None) -> tuple[list[Node], list[str]]:
    """Return equivalent, cheaper plans with the same schemas, and the names of the rules that changed something.

    With ``settings`` also constants are computed that depend on the session's zone.
    """
    plans, fired = list(roots), []
    for rule in RULES:
        changed = fold_constants(plans, settings) if rule is fold_constants else rule(plans)
        if changed != plans and rule.__name__ not in fired:
            fired.append(rule.__name__)
        plans = changed
    return plans, fired
