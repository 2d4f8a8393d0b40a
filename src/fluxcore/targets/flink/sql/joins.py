"""Joins: regular, within windows and intervals, of versions in time, of tables that are asked by key; IN and EXISTS."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.core.lookups import AskedTable
from fluxcore.core.quotes import quoted
from fluxcore.core.schema import TimeKind
from fluxcore.expr.nodes import ColumnRef
from fluxcore.expr.pushdown import conjuncts
from fluxcore.plan import nodes
from fluxcore.plan.columns import distinct_names, references
from fluxcore.plan.intervals import interval_of
from fluxcore.plan.lookup_join import LookupJoin
from fluxcore.plan.nodes import Attached, JoinKind
from fluxcore.targets.flink.portability import source_line
from fluxcore.targets.flink.sql.aggregates import ttl_hint
from fluxcore.targets.flink.sql.blocks import Block, Item, columns
from fluxcore.targets.flink.sql.literals import milliseconds
from fluxcore.targets.flink.sql.queries import Printer, place_of, placeholder, print_node, projected
from fluxcore.targets.flink.sql.ranking import last_versions
from fluxcore.targets.flink.sql.sub_queries import brackets, distinct_input, in_condition, not_in, print_not_in
from fluxcore.targets.flink.sql.tables import declaration_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.expr.nodes import Expr

_LEFT, _RIGHT = "l", "r"
_NOW = "proc_time"


@print_node.register
def _join(node: nodes.Join, printer: Printer) -> Block:
    if node.kind in (JoinKind.SEMI, JoinKind.ANTI):
        return _half_join(node, printer)
    left, right = printer.block(node.left).nested(_LEFT), printer.block(node.right).nested(_RIGHT)
    items = left.items + right.items
    conditions = _conditions(node, items, printer)
    kind = node.kind.value
    on = "\n  ON " + "\n  AND ".join(conditions) if conditions else ""
    if not conditions:
        kind, on = ("CROSS", "") if node.kind is JoinKind.INNER else (kind, "\n  ON TRUE")
    hint = ttl_hint(dict(zip((_LEFT, _RIGHT), node.ttl_ms, strict=True)))
    source = f"{left.source}\n{kind} JOIN {right.source}{on}"
    return Block(source, items, distinct_names(node.schema.names), hint=hint)


def _conditions(node: nodes.Join, items: Sequence[Item], printer: Printer) -> list[str]:
    """Return all that must hold of a pair of rows, in terms of both sides' columns."""
    width = len(node.left.schema)
    pairs = list(zip(node.left_keys, node.right_keys, strict=True))
    if isinstance(node.left_window, Attached) and isinstance(node.right_window, Attached):
        pairs += [(node.left_window.start, node.right_window.start), (node.left_window.end, node.right_window.end)]
    found = [f"{items[a].sql} = {items[width + b].sql}" for a, b in pairs]
    expressions = printer.expressions(items, node)
    parts = [] if node.condition is None else conjuncts(node.condition)
    return [*found, *(expressions.condition(part) for part in parts), *_bounds(node, items, parts)]


def _bounds(node: nodes.Join, items: Sequence[Item], parts: Sequence[Expr]) -> list[str]:
    """Return how far apart the times of both sides may be, where no condition says so."""
    apart = node.interval
    left, right = references(node.left), references(node.right)
    pairs = [(left[a], right[b]) for a, b in zip(node.left_keys, node.right_keys, strict=True)]
    if apart is None or interval_of(node.left, node.right, pairs, parts) == apart:
        return []
    width = len(node.left.schema)
    mine, theirs = items[apart.left].sql, items[width + apart.right].sql
    low, high = (f"{mine} + {milliseconds(each)}" for each in (apart.low, apart.high))
    return [f"{theirs} BETWEEN {low} AND {high}"]


def _half_join(node: nodes.Join, printer: Printer) -> Block:
    """Return the rows of the left side that have a partner, or none: by IN where one key is all, else by EXISTS."""
    bare = node.left_window is None and node.interval is None and not any(node.ttl_ms)
    found = not_in(node) if node.kind is JoinKind.ANTI and bare else None
    if found is not None:
        return print_not_in(found, len(node.left.schema), printer)
    word = "" if node.kind is JoinKind.SEMI else "NOT "
    plain = bare and node.condition is None
    if plain and len(node.left_keys) == 1 and node.kind is JoinKind.SEMI:
        left = printer.block(node.left).ready(node.left_keys, open_=True)
        values = printer.block(distinct_input(node.right))
        return left.filtered(in_condition(left.items[node.left_keys[0]].sql, "IN", values, node.right_keys[0]))
    if plain and not node.left_keys:
        left = printer.block(node.left).ready((), open_=True)
        return left.filtered(f"{word}EXISTS {brackets(printer.block(distinct_input(node.right)))}")
    outer, inside = printer.block(node.left).nested(_LEFT), printer.block(node.right).nested(_RIGHT)
    conditions = _conditions(node, outer.items + inside.items, printer)
    some = Block(inside.source, (Item("1", plain=False),), ("found",), where=tuple(conditions))
    if any(node.ttl_ms):
        why = "Flink's hint STATE_TTL reaches no table within EXISTS; 'table.exec.state.ttl' holds for the whole job"
        printer.report.add("a lifetime of the rows of this join", why, place_of(node))
    return outer.filtered(f"{word}EXISTS {brackets(some)}")


