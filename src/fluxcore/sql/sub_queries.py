"""Sub-queries as values: what stands for one in an expression, and the joins that give its value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fluxcore.core.types import BIGINT, BOOLEAN, ArrayType, BytesType, MapType, RowType
from fluxcore.expr import build
from fluxcore.expr.nodes import AggCall, Call, ColumnRef, Expr, moved, transform, walk
from fluxcore.expr.pushdown import conjunction
from fluxcore.plan.columns import references
from fluxcore.plan.decorrelate import Pulled, pull, pull_one
from fluxcore.plan.domains import Domain, equal_or_null, joined
from fluxcore.plan.nodes import Aggregate, Filter, JoinKind, Node, Project, Sort
from fluxcore.plan.outer import OuterRef, is_correlated, outer_of_plan, with_outer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.types import DataType
    from fluxcore.sql.bind_expressions import Asked

    Pair = tuple[Expr, Expr]

_MIRRORED_BOUNDS = {"<": "MAX", "<=": "MAX", ">": "MIN", ">=": "MIN"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SubQueryValue(Expr):
    """Stands for the value of a sub-query until a join gives it.

    ``kind`` is SCALAR, EXISTS, IN, or a comparison that holds for ANY row, such as ``<``; ``operands`` are what is compared with
    the query's columns, and ``outer`` the values of the row around it that ``plan`` looks at.
    """

    kind: str
    plan: Node
    operands: tuple[Expr, ...] = ()
    outer: tuple[Expr, ...] = ()

    @property
    def children(self) -> tuple[Expr, ...]:
        return (*self.operands, *self.outer)

    def with_children(self, children: tuple[Expr, ...]) -> SubQueryValue:
        count = len(self.operands)
        return replace(self, operands=children[:count], outer=children[count:])


def has_sub_query(expr: Expr) -> bool:
    """Return whether an expression holds a sub-query."""
    return any(isinstance(each, SubQueryValue) for each in walk(expr))


def attach(node: Node, exprs: Sequence[Expr]) -> tuple[Node, list[Expr]]:
    """Return the node with columns for the sub-queries in expressions over it, and the expressions over those."""
    found = list(exprs)
    while True:
        ready = [each for expr in found for each in walk(expr) if isinstance(each, SubQueryValue) and not _nests(each)]
        if not ready:
            return node, found
        values: dict[Expr, Expr] = {}
        for each in dict.fromkeys(ready):
            node, values[each] = _value(node, each)
        found = [transform(expr, lambda part, values=values: values.get(part, part)) for expr in found]  # type: ignore[misc]


def _nests(value: SubQueryValue) -> bool:
    return any(has_sub_query(child) for child in value.children)


def keep(node: Node, condition: Expr) -> Node:
    """Return the rows of a node for which a condition holds; IN, EXISTS and their negations alone become joins of one side."""
    width, names = len(node.schema), tuple(node.schema.names)
    inner, negated = condition, False
    while isinstance(inner, Call) and inner.function == "NOT":
        inner, negated = inner.args[0], not negated
    if isinstance(inner, SubQueryValue) and inner.kind in ("IN", "EXISTS"):
        node, children = attach(node, inner.children)
        node = _kept(node, inner.with_children(tuple(children)), negated=negated)
    else:
        node, (whole,) = attach(node, [condition])
        node = Filter(node, whole)
    return node if len(node.schema) == width else Project(node, references(node, range(width)), names)


def _kept(node: Node, value: SubQueryValue, *, negated: bool) -> Node:
    """Return the rows for which EXISTS or IN holds, or doesn't; NOT IN is null-aware."""
    kind = JoinKind.ANTI if negated else JoinKind.SEMI
    plan, outer = value.plan, value.outer
    if value.kind == "IN":
        looked_for = _looked_for(value)
        equal = [build.call("=", list(pair)) for pair in zip(looked_for, references(plan), strict=True)]
        nullable = [each.type.nullable for each in equal]
        if negated and len(equal) == 1 and nullable[0] and not is_correlated(plan):
            return _not_in(node, value)
        if negated:
            equal = [build.call("IS NOT FALSE", [each]) if each.type.nullable else each for each in equal]
        condition = conjunction(equal)
        assert condition is not None
        plan, outer = Filter(plan, condition), (*outer, *value.operands)
    plan = _without_order(plan)
    pulled = pull(plan)
    if pulled is not None and pulled.always:
        wide, answer = _value(node, value)
        return Filter(wide, build.call("NOT", [answer]) if negated else answer)
    if pulled is None:
        spread, pairs = by_domain(node, plan, outer)
        return joined(node, spread, kind, pairs)
    pairs, rest = conditions_of(node, pulled, outer)
    right = pulled.node if pairs or rest else _any_row(pulled.node)
    return joined(node, right, kind, pairs, rest)


