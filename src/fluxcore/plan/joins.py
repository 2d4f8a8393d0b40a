"""Builds joins from a condition: equalities become keys, equal windows make a window join, the rest stays a condition."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fluxcore.core.types import same
from fluxcore.expr import build
from fluxcore.expr.nodes import Call, ColumnRef, columns_of, moved
from fluxcore.expr.pushdown import conjunction, conjuncts, deterministic
from fluxcore.plan.changelog import row_key
from fluxcore.plan.columns import references, select, with_columns
from fluxcore.plan.intervals import interval_of
from fluxcore.plan.lookups import lookup_join
from fluxcore.plan.nodes import Attached, Filter, Join, JoinKind, TemporalJoin
from fluxcore.plan.versions import all_versions, check_versions
from fluxcore.plan.windows import window_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.expr.nodes import Expr
    from fluxcore.plan.nodes import Node, WindowSpec


Lifetimes = tuple[int | None, int | None]


def join(left: Node, right: Node, kind: JoinKind, condition: Expr | None, *, ttl_ms: Lifetimes = (None, None)) -> Node:
    """Return the join of two plans on a condition over their columns, left's first; ``ttl_ms`` as of :class:`Join`.

    Equalities between the sides become keys; equal windows make it a window join; the rest stays a condition. A join whose
    condition needs computed keys gets them as columns below, and loses them again above.
    """
    width = len(left.schema)
    pairs, rest = _split(condition, width)
    windows = _windows(left, right, pairs)
    if windows is not None:
        pairs = [pair for pair in pairs if pair not in windows[2]]
    sides = _keyed(left, right, pairs, rest)
    ends = windows[:2] if windows else (None, None)
    apart = None if windows or kind in _ONE_SIDED else interval_of(left, right, pairs, rest)
    node = Join(sides.left, sides.right, kind, *sides.keys, sides.condition, ends[0], ends[1], apart)
    if windows is None and apart is None:
        node = replace(node, ttl_ms=ttl_ms)
    return sides.trimmed(node)


def temporal_join(
    left: Node, right: Node, kind: JoinKind, condition: Expr | None, times: tuple[int, int] | None
) -> Node | None:
    """Return the join of each left row with the right side as it was then; None where no keys are equal.

    Versions in event time are those of the right side's own key: what else is equated stays a condition on them. Raises
    ``ScriptError`` FX-SQL-0411 where the right side has a key and the condition doesn't hold it.
    """
    pairs, rest = _split(condition, len(left.schema))
    if not pairs:
        return None
    key = row_key(right)
    if times is None:
        found = lookup_join(left, right, kind, pairs, rest)
        if found is not None:
            return found
        sides = _keyed(left, right, pairs, rest)
        return sides.trimmed(TemporalJoin(sides.left, sides.right, kind, *sides.keys, None, sides.condition, key))
    check_versions(right, [pair[1].index for pair in pairs if isinstance(pair[1], ColumnRef)])
    width, narrow = len(left.schema), len(right.schema)
    if key:
        told = [pair for pair in pairs if isinstance(pair[1], ColumnRef) and pair[1].index in key]
        others = [pair for pair in pairs if pair not in told]
        rest += [build.call("=", [a, moved(b, {i: i + width for i in columns_of(b)})]) for a, b in others]
        pairs = told
    right, said = all_versions(right)
    rest += [
        moved(each, {each.index: each.index + width}) for each in references(right, said) if isinstance(each, ColumnRef)
    ]
    sides = _keyed(left, right, pairs, rest)
    joined = sides.trimmed(TemporalJoin(sides.left, sides.right, kind, *sides.keys, times, sides.condition, key))
    return select(joined, range(width + narrow)) if said else joined


@dataclass(frozen=True)
class _Keyed:
    """Both inputs with their keys as columns, at ``keys``; ``condition`` over them, ``kept`` the columns that they had."""

    left: Node
    right: Node
    keys: tuple[tuple[int, ...], tuple[int, ...]]
    condition: Expr | None
    kept: tuple[int, ...]

    def trimmed(self, node: Node) -> Node:
        """Return a join of these inputs without the columns that were computed for its keys."""
        computed = len(self.kept) != len(self.left.schema) + len(self.right.schema)
        return select(node, [index for index in self.kept if index < len(node.schema)]) if computed else node


def _keyed(left: Node, right: Node, pairs: Sequence[tuple[Expr, Expr]], rest: Sequence[Expr]) -> _Keyed:
    wide_left, left_keys = with_columns(left, [pair[0] for pair in pairs])
    wide_right, right_keys = with_columns(right, [pair[1] for pair in pairs])
    width, first = len(left.schema), len(wide_left.schema)
    kept = (*range(width), *range(first, first + len(right.schema)))
    condition = conjunction([moved(part, dict(enumerate(kept))) for part in rest])
    return _Keyed(wide_left, wide_right, (tuple(left_keys), tuple(right_keys)), condition, kept)


def _split(condition: Expr | None, width: int) -> tuple[list[tuple[Expr, Expr]], list[Expr]]:
    """Return the equalities between both sides, each over its own side, and the other conditions over both."""
    pairs: list[tuple[Expr, Expr]] = []
    rest: list[Expr] = []
    for part in conjuncts(condition) if condition is not None else []:
        pair = _pair(part, width)
        if pair is None:
            rest.append(part)
        else:
            pairs.append(pair)
    return pairs, rest


def condition_of(node: Join) -> list[Expr]:
    """Return the conditions of a join over both inputs' columns: equal keys, equal windows, and the rest."""
    width = len(node.left.schema)
    pairs = list(zip(node.left_keys, node.right_keys, strict=True))
    if node.left_window and node.right_window:
        pairs += [(node.left_window.start, node.right_window.start), (node.left_window.end, node.right_window.end)]
    left, right = references(node.left), references(node.right)
    equal = [build.call("=", [left[a], moved(right[b], {b: width + b})]) for a, b in pairs]
    return equal + (conjuncts(node.condition) if node.condition is not None else [])


