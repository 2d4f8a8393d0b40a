"""Answers SHOW and DESCRIBE, with Flink's columns."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.core import registry
from fluxcore.core.quotes import quoted, text
from fluxcore.errors import ScriptError, not_supported
from fluxcore.expr.aggregates import AGGREGATES
from fluxcore.expr.registry import REGISTRY
from fluxcore.sql import statements as st
from fluxcore.sql.print.queries import expression
from fluxcore.sql.print.tables import create_materialized, create_table, create_view, metadata
from fluxcore.sql.replies import Cell, CommandReply

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fluxcore.core.schema import Column
    from fluxcore.sql.ast import OptionPair
    from fluxcore.sql.catalog import Catalog, Entry, Path

_COLUMNS = ("name", "type", "null", "key", "extras", "watermark")


def show(tree: st.Show, catalog: Catalog) -> CommandReply:
    """Answer SHOW. Raises ``ScriptError`` for names that there aren't."""
    spaces = catalog.spaces
    match tree.what:
        case "CATALOGS":
            return _names("catalog name", spaces.catalogs, tree)
        case "CURRENT CATALOG":
            return _names("current catalog name", [spaces.current[0]], tree)
        case "CURRENT DATABASE":
            return _names("current database name", [spaces.current[1]], tree)
        case "DATABASES":
            of = tree.name[0] if tree.name else spaces.current[0]
            spaces.catalog(of, tree.span)
            return _names("database name", spaces.databases_of(of), tree)
        case "TABLES" | "VIEWS" | "MATERIALIZED TABLES":
            kind = None if tree.what == "TABLES" else tree.what.removesuffix("S")
            found = catalog.names_in(spaces.database(tree.name, tree.span), kind)
            return _names(f"{(kind or 'TABLE').lower()} name", found, tree)
        case "FUNCTIONS" | "USER FUNCTIONS":
            spaces.database(tree.name, tree.span)
            return _names("function name", _functions(catalog, users=tree.what != "FUNCTIONS"), tree)
        case "MODULES":
            return _names("module name", ["core"], tree)
        case "FULL MODULES":
            return CommandReply(None, ("module name", "used"), (("core", True),))
        case "JARS":
            return CommandReply(None, ("jars",), ())
        case "JOBS":
            return CommandReply(None, ("job id", "job name", "status", "start time"), find=catalog.jobs)
        case "COLUMNS":
            return _columns(tree, catalog)
        case "PARTITIONS":
            return _partitions(tree, catalog)
        case "CREATE CATALOG":
            return _create_catalog(tree, catalog)
        case "CREATE TABLE" | "CREATE VIEW" | "CREATE MATERIALIZED TABLE":
            return _create(tree, catalog)
    raise not_supported(f"SHOW {tree.what}", span=tree.span, hint="catalogs in memory have no procedures")


def describe(tree: st.Describe, catalog: Catalog) -> CommandReply:
    """Answer DESCRIBE. Raises ``ScriptError`` for names that there aren't."""
    if tree.kind == "CATALOG":
        return _describe_catalog(tree, catalog)
    if tree.kind == "DATABASE":
        return _describe_database(tree, catalog)
    return _described(catalog.get(tree.name, tree.span))


def _names(column: str, names: Iterable[str], tree: st.Show) -> CommandReply:
    matches = _pattern(tree)
    return CommandReply(None, (column,), tuple((name,) for name in sorted(names) if matches(name)))


class _pattern:  # noqa: N801  (used as a function)
    """Whether a name is LIKE the pattern of a SHOW: ``%``, ``_``, and a backslash before either to mean itself."""

    def __init__(self, tree: st.Show) -> None:
        self._negated = tree.negated
        self._regex = None
        if tree.pattern is not None:
            parts = re.findall(r"\\.|.", tree.pattern, re.DOTALL)
            shown = "".join({"%": ".*", "_": "."}.get(part) or re.escape(part[-1]) for part in parts)
            self._regex = re.compile(shown, re.DOTALL | (re.IGNORECASE if tree.any_case else 0))

    def __call__(self, name: str) -> bool:
        return self._regex is None or (self._regex.fullmatch(name) is not None) != self._negated


def _functions(catalog: Catalog, *, users: bool) -> list[str]:
    own = [name.lower() for name in catalog.functions.names()]
    if users:
        return own
    built_in = {name for name in (*REGISTRY, *AGGREGATES) if re.fullmatch(r"[A-Z][A-Z0-9_]*", name)}
    return [*own, *(name.lower() for name in built_in)]


def _columns(tree: st.Show, catalog: Catalog) -> CommandReply:
    whole = _described(catalog.get(tree.name, tree.span))
    matches = _pattern(tree)
    return CommandReply(None, whole.columns, tuple(row for row in whole.rows if matches(str(row[0]))))


def _described(entry: Entry) -> CommandReply:
    tree = entry.tree.table if isinstance(entry.tree, st.CreateMaterialized) else entry.tree
    tree = tree if isinstance(tree, st.CreateTable) else None
    definitions = {column.name: column for column in tree.columns} if tree is not None else {}
    comments = any(column.comment is not None for column in definitions.values())
    rows = []
    for column in entry.columns:
        row = _row(column, definitions.get(column.name), tree)
        rows.append((*row, (definitions[column.name].comment or None)) if comments else row)
    return CommandReply(None, (*_COLUMNS, "comment") if comments else _COLUMNS, tuple(rows))


