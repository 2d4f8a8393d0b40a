"""Nodes of a plan as SELECTs: one function a node, found by its class.

Those of one family stand in a module of their own, which registers them with :func:`print_node`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch
from typing import TYPE_CHECKING

from fluxcore.core.quotes import quoted
from fluxcore.core.schema import TimeKind
from fluxcore.core.user_code import title_of
from fluxcore.expr.nodes import ColumnRef, walk
from fluxcore.plan import nodes
from fluxcore.plan.columns import distinct_names
from fluxcore.targets.flink.portability import Report, source_line
from fluxcore.targets.flink.python.plans import PlanFunctions
from fluxcore.targets.flink.python.shipment import FOLDER
from fluxcore.targets.flink.sql.blocks import Block, Item, columns
from fluxcore.targets.flink.sql.expressions import Expressions
from fluxcore.targets.flink.sql.identifiers import Names, comment
from fluxcore.targets.flink.sql.tables import Declaration, Tables, declaration_of
from fluxcore.targets.flink.sql.type_names import type_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fluxcore.core.schema import Schema
    from fluxcore.core.settings import Settings
    from fluxcore.expr.nodes import Expr

_PLACE_MAX = 100
_FEW_ROWS = 3
"""So few constant rows are written again rather than named."""


class Printer:
    """Prints the nodes of the plans of one job; tables, views and what is unportable are gathered.

    In: ``shared`` nodes whose rows several others take: each becomes a view.
    """

    def __init__(self, settings: Settings, shared: set[nodes.Node]) -> None:
        self.settings = settings
        self.report = Report()
        self.zone = settings.zone.tzinfo
        self.streaming = settings.text("execution.runtime-mode").lower() != "batch"
        self.names = Names()
        self.tables = Tables(self.names, self.report, self.zone)
        self.functions = PlanFunctions(self.report, settings.text(FOLDER))
        self.views: list[str] = []
        self._shared = shared
        self._known: dict[nodes.Node, Block] = {}
        self._named: dict[tuple[nodes.Node, frozenset[str]], Block] = {}

    def block(self, node: nodes.Node) -> Block:
        """Return the SELECT of a node."""
        if node in self._known:
            return self._known[node]
        declared = declaration_of(node)
        found = self.tables.block(declared) if declared else print_node(node, self)
        if node in self._shared and not found.is_table and not _is_small(node):
            found = self._view(found, found.names)
        self._known[node] = found
        return found

    def named(self, node: nodes.Node, avoid: Iterable[str] = ()) -> Block:
        """Return the SELECT of a table or view that stands for a node, none of whose columns has a name in ``avoid``."""
        taken = frozenset(avoid)
        key = (node, taken)
        if key not in self._named:
            block = self.block(node)
            free = Names()
            for name in taken:
                free.take(name)
            names = tuple(free.take(name) for name in block.names)
            plain = block.is_table and names == block.names
            self._named[key] = block if plain else self._view(block, names)
        return self._named[key]

    def name_view(self, block: Block) -> Block:
        """Return a view of a SELECT."""
        return self._view(block, block.names)

    def expressions(self, items: Sequence[Item], node: nodes.Node) -> Expressions:
        """Return the printer of a node's expressions over these columns."""
        return Expressions(items, self.report, self.zone, place_of(node), self.functions)

    def _view(self, block: Block, names: tuple[str, ...]) -> Block:
        name = self.names.take("view")
        self.views.append(f"CREATE TEMPORARY VIEW {quoted(name)} AS\n{block.text(names)}")
        return Block.of_table(name, names)


def place_of(node: nodes.Node) -> str:
    """Return a node in one short line, to say where something stands."""
    shown = node.describe()
    return shown if len(shown) <= _PLACE_MAX else shown[:_PLACE_MAX] + "…"


def _is_small(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Values) and len(node.rows) <= _FEW_ROWS


