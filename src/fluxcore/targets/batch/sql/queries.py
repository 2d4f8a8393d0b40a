"""Prints a plan of nodes that DuckDB carries out as one query."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.plan.graph import in_order
from fluxcore.plan.nodes import Aggregate, Filter, Join, JoinKind, Project, Sort, Union, WindowAggregate
from fluxcore.targets.batch.sql.calls import print_call
from fluxcore.targets.batch.sql.expressions import print_expr
from fluxcore.targets.batch.sql.joins import print_join
from fluxcore.targets.batch.sql.windows import print_window_aggregate
from fluxcore.targets.batch.stages import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fluxcore.plan.nodes import Node, SortKey


def print_query(root: Node, scans: Mapping[Node, str], weigh: Callable[[Node], float]) -> str:
    """Return a plan as SQL; the rows of stage n are the relation ``sn``.

    In: ``scans`` the SQL of files; ``weigh`` about how much a node gives, so that joins keep the smaller side.
    """
    order = in_order([root])
    names: dict[Node, str] = {}
    texts: list[str] = []
    for node in order:
        if isinstance(node, Rows):
            names[node] = f"s{node.stage}"
            continue
        text = scans.get(node) or _print(node, names, weigh)
        if node is root:
            lead = f"WITH {f',{chr(10)}'.join(texts)}\n" if texts else ""
            return lead + text
        names[node] = f"n{len(texts)}"
        texts.append(f"{names[node]} AS NOT MATERIALIZED ({text})")
    return f"SELECT * FROM {names[root]}"


def _print(node: Node, names: Mapping[Node, str], weigh: Callable[[Node], float]) -> str:
    inputs = [names[each] for each in node.inputs]
    match node:
        case Filter():
            return f"SELECT * FROM {inputs[0]} WHERE {print_expr(node.condition, _column)}"
        case Project():
            exprs = [print_expr(expr, _column) for expr in node.exprs]
            return f"SELECT {_named(exprs)} FROM {inputs[0]}"
        case Aggregate():
            return _print_aggregate(node, inputs[0])
        case WindowAggregate():
            return print_window_aggregate(node, inputs[0])
        case Join():
            swapped = node.kind not in (JoinKind.SEMI, JoinKind.ANTI) and weigh(node.left) < weigh(node.right)
            return print_join(node, inputs[0], inputs[1], swapped=swapped)
        case Sort():
            return _print_sort(node, inputs[0])
        case Union():
            return " UNION ALL ".join(f"SELECT * FROM {each}" for each in inputs)
    raise AssertionError(f"{type(node).__name__} is not printable")


def _print_aggregate(node: Aggregate, source: str) -> str:
    keys = [f"c{key}" for key in node.keys]
    results = []
    for call in node.calls:
        parts = print_call(call)
        results.append(parts.final(parts.partial))
    groups = f" GROUP BY {', '.join(keys)}" if keys else ""
    return f"SELECT {_named([*keys, *results])} FROM {source}{groups}"


def _print_sort(node: Sort, source: str) -> str:
    order = f" ORDER BY {', '.join(_key(key) for key in node.keys)}" if node.keys else ""
    limit = f" LIMIT {node.limit}" if node.limit is not None else ""
    offset = f" OFFSET {node.offset}" if node.offset else ""
    return f"SELECT * FROM {source}{order}{limit}{offset}"


def _key(key: SortKey) -> str:
    return f"c{key.column} {'DESC' if key.descending else 'ASC'} NULLS {'FIRST' if key.nulls_first else 'LAST'}"


def _column(index: int) -> str:
    return f"c{index}"


def _named(columns: list[str]) -> str:
    return ", ".join(f"{column} AS c{place}" for place, column in enumerate(columns))
