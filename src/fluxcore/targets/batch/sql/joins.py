"""Prints joins: equal keys, equal windows, a distance in time, and the conditions that DuckDB understands as Flink does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.types import TimestampType
from fluxcore.plan.nodes import JoinKind
from fluxcore.targets.batch.sql.expressions import print_expr

if TYPE_CHECKING:
    from fluxcore.plan.nodes import Join, Node

_MIRROR = {"LEFT": "RIGHT", "RIGHT": "LEFT"}


def print_join(node: Join, left: str, right: str, *, swapped: bool = False) -> str:
    """Return a join of two relations as a query; ``swapped`` writes the right one first, since DuckDB keeps the second."""
    width = len(node.left.schema)
    condition = " AND ".join(_conditions(node, width)) or "TRUE"
    if node.kind in (JoinKind.SEMI, JoinKind.ANTI):
        return f"SELECT a.* FROM {left} AS a {node.kind.value} JOIN {right} AS b ON {condition}"
    columns = [f"a.c{index} AS c{index}" for index in range(width)]
    columns += [f"b.c{index} AS c{width + index}" for index in range(len(node.right.schema))]
    first, second, kind = f"{left} AS a", f"{right} AS b", node.kind.value
    if swapped:
        first, second, kind = second, first, _MIRROR.get(kind, kind)
    return f"SELECT {', '.join(columns)} FROM {first} {kind} JOIN {second} ON {condition}"


def _conditions(node: Join, width: int) -> list[str]:
    found = [f"a.c{a} = b.c{b}" for a, b in zip(node.left_keys, node.right_keys, strict=True)]
    if node.left_window and node.right_window:
        pairs = [(node.left_window.start, node.right_window.start), (node.left_window.end, node.right_window.end)]
        found += [f"a.c{a} = b.c{b}" for a, b in pairs]
    if node.interval:
        a, b = _milliseconds(node.left, node.interval.left, "a"), _milliseconds(node.right, node.interval.right, "b")
        found += [f"{b} >= {a} + {node.interval.low}", f"{b} <= {a} + {node.interval.high}"]
    if node.condition is not None:
        found.append(
            print_expr(node.condition, lambda index: f"a.c{index}" if index < width else f"b.c{index - width}")
        )
    return found


def _milliseconds(node: Node, time: int, side: str) -> str:
    type_ = node.schema[time].type
    assert isinstance(type_, TimestampType)
    units, column = type_.units_per_ms, f"{side}.c{time}"
    return f"(({column} - ((({column} % {units}) + {units}) % {units})) // {units})"
