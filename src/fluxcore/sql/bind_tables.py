"""Binds the definition of a table: its columns, its watermark, its keys, and how its connector reads and writes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fluxcore.core import registry
from fluxcore.core.ports import TableDescription
from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import TimestampType
from fluxcore.errors import ScriptError, nearest
from fluxcore.expr import build
from fluxcore.expr.fold import fold
from fluxcore.expr.nodes import Call, Cast, Expr
from fluxcore.plan.nodes import AssignWatermark, Node, Project, Scan, StampTime
from fluxcore.sql.ast import Name
from fluxcore.sql.bind_expressions import ExpressionBinder
from fluxcore.sql.change_formats import holds_changes, messages, read_changes
from fluxcore.sql.scope import Scope
from fluxcore.sql.statements import CreateTable
from fluxcore.sql.table_options import check_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fluxcore.errors import Span
    from fluxcore.sql.ast import OptionPair, TableName
    from fluxcore.sql.catalog import Catalog
    from fluxcore.sql.statements import ColumnDefinition


@dataclass(frozen=True)
class BoundTable:
    """A table as its connector reads it (``table``) and writes it (``target``), and the plan that reads it with all columns."""

    table: TableDescription
    target: TableDescription
    node: Node


def bind_table(tree: CreateTable) -> BoundTable:
    """Return a table from its definition.

    Raises: ``ScriptError`` FX-SQL-0201, 04xx and 05xx with the place of what is wrong.
    """
    check_columns(tree)
    options, spans = _options(tree)
    keys = _metadata_keys(tree, options)
    stored = tuple(column for column in tree.columns if column.computed is None)
    if not stored:
        raise ScriptError("FX-SQL-0504", "a table needs at least one column that is not computed", span=tree.span)
    table = _description(tree, stored, keys, options, spans)
    node = checked_columns(table)
    if any(column.type is None or column.metadata is not None for column in tree.columns):
        node = _all_columns(tree, node)
    if tree.watermark is not None:
        node = _watermark(tree, node)
    written = tuple(column for column in stored if not column.virtual)
    target = table if table.metadata == {} else _description(tree, written, {}, options, spans)
    return BoundTable(table, target, node)


def checked_columns(table: TableDescription) -> Node:
    """Check a table's options, and return what :func:`stored_columns` does. Raises as :func:`check_options`."""
    check_options(messages(table) if holds_changes(table) else table)
    return stored_columns(table)


def stored_columns(table: TableDescription) -> Node:
    """Return the plan that reads the columns which a table's connector keeps."""
    return read_changes(table) if holds_changes(table) else Scan(table, tuple(range(len(table.schema))))


def check_columns(tree: CreateTable) -> None:
    """Check what can be said of a table without its connector: names that stand twice, and the primary key.

    Raises: ``ScriptError`` FX-SQL-0503 and 0506.
    """
    names = [column.name for column in tree.columns]
    for column in tree.columns:
        if names.count(column.name) > 1:
            raise ScriptError("FX-SQL-0503", f"the column '{column.name}' stands twice", span=column.span)
    if tree.primary_key is None:
        return
    physical = [column.name for column in tree.columns if column.type is not None and column.metadata is None]
    key = tree.primary_key
    for name in key.columns:
        if name in names and name not in physical:
            message = f"PRIMARY KEY names '{name}', which is not stored: it is computed, or metadata"
            raise ScriptError("FX-SQL-0506", message, span=key.span)
        if name not in names:
            message = f"PRIMARY KEY names '{name}', which is no column"
            raise ScriptError("FX-SQL-0506", message, span=key.span, hint=nearest(name, physical))
        if key.columns.count(name) > 1:
            raise ScriptError("FX-SQL-0506", f"PRIMARY KEY names '{name}' twice", span=key.span)


def with_key_not_null(tree: CreateTable) -> CreateTable:
    """Return the definition with the columns of its primary key NOT NULL."""
    if tree.primary_key is None:
        return tree
    keys = tree.primary_key.columns
    columns = tuple(
        replace(c, type=c.type.with_nullable(False)) if c.name in keys and c.type is not None else c
        for c in tree.columns
    )
    return replace(tree, columns=columns)


def with_hint(catalog: Catalog, name: TableName) -> Node:
    """Return the plan of a table with the options of its hint.

    Raises: ``ScriptError`` FX-SQL-0111 for what is no table, and as :func:`bind_table`.
    """
    tree = hinted(catalog, name.parts, name.options, name.span)
    bound = bind_table(tree)
    connector = bound.table.options["connector"]
    if not registry.connector(connector).readable():
        message = f"'{name.parts[-1]}' can't be read: its connector '{connector}' only writes"
        raise ScriptError("FX-CON-0003", message, span=name.span)
    return bound.node


def hinted(catalog: Catalog, parts: tuple[str, ...], hints: tuple[OptionPair, ...], span: Span) -> CreateTable:
    """Return a table's definition with the options of a hint. Raises ``ScriptError`` FX-SQL-0111 for what is no table."""
    entry = catalog.get(parts, span)
    if not isinstance(entry.tree, CreateTable):
        message = f"'{parts[-1]}' is no table with options: the hint OPTIONS has no meaning here"
        raise ScriptError("FX-SQL-0111", message, span=span)
    given = {pair.key: pair for pair in (*entry.tree.options, *hints)}
    return replace(entry.tree, options=tuple(given.values()), span=span)


