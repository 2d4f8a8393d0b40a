"""Takes what a sub-query says about the row around it out of its plan, so that a join can say it.

``SELECT COUNT(*) FROM b WHERE b.k = a.k`` becomes the counts of all ``k``, to be joined with ``a`` on ``k``: conditions move up,
and what they equate with the outer row becomes a key of the groups that they pass.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fluxcore.expr import build
from fluxcore.expr.nodes import ColumnRef, Literal, moved, transform
from fluxcore.expr.pushdown import conjunction, conjuncts
from fluxcore.plan.columns import references
from fluxcore.plan.joins import condition_of, join
from fluxcore.plan.nodes import Aggregate, Filter, Join, JoinKind, Project, Sort, WindowAggregate
from fluxcore.plan.outer import is_correlated, looks_out, outer_side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.expr.nodes import Expr
    from fluxcore.plan.nodes import Node

    Pair = tuple[Expr, Expr]


@dataclass(frozen=True)
class Pulled:
    """A plan that looks at no outer row, and what was said about it.

    ``outputs`` are the sub-query's columns, over the plan's columns and the outer row. A row of the plan counts for an outer row
    where each of ``pairs`` (outer value, own value) is equal and each of ``rest`` holds. With ``always`` the sub-query has one
    row for each outer row: where the plan has none, ``outputs`` over NULLs are it; unless a ``guard`` over the same says no.
    """

    node: Node
    outputs: tuple[Expr, ...]
    pairs: tuple[Pair, ...] = ()
    rest: tuple[Expr, ...] = ()
    always: bool = False
    guard: Expr | None = field(default=None)

    def over(self, expr: Expr) -> Expr:
        """Return an expression over the sub-query's columns as one over the plan's."""
        return transform(expr, lambda node: self.outputs[node.index] if isinstance(node, ColumnRef) else node)


def pull(node: Node) -> Pulled | None:
    """Return a sub-query's plan without the outer row; None where what it says about that can't move to its top."""
    if not is_correlated(node):
        return Pulled(node, references(node))
    match node:
        case Filter():
            below = pull(node.input)
            return None if below is None else _filter(below, node.condition)
        case Project():
            below = pull(node.input)
            return None if below is None else _project(below, node)
        case Aggregate():
            below = pull(node.input)
            return None if below is None else _aggregate(below, node)
        case Sort() if node.limit is None and not node.offset:
            return pull(node.input)
        case WindowAggregate():
            below = pull(node.input)
            return None if below is None else _window_aggregate(below, node)
        case Join() if node.interval is None:
            left, right = pull(node.left), pull(node.right)
            return None if left is None or right is None else _join(node, left, right)
    return None


def pull_one(node: Node) -> Pulled | None:
    """Return the same as :func:`pull`, with ``always`` also where a plan that looks at no outer row gives one row."""
    if is_correlated(node):
        return pull(node)
    match node:
        case Filter() | Project():
            below = pull_one(node.input)
            if below is not None and below.always:
                return _filter(below, node.condition) if isinstance(node, Filter) else _project(below, node)
        case Aggregate() if not node.keys:
            return Pulled(node, tuple(_when_empty(ref) for ref in references(node)), always=True)
    return Pulled(node, references(node))


def _project(below: Pulled, node: Project) -> Pulled:
    return replace(below, outputs=tuple(below.over(each) for each in node.exprs))


def _filter(below: Pulled, condition: Expr) -> Pulled:
    condition = below.over(condition)
    if below.always:
        guard = conjunction([*([below.guard] if below.guard is not None else []), condition])
        return replace(below, guard=guard)
    pairs, rest, own = list(below.pairs), list(below.rest), []
    for part in conjuncts(condition):
        pair = outer_side(part)
        if pair is not None:
            pairs.append(pair)
        elif looks_out(part):
            rest.append(part)
        else:
            own.append(part)
    condition_here = conjunction(own)
    node = below.node if condition_here is None else Filter(below.node, condition_here)
    return replace(below, node=node, pairs=tuple(pairs), rest=tuple(rest))


def _input(below: Pulled, used: set[int]) -> Project | None:
    """Return the input's columns where they were, then the own sides of the pairs; None where a used one looks out."""
    if below.always or below.rest or any(looks_out(below.outputs[index]) for index in used):
        return None
    columns = [
        Literal(type=each.type.with_nullable(True), value=None) if looks_out(each) else each for each in below.outputs
    ]
    keys = [own for _, own in below.pairs]
    names = tuple(f"$column{index}" for index in range(len(columns) + len(keys)))
    return Project(below.node, (*columns, *keys), names)


