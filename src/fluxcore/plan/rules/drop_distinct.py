"""Drops groups that hold one row each, because their keys tell the rows apart already."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fluxcore.core.types import FloatType, same
from fluxcore.expr import build
from fluxcore.expr.nodes import Expr, Literal
from fluxcore.plan.columns import references
from fluxcore.plan.graph import rewrite
from fluxcore.plan.keys import distinct_by, forgets
from fluxcore.plan.nodes import Aggregate, Project

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.expr.nodes import AggCall
    from fluxcore.plan.nodes import Node


def drop_distinct(roots: Sequence[Node], settings: Settings | None = None) -> list[Node]:
    """Return the plans with ``Aggregate`` as ``Project`` where each group is one row: DISTINCT, and COUNT, SUM, MIN and MAX.

    Rows differ in the keys of a group below, of a ranking's partition, or of a window's groups with the window. Nothing is
    done where state has a lifetime: what was forgotten comes again.
    """
    return rewrite(roots, partial(_change, settings))


def _change(settings: Settings | None, node: Node) -> Node:
    if not isinstance(node, Aggregate) or not node.keys:
        return node
    unique = distinct_by(node.input)
    if not unique or not set(unique) <= set(node.keys) or forgets(node, settings):
        return node
    values = [_value(call, node.input) for call in node.calls]
    if any(value is None for value in values):
        return node
    exprs = (*references(node.input, node.keys), *(value for value in values if value is not None))
    found = Project(node.input, exprs, tuple(node.schema.names))
    alike = all(same(a.type, b.type) and a.time == b.time for a, b in zip(found.schema, node.schema, strict=True))
    return found if alike else node


def _value(call: AggCall, below: Node) -> Expr | None:
    """Return what an aggregate gives for one row; None where that is more than an expression."""
    if call.where is not None or call.user is not None or call.parameters:
        return None
    if call.function == "COUNT" and not call.args:
        return Literal(type=call.type.with_nullable(False), value=1)
    if len(call.args) != 1:
        return None
    (value,) = references(below, call.args)
    if call.function == "COUNT":
        if not value.type.nullable:
            return Literal(type=call.type.with_nullable(False), value=1)
        one, none = (build.cast(build.literal(each), call.type) for each in (1, 0))
        return build.call("CASE", [build.call("IS NULL", [value]), none, one])
    if call.function in ("MIN", "MAX", "SUM") and same(value.type, call.type) and not isinstance(value.type, FloatType):
        return value
    return None
