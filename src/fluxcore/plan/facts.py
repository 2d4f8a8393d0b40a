"""What is known of all rows of a plan node: conditions that each of them meets, because of the filters below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.expr.nodes import ColumnRef, Expr, columns_of, moved
from fluxcore.expr.pushdown import conjuncts, deterministic
from fluxcore.plan.correlate import Correlate
from fluxcore.plan.lookup_join import LookupJoin
from fluxcore.plan.nodes import (
    Aggregate,
    AssignWatermark,
    AssignWindow,
    Filter,
    Join,
    JoinKind,
    Over,
    Project,
    Rank,
    Scan,
    Sort,
    TemporalJoin,
    TimeSort,
    Union,
    WindowAggregate,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fluxcore.plan.nodes import Node

_FIRST_COLUMNS = (AssignWindow, Over, Rank, TemporalJoin, LookupJoin, Correlate, Sort, TimeSort, AssignWatermark)
"""Nodes whose first columns are their first input's, for each of whose rows there was a row with these values."""


def facts_of(node: Node) -> frozenset[Expr]:
    """Return deterministic conditions over a node's columns, each of which is TRUE for all of its rows."""
    if isinstance(node, Scan):
        places = {
            node.table.partitioned_by.index(c): i for i, c in enumerate(node.columns) if c in node.table.partitioned_by
        }
        return _parts(node.predicate) | _moved(_parts(node.partitions), places)
    if isinstance(node, Filter):
        return _parts(node.condition) | facts_of(node.input)
    if isinstance(node, Project):
        return _projected(node)
    if isinstance(node, Aggregate | WindowAggregate):
        return _moved(facts_of(node.input), {column: place for place, column in reversed(list(enumerate(node.keys)))})
    if isinstance(node, _FIRST_COLUMNS):
        return facts_of(node.inputs[0])
    if isinstance(node, Union):
        return frozenset.intersection(*(facts_of(branch) for branch in node.branches))
    if isinstance(node, Join):
        return _joined(node)
    return frozenset()


def _parts(condition: Expr | None) -> frozenset[Expr]:
    return frozenset() if condition is None else frozenset(p for p in conjuncts(condition) if deterministic(p))


def _projected(node: Project) -> frozenset[Expr]:
    places = {expr.index: place for place, expr in reversed(list(enumerate(node.exprs))) if isinstance(expr, ColumnRef)}
    return _moved(facts_of(node.input), places)


def _joined(node: Join) -> frozenset[Expr]:
    found: frozenset[Expr] = frozenset()
    if node.kind not in (JoinKind.RIGHT, JoinKind.FULL):
        found |= facts_of(node.left)
    if node.kind in (JoinKind.INNER, JoinKind.RIGHT):
        width = len(node.left.schema)
        found |= _moved(facts_of(node.right), {index: width + index for index in range(len(node.right.schema))})
    if node.kind is JoinKind.INNER:
        found |= _parts(node.condition)
    return found


def _moved(facts: Iterable[Expr], places: Mapping[int, int]) -> frozenset[Expr]:
    return frozenset(moved(fact, dict(places)) for fact in facts if columns_of(fact) <= places.keys())