def _paired(below: Pulled, node: Node, first: int) -> tuple[Pair, ...]:
    columns = references(node, range(first, first + len(below.pairs)))
    return tuple((outer, column) for (outer, _), column in zip(below.pairs, columns, strict=True))


def _used(node: Aggregate | WindowAggregate) -> set[int]:
    inputs = {index for call in node.calls for index in (*call.args, *(() if call.where is None else (call.where,)))}
    return inputs | set(node.keys)


def _aggregate(below: Pulled, node: Aggregate) -> Pulled | None:
    source = _input(below, _used(node))
    if source is None:
        return None
    width, own, count = len(below.outputs), len(node.keys), len(below.pairs)
    found = Aggregate(source, (*node.keys, *range(width, width + count)), node.calls, node.names, ttl_ms=node.ttl_ms)
    refs = references(found)
    calls = [_when_empty(ref) for ref in refs[own + count :]]
    outputs = (*refs[:own], *(calls if own == 0 else refs[own + count :]))
    return Pulled(found, outputs, _paired(below, found, own), always=own == 0)


def _when_empty(ref: Expr) -> Expr:
    """Return an aggregate's column with its value over no rows where there is none: counts are 0 then."""
    if ref.type.nullable:
        return ref
    known = replace(ref, type=ref.type.with_nullable(True))
    return build.call("COALESCE", [known, build.cast(build.literal(0), ref.type)])


def _window_aggregate(below: Pulled, node: WindowAggregate) -> Pulled | None:
    places = [each.index for each in below.outputs if isinstance(each, ColumnRef)]
    if below.always or below.rest or places != list(range(len(below.node.schema))):
        return None  # rows must keep their window, and be as they were
    keys: list[int] = []
    for _, own in below.pairs:
        if not isinstance(own, ColumnRef):
            return None
        keys.append(own.index)
    found = replace(node, input=below.node, keys=(*node.keys, *keys))
    refs, own_keys = references(found), len(node.keys)
    return Pulled(found, (*refs[:own_keys], *refs[own_keys + len(keys) :]), _paired(below, found, own_keys))


def _join(node: Join, left: Pulled, right: Pulled) -> Pulled | None:
    if left.always or right.always:
        return None
    plain = all(isinstance(each, ColumnRef) for each in (*left.outputs, *right.outputs))
    width = len(left.node.schema)
    after = {index: index + width for index in range(len(right.node.schema))}
    outputs = (*left.outputs, *(moved(each, after) for each in right.outputs))
    both = Pulled(node, outputs)
    conditions = [both.over(each) for each in condition_of(node)]
    outside = [each for each in conditions if looks_out(each)]
    if node.kind is not JoinKind.INNER:
        if outside or right.pairs or right.rest or not plain or node.kind in (JoinKind.RIGHT, JoinKind.FULL):
            return None
        found = join(left.node, right.node, node.kind, conjunction(conditions), ttl_ms=node.ttl_ms)
        one_sided = node.kind in (JoinKind.SEMI, JoinKind.ANTI)
        kept = left.outputs if one_sided else _as_in(found, outputs)
        return Pulled(found, tuple(kept), left.pairs, left.rest)
    here = conjunction([each for each in conditions if not looks_out(each)])
    found = join(left.node, right.node, JoinKind.INNER, here, ttl_ms=node.ttl_ms)
    said = Pulled(
        found,
        outputs,
        (*left.pairs, *((outer, moved(own, after)) for outer, own in right.pairs)),
        (*left.rest, *(moved(each, after) for each in right.rest)),
    )
    condition = conjunction(outside)
    return (
        said
        if condition is None
        else replace(_filter(replace(said, outputs=references(found)), condition), outputs=outputs)
    )


def _as_in(node: Node, outputs: Sequence[Expr]) -> list[Expr]:
    refs = references(node)
    return [refs[each.index] if isinstance(each, ColumnRef) else each for each in outputs]
