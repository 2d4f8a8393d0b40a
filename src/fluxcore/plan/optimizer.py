"""Applies the optimiser's rules to the plans of one job, in a fixed order, and says which of them changed something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.settings import Settings
from fluxcore.errors import ScriptError, nearest
from fluxcore.plan.rules.drop_distinct import drop_distinct
from fluxcore.plan.rules.drop_empty import drop_empty
from fluxcore.plan.rules.drop_sorts import drop_sorts
from fluxcore.plan.rules.drop_watermarks import drop_watermarks
from fluxcore.plan.rules.fold_constants import fold_constants
from fluxcore.plan.rules.infer_filters import infer_filters
from fluxcore.plan.rules.merge_projects import merge_projects
from fluxcore.plan.rules.order_joins import order_joins
from fluxcore.plan.rules.prune_columns import prune_columns
from fluxcore.plan.rules.prune_partitions import prune_partitions
from fluxcore.plan.rules.push_filters import push_filters
from fluxcore.plan.rules.push_limits import push_limits
from fluxcore.plan.rules.read_twice import read_twice
from fluxcore.plan.rules.semi_joins import semi_joins
from fluxcore.plan.rules.share_expressions import share_expressions
from fluxcore.plan.rules.slice_windows import slice_windows
from fluxcore.plan.rules.strengthen_joins import strengthen_joins

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from fluxcore.plan.nodes import Node

    Rule = Callable[[Sequence[Node], Settings | None], list[Node]]

FIRST: tuple[Rule, ...] = (drop_sorts,)
"""What is done before anybody asks whether an order can be told at all."""

BEFORE: tuple[Rule, ...] = (fold_constants, merge_projects, slice_windows, drop_watermarks)
"""What is done once, before filters move."""

TOGETHER: tuple[Rule, ...] = (
    strengthen_joins,
    infer_filters,
    push_filters,
    fold_constants,
    drop_empty,
    drop_distinct,
    semi_joins,
    merge_projects,
)
"""Rules that make room for each other: they are repeated until none of them changes anything."""

LAST: tuple[Rule, ...] = (
    prune_partitions,
    order_joins,
    push_limits,
    read_twice,
    drop_watermarks,
    prune_columns,
    merge_projects,
    share_expressions,
)
"""What is done once, when filters are where they stay."""

RULES: dict[str, Rule] = {rule.__name__: rule for rule in (*FIRST, *BEFORE, *TOGETHER, *LAST)}
"""All rules by name."""

DISABLED = "fluxcore.optimizer.disabled-rules"
"""The setting that turns rules off."""

_ROUNDS_MAX = 10


def optimize(
    roots: Sequence[Node],
    settings: Settings | None = None,
    then: Callable[[list[Node]], list[Node]] = list,
    without: Collection[str] = (),
) -> tuple[list[Node], list[str]]:
    """Return equivalent, cheaper plans with the same schemas, and the names of the rules that changed something.

    With ``settings`` also constants are computed that depend on the session's zone, sizes of sources count, and rules that
    ``fluxcore.optimizer.disabled-rules`` names are left out. ``then`` is applied once orders that nobody sees are gone.
    Rules named in ``without`` are left out.
    Raises: ``ScriptError`` FX-SET-0005 for the name of a rule that there is not.
    """
    off = disabled_rules(settings or Settings()) | set(without)
    plans, fired = list(roots), dict.fromkeys(RULES, False)

    def apply(rules: Sequence[Rule]) -> bool:
        nonlocal plans
        before = plans
        for rule in rules:
            if rule.__name__ in off:
                continue
            changed = rule(plans, settings)
            if changed != plans:
                fired[rule.__name__] = True
            plans = changed
        return plans != before

    apply(FIRST)
    plans = then(plans)
    apply(BEFORE)
    for _ in range(_ROUNDS_MAX):
        if not apply(TOGETHER):
            break
    apply(LAST)
    return plans, [name for name, did in fired.items() if did]


def disabled_rules(settings: Settings) -> set[str]:
    """Return the rules that the settings turn off. Raises ``ScriptError`` FX-SET-0005 for an unknown name."""
    names = {name.strip() for name in settings.text(DISABLED).split(",") if name.strip()}
    for name in sorted(names - RULES.keys()):
        raise ScriptError("FX-SET-0005", f"there is no rule '{name}' to leave out", hint=nearest(name, RULES))
    return names