@print_node.register
def _temporal_join(node: nodes.TemporalJoin, printer: Printer) -> Block:
    if node.times is None:
        why = "Flink joins a stream with a table as it stands only where the table's connector finds rows by key"
        printer.report.add("a join with a table as it stands", why, place_of(node))
        left, time = _with_clock(node.left, printer)
        right = printer.named(node.right)
    else:
        if not printer.streaming:
            printer.report.add("versions in batch mode", "Flink has them in streaming mode only", place_of(node))
        left = printer.block(node.left).nested(_LEFT)
        time = left.items[node.times[0]].sql
        right = _versions(node, printer)
    inside = columns(right.names, _RIGHT)
    items = left.items[: len(node.left.schema)] + inside
    found = [f"{items[a].sql} = {inside[b].sql}" for a, b in zip(node.left_keys, node.right_keys, strict=True)]
    if node.condition is not None:
        expressions = printer.expressions(items, node)
        found += [expressions.condition(part) for part in conjuncts(node.condition)]
    return _as_of(node, (left.source, right.source, time), items, found)


def _as_of(
    node: nodes.TemporalJoin | LookupJoin,
    sides: tuple[str, str, str],
    items: tuple[Item, ...],
    conditions: Sequence[str],
) -> Block:
    left, right, time = sides
    on = "\n  AND ".join(conditions)
    source = f"{left}\n{node.kind.value} JOIN {right} FOR SYSTEM_TIME AS OF {time} AS {quoted(_RIGHT)}\n  ON {on}"
    return Block(source, items, distinct_names(node.schema.names))


def _versions(node: nodes.TemporalJoin, printer: Printer) -> Block:
    """Return the table of versions: one declared with its key, else a view that keeps the last row of each key.

    Flink takes no filter above a table of versions, and a view forgets versions that come behind a later one: so a plain
    table gets the key that the join needs wherever its connector lets it have one.
    """
    assert node.times is not None
    key = node.right_key or node.right_keys
    block = _keyed(node.right, key, printer)
    if block is None:
        block = last_versions(printer.block(node.right), key, node.times[1])
    return block if block.is_table else printer.name_view(block)


def _keyed(node: nodes.Node, key: Sequence[int], printer: Printer) -> Block | None:
    """Return the columns of a table that is declared with these ones as its key; None for any other query."""
    declared = declaration_of(node)
    if declared is not None:
        keyed = declared.keyed(tuple(declared.names[index] for index in key))
        return None if keyed is None else printer.tables.block(keyed)
    if not isinstance(node, nodes.Project):
        return None
    below = [expr.index for expr in (node.exprs[index] for index in key) if isinstance(expr, ColumnRef)]
    block = _keyed(node.input, below, printer) if len(below) == len(key) else None
    return None if block is None else projected(node, block, printer)


def _with_clock(node: nodes.Node, printer: Printer) -> tuple[Block, str]:
    """Return the left side of a lookup, and the column of it that is the processing time; one is appended if need be."""
    block = printer.block(node)
    clock = next((place for place, column in enumerate(node.schema) if column.time is TimeKind.PROCESSING), None)
    if clock is not None:
        nested = block.nested(_LEFT)
        return nested, nested.items[clock].sql
    (name,) = distinct_names([*block.names, _NOW])[-1:]
    open_ = block.ready(()) if block.source else block.nested()
    wide = replace(
        open_, items=(*open_.items, Item("PROCTIME()", plain=False)), names=(*open_.names, name), whole=False
    )
    nested = wide.nested(_LEFT)
    return nested, nested.items[-1].sql


@print_node.register
def _lookup_join(node: LookupJoin, printer: Printer) -> Block:
    asked = node.asked
    if not isinstance(asked, AskedTable):
        function = getattr(asked, "function", asked)
        why = "Flink SQL asks tables by key, and no Python"
        printer.report.add(f"the lookup {asked.name}", why, source_line(function) or place_of(node))
        return placeholder(node, printer, place_of(node))
    left, time = _with_clock(node.input, printer)
    schema = asked.table.schema
    found = columns([schema[index].name for index in asked.columns], _RIGHT)
    keys = columns([schema[index].name for index in asked.keys], _RIGHT)
    items = left.items[: len(node.input.schema)] + found
    conditions = [f"{items[a].sql} = {key.sql}" for a, key in zip(node.keys, keys, strict=True)]
    if node.condition is not None:
        expressions = printer.expressions(items, node)
        conditions += [expressions.condition(part) for part in conjuncts(node.condition)]
    return _as_of(node, (left.source, quoted(printer.tables.name(asked.table)), time), items, conditions)
