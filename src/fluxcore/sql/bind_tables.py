"""Binds CREATE TABLE and INSERT."""

from __future__ import annotations

from fluxcore.core.ports import TableDescription
from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import TimestampType
from fluxcore.errors import ScriptError, nearest, not_supported
from fluxcore.expr import build
from fluxcore.expr.fold import fold
from fluxcore.expr.nodes import Call, Cast, Expr
from fluxcore.plan.columns import references
from fluxcore.plan.nodes import AssignWatermark, Insert, Node, Project, Scan, StampTime
from fluxcore.sql import ast
from fluxcore.sql import statements as st
from fluxcore.sql.bind_expressions import ExpressionBinder
from fluxcore.sql.catalog import check_options
from fluxcore.sql.scope import Scope


def bind_table(tree: st.CreateTable) -> tuple[TableDescription, Node]:
    """Return the table as its connector sees it, and the plan that reads it with computed columns and watermark.

    Raises: ``ScriptError`` FX-SQL-0201, 04xx and 05xx with the place of what is wrong.
    """
    names = [column.name for column in tree.columns]
    for column in tree.columns:
        if names.count(column.name) > 1:
            raise ScriptError("FX-SQL-0503", f"the column '{column.name}' stands twice", span=column.span)
        if column.metadata is not None:
            raise not_supported("a METADATA column", span=column.span)
    physical = Schema.of(Column(c.name, c.type) for c in tree.columns if c.type is not None)
    if not physical.columns:
        raise ScriptError("FX-SQL-0504", "a table needs at least one column that is not computed", span=tree.span)
    description = _description(tree, physical)
    check_options(description)
    node: Node = Scan(description, tuple(range(len(physical))))
    if any(column.computed is not None for column in tree.columns):
        node = _computed(tree, node)
    if tree.watermark is not None:
        node = _watermark(tree, node)
    return description, node


def _description(tree: st.CreateTable, physical: Schema) -> TableDescription:
    options: dict[str, str] = {}
    spans = {}
    for key, value, key_span, _ in tree.options:
        if key in options:
            raise ScriptError("FX-SQL-0505", f"the option '{key}' stands twice", span=key_span)
        options[key] = value
        spans[key] = key_span

    def positions(columns: tuple[str, ...], what: str) -> tuple[int, ...]:
        found = []
        for name in columns:
            index = physical.find(name)
            if index is None:
                message = f"{what} names '{name}', which is no column"
                raise ScriptError("FX-SQL-0506", message, span=tree.span, hint=nearest(name, physical.names))
            found.append(index)
        return tuple(found)

    return TableDescription(
        name=tree.name[-1],
        schema=physical,
        options=options,
        time_column=physical.find(tree.watermark[0]) if tree.watermark is not None else None,
        primary_key=positions(tree.primary_key, "PRIMARY KEY"),
        partitioned_by=positions(tree.partitioned, "PARTITIONED BY"),
        span=tree.span,
        spans=spans,
    )


def _computed(tree: st.CreateTable, scan: Node) -> Node:
    scope = Scope.of(scan.schema)
    binder = ExpressionBinder(scope, place="in a computed column")
    exprs: list[Expr] = []
    for column in tree.columns:
        if column.computed is not None:
            exprs.append(binder.bind(column.computed))
        else:
            exprs.append(scope.resolve([column.name], column.span))
    return Project(scan, tuple(exprs), tuple(column.name for column in tree.columns))


def _watermark(tree: st.CreateTable, node: Node) -> Node:
    assert tree.watermark is not None
    name, expression, span = tree.watermark
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
        if not isinstance(expression, ast.Name) or expression.parts != (name,):
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


def bind_insert(tree: st.Insert, table: TableDescription, query: Node) -> Insert:
    """Return the insert: the query's columns in the table's order and types.

    Raises: ``ScriptError`` FX-SQL-0507 for a wrong number of columns, FX-SQL-0312 for types that don't fit.
    """
    targets = _targets(tree, table.schema)
    if len(targets) != len(query.schema):
        message = f"the query gives {len(query.schema)} columns, and '{table.name}' takes {len(targets)}"
        hint = f"the table's columns: {', '.join(column.describe() for column in table.schema)}"
        raise ScriptError("FX-SQL-0507", message, span=tree.query.span, hint=hint)
    given = dict(zip(targets, references(query), strict=True))
    exprs: list[Expr] = []
    for index, column in enumerate(table.schema):
        source = given.get(index)
        if source is None:
            if not column.type.nullable:
                message = f"'{column.name}' is NOT NULL and gets no value"
                raise ScriptError("FX-SQL-0508", message, span=tree.table_span)
            exprs.append(build.cast(build.literal(None), column.type))
            continue
        what = f"column '{column.name}' of '{table.name}'"
        exprs.append(build.coerce(source, column.type, what, span=tree.query.span))
    return Insert(Project(query, tuple(exprs), tuple(table.schema.names)), table, tree.span)


def _targets(tree: st.Insert, schema: Schema) -> list[int]:
    if not tree.columns:
        return list(range(len(schema)))
    found = []
    for name in tree.columns:
        index = schema.find(name)
        if index is None:
            hint = nearest(name, schema.names)
            raise ScriptError("FX-SQL-0201", f"there is no column '{name}'", span=tree.table_span, hint=hint)
        found.append(index)
    return found
