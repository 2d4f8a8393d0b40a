"""Binds whole scripts: DDL takes effect on the catalog while binding, queries and inserts become plans."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.core.settings import SETTINGS, Settings
from fluxcore.errors import FluxError, ScriptError, not_supported
from fluxcore.expr.registry import REGISTRY
from fluxcore.plan.columns import references
from fluxcore.plan.emit import emit_windows
from fluxcore.sql import ast
from fluxcore.sql import statements as st
from fluxcore.sql.bind_queries import QueryBinder
from fluxcore.sql.bind_tables import bind_insert, bind_table
from fluxcore.sql.catalog import Catalog, Entry
from fluxcore.sql.lexer import is_complete
from fluxcore.sql.parser import parse_script
from fluxcore.sql.resolve_functions import with_functions
from fluxcore.sql.run_functions import FUNCTION_STATEMENTS, run_function_statement

if TYPE_CHECKING:
    from fluxcore.errors import Span
    from fluxcore.plan.nodes import Insert, Node

__all__ = [
    "BoundScript", "CommandReply", "ExplainStatement", "InsertStatement", "SelectStatement", "StatementSet", "bind_query",
    "bind_script", "is_complete",
]  # fmt: skip


@dataclass(frozen=True)
class SelectStatement:
    """A query whose rows are the script's output."""

    plan: Node
    span: Span
    settings: Settings


@dataclass(frozen=True)
class InsertStatement:
    """A query whose rows go into a table."""

    plan: Insert
    span: Span
    settings: Settings


@dataclass(frozen=True)
class StatementSet:
    """Inserts that run together."""

    inserts: tuple[InsertStatement, ...]


@dataclass(frozen=True)
class ExplainStatement:
    """Plans to be shown."""

    plan: tuple[Node, ...]
    span: Span


@dataclass(frozen=True)
class CommandReply:
    """The answer to DDL, SHOW, DESCRIBE or SET: a message, or rows under column names."""

    message: str | None
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


BoundStatement = SelectStatement | InsertStatement | StatementSet | ExplainStatement | CommandReply


@dataclass(frozen=True)
class BoundScript:
    """A script's statements in order, and the settings after it."""

    statements: tuple[BoundStatement, ...]
    settings: Settings


_FRAMES_MAX = 5_000
"""Frames of the interpreter that a deep expression may take: some hundreds of operators one within the other."""


def bind_script(text: str, *, file: str | None = None, catalog: Catalog, settings: Settings) -> BoundScript:
    """Parse and bind a whole script.

    Raises: ``ScriptError`` with file, line and column of what is wrong; the catalog is then as it was before.
    """
    sys.setrecursionlimit(max(sys.getrecursionlimit(), _FRAMES_MAX))
    trial = catalog.copy()
    try:
        binder = _ScriptBinder(text, file, trial, settings)
        bound = BoundScript(tuple(binder.bind(tree) for tree in parse_script(text)), binder.settings)
    except FluxError as error:
        raise error.located(text, file) from error.__cause__
    except RecursionError:
        message = "an expression of the script is nested too deeply"
        raise ScriptError("FX-SQL-0110", message, hint="IN (…) says the same as a long row of OR") from None
    catalog.take(trial)
    return bound


def bind_query(text: str, *, catalog: Catalog, settings: Settings) -> Node:
    """Return the plan of a single query. Raises ``ScriptError``."""
    bound = bind_script(text, catalog=catalog, settings=settings)
    if len(bound.statements) != 1 or not isinstance(bound.statements[0], SelectStatement):
        raise ScriptError("FX-SQL-0109", "one query is wanted here", hint="run scripts with execute()")
    return bound.statements[0].plan


