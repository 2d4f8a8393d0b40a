"""Rankings: the first rows of each partition, the last row of each key, as Flink recognises them by ROW_NUMBER."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.core.quotes import quoted
from fluxcore.plan import nodes
from fluxcore.plan.changelog import is_append_only
from fluxcore.plan.columns import distinct_names
from fluxcore.targets.flink.sql.blocks import Block, Item
from fluxcore.targets.flink.sql.queries import Printer, ordered, place_of, print_node, sort_key

if TYPE_CHECKING:
    from collections.abc import Sequence

_NUMBER = "row_num"


@print_node.register
def _rank(node: nodes.Rank, printer: Printer) -> Block:
    if node.ttl_ms:
        why = "Flink's hint STATE_TTL holds for groups and joins; 'table.exec.state.ttl' holds for the whole job"
        printer.report.add("a lifetime of a ranking", why, place_of(node))
    if _is_misread(node, printer):
        if not node.partition:
            return _only_row(node, printer)
        why = (
            "Flink 2.3 takes such a ranking for rows that are never replaced, and loses their changes; "
            "order by one column, or keep more rows"
        )
        printer.report.add("one row of each partition in an order of several columns", why, place_of(node))
    partition = list(node.partition)
    if node.window is not None:
        partition = [each for each in (node.window.start, node.window.end) if each not in partition] + partition
    block = printer.block(node.input).ready((*partition, *(key.column for key in node.order)), open_=True)
    order = [sort_key(block.items[key.column].sql, key) for key in node.order]
    if not order:  # by arrival
        order = [f"PROCTIME(){' DESC' if node.later_first else ''}"]
    numbered, number = _numbered(block, partition, order, node.number)
    found = numbered.nested()
    limits = [f"{number} = {node.last}"] if node.first == node.last else [f"{number} <= {node.last}"]
    if 1 < node.first < node.last:
        limits = [f"{number} >= {node.first}", *limits]
    kept = len(block.items) + (node.number is not None)
    names = distinct_names(node.schema.names)
    whole = kept == len(found.items) and names == found.names
    return replace(found, items=found.items[:kept], names=names, whole=whole, where=tuple(limits))


def _is_misread(node: nodes.Rank, printer: Printer) -> bool:
    """Return whether Flink's planner thinks that a ranking over rows that only come never takes a row back."""
    one = node.first == node.last == 1 and node.window is None
    return printer.streaming and one and len(node.order) > 1 and is_append_only(node.input)


def _only_row(node: nodes.Rank, printer: Printer) -> Block:
    """Return the first row of all, whose number is 1."""
    found = ordered(printer.block(node.input), node.order, 1, 0)
    if node.number is None:
        return found
    items = (*found.items, Item("CAST(1 AS BIGINT)", plain=False))
    return replace(found, items=items, names=distinct_names(node.schema.names), whole=False)


def last_versions(block: Block, key: Sequence[int], time: int) -> Block:
    """Return the last row of each key by event time, which Flink takes for the versions of a table."""
    block = block.ready((*key, time), open_=True)
    numbered, number = _numbered(block, key, [f"{block.items[time].sql} DESC"], None)
    found = numbered.nested()
    return replace(found, items=found.items[:-1], names=found.names[:-1], whole=False, where=(f"{number} = 1",))


def _numbered(block: Block, partition: Sequence[int], order: Sequence[str], wanted: str | None) -> tuple[Block, str]:
    """Return the block with the number of each row appended, and the number's quoted name."""
    name = distinct_names([*block.names, wanted or _NUMBER])[-1]
    by = f"PARTITION BY {', '.join(block.items[index].sql for index in partition)} " if partition else ""
    number = Item(f"ROW_NUMBER() OVER ({by}ORDER BY {', '.join(order)})", plain=False)
    numbered = replace(block, items=(*block.items, number), names=(*block.names, name), whole=False, done=True)
    return numbered, quoted(name)