def _options(tree: CreateTable) -> tuple[dict[str, str], dict[str, Span]]:
    options: dict[str, str] = {}
    for pair in tree.options:
        if pair.key in options:
            raise ScriptError("FX-SQL-0505", f"the option '{pair.key}' stands twice", span=pair.span)
        options[pair.key] = pair.value
    return options, {pair.key: pair.span for pair in tree.options}


def _metadata_keys(tree: CreateTable, options: Mapping[str, str]) -> dict[str, tuple[str, Column]]:
    """Return the key of each metadata column, and the column as the connector fills it."""
    wanted = [column for column in tree.columns if column.metadata is not None]
    if not wanted or "connector" not in options:
        return {}
    name = options["connector"]
    span = next((pair.span for pair in tree.options if pair.key == "connector"), None)
    known = registry.connector(name, span=span).metadata(options)
    found = {}
    for column in wanted:
        assert column.metadata is not None
        if column.metadata not in known:
            hint = nearest(column.metadata, known) or (f"the keys are {', '.join(known)}" if known else None)
            message = (
                f"connector '{name}' has no metadata '{column.metadata}'" if known else f"'{name}' has no metadata"
            )
            raise ScriptError("FX-SQL-0509", message, span=column.span, hint=hint)
        found[column.name] = (column.metadata, Column(column.name, known[column.metadata]))
    return found


def _description(
    tree: CreateTable, columns: tuple[ColumnDefinition, ...], keys: Mapping[str, tuple[str, Column]],
    options: Mapping[str, str], spans: Mapping[str, Span],
) -> TableDescription:  # fmt: skip
    found = []
    for column in columns:
        assert column.type is not None
        found.append(keys[column.name][1] if column.name in keys else Column(column.name, column.type))
    schema = Schema.of(found)

    def positions(names: tuple[str, ...], what: str) -> tuple[int, ...]:
        places = []
        for name in names:
            index = schema.find(name)
            if index is None:
                message = f"{what} names '{name}', which is no column that is stored"
                raise ScriptError("FX-SQL-0506", message, span=tree.span, hint=nearest(name, schema.names))
            if index in places:
                raise ScriptError("FX-SQL-0506", f"{what} names '{name}' twice", span=tree.span)
            places.append(index)
        return tuple(places)

    key = tree.primary_key.columns if tree.primary_key is not None else ()
    return TableDescription(
        name=tree.name[-1],
        schema=schema,
        options=options,
        time_column=schema.find(tree.watermark.column) if tree.watermark is not None else None,
        primary_key=positions(key, "PRIMARY KEY"),
        partitioned_by=positions(tree.partitioned, "PARTITIONED BY"),
        metadata={i: keys[c.name][0] for i, c in enumerate(columns) if c.name in keys},
        span=tree.span,
        spans=spans,
    )


def _all_columns(tree: CreateTable, scan: Node) -> Node:
    """Return the plan with computed columns, and with metadata in the types that the table declares."""
    base = Scope.of(scan.schema)
    stored: dict[str, Expr] = {}
    for column in tree.columns:
        if column.type is not None:
            expr: Expr = base.resolve([column.name], column.span)
            if column.metadata is not None and expr.type != column.type:
                expr = build.cast(expr, column.type, span=column.span)
            stored[column.name] = expr
    node = scan
    if any(c.metadata is not None for c in tree.columns):
        node = Project(scan, tuple(stored.values()), tuple(stored))
    if all(column.type is not None for column in tree.columns):
        return node
    scope = Scope.of(node.schema)
    binder = ExpressionBinder(scope, place="in a computed column")
    exprs: list[Expr] = []
    for column in tree.columns:
        if column.computed is not None:
            exprs.append(binder.bind(column.computed))
        else:
            exprs.append(scope.resolve([column.name], column.span))
    return Project(node, tuple(exprs), tuple(column.name for column in tree.columns))


def _watermark(tree: CreateTable, node: Node) -> Node:
    assert tree.watermark is not None
    name, expression, span = tree.watermark.column, tree.watermark.expr, tree.watermark.span
    index = node.schema.find(name)
    if index is None:
        hint = nearest(name, node.schema.names)
        raise ScriptError("FX-SQL-0201", f"there is no column '{name}'", span=span, hint=hint)
    type_ = node.schema[index].type
    if not isinstance(type_, TimestampType) or type_.precision > 3:
        message = f"a watermark needs a TIMESTAMP(3) or TIMESTAMP_LTZ(3) column, and '{name}' is {type_.name()}"
        hint = f"compute one: t AS CAST({name} AS TIMESTAMP(3))"
        raise ScriptError("FX-SQL-0408", message, span=span, hint=hint)
    if _is_clock(node, index):
        if not isinstance(expression, Name) or expression.parts != (name,):
            message = "the time of ingestion never comes out of order"
            hint = f"WATERMARK FOR {name} AS {name}"
            raise ScriptError("FX-SQL-0409", message, span=expression.span, hint=hint)
        return StampTime(node, index)
    expr = fold(ExpressionBinder(Scope.of(node.schema), place="in WATERMARK").bind(expression))
    if not isinstance(expr.type, TimestampType):
        message = f"the watermark must be a TIMESTAMP, and this is {expr.type.name()}"
        raise ScriptError("FX-SQL-0409", message, span=expression.span)
    return AssignWatermark(node, index, expr)


def _is_clock(node: Node, index: int) -> bool:
    """Return whether a column is computed from the clock: PROCTIME(), converted or not."""
    expr = node.exprs[index] if isinstance(node, Project) else None
    while isinstance(expr, Cast):
        expr = expr.arg
    return isinstance(expr, Call) and expr.function == "PROCTIME"