def conditions_of(node: Node, pulled: Pulled, outer: Sequence[Expr]) -> tuple[list[Pair], list[Expr]]:
    """Return what was said about the outer row: pairs of its values and the plan's, and conditions over both's columns."""
    width = len(node.schema)
    after = {index: index + width for index in range(len(pulled.node.schema))}
    pairs = [(with_outer(value, outer), own) for value, own in pulled.pairs]
    return pairs, [with_outer(moved(each, after), outer) for each in pulled.rest]


def _looked_for(value: SubQueryValue) -> list[Expr]:
    """Return the operands as the sub-query sees them: as values of the row around it."""
    first = len(value.outer)
    return [OuterRef(index=first + place, type=each.type) for place, each in enumerate(value.operands)]


def _not_in(node: Node, value: SubQueryValue) -> Node:
    """Return the rows whose value is not among those of a query that stands alone: joins by key, or by none."""
    (found,) = (build.call("=", [value.operands[0], references(value.plan)[0]]),)
    assert isinstance(found, Call)
    looked_for, there = found.args
    kept = joined(node, value.plan, JoinKind.ANTI, [(looked_for, there)])
    if there.type.nullable:
        kept = joined(kept, _any_row(Filter(value.plan, build.call("IS NULL", [there]))), JoinKind.ANTI, [])
    if looked_for.type.nullable:
        null = build.call("IS NULL", [looked_for])
        kept = joined(kept, _any_row(value.plan), JoinKind.ANTI, [], [null])
    return kept


def _any_row(node: Node) -> Node:
    """Return one row when ``node`` has any, else none."""
    return Aggregate(Project(node, (build.literal(1),), ("one",)), (0,), (), ())


def _without_order(plan: Node) -> Node:
    """Return a plan without an order, or a LIMIT, that doesn't change whether it has rows."""
    while isinstance(plan, Sort | Project):
        if isinstance(plan, Sort) and (plan.offset or plan.limit == 0):
            return plan
        if isinstance(plan, Project) and not isinstance(plan.input, Sort):
            return plan
        plan = plan.input
    return plan


def by_domain(node: Node, plan: Node, outer: Sequence[Expr]) -> tuple[Node, list[Pair]]:
    """Return the plan's rows for all values of the outer rows, and the pairs that say which are an outer row's."""
    args = tuple(sorted(outer_of_plan(plan)))
    values = [outer[index] for index in args]
    names = tuple(f"$outer{index}" for index in range(len(args)))
    everything = tuple(range(len(args)))
    spread = Domain(Aggregate(Project(node, tuple(values), names), everything, (), ()), args).spread(plan)
    own = references(spread, range(len(spread.schema) - len(args), len(spread.schema)))
    return spread, [pair for a, b in zip(values, own, strict=True) for pair in equal_or_null(a, b)]


def beside(node: Node, plan: Node, outer: Sequence[Expr]) -> tuple[Node, list[Expr], Expr | None]:
    """Return the node with the columns of a plan of one row beside it, the plan's outputs, and when there is that row."""
    pulled = pull_one(plan)
    width = len(node.schema)
    if pulled is None:
        spread, pairs = by_domain(node, plan, outer)
        wide = joined(node, spread, JoinKind.LEFT, pairs)
        return wide, list(references(wide, range(width, width + len(plan.schema)))), None
    pairs, rest = conditions_of(node, pulled, outer)
    wide = joined(node, pulled.node, JoinKind.LEFT, pairs, rest)
    refs = references(wide)

    def over(expr: Expr) -> Expr:
        placed = transform(expr, lambda part: refs[width + part.index] if isinstance(part, ColumnRef) else part)
        return with_outer(placed, outer)

    guard = None if pulled.guard is None else over(pulled.guard)
    return wide, [over(each) for each in pulled.outputs], guard


def _value(node: Node, value: SubQueryValue) -> tuple[Node, Expr]:
    """Return the node with columns beside it, and the sub-query's value over them."""
    match value.kind:
        case "SCALAR":
            return _scalar(node, value)
        case "EXISTS":
            return _exists(node, _without_order(value.plan), value.outer)
        case "IN":
            return _in(node, value)
    return _any(node, value)


