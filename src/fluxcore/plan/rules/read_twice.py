"""Reads a table twice where its rows meet groups of themselves, so that the join keeps the groups and not the rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.core import registry
from fluxcore.errors import FluxError
from fluxcore.plan.endless import is_bounded
from fluxcore.plan.graph import in_order, rewrite
from fluxcore.plan.meetings import is_timeless, meet_in_joins
from fluxcore.plan.nodes import Aggregate, Join, Scan, WindowAggregate
from fluxcore.plan.requests import scan_request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node


def read_twice(roots: Sequence[Node], settings: Settings | None = None) -> list[Node]:
    """Return the plans in which a bounded table that is joined with groups of itself is read for the groups first.

    A join keeps the rows that come before the other side has ended. One reading feeds both sides at once, so all rows would be
    kept; with two, the groups are there when the rows come. Only for joins that don't look at time, and for sources that give
    the same rows again.
    """
    plans = list(roots)
    if settings is None:
        return plans
    for join in [node for node in in_order(roots) if isinstance(node, Join) and is_timeless(node)]:
        for scan, side in _candidates(join):
            changed = _with_two(plans, join, side, scan)
            if _pays(changed, scan) and _can(plans, scan, settings):
                plans = changed
                break
    return plans


def _candidates(join: Join) -> list[tuple[Scan, int]]:
    """Return the scans below both sides of a join, each with the side whose rows are groups of them."""
    sides = [set(in_order([each])) for each in join.inputs]
    both = [node for node in in_order([join]) if isinstance(node, Scan) and all(node in side for side in sides)]
    found = []
    for scan in both:
        left, right = (_grouped(each, scan) for each in join.inputs)
        if left != right and scan.limit is None and not scan.first:
            found.append((scan, 0 if left else 1))
    return found


def _grouped(node: Node, scan: Scan) -> bool:
    """Return whether every way from a node down to a scan passes groups."""
    if node == scan:
        return False
    if isinstance(node, Aggregate | WindowAggregate):
        return True
    return all(_grouped(each, scan) for each in node.inputs if scan in in_order([each]))


def _with_two(plans: Sequence[Node], join: Join, side: int, scan: Scan) -> list[Node]:
    first = replace(scan, first=True)
    (again,) = rewrite([join.inputs[side]], lambda node: first if node == scan else node)
    inputs = (again, join.right) if side == 0 else (join.left, again)
    return rewrite(plans, lambda node: join.with_inputs(inputs) if node == join else node)


def _pays(changed: Sequence[Node], scan: Scan) -> bool:
    """Return whether the two readings meet in joins only, and no groups are computed from both."""
    order = in_order(changed)
    first = replace(scan, first=True)
    if frozenset({scan, first}) not in meet_in_joins(order):
        return False
    groups = [node for node in order if isinstance(node, Aggregate | WindowAggregate) and first in in_order([node])]
    as_before = rewrite(groups, lambda node: scan if node == first else node)
    return not set(as_before) & set(order)


def _can(plans: Sequence[Node], scan: Scan, settings: Settings) -> bool:
    """Return whether all ends by itself and the source gives the same rows again."""
    try:
        source = registry.connector(scan.table.options["connector"]).source(scan_request(scan, settings))
        return source.repeatable and all(is_bounded(each, settings) for each in plans)
    except FluxError:  # what can't be read says so when the job is built
        return False
