"""Statements as SQL text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.quotes import quoted, text
from fluxcore.sql import statements as st
from fluxcore.sql.print.functions import function_statement
from fluxcore.sql.print.names import dotted, listed, pairs
from fluxcore.sql.print.queries import expression, query
from fluxcore.sql.print.tables import (
    column,
    create_materialized,
    create_table,
    create_view,
    distribution,
    key,
    option_lines,
    watermark,
    with_options,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fluxcore.sql.ast import Expression, Statement


def script(trees: Iterable[Statement]) -> str:
    """Return statements, each with its ``;``."""
    return "".join(f"{statement(tree)};\n" for tree in trees)


def statement(tree: Statement) -> str:
    """Return a statement without ``;``."""
    match tree:
        case st.CreateTable():
            return create_table(tree)
        case st.CreateMaterialized():
            return create_materialized(tree)
        case st.CreateView():
            return create_view(tree)
        case st.CreateFunction() | st.DropFunction() | st.DescribeFunction():
            return function_statement(tree)
        case st.CreateCatalog() | st.CreateDatabase():
            return _create_place(tree)
        case st.Drop():
            return _drop(tree)
        case st.Alter():
            exists = "IF EXISTS " if tree.if_exists else ""
            return f"ALTER {tree.kind} {exists}{dotted(tree.name)} {_change(tree.change)}"
        case st.Insert():
            return _insert(tree)
        case st.InsertSet():
            return f"EXECUTE STATEMENT SET BEGIN\n{script(tree.inserts)}END"
        case st.QueryStatement():
            return query(tree.query)
        case st.Explain():
            inner = statement(tree.statement).removeprefix(
                "EXECUTE " if isinstance(tree.statement, st.InsertSet) else ""
            )
            return f"EXPLAIN {''.join(f'{each}, ' for each in tree.details)[:-2]}{' ' if tree.details else ''}{inner}"
    return _session(tree)


def _session(tree: Statement) -> str:
    match tree:
        case st.Describe():
            kind = "" if tree.kind == "TABLE" else f"{tree.kind} "
            return f"DESCRIBE {kind}{'EXTENDED ' if tree.extended else ''}{dotted(tree.name)}"
        case st.Show():
            return _show(tree)
        case st.Use():
            if tree.kind == "MODULES":
                return f"USE MODULES {', '.join(quoted(name) for name in tree.names)}"
            return f"USE {'CATALOG ' if tree.kind == 'CATALOG' else ''}{dotted(tree.names)}"
        case st.Module():
            options = f" {with_options(tree.options)}" if tree.options else ""
            return f"{'LOAD' if tree.load else 'UNLOAD'} MODULE {quoted(tree.name)}{options}"
        case st.SetOption():
            lead = "RESET" if tree.reset else "SET"
            shown = lead if tree.key is None else f"{lead} {text(tree.key)}"
            return shown if tree.value is None else f"{shown} = {text(tree.value)}"
    raise TypeError(f"no text for {type(tree).__name__}")


def _create_place(tree: st.CreateCatalog | st.CreateDatabase) -> str:
    kind, name = (
        ("CATALOG", quoted(tree.name)) if isinstance(tree, st.CreateCatalog) else ("DATABASE", dotted(tree.name))
    )
    parts = [f"CREATE {kind} {'IF NOT EXISTS ' if tree.if_not_exists else ''}{name}"]
    if tree.comment is not None:
        parts.append(f"COMMENT {text(tree.comment)}")
    if tree.options:
        parts.append(with_options(tree.options))
    return "\n".join(parts)


def _drop(tree: st.Drop) -> str:
    lead = f"DROP {'TEMPORARY ' if tree.temporary else ''}{tree.kind} {'IF EXISTS ' if tree.if_exists else ''}"
    return f"{lead}{dotted(tree.name)}{' CASCADE' if tree.cascade else ''}"


def _change(tree: st.Change) -> str:
    match tree:
        case st.SetSchema():
            return _schema(tree)
        case st.DropSchema(kind="COLUMNS"):
            return f"DROP {listed(tree.names)}"
        case st.DropSchema():
            return f"DROP {tree.kind}" + (f" {quoted(tree.names[0])}" if tree.names else "")
        case st.RenameColumn():
            return f"RENAME {quoted(tree.old)} TO {quoted(tree.new)}"
        case st.RenameTo():
            return f"RENAME TO {dotted(tree.name)}"
        case st.SetOptions():
            return f"SET {option_lines(tree.options)}"
        case st.ResetOptions():
            return f"RESET ({', '.join(text(each) for each in tree.keys)})"
        case st.SetComment():
            return f"COMMENT {text(tree.comment)}"
        case st.SetQuery():
            return f"AS {query(tree.query)}"
        case st.Refreshing():
            options = f" {with_options(tree.options)}" if tree.options else ""
            return f"{tree.action}{options}{_partition(tree.partition)}"
    raise TypeError(f"no text for {type(tree).__name__}")


def _schema(tree: st.SetSchema) -> str:
    lead = "MODIFY" if tree.modify else "ADD"
    if tree.distribution is not None:
        return f"{lead} DISTRIBUTION {distribution(tree.distribution)}"
    inside = []
    for placed in tree.columns:
        after = f" AFTER {quoted(placed.after)}" if placed.after is not None else ""
        inside.append(column(placed.column) + (" FIRST" if placed.first else after))
    if tree.watermark is not None:
        inside.append(watermark(tree.watermark))
    if tree.primary_key is not None:
        inside.append(key(tree.primary_key))
    return f"{lead} (\n  " + ",\n  ".join(inside) + "\n)"


def _partition(partition: Iterable[tuple[str, Expression]]) -> str:
    inside = ", ".join(f"{quoted(name)} = {expression(value)}" for name, value in partition)
    return f" PARTITION ({inside})" if inside else ""


def _insert(tree: st.Insert) -> str:
    hint = f" /*+ OPTIONS({pairs(tree.hints)}) */" if tree.hints else ""
    columns = f" {listed(tree.columns)}" if tree.columns else ""
    lead = f"INSERT {'OVERWRITE' if tree.overwrite else 'INTO'} {dotted(tree.table)}{hint}"
    conflict = f"\nON CONFLICT DO {tree.conflict}" if tree.conflict else ""
    return f"{lead}{_partition(tree.partition)}{columns}\n{query(tree.query)}{conflict}"


def _show(tree: st.Show) -> str:
    shown = f"SHOW {tree.what}"
    if tree.name:
        joint = "" if tree.what.startswith(("CREATE", "PARTITIONS")) else "FROM "
        shown += f" {joint}{dotted(tree.name)}"
    if tree.pattern is not None:
        shown += f"{' NOT' if tree.negated else ''} {'ILIKE' if tree.any_case else 'LIKE'} {text(tree.pattern)}"
    return shown + _partition(tree.partition)
