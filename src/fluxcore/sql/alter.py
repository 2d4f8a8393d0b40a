"""ALTER TABLE as a change of the table's definition: tree to tree."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fluxcore.errors import ScriptError, nearest
from fluxcore.sql import ast
from fluxcore.sql import statements as st
from fluxcore.sql.walk import nodes

if TYPE_CHECKING:
    from fluxcore.errors import Span


def altered(tree: st.CreateTable, change: st.Change) -> st.CreateTable:
    """Return the definition after a change.

    Raises: ``ScriptError`` FX-SQL-0515 for what doesn't go, with the reason.
    """
    match change:
        case st.SetSchema(modify=False):
            return _added(tree, change)
        case st.SetSchema():
            return _modified(tree, change)
        case st.DropSchema():
            return _dropped(tree, change)
        case st.RenameColumn():
            return _renamed(tree, change)
        case st.SetOptions():
            pairs = {pair.key: pair for pair in (*tree.options, *change.options)}
            return replace(tree, options=tuple(pairs.values()))
        case st.ResetOptions():
            if "connector" in change.keys:
                raise _refused("the option 'connector' can be SET to another one, but not RESET", change.span)
            return replace(tree, options=tuple(pair for pair in tree.options if pair.key not in change.keys))
    raise AssertionError(change)


def _refused(message: str, span: Span, hint: str | None = None) -> ScriptError:
    return ScriptError("FX-SQL-0515", message, span=span, hint=hint)


def _added(tree: st.CreateTable, change: st.SetSchema) -> st.CreateTable:
    columns = list(tree.columns)
    for placed in change.columns:
        if any(column.name == placed.column.name for column in columns):
            hint = f"ALTER TABLE … MODIFY changes '{placed.column.name}'"
            raise _refused(f"there is a column '{placed.column.name}' already", placed.span, hint)
        columns.insert(_place(columns, placed, len(columns)), placed.column)
    for new, old, what in (
        (change.watermark, tree.watermark, "a watermark"),
        (change.primary_key, tree.primary_key, "a primary key"),
        (change.distribution, tree.distribution, "a distribution"),
    ):
        if new is not None and old is not None:
            raise _refused(f"the table has {what} already", change.span, "ALTER TABLE … MODIFY changes it")
    return _with(tree, tuple(columns), change)


def _modified(tree: st.CreateTable, change: st.SetSchema) -> st.CreateTable:
    columns = list(tree.columns)
    for placed in change.columns:
        at = _find(columns, placed.column.name, placed.span)
        old = columns.pop(at)
        comment = placed.column.comment if placed.column.comment is not None else old.comment
        where = _place(columns, placed, at)
        columns.insert(where, replace(placed.column, comment=comment))
    for new, old_part, what in (
        (change.watermark, tree.watermark, "watermark"),
        (change.primary_key, tree.primary_key, "primary key"),
        (change.distribution, tree.distribution, "distribution"),
    ):
        if new is not None and old_part is None:
            raise _refused(f"the table has no {what}", change.span, "ALTER TABLE … ADD gives it one")
    return _with(tree, tuple(columns), change)


def _with(tree: st.CreateTable, columns: tuple[st.ColumnDefinition, ...], change: st.SetSchema) -> st.CreateTable:
    return replace(
        tree, columns=columns, watermark=change.watermark or tree.watermark,
        primary_key=change.primary_key or tree.primary_key, distribution=change.distribution or tree.distribution,
    )  # fmt: skip


def _place(columns: list[st.ColumnDefinition], placed: st.PlacedColumn, otherwise: int) -> int:
    if placed.first:
        return 0
    if placed.after is None:
        return otherwise
    return _find(columns, placed.after, placed.span) + 1


def _find(columns: list[st.ColumnDefinition], name: str, span: Span) -> int:
    names = [column.name for column in columns]
    if name not in names:
        raise ScriptError("FX-SQL-0201", f"there is no column '{name}'", span=span, hint=nearest(name, names))
    return names.index(name)


def _dropped(tree: st.CreateTable, change: st.DropSchema) -> st.CreateTable:
    match change.kind:
        case "PRIMARY KEY" | "CONSTRAINT":
            key = tree.primary_key
            if key is None:
                raise _refused("the table has no primary key", change.span)
            own = key.name or "_".join(("PK", *key.columns))
            if change.names and change.names[0] != own:
                raise _refused(f"the table has no constraint '{change.names[0]}'", change.span, f"it has '{own}'")
            return replace(tree, primary_key=None)
        case "WATERMARK":
            if tree.watermark is None:
                raise _refused("the table has no watermark", change.span)
            return replace(tree, watermark=None)
        case "DISTRIBUTION":
            if tree.distribution is None:
                raise _refused("the table has no distribution", change.span)
            return replace(tree, distribution=None)
    for name in change.names:
        _find(list(tree.columns), name, change.span)
        if change.names.count(name) > 1:
            raise _refused(f"'{name}' stands twice", change.span)
        _check_unused(tree, name, change.span, leaving=change.names)
    columns = tuple(column for column in tree.columns if column.name not in change.names)
    if not columns:
        raise _refused("a table needs at least one column", change.span)
    return replace(tree, columns=columns)


def _renamed(tree: st.CreateTable, change: st.RenameColumn) -> st.CreateTable:
    at = _find(list(tree.columns), change.old, change.span)
    if any(column.name == change.new for column in tree.columns):
        raise _refused(f"there is a column '{change.new}' already", change.span)
    for column in tree.columns:
        if column.computed is not None and change.old in _names(column.computed):
            raise _refused(f"the column '{column.name}' is computed from '{change.old}'", change.span)
    if tree.watermark is not None and change.old in _watermark_names(tree.watermark):
        raise _refused(f"the watermark is computed from '{change.old}'", change.span)
    if change.old in tree.partitioned:
        raise _refused(f"the table is partitioned by '{change.old}'", change.span)
    if tree.distribution is not None and change.old in tree.distribution.columns:
        raise _refused(f"the table is distributed by '{change.old}'", change.span)
    columns = [*tree.columns]
    column = columns[at]
    columns[at] = replace(column, name=change.new)
    key = tree.primary_key
    if key is not None and change.old in key.columns:
        key = replace(key, columns=tuple(change.new if name == change.old else name for name in key.columns))
    return replace(tree, columns=tuple(columns), primary_key=key)


def _check_unused(tree: st.CreateTable, name: str, span: Span, leaving: tuple[str, ...]) -> None:
    for column in tree.columns:
        if column.name not in leaving and column.computed is not None and name in _names(column.computed):
            raise _refused(f"the column '{column.name}' is computed from '{name}'", span)
    if tree.primary_key is not None and name in tree.primary_key.columns:
        raise _refused(f"'{name}' is a column of the primary key", span, "ALTER TABLE … DROP PRIMARY KEY comes first")
    if tree.watermark is not None and name in _watermark_names(tree.watermark):
        raise _refused(f"the watermark is computed from '{name}'", span, "ALTER TABLE … DROP WATERMARK comes first")
    if name in tree.partitioned:
        raise _refused(f"the table is partitioned by '{name}'", span)
    if tree.distribution is not None and name in tree.distribution.columns:
        raise _refused(f"the table is distributed by '{name}'", span)


def _watermark_names(watermark: st.WatermarkDefinition) -> set[str]:
    return {watermark.column, *_names(watermark.expr)}


def _names(tree: Any) -> set[str]:
    """Return the columns that an expression names."""
    return {found.parts[0] for found in nodes(tree) if isinstance(found, ast.Name)}