class _ScriptBinder:
    def __init__(self, text: str, file: str | None, catalog: Catalog, settings: Settings) -> None:
        self._file = file
        self._text = text
        self._catalog = catalog
        self.settings = settings

    def bind(self, tree: ast.Statement) -> BoundStatement:
        tree = with_functions(tree, self._catalog.functions)
        if isinstance(tree, FUNCTION_STATEMENTS):
            message, columns, rows = run_function_statement(tree, self._catalog.functions, self.settings, self._file)
            return CommandReply(message, columns, rows)
        match tree:
            case st.QueryStatement():
                return SelectStatement(self._emitted(tree.query), tree.span, self.settings)
            case st.Insert():
                return self._insert(tree)
            case st.InsertSet():
                return StatementSet(tuple(self._insert(each) for each in tree.inserts))
            case st.Explain():
                return self._explain(tree)
            case st.CreateTable():
                return self._create_table(tree)
            case st.CreateView():
                return self._create_view(tree)
            case st.Drop():
                self._catalog.drop(tree.name[-1], tree.kind, if_exists=tree.if_exists, span=tree.span)
                return CommandReply(f"{tree.kind.lower()} {tree.name[-1]} dropped")
            case st.Describe():
                return self._describe(tree)
            case st.Show():
                return self._show(tree)
            case st.SetOption():
                return self._set(tree)
        raise not_supported("this statement", span=tree.span)

    def _query(self, query: ast.Query) -> Node:
        return QueryBinder(self._catalog, self.settings).bind(query)

    def _emitted(self, query: ast.Query) -> Node:
        """Return the plan of a query whose windows give results when the settings say so."""
        try:
            return emit_windows(self._query(query), self.settings)
        except ScriptError as error:
            if error.span is None:
                error.span = query.span
            raise

    def _insert(self, tree: st.Insert) -> InsertStatement:
        table = self._catalog.table(tree.table[-1], tree.table_span)
        return InsertStatement(bind_insert(tree, table, self._emitted(tree.query)), tree.span, self.settings)

    def _explain(self, tree: st.Explain) -> ExplainStatement:
        inner = self.bind(tree.statement)
        if isinstance(inner, StatementSet):
            return ExplainStatement(tuple(each.plan for each in inner.inserts), tree.span)
        assert isinstance(inner, SelectStatement | InsertStatement)
        return ExplainStatement((inner.plan,), tree.span)

    def _create_table(self, tree: st.CreateTable) -> CommandReply:
        name = tree.name[-1]
        if tree.if_not_exists and name in self._catalog.names():
            return CommandReply(f"{name} exists already")
        description, node = bind_table(tree)
        text = self._text[tree.span.start : tree.span.end]
        self._catalog.add(name, Entry(node, description, "TABLE", text), span=tree.span)
        return CommandReply(f"table {name} created")

    def _create_view(self, tree: st.CreateView) -> CommandReply:
        from fluxcore.plan.nodes import Project

        node = self._query(tree.query)
        if tree.columns:
            if len(tree.columns) != len(node.schema):
                message = f"the view names {len(tree.columns)} columns, and the query has {len(node.schema)}"
                raise ScriptError("FX-SQL-0209", message, span=tree.span)
            node = Project(node, references(node), tree.columns)
        entry = Entry(node, None, "VIEW", self._text[tree.span.start : tree.span.end])
        self._catalog.add(tree.name[-1], entry, if_not_exists=tree.if_not_exists, span=tree.span)
        return CommandReply(f"view {tree.name[-1]} created")

    def _describe(self, tree: st.Describe) -> CommandReply:
        entry = self._catalog.get(tree.name[-1], tree.span)
        rows = []
        for column in entry.node.schema:
            shown = column.type.name() + (f" *{column.time.value}*" if column.time else "")
            rows.append((column.name, shown, "TRUE" if column.type.nullable else "FALSE"))
        return CommandReply(None, ("name", "type", "null"), tuple(rows))

    def _show(self, tree: st.Show) -> CommandReply:
        if tree.what == "CREATE":
            entry = self._catalog.get(tree.name[-1], tree.span)
            return CommandReply(None, ("result",), ((entry.text,),))
        if tree.what == "FUNCTIONS":
            names = sorted(name for name in REGISTRY if name[0].isalpha() and " " not in name)
            names += [name for name in self._catalog.functions.names() if name not in names]
        else:
            names = self._catalog.names("VIEW" if tree.what == "VIEWS" else None)
        return CommandReply(None, (tree.what.lower().removesuffix("s") + " name",), tuple((name,) for name in names))

    def _set(self, tree: st.SetOption) -> CommandReply:
        if tree.key is not None and tree.value is not None:
            self.settings = self.settings.with_value(tree.key, tree.value, span=tree.span)
            return CommandReply(f"{tree.key} = {tree.value}")
        text = self._text[tree.span.start : tree.span.end].strip().upper()
        if text.startswith("RESET"):
            self.settings = self.settings.without(tree.key)
            return CommandReply(f"{tree.key or 'all settings'} reset")
        return CommandReply(None, ("key", "value"), tuple((key, self.settings.text(key)) for key in SETTINGS))
