"""Binds what groups: the keys of GROUP BY, several groupings at once, and expressions over the groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.core.types import BIGINT
from fluxcore.errors import ScriptError
from fluxcore.expr import build
from fluxcore.expr.nodes import Call, ColumnRef, Expr, walk
from fluxcore.expr.table_calls import unnest_call
from fluxcore.plan.columns import attached_window, references, with_columns
from fluxcore.plan.correlate import Correlate
from fluxcore.plan.nodes import Aggregate, Node, Project, WindowAggregate
from fluxcore.plan.windows import window_of
from fluxcore.sql import ast
from fluxcore.sql.bind_expressions import GROUPING, ExpressionBinder, Pending
from fluxcore.sql.calls import agg_call, inputs_of
from fluxcore.sql.group_windows import find_group_window
from fluxcore.sql.sub_queries import attach_calls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.plan.nodes import Attached
    from fluxcore.sql.bind_expressions import Asked
    from fluxcore.sql.scope import Scope

    Members = list[tuple[int, Asked]]

SETS_MAX = 4096
"""How many groupings one GROUP BY may ask for."""


@dataclass(frozen=True)
class Groups:
    """Grouped rows: ``node`` gives them, :meth:`over` says what an expression over the rows before is over them."""

    node: Node
    keys: dict[Expr, int]
    values: dict[int, Expr]
    scope: Scope
    sets: tuple[tuple[Expr, ...], ...] = ()
    set_column: int | None = None

    def over(self, expr: Expr) -> Expr:
        """Return an expression over the groups. Raises ``ScriptError`` FX-SQL-0215 for a column that isn't grouped."""
        if expr in self.keys:
            return self._column(self.keys[expr], expr)
        if isinstance(expr, Pending):
            return self.values.get(expr.number, expr)
        if isinstance(expr, Call) and expr.function == GROUPING:
            return self._grouping(expr)
        if isinstance(expr, ColumnRef):
            name = self.scope.schema[expr.index].name if expr.index < len(self.scope.schema) else expr.name
            message = f"the column '{name}' is neither grouped nor inside an aggregate"
            hint = f"add {name} to GROUP BY, or take MAX({name})"
            raise ScriptError("FX-SQL-0215", message, span=expr.span, hint=hint)
        children = expr.children
        return expr.with_children(tuple(self.over(child) for child in children)) if children else expr

    def _column(self, index: int, like: Expr) -> ColumnRef:
        column = self.node.schema[index]
        return ColumnRef(index=index, type=column.type, name=column.name, span=like.span)

    def _grouping(self, call: Call) -> Expr:
        """Return the number whose bits say which arguments are no keys of the row's grouping, the last one lowest."""
        for arg in call.args:
            if arg not in self.keys:
                raise ScriptError("FX-SQL-0219", "GROUPING takes expressions of GROUP BY", span=arg.span or call.span)
        numbers = []
        for keys in self.sets:
            number = 0
            for arg in call.args:
                number = 2 * number + (arg not in keys)
            numbers.append(number)
        zero = build.literal(0, BIGINT)
        if self.set_column is None or not call.args:
            return zero
        chosen = self._column(self.set_column, call)
        cases: list[Expr] = []
        for place, number in enumerate(numbers):
            cases += [build.call("=", [chosen, build.literal(place)]), build.literal(number, BIGINT)]
        return build.call("CASE", [*cases, zero])


def refuse_grouping(exprs: Sequence[Expr]) -> None:
    """Refuse GROUPING and its like where nothing is grouped. Raises ``ScriptError`` FX-SQL-0219."""
    for each in (part for expr in exprs for part in walk(expr)):
        if isinstance(each, Call) and each.function == GROUPING:
            raise ScriptError("FX-SQL-0219", "GROUPING and GROUP_ID stand in queries with GROUP BY", span=each.span)


def group(node: Node, scope: Scope, query: ast.Select, binder: ExpressionBinder, lifetime: int | None) -> Groups:
    """Return the groups of a query; ``binder`` knows the aggregates that its expressions ask for."""
    sets = _sets(query, scope, binder)
    members: Members = [(number, asked) for number, asked in enumerate(binder.asked) if asked.over is None]
    node, members = attach_calls(node, members)
    keys = list(dict.fromkeys(key for each in sets for key in each))
    if len(sets) == 1:
        return _one_grouping(node, scope, keys, members, lifetime)
    return _several(node, scope, (keys, sets), members, lifetime)


def _one_grouping(node: Node, scope: Scope, keys: list[Expr], members: Members, lifetime: int | None) -> Groups:
    window, tails = _window(node, [keys])
    plain = [key for key in keys if key not in tails]
    wide, places = with_columns(node, [*plain, *(arg for _, asked in members for arg in inputs_of(asked))])
    found, values = _aggregate(wide, window, (places[: len(plain)], places[len(plain) :]), members, lifetime)
    after = {key: index for index, key in enumerate(plain)}
    after |= {key: len(found.schema) + tail for key, tail in tails.items()}
    return Groups(found, after, values, scope)


