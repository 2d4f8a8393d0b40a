"""Which bounded source is read first, where that is free: the smaller side of a join, or a table that is looked up in.

A join keeps the rows of one side for those of the other that are still to come. When a side has ended it keeps nothing of the
other any more. So, of two bounded sources that meet only in joins which don't look at time, the smaller is read to its end
first: the state is that of the smaller side, and the answer is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.plan.meetings import meet_in_joins
from fluxcore.plan.nodes import Scan, TemporalJoin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.plan.nodes import Node
    from fluxcore.runtime.source_stage import SourceStage

Pair = tuple["SourceStage", "SourceStage"]


def independent(order: Sequence[Node], stages: Mapping[Node, SourceStage]) -> list[Pair]:
    """Return the pairs of stages that may be read one after the other, of two readings of a table the first before.

    In: the plan's nodes, inputs first.
    """
    places = {node: (not (isinstance(node, Scan) and node.first), place) for place, node in enumerate(order)}
    pairs = [sorted(pair, key=lambda node: places[node]) for pair in meet_in_joins(order) if pair <= stages.keys()]
    pairs.sort(key=lambda pair: [places[node] for node in pair])
    return [(stages[one], stages[other]) for one, other in pairs]


def waiting(order: Sequence[Node], stages: Mapping[Node, SourceStage]) -> list[Pair]:
    """Return (stage that waits, stage that is read to its end before it). In: the plan's nodes, inputs first.

    Rows that are looked up in a bounded table as it stands would only wait for it in memory. Where both sides come from one
    source, or two joins want it the other way round, they do.
    """
    below: dict[Node, frozenset[Node]] = {}
    waits: dict[Node, set[Node]] = {}
    for node in order:
        below[node] = frozenset({node} if isinstance(node, Scan) else ()).union(*(below[each] for each in node.inputs))
        if not isinstance(node, TemporalJoin) or node.times is not None:
            continue
        left, right = below[node.left], below[node.right]
        if left & right or not all(each in stages and stages[each].source.bounded for each in right):
            continue
        if left.isdisjoint(_reached(right, waits)):
            for each in left & stages.keys():
                waits.setdefault(each, set()).update(right)
    return [(stages[one], stages[other]) for one in order for other in sorted(waits.get(one, ()), key=order.index)]


def _reached(start: frozenset[Node], waits: Mapping[Node, set[Node]]) -> set[Node]:
    """Return the sources that some sources wait for, directly or by others, and these themselves."""
    found: set[Node] = set()
    open_ = list(start)
    while open_:
        each = open_.pop()
        if each not in found:
            found.add(each)
            open_ += waits.get(each, ())
    return found


def put_in_order(pairs: Sequence[Pair]) -> None:
    """Let the larger of two stages wait for the end of the smaller; nothing happens where a size isn't known."""
    sizes = {stage: stage.source.size() for stage in {stage for pair in pairs for stage in pair}}
    for one, other in pairs:  # of equal ones the one that stands first
        first, second = sizes[one], sizes[other]
        if one.alignment is not None or other.alignment is not None or first is None or second is None:
            continue  # aligned sources are read together as their watermarks say
        smaller, larger = (one, other) if first <= second else (other, one)
        larger.first.append(smaller)