def _scalar(node: Node, value: SubQueryValue) -> tuple[Node, Expr]:
    pulled = pull_one(value.plan)
    single = isinstance(value.plan, Sort) and value.plan.limit == 1 and not is_correlated(value.plan)
    if single or (pulled is not None and pulled.always):
        wide, (found,), guard = beside(node, value.plan, value.outer)
        if guard is not None:
            found = build.call("CASE", [guard, found, build.literal(None)])
        return wide, found
    (column,) = value.plan.schema
    type_ = column.type.with_nullable(True)
    nested = isinstance(type_, ArrayType | MapType | RowType | BytesType)
    pick = AggCall(function="ARRAY_AGG", type=ArrayType(element=type_), args=(0,)) if nested else _call("MAX", type_)
    counted = Aggregate(value.plan, (), (_call("COUNT"), pick), ("$rows", "$value"))
    wide, (rows, found), _ = beside(node, counted, value.outer)
    if nested:
        found = build.call("ITEM", [found, build.literal(1)])
    return wide, build.call("VALUE OF ONE ROW", [rows, found], span=value.span)


def _call(function: str, type_: DataType | None = None) -> AggCall:
    """Return a call over the first column, or COUNT(*) where there is no type."""
    if type_ is None:
        return AggCall(function=function, type=BIGINT.with_nullable(False))
    return AggCall(function=function, type=type_, args=(0,))


def _exists(node: Node, plan: Node, outer: Sequence[Expr]) -> tuple[Node, Expr]:
    pulled = pull_one(plan)
    if pulled is not None and pulled.always:
        wide, _, guard = beside(node, plan, outer)
        return wide, build.literal(True) if guard is None else build.call("IS TRUE", [guard])
    wide, (rows,), _ = beside(node, Aggregate(plan, (), (_call("COUNT"),), ("$rows",)), outer)
    return wide, build.call(">", [rows, build.literal(0)])


def _in(node: Node, value: SubQueryValue) -> tuple[Node, Expr]:
    """Return whether the operands are among the rows: unknown where they are not, and a NULL could be what they are."""
    plan, outer = value.plan, (*value.outer, *value.operands)
    equal = [build.call("=", list(pair)) for pair in zip(_looked_for(value), references(plan), strict=True)]
    condition = conjunction(equal)
    assert condition is not None
    wide, there = _exists(node, Filter(plan, condition), outer)
    if not condition.type.nullable:
        return wide, there
    maybe = conjunction([build.call("IS NOT FALSE", [each]) for each in equal])
    assert maybe is not None
    if len(equal) == 1:
        known = AggCall(function="COUNT", type=BIGINT.with_nullable(False), args=(0,))
        counted = Aggregate(
            Project(plan, references(plan), ("value",)), (), (_call("COUNT"), known), ("$rows", "$known")
        )
        wide, (rows, values), _ = beside(wide, counted, value.outer)
        some = build.call(">", [rows, build.literal(0)])
        null = build.call("IS NULL", [value.operands[0]])
        unsure = build.call("OR", [build.call("<", [values, rows]), build.call("AND", [null, some])])
    else:
        wide, unsure = _exists(wide, Filter(plan, maybe), outer)
    nothing = build.cast(build.literal(None), BOOLEAN)
    return wide, build.call("CASE", [there, build.literal(True), unsure, nothing, build.literal(False)])


def _any(node: Node, value: SubQueryValue) -> tuple[Node, Expr]:
    """Return whether a comparison holds for any row: its smallest or its largest value decides."""
    plan, (operand,) = value.plan, value.operands
    (column,) = plan.schema
    type_ = column.type.with_nullable(True)
    known = AggCall(function="COUNT", type=BIGINT.with_nullable(False), args=(0,))
    calls = (_call("COUNT"), known, _call("MIN", type_), _call("MAX", type_))
    wide, (rows, values, low, high), _ = beside(
        node, Aggregate(plan, (), calls, ("$rows", "$known", "$low", "$high")), value.outer
    )
    if value.kind == "<>":
        holds = build.call("OR", [build.call("<>", [operand, low]), build.call("<>", [operand, high])])
    else:
        bound = high if _MIRRORED_BOUNDS[value.kind] == "MAX" else low
        holds = build.call(value.kind, [operand, bound])
    null = build.call("IS NULL", [operand])
    unsure = build.call("OR", [build.call("<", [values, rows]), null])
    no_row = build.call("=", [rows, build.literal(0)])
    nothing, no, yes = build.cast(build.literal(None), BOOLEAN), build.literal(False), build.literal(True)
    return wide, build.call("CASE", [no_row, no, holds, yes, unsure, nothing, no])


def attach_calls(node: Node, members: list[tuple[int, Asked]]) -> tuple[Node, list[tuple[int, Asked]]]:
    """Return the node with columns for the sub-queries in numbered calls, and the calls over those."""
    reads = [expr for _, asked in members for expr in asked.reads()]
    if not any(has_sub_query(expr) for expr in reads):
        return node, members
    node, found = attach(node, reads)
    places = dict(zip(reads, found, strict=True))
    return node, [(number, asked.changed(lambda expr: places[expr])) for number, asked in members]
