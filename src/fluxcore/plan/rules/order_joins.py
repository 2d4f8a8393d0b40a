"""Puts the inputs of several inner joins into the order that makes the fewest rows on the way."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import permutations
from typing import TYPE_CHECKING

from fluxcore.core.schema import TimeKind
from fluxcore.expr.nodes import Call, ColumnRef, columns_of, moved
from fluxcore.expr.pushdown import conjunction, deterministic
from fluxcore.plan.changelog import is_append_only
from fluxcore.plan.columns import select
from fluxcore.plan.graph import rewrite, shared_nodes
from fluxcore.plan.joins import condition_of, join
from fluxcore.plan.nodes import Join, JoinKind, Project
from fluxcore.plan.sizes import Sizes
from fluxcore.plan.windows import window_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.expr.nodes import Expr
    from fluxcore.plan.nodes import Node

_INPUTS_MAX = 6
_WORTH = 2.0
"""By what factor the rows on the way must shrink: estimates are rough, and the order as written is a good one else."""


def order_joins(roots: Sequence[Node], settings: Settings | None = None) -> list[Node]:
    """Return the plans with chains of three to six inner joins on equal keys in a better order, where sizes are known.

    Only of rows that are never updated, without windows, event times or lifetimes: what comes out, and when it may be
    forgotten, stays the same. A join that several nodes take rows from is one input.
    """
    if settings is None:
        return list(roots)
    shared = shared_nodes(roots)
    return rewrite(roots, partial(_change, Sizes(settings), shared), shared)


@dataclass
class _Chain:
    """The inputs of a chain of joins, and its conditions over all their columns; ``first`` is where each input's begin."""

    inputs: list[Node]
    first: list[int]
    conditions: list[Expr]

    def input_of(self, column: int) -> int:
        """Return which input a column is of."""
        return max(number for number, first in enumerate(self.first) if first <= column)


def _change(sizes: Sizes, shared: set[Node], node: Node) -> Node:
    if not isinstance(node, Join) or not _is_plain(node):
        return node
    chain = _Chain([], [], [])
    places = _collect(node, chain, shared, top=True)
    count = len(chain.inputs)
    if not 3 <= count <= _INPUTS_MAX or not all(_is_free(each) and sizes.of(each) for each in chain.inputs):
        return node
    if any(_has_event_time(each) for each in chain.inputs):
        return node
    costs = {order: cost for order in permutations(range(count)) if (cost := _cost(chain, order, sizes)) is not None}
    written = _cost(chain, tuple(range(count)), sizes)
    if not costs or written is None:
        return node
    best = min(costs, key=lambda order: (costs[order], order))
    if costs[best] * _WORTH > written:
        return node
    return _built(chain, best, places)


def _is_plain(node: Node) -> bool:
    if not isinstance(node, Join) or node.kind is not JoinKind.INNER or not node.left_keys:
        return False
    if node.left_window is not None or node.interval is not None or node.ttl_ms != (None, None):
        return False
    return node.condition is None or deterministic(node.condition)


def _is_free(node: Node) -> bool:
    return is_append_only(node) and window_of(node) is None


def _has_event_time(node: Node) -> bool:
    return any(column.time is TimeKind.EVENT for column in node.schema)


def _collect(node: Node, chain: _Chain, shared: set[Node], *, top: bool = False) -> list[int]:
    """Add the inputs and conditions of a chain; return where each column of the node is among the chain's columns."""
    if (top or node not in shared) and isinstance(node, Join) and _is_plain(node):
        places = _collect(node.left, chain, shared) + _collect(node.right, chain, shared)
        chain.conditions += [moved(part, dict(enumerate(places))) for part in condition_of(node)]
        return places
    if isinstance(node, Project) and node not in shared and all(isinstance(expr, ColumnRef) for expr in node.exprs):
        below = node.input
        while isinstance(below, Project) and below not in shared:
            below = below.input
        if isinstance(below, Join) and _is_plain(below) and below not in shared:
            inner = _collect(node.input, chain, shared)
            return [inner[expr.index] for expr in node.exprs if isinstance(expr, ColumnRef)]
    first = chain.first[-1] + len(chain.inputs[-1].schema) if chain.inputs else 0
    chain.inputs.append(node)
    chain.first.append(first)
    return list(range(first, first + len(node.schema)))


def _cost(chain: _Chain, order: tuple[int, ...], sizes: Sizes) -> float | None:
    """Return how many rows joins in an order give to the next one; None where one would have no equal keys."""
    together = {order[0]}
    first = sizes.of(chain.inputs[order[0]])
    rows = first.rows if first else 0.0
    cost = 0.0
    for number in order[1:]:
        share = _share(chain, together, number, sizes)
        size = sizes.of(chain.inputs[number])
        if share is None or size is None:
            return None
        rows *= size.rows * share
        cost += rows
        together.add(number)
    return cost - rows  # the last join gives the same rows in every order


def _share(chain: _Chain, together: set[int], number: int, sizes: Sizes) -> float | None:
    """Return the share of all pairs that meet when an input is joined to others; None where no keys are equal."""
    for part in chain.conditions:
        pair = _equal_columns(part)
        if pair is None:
            continue
        one, other = (chain.input_of(column) for column in pair)
        if other in together and one == number:
            pair, one, other = (pair[1], pair[0]), other, one
        if one in together and other == number:
            a, b = ((chain.inputs[i], column - chain.first[i]) for i, column in zip((one, other), pair, strict=True))
            left, right = sizes.of(a[0]), sizes.of(b[0])
            assert left is not None and right is not None, "sizes were looked at before"
            return sizes.joined(a, b) / max(left.rows * right.rows, 1.0)
    return None


def _equal_columns(part: Expr) -> tuple[int, int] | None:
    if not isinstance(part, Call) or part.function != "=":
        return None
    first, second = part.args
    return (first.index, second.index) if isinstance(first, ColumnRef) and isinstance(second, ColumnRef) else None


def _built(chain: _Chain, order: tuple[int, ...], places: list[int]) -> Node:
    """Return the joins in an order, with the columns that the chain had, in their places."""
    node = chain.inputs[order[0]]
    where = {chain.first[order[0]] + index: index for index in range(len(node.schema))}
    left = list(chain.conditions)
    for number in order[1:]:
        right = chain.inputs[number]
        width = len(node.schema)
        where |= {chain.first[number] + index: width + index for index in range(len(right.schema))}
        ready = [part for part in left if columns_of(part) <= where.keys()]
        left = [part for part in left if part not in ready]
        node = join(node, right, JoinKind.INNER, conjunction([moved(part, where) for part in ready]))
    return select(node, [where[place] for place in places])