def references_of(exprs: Iterable[Expr]) -> list[int]:
    """Return the columns that expressions read, each as often as it is read."""
    return [each.index for expr in exprs for each in walk(expr) if isinstance(each, ColumnRef)]


@singledispatch
def print_node(node: nodes.Node, printer: Printer) -> Block:
    """Return the SELECT of a node. A node that Flink SQL has nothing like is reported, and gives NULLs of its columns."""
    why = "Flink SQL has nothing like it"
    printer.report.add(type(node).__name__, why, place_of(node))
    return placeholder(node, printer, place_of(node))


def placeholder(node: nodes.Node, printer: Printer, note: str) -> Block:
    """Return a SELECT that stands for the rows of a node that Flink can't compute: NULLs in its columns."""
    sources = [printer.block(each) for each in node.inputs]
    names = distinct_names(node.schema.names)
    items = tuple(Item(f"CAST(NULL AS {type_name(column.type)})", plain=False) for column in node.schema)
    source = sources[0].relation() if sources else ""
    return Block(source, items, names, done=True, note=comment(f"not in Flink: {note}")).nested()


@print_node.register
def _scan(node: nodes.Scan, printer: Printer) -> Block:
    table = printer.tables.block(Declaration(node.table))
    names = distinct_names(node.schema.names)
    found = replace(table, items=tuple(table.items[index] for index in node.columns), names=names, whole=False)
    keys = tuple(table.items[index] for index in node.table.partitioned_by)
    for items, condition in ((keys, node.partitions), (found.items, node.predicate)):
        if condition is not None:
            found = found.filtered(printer.expressions(items, node).text(condition))
    return found


@print_node.register
def _values(node: nodes.Values, printer: Printer) -> Block:
    names = distinct_names(node.schema.names)
    rows = ",\n".join(f"  ({', '.join(_constant(each, printer, node) for each in row)})" for row in node.rows)
    if not node.rows:
        return _no_rows(node.schema)
    listed = ", ".join(quoted(name) for name in names)
    return Block(f"(VALUES\n{rows}\n) AS {quoted('rows')}({listed})", columns(names), names, whole=True)


def _constant(constant: Expr, printer: Printer, node: nodes.Node) -> str:
    shown = printer.expressions((), node).text(constant)
    return "CAST(NULL AS STRING)" if shown == "NULL" else shown


def _no_rows(schema: Schema) -> Block:
    names = distinct_names(schema.names)
    items = ", ".join(f"CAST(NULL AS {type_name(column.type)})" for column in schema)
    listed = ", ".join(quoted(name) for name in names)
    return Block(
        f"(VALUES ({items})) AS {quoted('rows')}({listed})", columns(names), names, whole=True, where=("FALSE",)
    )


@print_node.register
def _project(node: nodes.Project, printer: Printer) -> Block:
    wanted = references_of(node.exprs)
    names = distinct_names(node.names)
    source = node.input
    if isinstance(source, nodes.Values) and len(source.rows) == 1 and not wanted:
        expressions = printer.expressions((), node)
        return Block("", tuple(expressions.item(each) for each in node.exprs), names)
    return projected(node, printer.block(source), printer)


def projected(node: nodes.Project, block: Block, printer: Printer) -> Block:
    """Return the columns of a projection over the block of its input."""
    block = block.ready(references_of(node.exprs))
    names = distinct_names(node.names)
    expressions = printer.expressions(block.items, node)
    items = tuple(expressions.item(each) for each in node.exprs)
    return replace(block, items=items, names=names, whole=block.whole and (items, names) == (block.items, block.names))


@print_node.register
def _filter(node: nodes.Filter, printer: Printer) -> Block:
    block = printer.block(node.input).ready(references_of([node.condition]), open_=True)
    return block.filtered(printer.expressions(block.items, node).condition(node.condition))


@print_node.register
def _assign_watermark(node: nodes.AssignWatermark, printer: Printer) -> Block:
    why = "Flink SQL declares watermarks with a table"
    printer.report.add("a watermark on a query", why, place_of(node))
    return printer.block(node.input)


