"""Formats whose rows are changes of a table: Debezium's JSON, which is read and written as plain JSON of its messages.

A message has the row before the change, the row after it, and what was done: ``c`` and ``r`` make a row, ``u`` updates one, ``d``
deletes one. Source: Debezium's documentation, and Flink's format ``debezium-json``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.core.schema import Column, Schema
from fluxcore.core.types import STRING, ArrayType, RowType
from fluxcore.errors import not_supported
from fluxcore.expr import build
from fluxcore.expr.nodes import ColumnRef
from fluxcore.expr.table_calls import unnest_call
from fluxcore.plan.changes import FromChangelog, ToChangelog
from fluxcore.plan.columns import references
from fluxcore.plan.correlate import Correlate
from fluxcore.plan.nodes import Insert, Project, Scan

if TYPE_CHECKING:
    from fluxcore.core.ports import TableDescription
    from fluxcore.expr.nodes import Expr
    from fluxcore.plan.nodes import Node

CHANGE_FORMAT = "debezium-json"
"""The name of the format, which is not one of bytes but of a plan over plain JSON."""
_WRAPPED = f"{CHANGE_FORMAT}.schema-include"
_OP = "$op"
_KINDS = ("INSERT", "UPDATE_BEFORE", "UPDATE_AFTER", "DELETE")
_CODES = tuple((kind, kind) for kind in _KINDS)


def holds_changes(table: TableDescription) -> bool:
    """Return whether a table's format says what changes rather than what there is."""
    return table.options.get("format") == CHANGE_FORMAT


def messages(table: TableDescription) -> TableDescription:
    """Return the table of the messages, in JSON. Raises ``ScriptError`` FX-SQL-0900 for partitions and metadata."""
    if table.partitioned_by or table.metadata:
        what = f"{CHANGE_FORMAT} of a table with {'PARTITIONED BY' if table.partitioned_by else 'METADATA'}"
        raise not_supported(what, span=table.span)
    row = RowType(fields=tuple((column.name, column.type.with_nullable(True)) for column in table.schema))
    parts = (("before", row), ("after", row), ("op", STRING))
    wrapped = _wrapped(table)
    columns = [Column("payload", RowType(fields=parts))] if wrapped else [Column(name, type_) for name, type_ in parts]
    options = {
        _plain(key): "json" if key == "format" else value for key, value in table.options.items() if key != _WRAPPED
    }
    spans = {_plain(key): span for key, span in table.spans.items()}
    return replace(
        table, schema=Schema.of(columns), options=options, spans=spans, time_column=None, primary_key=()
    )  # fmt: skip


def read_changes(table: TableDescription) -> Node:
    """Return the plan that reads a table of changes: its columns, in rows that come and are taken back."""
    found = messages(table)
    scan: Node = Scan(found, tuple(range(len(found.schema))))
    whole = references(scan)
    before, after, op = (_field(whole[0], name) for name in ("before", "after", "op")) if _wrapped(table) else whole
    changed = unnest_call(_changes(table, before, after, op))
    names = (_OP, *table.schema.names)
    first = len(scan.schema) + 1
    key = tuple(first + place for place in table.primary_key)
    rows = FromChangelog(Correlate(scan, changed, names), len(scan.schema), _CODES, key)
    columns = (
        ColumnRef(index=first + place, type=column.type, name=column.name) for place, column in enumerate(table.schema)
    )
    return Project(rows, tuple(columns), tuple(table.schema.names))


def write_changes(insert: Insert) -> Insert:
    """Return the insert of the messages that tell the changes of an insert's rows."""
    table = insert.table
    if _wrapped(table):
        raise not_supported(f"writing {CHANGE_FORMAT} with its schema", span=table.spans.get(_WRAPPED))
    told = ToChangelog(insert.input, _CODES, _OP)
    *columns, op = references(told)
    target = messages(table)
    row = build.cast(build.call("ROW", columns), target.schema[0].type)
    gone = build.call("IN", [op, build.literal("UPDATE_BEFORE"), build.literal("DELETE")])
    nothing = build.literal(None, row.type)
    before, after = build.call("CASE", [gone, row, nothing]), build.call("CASE", [gone, nothing, row])
    code = build.call("CASE", [gone, build.literal("d"), build.literal("c")])
    exprs = (before, after, build.cast(code, STRING))
    return replace(insert, input=Project(told, exprs, tuple(target.schema.names)), table=target)


def _wrapped(table: TableDescription) -> bool:
    return table.options.get(_WRAPPED, "false").lower() == "true"


def _plain(key: str) -> str:
    return f"json{key.removeprefix(CHANGE_FORMAT)}" if key.startswith(f"{CHANGE_FORMAT}.") else key


def _changes(table: TableDescription, before: Expr, after: Expr, op: Expr) -> Expr:
    """Return the changes of a message: an array of rows that say what happens, and to which row."""
    names = tuple(table.schema.names)
    given = {name: column.type.with_nullable(True) for name, column in zip(names, table.schema, strict=True)}
    element = RowType(fields=((_OP, STRING), *given.items()))

    def change(kind: Expr, side: Expr | None) -> Expr:
        cells = [
            _field(side, name) if side is not None else build.literal(None, type_) for name, type_ in given.items()
        ]
        return build.cast(build.call("ROW", [kind, *cells]), element)

    def array(*rows: Expr) -> Expr:
        return build.call("ARRAY", rows)

    def where(*conditions: Expr) -> Expr:
        return build.call("AND", conditions) if len(conditions) > 1 else conditions[0]

    def known(side: Expr) -> Expr:
        return build.call("IS NOT NULL", [side])

    made = build.call("IN", [op, build.literal("c"), build.literal("r")])
    updated, deleted = (build.call("=", [op, build.literal(code)]) for code in ("u", "d"))
    insert, old, new, delete = (build.literal(kind) for kind in _KINDS)
    ignore = table.options.get(f"{CHANGE_FORMAT}.ignore-parse-errors", "false").lower() == "true"
    wrong = build.literal(None, ArrayType(element=element)) if ignore else array(change(_complaint(op), None))
    return build.call(
        "CASE",
        [
            where(made, known(after)), array(change(insert, after)),
            where(updated, known(before), known(after)), array(change(old, before), change(new, after)),
            where(deleted, known(before)), array(change(delete, before)),
            wrong,
        ],
    )  # fmt: skip


def _complaint(op: Expr) -> Expr:
    """Return a code that is none, for a message that is no change; it names what is wrong in the error that follows."""
    lacking = build.call("IN", [op, *(build.literal(code) for code in ("c", "r", "u", "d"))])
    without = build.call("||", [op, build.literal(" without its rows")])
    return build.call("CASE", [lacking, without, op])


def _field(row: Expr, name: str) -> Expr:
    return build.call("FIELD", [row, build.literal(name)])