def _row(column: Column, definition: st.ColumnDefinition | None, tree: st.CreateTable | None) -> tuple[Cell, ...]:
    mark = f" *{column.time.value}*" if column.time else ""
    key: str | None = None
    watermark: str | None = None
    extras: str | None = None
    if tree is not None and tree.primary_key is not None and column.name in tree.primary_key.columns:
        key = f"PRI({', '.join(tree.primary_key.columns)})"
    if tree is not None and tree.watermark is not None and tree.watermark.column == column.name:
        watermark = expression(tree.watermark.expr)
    if definition is not None and definition.computed is not None:
        extras = f"AS {expression(definition.computed)}"
    elif definition is not None and definition.metadata is not None:
        extras = metadata(definition)
    declared = definition.type if definition is not None and definition.type is not None else column.type
    return column.name, column.type.name() + mark, declared.nullable, key, extras, watermark


def _describe_catalog(tree: st.Describe, catalog: Catalog) -> CommandReply:
    name = tree.name[-1]
    space = catalog.spaces.catalog(name, tree.span)
    options = dict(space.options)
    rows = [("name", name), ("type", options.pop("type", None)), ("comment", space.comment or None)]
    if tree.extended:
        rows += [(f"option:{key}", value) for key, value in sorted(options.items())]
    return CommandReply(None, ("info name", "info value"), tuple(rows))


def _describe_database(tree: st.Describe, catalog: Catalog) -> CommandReply:
    path = catalog.spaces.database(tree.name, tree.span)
    space = catalog.spaces.databases[path]
    rows = [("catalog name", path[0]), ("database name", path[1]), ("comment", space.comment or None)]
    if tree.extended:
        inside = ", ".join(f"({key},{value})" for key, value in sorted(space.options.items()))
        rows.append(("properties", f"({inside})"))
    return CommandReply(None, ("info name", "info value"), tuple(rows))


def _create_catalog(tree: st.Show, catalog: Catalog) -> CommandReply:
    name = tree.name[-1]
    space = catalog.spaces.catalog(name, tree.span)
    comment = f"COMMENT {text(space.comment)}\n" if space.comment is not None else ""
    options = ",\n  ".join(f"{text(key)} = {text(value)}" for key, value in sorted(space.options.items()))
    return CommandReply(None, ("result",), ((f"CREATE CATALOG {quoted(name)}\n{comment}WITH (\n  {options}\n)\n",),))


def _create(tree: st.Show, catalog: Catalog) -> CommandReply:
    path = catalog.path(tree.name, tree.span)
    entry = catalog.get(tree.name, tree.span)
    wanted = tree.what.removeprefix("CREATE ")
    if entry.kind != wanted:
        message = f"'{path[-1]}' is a {entry.kind.lower()}"
        raise ScriptError("FX-SQL-0204", message, span=tree.span, hint=f"SHOW CREATE {entry.kind} {path[-1]}")
    found = entry.tree
    if found is None:
        message = f"'{path[-1]}' was made by a program, and has no statement"
        raise ScriptError("FX-SQL-0204", message, span=tree.span)
    if isinstance(found, st.CreateView):
        names = tuple(entry.columns.names)
        shown = create_view(replace(found, name=path, columns=names, if_not_exists=False))
    elif isinstance(found, st.CreateMaterialized):
        shown = create_materialized(replace(found, table=_whole(found.table, path)))
    else:
        shown = create_table(_whole(found, path))
    return CommandReply(None, ("result",), ((shown + "\n",),))


def _whole(tree: st.CreateTable, path: Path) -> st.CreateTable:
    """Return a definition with its whole name, a named key, and options in the order of their names."""
    key = tree.primary_key
    if key is not None and key.name is None:
        key = replace(key, name="_".join(("PK", *key.columns)))
    return replace(tree, name=path, primary_key=key, options=_sorted(tree.options))


def _sorted(options: Sequence[OptionPair]) -> tuple[OptionPair, ...]:
    return tuple(sorted(options, key=lambda pair: pair.key))


def _partitions(tree: st.Show, catalog: Catalog) -> CommandReply:
    entry = catalog.usable(tree.name, tree.span)
    table = entry.table
    if table is None or not table.partitioned_by:
        message = f"'{tree.name[-1]}' is not partitioned"
        raise ScriptError("FX-SQL-0506", message, span=tree.span)
    keys = [table.schema[index].name for index in table.partitioned_by]
    wanted = {name: str(getattr(value, "value", "")) for name, value in tree.partition}
    for name in wanted:
        if name not in keys:
            message = f"PARTITION names '{name}', by which the table is not partitioned"
            raise ScriptError("FX-SQL-0506", message, span=tree.span, hint=f"PARTITIONED BY names {', '.join(keys)}")

    def find() -> tuple[tuple[str, ...], ...]:
        found = registry.connector(table.options["connector"]).partitions(table)
        return tuple(
            ("/".join(f"{key}={value}" for key, value in each),)
            for each in found
            if wanted.items() <= dict(each).items()
        )

    return CommandReply(None, ("partition name",), find=find)
