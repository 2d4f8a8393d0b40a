"""Lets a window aggregate assign windows itself, so that windows share slices and no row is copied per window."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fluxcore.expr.nodes import ColumnRef, columns_of, moved
from fluxcore.plan.graph import rewrite
from fluxcore.plan.nodes import AssignWindow, Attached, Filter, Project, WindowAggregate, WindowKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.expr.nodes import AggCall
    from fluxcore.plan.nodes import Node, WindowSpec


def slice_windows(roots: Sequence[Node], settings: Settings | None = None) -> list[Node]:  # noqa: ARG001
    """Return the plans with ``WindowAggregate(Attached)`` over projections and filters over ``AssignWindow`` merged.

    It stays as it is where a filter, key or argument is computed from the window's columns; for sessions also where rows are
    filtered after they were put into sessions, or where the groups are not those whose sessions they are.
    """
    return rewrite(roots, _change)


@dataclass(frozen=True)
class _Stripped:
    """The input without the window's assignment: ``places`` old to new positions, where time and session keys are now."""

    node: Node
    places: dict[int, int]
    spec: WindowSpec
    time: int
    partition: tuple[int, ...]


def _change(node: Node) -> Node:
    if not isinstance(node, WindowAggregate) or not isinstance(node.window, Attached):
        return node
    stripped = _strip(node.input)
    if stripped is None or stripped.spec != node.window.spec:
        return node
    wanted = set(node.keys) | {index for call in node.calls for index in _columns(call)}
    if not wanted <= stripped.places.keys():
        return node
    places = stripped.places
    keys = tuple(places[index] for index in node.keys)
    if stripped.spec.kind is WindowKind.SESSION and set(stripped.partition) != set(keys):
        return node
    return replace(
        node,
        input=stripped.node,
        window=replace(stripped.spec, time=stripped.time, partition=stripped.partition),
        keys=keys,
        calls=tuple(_moved(call, places) for call in node.calls),
    )


def _columns(call: AggCall) -> tuple[int, ...]:
    return call.args if call.where is None else (*call.args, call.where)


def _moved(call: AggCall, places: dict[int, int]) -> AggCall:
    where = None if call.where is None else places[call.where]
    return replace(call, args=tuple(places[index] for index in call.args), where=where)


def _strip(node: Node) -> _Stripped | None:
    if isinstance(node, AssignWindow):
        count = len(node.input.schema)
        return _Stripped(
            node.input, {index: index for index in range(count)}, node.window, node.window.time, node.window.partition
        )
    if isinstance(node, Filter):
        below = _strip(node.input)
        if below is None or not columns_of(node.condition) <= below.places.keys():
            return None
        if below.spec.kind is WindowKind.SESSION:
            return None
        condition = moved(node.condition, below.places)
        return replace(below, node=Filter(below.node, condition))
    if isinstance(node, Project):
        return _strip_project(node)
    return None


def _strip_project(node: Project) -> _Stripped | None:
    below = _strip(node.input)
    if below is None:
        return None
    kept = [index for index, expr in enumerate(node.exprs) if columns_of(expr) <= below.places.keys()]
    exprs = [moved(node.exprs[index], below.places) for index in kept]
    names = [node.names[index] for index in kept]
    places = {old: new for new, old in enumerate(kept)}

    def place(wanted: int) -> int:
        """Return where a column of the input below is, appended if it was projected away."""
        found = next((i for i, e in enumerate(exprs) if isinstance(e, ColumnRef) and e.index == wanted), None)
        if found is not None:
            return found
        column = below.node.schema[wanted]
        exprs.append(ColumnRef(index=wanted, name=column.name, type=column.type))
        names.append(column.name)
        return len(exprs) - 1

    time, partition = place(below.time), tuple(place(index) for index in below.partition)
    return _Stripped(Project(below.node, tuple(exprs), tuple(names)), places, below.spec, time, partition)
