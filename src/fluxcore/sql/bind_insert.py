"""Binds INSERT: the query's columns, constants of PARTITION and NULLs become the table's columns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.core.schema import Schema
from fluxcore.errors import ScriptError, nearest
from fluxcore.expr import build
from fluxcore.expr.fold import fold
from fluxcore.expr.nodes import Expr, Literal
from fluxcore.plan.columns import references
from fluxcore.plan.nodes import Insert, Node, Project
from fluxcore.sql.bind_expressions import ExpressionBinder
from fluxcore.sql.change_formats import holds_changes, write_changes
from fluxcore.sql.scope import Scope

if TYPE_CHECKING:
    from fluxcore.core.ports import TableDescription
    from fluxcore.core.schema import Column
    from fluxcore.errors import Span
    from fluxcore.sql.statements import Insert as InsertTree


def bind_insert(tree: InsertTree, table: TableDescription, query: Node) -> Insert:
    """Return the insert: the query's columns in the table's order and types.

    Raises: ``ScriptError`` FX-SQL-0507 for a wrong number of columns, FX-SQL-0312 for types that don't fit, FX-SQL-0508 for
    a NOT NULL column without a value, FX-SQL-0506 for a PARTITION that isn't one.
    """
    constants = _constants(tree, table)
    targets = _targets(tree, table.schema, set(constants))
    if len(targets) != len(query.schema):
        message = f"the query gives {len(query.schema)} columns, and '{table.name}' takes {len(targets)}"
        hint = f"the table's columns: {', '.join(column.describe() for column in table.schema)}"
        raise ScriptError("FX-SQL-0507", message, span=tree.query.span, hint=hint)
    given: dict[int, Expr] = dict(zip(targets, references(query), strict=True))
    exprs: list[Expr] = []
    for index, column in enumerate(table.schema):
        source = given.get(index)
        if index in constants:
            exprs.append(constants[index])
        elif source is None:
            if not column.type.nullable:
                message = f"'{column.name}' is NOT NULL and gets no value"
                raise ScriptError("FX-SQL-0508", message, span=tree.table_span)
            exprs.append(build.cast(build.literal(None), column.type))
        else:
            what = f"column '{column.name}' of '{table.name}'"
            exprs.append(build.coerce(source, column.type, what, span=tree.query.span))
    projected = Project(query, tuple(exprs), tuple(table.schema.names))
    found = Insert(projected, table, tree.span, tree.overwrite, tuple(sorted(constants.items())))
    return write_changes(found) if holds_changes(table) else found


def _constants(tree: InsertTree, table: TableDescription) -> dict[int, Literal]:
    """Return the constants of PARTITION by the positions of their columns."""
    found: dict[int, Literal] = {}
    binder = ExpressionBinder(Scope.of(Schema(())), place="in PARTITION")
    for name, value in tree.partition:
        index = table.schema.find(name)
        if index is None:
            hint = nearest(name, table.schema.names)
            raise ScriptError("FX-SQL-0201", f"there is no column '{name}'", span=tree.table_span, hint=hint)
        if index not in table.partitioned_by:
            keys = ", ".join(table.schema[i].name for i in table.partitioned_by)
            hint = f"PARTITIONED BY names {keys}" if keys else "the table has no PARTITIONED BY"
            message = f"PARTITION names '{name}', by which the table is not partitioned"
            raise ScriptError("FX-SQL-0506", message, span=value.span, hint=hint)
        if index in found:
            raise ScriptError("FX-SQL-0506", f"PARTITION names '{name}' twice", span=value.span)
        found[index] = _constant(binder.bind(value), table.schema[index], value.span)
    return found


def _constant(expr: Expr, column: Column, span: Span) -> Literal:
    bound = fold(build.cast(expr, column.type.with_nullable(True), span=span))
    if not isinstance(bound, Literal):
        wrong = isinstance(fold(expr), Literal)
        message = f"this is no {column.type.name()}, which '{column.name}' is" if wrong else "PARTITION wants constants"
        raise ScriptError("FX-SQL-0506", message, span=span)
    if bound.value is None and not column.type.nullable:
        raise ScriptError("FX-SQL-0508", f"'{column.name}' is NOT NULL and gets NULL", span=span)
    return replace(bound, type=column.type)


def _targets(tree: InsertTree, schema: Schema, constants: set[int]) -> list[int]:
    if not tree.columns:
        return [index for index in range(len(schema)) if index not in constants]
    found: list[int] = []
    for name in tree.columns:
        index = schema.find(name)
        if index is None:
            hint = nearest(name, schema.names)
            raise ScriptError("FX-SQL-0201", f"there is no column '{name}'", span=tree.table_span, hint=hint)
        if index in found or index in constants:
            raise ScriptError("FX-SQL-0507", f"the column '{name}' gets a value twice", span=tree.table_span)
        found.append(index)
    return found