def _several(
    node: Node,
    scope: Scope,
    grouping: tuple[list[Expr], list[tuple[Expr, ...]]],
    members: Members,
    lifetime: int | None,
) -> Groups:
    """Return the rows once for each grouping, with NULL for the keys that it doesn't have, in groups."""
    keys, sets = grouping
    window, tails = _window(node, sets)
    plain = [key for key in keys if key not in tails]
    wide, places = with_columns(node, [*plain, *(arg for _, asked in members for arg in inputs_of(asked))])
    numbers = [build.literal(place) for place in range(len(sets))]
    call = unnest_call(build.call("ARRAY", numbers))
    many = Correlate(wide, call, ("$set",))
    refs = references(many)
    chosen = refs[-1]
    given: list[Expr] = []
    for key, place in zip(plain, places, strict=False):
        holds = [build.call("=", [chosen, numbers[i]]) for i, each in enumerate(sets) if key in each]
        if len(holds) == len(sets):
            given.append(refs[place])
            continue
        condition = holds[0] if len(holds) == 1 else build.call("OR", holds)
        given.append(build.call("CASE", [condition, refs[place], build.literal(None)]))
    names = (*many.schema.names, *(f"$key{index}" for index in range(len(given))))
    expanded = Project(many, (*refs, *given), names)
    first = len(refs)
    own = [*range(first, first + len(given)), first - 1]
    found, values = _aggregate(expanded, window, (own, places[len(plain) :]), members, lifetime)
    after = {key: index for index, key in enumerate(plain)}
    after |= {key: len(found.schema) + tail for key, tail in tails.items()}
    return Groups(found, after, values, scope, tuple(sets), len(plain))


def _aggregate(
    node: Node, window: Attached | None, places: tuple[list[int], list[int]], members: Members, lifetime: int | None
) -> tuple[Node, dict[int, Expr]]:
    keys, rest = tuple(places[0]), iter(places[1])
    calls = tuple(agg_call(asked, rest) for _, asked in members)
    names = tuple(f"$agg{index}" for index in range(len(calls)))
    found: Node
    if window is not None:
        found = WindowAggregate(node, window, keys, calls, names)
    else:
        found = Aggregate(node, keys, calls, names, lifetime)
    refs = references(found, range(len(keys), len(keys) + len(calls)))
    return found, {number: ref for (number, _), ref in zip(members, refs, strict=True)}


def _window(node: Node, sets: Sequence[Sequence[Expr]]) -> tuple[Attached | None, dict[Expr, int]]:
    """Return the window that all groupings are in, and its columns among the keys with their places from the output's end."""
    window = attached_window(node)
    if window is None:
        return None, {}
    for keys in sets:
        columns = [key.index for key in keys if isinstance(key, ColumnRef)]
        if window.start not in columns or window.end not in columns:
            return None, {}
    found = window_of(node)
    assert found is not None
    tails = {found.start: -3, found.end: -2, found.time: -1}
    every = [key for key in sets[0] if all(key in each for each in sets)]
    return window, {key: tails[key.index] for key in every if isinstance(key, ColumnRef) and key.index in tails}


def _sets(query: ast.Select, scope: Scope, binder: ExpressionBinder) -> list[tuple[Expr, ...]]:
    """Return the groupings that GROUP BY asks for, each as its keys; all of them hold the marks of a window."""
    keys = ExpressionBinder(scope, place="in GROUP BY")
    keys.settings = binder.settings
    trees = [tree for tree in query.group or () if find_group_window((tree,)) is None]
    marks = tuple(dict.fromkeys(binder.window_calls.values()))
    found: list[tuple[Expr, ...]] = [()]
    for tree in trees:
        options = _options(tree, keys)
        found = [(*before, *each) for before in found for each in options]
        if len(found) > SETS_MAX:
            message = f"GROUP BY asks for more than {SETS_MAX} groupings"
            raise ScriptError("FX-SQL-0219", message, span=tree.span)
    sets = [tuple(dict.fromkeys((*each, *marks))) for each in found]
    if len({frozenset(each) for each in sets}) < len(sets):
        message = "GROUP BY asks for the same grouping twice"
        raise ScriptError("FX-SQL-0219", message, span=trees[0].span, hint="UNION ALL gives rows twice")
    return sets


def _options(tree: ast.Expression, binder: ExpressionBinder) -> list[tuple[Expr, ...]]:
    if not isinstance(tree, ast.GroupingSet):
        return [(binder.bind(tree),)]
    if tree.kind == "LIST":
        return [tuple(binder.bind(each) for each in tree.items)]
    if tree.kind == "SETS":
        return [each for item in tree.items for each in _options(item, binder)]
    parts = [_options(item, binder)[0] for item in tree.items]
    if tree.kind == "ROLLUP":
        return [tuple(key for part in parts[:count] for key in part) for count in range(len(parts), -1, -1)]
    if 2 ** len(parts) > SETS_MAX:
        raise ScriptError("FX-SQL-0219", f"CUBE asks for more than {SETS_MAX} groupings", span=tree.span)
    chosen = range(2 ** len(parts) - 1, -1, -1)
    return [
        tuple(key for place, part in enumerate(parts) if bits >> (len(parts) - 1 - place) & 1 for key in part)
        for bits in chosen
    ]