@print_node.register
def _stamp_time(node: nodes.StampTime, printer: Printer) -> Block:
    """Return the rows as they are: PROCTIME() is the time by itself."""
    return printer.block(node.input)


@print_node.register
def _union(node: nodes.Union, printer: Printer) -> Block:
    names = distinct_names(node.schema.names)
    parts = [_branch(printer.block(each)) for each in node.branches]
    texts = [part.text(names if place == 0 else None) for place, part in enumerate(parts)]
    return Block.of_query("\nUNION ALL\n".join(texts), names)


def _branch(block: Block) -> Block:
    """Return a branch of a union; one with a LIMIT is a sub-query, whose LIMIT is its own."""
    return block.nested() if block.order or block.limit is not None or block.offset else block


@print_node.register
def _sort(node: nodes.Sort, printer: Printer) -> Block:
    if printer.streaming and node.limit is None and (node.keys or node.offset):
        first = node.input.schema[node.keys[0].column] if node.keys else None
        if node.offset:
            printer.report.add("OFFSET without LIMIT", "Flink skips rows in streams only with a LIMIT", place_of(node))
        elif first is not None and (first.time is not TimeKind.EVENT or node.keys[0].descending):
            why = "Flink orders a stream by its event time, ascending, or with a LIMIT; execution.runtime-mode=batch orders all"
            printer.report.add(f"ORDER BY {node.keys[0].describe(node.input.schema)}", why, place_of(node))
    return ordered(printer.block(node.input), node.keys, node.limit, node.offset)


@print_node.register
def _time_sort(node: nodes.TimeSort, printer: Printer) -> Block:
    return ordered(printer.block(node.input), node.keys, None, 0)


def ordered(block: Block, keys: Sequence[nodes.SortKey], limit: int | None, offset: int) -> Block:
    """Return the rows in an order; columns bear their table's name, which no alias of the SELECT can take."""
    if not keys and block.limit is None and not block.offset:
        return replace(block, limit=limit, offset=offset, done=True, over=False)
    nested = block.nested("t") if keys else block.nested()
    order = tuple(sort_key(nested.items[key.column].sql, key) for key in keys)
    return replace(nested, order=order, limit=limit, offset=offset, done=True, table=False)


def sort_key(sql: str, key: nodes.SortKey) -> str:
    """Return one key of ORDER BY."""
    nulls = "" if key.nulls_first != key.descending else f" NULLS {'FIRST' if key.nulls_first else 'LAST'}"
    return f"{sql}{' DESC' if key.descending else ''}{nulls}"


@print_node.register
def _process(node: nodes.Process, printer: Printer) -> Block:
    title = title_of(node.function)
    function = getattr(node.function, "function", getattr(node.function, "make", node.function))
    why = "it is Python on the rows of a stream, which Flink SQL has no place for"
    printer.report.add(f"the function {title}", why, source_line(function) or place_of(node))
    return placeholder(node, printer, place_of(node))


@print_node.register
def _map(node: nodes.Map, printer: Printer) -> Block:
    why = (
        "it is Python on whole rows, which Flink SQL has no place for; functions of columns (fx.udf, fx.udtf) go along"
    )
    printer.report.add(f"the function {node.function.name}", why, source_line(node.function.function) or place_of(node))
    return placeholder(node, printer, place_of(node))


@print_node.register
def _connect(node: nodes.Connect, printer: Printer) -> Block:
    why = "Flink SQL has no function over two streams"
    name = type(node.function).__name__
    printer.report.add(f"the function {name}", why, source_line(node.function) or place_of(node))
    return placeholder(node, printer, place_of(node))


@print_node.register
def _side_output(node: nodes.SideOutput, printer: Printer) -> Block:
    what = "late rows as a stream" if node.tag == "late" else f"the side output '{node.tag}'"
    printer.report.add(what, "Flink SQL has no side outputs", place_of(node.input))
    return placeholder(node, printer, what)
