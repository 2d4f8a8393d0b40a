"""UNNEST and table functions, joined with the rows whose columns they see."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.core.quotes import quoted
from fluxcore.expr.table_calls import UNNEST
from fluxcore.plan.columns import distinct_names
from fluxcore.plan.correlate import Correlate
from fluxcore.targets.flink.sql.blocks import Block, columns
from fluxcore.targets.flink.sql.queries import Printer, place_of, print_node

if TYPE_CHECKING:
    from fluxcore.targets.flink.sql.blocks import Item


@print_node.register
def _correlate(node: Correlate, printer: Printer) -> Block:
    left = printer.block(node.input).nested("l")
    names = distinct_names(node.names)
    call = _call(node, printer, left.items)
    alias = f"AS {quoted('t')}({', '.join(quoted(name) for name in names)})"
    items = (*left.items, *columns(names, "t"))
    on = "TRUE" if node.condition is None else printer.expressions(items, node).text(node.condition)
    if node.outer and node.call.user is not None and node.condition is not None:
        printer.report.add("a condition of a LEFT JOIN", "Flink takes none for functions in Python", place_of(node))
    join = f"LEFT JOIN {call} {alias} ON {on}" if node.outer else f"CROSS JOIN {call} {alias}"
    source = f"{left.source}\n{join}"
    return replace(left, source=source, items=items, names=distinct_names(node.schema.names), whole=False, table=False)


def _call(node: Correlate, printer: Printer, items: tuple[Item, ...]) -> str:
    expressions = printer.expressions(items, node)
    args = ", ".join(expressions.text(arg) for arg in node.call.args)
    if node.call.user is not None:
        return f"LATERAL TABLE({printer.functions.name(node.call.user, place_of(node))}({args}))"
    if node.call.function != UNNEST:
        printer.report.add(f"the rows of {node.call.function}", "Flink SQL has nothing like it", place_of(node))
    return f"UNNEST({args}){' WITH ORDINALITY' if node.call.ordinality else ''}"
