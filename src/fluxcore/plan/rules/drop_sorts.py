"""Drops orders that nobody sees: of a sub-query without LIMIT, whose rows are put in order for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.plan.changelog import is_append_only
from fluxcore.plan.correlate import Correlate
from fluxcore.plan.graph import consumers
from fluxcore.plan.nodes import Aggregate, Filter, Join, Project, Sort, Union

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node

_KEEP_ORDER = (Filter, Project, Correlate)
"""Nodes whose rows come out in the order of their input's."""


def drop_sorts(roots: Sequence[Node], settings: Settings | None = None) -> list[Node]:  # noqa: ARG001
    """Return the plans without Sorts whose order is lost behind them.

    One with OFFSET or LIMIT stays; so does one whose order reaches the result or a sink, or an aggregate that tells rows by
    their order (LISTAGG, FIRST_VALUE), or one of updated rows, which gives only their last state.
    """
    seen = _seen(roots)
    done: dict[Node, Node] = {}
    for node in seen:
        inputs = tuple(done[each] for each in node.inputs)
        same = all(new is old for new, old in zip(inputs, node.inputs, strict=True))
        changed = node if same else node.with_inputs(inputs)
        if isinstance(changed, Sort) and not seen[node]:
            changed = _dropped(changed)
        done[node] = changed
    return [done[root] for root in roots]


def _dropped(node: Sort) -> Node:
    return node.input if node.limit is None and not node.offset and is_append_only(node.input) else node


def _seen(roots: Sequence[Node]) -> dict[Node, bool]:
    """Return for each node, inputs first, whether the order of its rows may be seen."""
    takers = consumers(roots)
    seen: dict[Node, bool] = {}
    for node in reversed(takers):
        seen[node] = node in roots or any(_looks_at_order(taker, seen[taker]) for taker in takers[node])
    return dict(reversed(seen.items()))


def _looks_at_order(node: Node, seen: bool) -> bool:
    """Return whether a node's rows depend on the order of its input's rows; ``seen``: whether that of its own counts."""
    if isinstance(node, Sort):
        return node.limit is not None or bool(node.offset) or seen  # ties keep the order that they come in
    if isinstance(node, _KEEP_ORDER):
        return seen
    if isinstance(node, Aggregate):
        return any(call.function not in _ORDERLESS or call.user is not None for call in node.calls)
    return not isinstance(node, Join | Union)


_ORDERLESS = frozenset(
    [
        "COUNT",
        "SUM",
        "MIN",
        "MAX",
        "AVG",
        "STDDEV_POP",
        "STDDEV_SAMP",
        "VAR_POP",
        "VAR_SAMP",
        "STDDEV",
        "VARIANCE",
        "SUM0",
        "APPROX_COUNT_DISTINCT",
    ]
)
"""Aggregates whose result does not depend on the order of rows."""