def filtered(node: Join, condition: Expr) -> Node:
    """Return the rows of a join for which a condition holds, with its parts where they cost least.

    What looks at one side goes below, where no row of that side comes out alone with NULLs for the other; of an inner join
    all else becomes part of the join.
    """
    width = len(node.left.schema)
    below: tuple[list[Expr], list[Expr]] = ([], [])
    rest: list[Expr] = []
    for part in conjuncts(condition):
        side = _side(part, width)
        kept_whole = ((JoinKind.INNER, JoinKind.LEFT, *_ONE_SIDED), (JoinKind.INNER, JoinKind.RIGHT))
        if side is not None and node.kind in kept_whole[side]:
            below[side].append(part)
        else:
            rest.append(part)
    left, right = _narrowed(node, *below)
    if node.kind is JoinKind.INNER:
        return join(left, right, node.kind, conjunction([*condition_of(node), *rest]), ttl_ms=node.ttl_ms)
    found = replace(node, left=left, right=right)
    above = conjunction(rest)
    return found if above is None else Filter(found, above)


def narrowed(node: Join) -> Join:
    """Return the join with those parts of its condition below it that look only at a side whose rows never stand alone."""
    width = len(node.left.schema)
    padded = ((JoinKind.LEFT, JoinKind.FULL, JoinKind.ANTI), (JoinKind.RIGHT, JoinKind.FULL))
    below: tuple[list[Expr], list[Expr]] = ([], [])
    rest: list[Expr] = []
    for part in conjuncts(node.condition) if node.condition is not None else []:
        side = _side(part, width)
        if side is not None and node.kind not in padded[side]:
            below[side].append(part)
        else:
            rest.append(part)
    left, right = _narrowed(node, *below)
    return replace(node, left=left, right=right, condition=conjunction(rest))


_ONE_SIDED = (JoinKind.SEMI, JoinKind.ANTI)


def _side(part: Expr, width: int) -> int | None:
    """Return which input a condition looks at, 0 or 1; None for both or none."""
    columns = columns_of(part)
    if not columns or not deterministic(part):
        return None
    if max(columns) < width:
        return 0
    return 1 if min(columns) >= width else None


def _narrowed(node: Join, left: list[Expr], right: list[Expr]) -> tuple[Node, Node]:
    width = len(node.left.schema)
    first = conjunction(left)
    second = conjunction([moved(part, {index: index - width for index in columns_of(part)}) for part in right])
    return (
        node.left if first is None else Filter(node.left, first),
        node.right if second is None else Filter(node.right, second),
    )


def _pair(part: Expr, width: int) -> tuple[Expr, Expr] | None:
    """Return both sides of an equality between the inputs, each over its own input; None for anything else."""
    if not isinstance(part, Call) or part.function != "=":
        return None
    first, second = part.args
    a, b = columns_of(first), columns_of(second)
    if not a or not b:
        return None
    if max(a) >= width and max(b) < width:
        first, second, a, b = second, first, b, a
    if max(a) >= width or min(b) < width or not same(first.type, second.type):
        return None
    return first, moved(second, {index: index - width for index in b})


def _windows(
    left: Node, right: Node, pairs: list[tuple[Expr, Expr]]
) -> tuple[Attached, Attached, list[tuple[Expr, Expr]]] | None:
    """Return both sides' windows and the equalities that say so, when starts and ends are equated."""
    a, b = window_of(left), window_of(right)
    if a is None or b is None or None in (a.start, a.end, b.start, b.end) or not _alike(a.spec, b.spec):
        return None

    def equated(first: int | None, second: int | None) -> tuple[Expr, Expr] | None:
        return next(
            (
                pair for pair in pairs
                if isinstance(pair[0], ColumnRef) and isinstance(pair[1], ColumnRef)
                and pair[0].index == first and pair[1].index == second
            ),
            None,
        )  # fmt: skip

    start, end = equated(a.start, b.start), equated(a.end, b.end)
    if start is None or end is None:
        return None
    assert a.start is not None and a.end is not None and b.start is not None and b.end is not None
    return Attached(a.start, a.end, a.spec), Attached(b.start, b.end, b.spec), [start, end]


def _alike(a: WindowSpec, b: WindowSpec) -> bool:
    return (a.kind, a.size, a.slide, a.offset, a.local) == (b.kind, b.size, b.slide, b.offset, b.local)
