"""Binds whole scripts: DDL takes effect on the catalog while binding, queries and inserts become plans."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.core import registry
from fluxcore.core.settings import SETTINGS, Settings
from fluxcore.errors import FluxError, ScriptError, not_supported
from fluxcore.plan.current_database import with_database
from fluxcore.plan.current_watermark import with_watermarks
from fluxcore.plan.emit import emit_windows
from fluxcore.sql import ast, places
from fluxcore.sql import statements as st
from fluxcore.sql.bind_insert import bind_insert
from fluxcore.sql.bind_queries import QueryBinder
from fluxcore.sql.bind_tables import bind_table, hinted
from fluxcore.sql.catalog import Catalog
from fluxcore.sql.define import Definer
from fluxcore.sql.define_materialized import MaterializedDefiner
from fluxcore.sql.describe import describe, show
from fluxcore.sql.lexer import is_complete
from fluxcore.sql.materialized import MaterializedStatement
from fluxcore.sql.parser import parse_script
from fluxcore.sql.replies import CommandReply
from fluxcore.sql.resolve_functions import with_functions
from fluxcore.sql.run_functions import FUNCTION_STATEMENTS, run_function_statement

if TYPE_CHECKING:
    from fluxcore.errors import Span
    from fluxcore.plan.nodes import Insert, Node

__all__ = [
    "BoundScript", "CommandReply", "ExplainStatement", "InsertStatement", "MaterializedStatement", "SelectStatement",
    "StatementSet", "bind_query", "bind_script", "is_complete",
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
    """Plans to be shown, and what EXPLAIN wants to know besides."""

    plan: tuple[Node, ...]
    span: Span
    details: tuple[str, ...] = ()


BoundStatement = (
    SelectStatement | InsertStatement | StatementSet | MaterializedStatement | ExplainStatement | CommandReply
)


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
        binder = _ScriptBinder(file, trial, settings)
        bound = tuple(each for tree in parse_script(text) for each in binder.bind(tree))
        for problem in trial.problems():
            raise problem
    except FluxError as error:
        raise error.located(text, file) from error.__cause__
    except RecursionError:
        message = "an expression of the script is nested too deeply"
        raise ScriptError("FX-SQL-0110", message, hint="IN (…) says the same as a long row of OR") from None
    catalog.take(trial)
    return BoundScript(bound, binder.settings)


def bind_query(text: str, *, catalog: Catalog, settings: Settings) -> Node:
    """Return the plan of a single query. Raises ``ScriptError``."""
    bound = bind_script(text, catalog=catalog, settings=settings)
    if len(bound.statements) != 1 or not isinstance(bound.statements[0], SelectStatement):
        raise ScriptError("FX-SQL-0109", "one query is wanted here", hint="run scripts with execute()")
    return bound.statements[0].plan


class _ScriptBinder:
    def __init__(self, file: str | None, catalog: Catalog, settings: Settings) -> None:
        self._file = file
        self._catalog = catalog
        self._definer = Definer(catalog, self._query)
        self._materialized = MaterializedDefiner(catalog, self._emitted)
        self.settings = settings

    def bind(self, tree: ast.Statement) -> list[BoundStatement]:
        """Return what a statement does: a table's rows come behind the reply to its CREATE TABLE AS."""
        tree = with_functions(tree, self._catalog.functions)
        if isinstance(tree, FUNCTION_STATEMENTS):
            message, columns, rows = run_function_statement(tree, self._catalog.functions, self.settings, self._file)
            return [CommandReply(message, columns, rows)]
        match tree:
            case st.QueryStatement():
                return [SelectStatement(self._emitted(tree.query), tree.span, self.settings)]
            case st.Insert():
                return [self._insert(tree)]
            case st.InsertSet():
                return [StatementSet(tuple(self._insert(each) for each in tree.inserts))]
            case st.Explain():
                return [self._explain(tree)]
            case st.CreateTable():
                reply = self._definer.create_table(tree)
                return [reply] if tree.query is None else [reply, self._fill(tree)]
            case st.SetOption():
                return [self._set(tree)]
            case st.CreateMaterialized():
                return [self._materialized.create(tree, self.settings)]
            case st.Alter(kind="MATERIALIZED TABLE"):
                return [self._materialized.alter(tree, self.settings)]
            case st.Drop(kind="MATERIALIZED TABLE"):
                return [self._materialized.drop(tree)]
        return [self._command(tree)]

    def _command(self, tree: ast.Statement) -> CommandReply:
        catalog = self._catalog
        match tree:
            case st.CreateView():
                return self._definer.create_view(tree)
            case st.Drop(kind="TABLE" | "VIEW"):
                return self._definer.drop(tree)
            case st.Alter(kind="TABLE" | "VIEW"):
                return self._definer.alter(tree)
            case st.CreateCatalog():
                return places.create_catalog(tree, catalog)
            case st.CreateDatabase():
                return places.create_database(tree, catalog)
            case st.Drop():
                return places.drop(tree, catalog)
            case st.Alter():
                return places.alter(tree, catalog)
            case st.Use():
                return places.use(tree, catalog)
            case st.Module():
                return places.module(tree)
            case st.Describe():
                return describe(tree, catalog)
            case st.Show():
                return show(tree, catalog)
        raise not_supported("this statement", span=tree.span)

    def _query(self, query: ast.Query) -> Node:
        return with_watermarks(QueryBinder(self._catalog, self.settings).bind(query))

    def _emitted(self, query: ast.Query) -> Node:
        """Return the plan of a query that runs: in the current database, with results of windows when the settings say so."""
        try:
            plan = with_database(self._query(query), self._catalog.spaces.current[1])
            return emit_windows(plan, self.settings)
        except ScriptError as error:
            if error.span is None:
                error.span = query.span
            raise

    def _insert(self, tree: st.Insert) -> InsertStatement:
        entry = self._catalog.get(tree.table, tree.table_span)
        if isinstance(entry.tree, st.CreateTable) and entry.tree.distribution is not None:
            what = f"writing '{tree.table[-1]}', which is distributed into buckets,"
            raise not_supported(what, span=tree.table_span, hint="Flink's connectors of files don't take it either")
        table = self._catalog.table(tree.table, tree.table_span)
        if tree.hints:
            table = bind_table(hinted(self._catalog, tree.table, tree.hints, tree.table_span)).target
        if tree.conflict in ("ERROR", "NOTHING") and table.primary_key:
            hint = "ON CONFLICT DO DEDUPLICATE keeps the latest row of each key"
            raise not_supported(f"ON CONFLICT DO {tree.conflict}", span=tree.span, hint=hint)
        connector = registry.connector(table.options["connector"])
        if tree.overwrite and not connector.replaces:
            message = f"the connector '{table.options['connector']}' can't replace what a table holds"
            raise ScriptError("FX-SQL-0516", message, span=tree.table_span, hint="write INSERT INTO")
        if table.partitioned_by and not connector.takes_partitions:
            message = f"the connector '{table.options['connector']}' can't write a table with PARTITIONED BY"
            raise ScriptError("FX-SQL-0517", message, span=tree.table_span, hint="filesystem does")
        if isinstance(entry.tree, st.CreateTable) and not connector.writes_metadata:
            _check_metadata(entry.tree, tree.table_span)
        return InsertStatement(bind_insert(tree, table, self._emitted(tree.query)), tree.span, self.settings)

    def _fill(self, tree: st.CreateTable) -> InsertStatement:
        """Return the insert of CREATE TABLE AS: the query's columns go by name into a table just made."""
        assert tree.query is not None
        query = tree.query
        columns = tuple(self._query(query).schema.names)
        known = self._catalog.get(tree.name, tree.span)
        if set(columns) - set(known.columns.names):
            columns = ()
        insert = st.Insert(table=tree.name, columns=columns, query=query, table_span=tree.span, span=tree.span)
        return self._insert(insert)

    def _explain(self, tree: st.Explain) -> ExplainStatement:
        if isinstance(tree.statement, st.CreateTable):
            kept = self._catalog
            self._catalog = kept.copy()
            try:
                Definer(self._catalog, self._query).create_table(tree.statement)
                return ExplainStatement((self._fill(tree.statement).plan,), tree.span, tree.details)
            finally:
                self._catalog = kept
        (inner,) = self.bind(tree.statement)
        if isinstance(inner, StatementSet):
            return ExplainStatement(tuple(each.plan for each in inner.inserts), tree.span, tree.details)
        assert isinstance(inner, SelectStatement | InsertStatement)
        return ExplainStatement((inner.plan,), tree.span, tree.details)

    def _set(self, tree: st.SetOption) -> CommandReply:
        if tree.reset:
            self.settings = self.settings.without(tree.key)
            return CommandReply(f"{tree.key or 'all settings'} reset")
        if tree.key is not None and tree.value is not None:
            self.settings = self.settings.with_value(tree.key, tree.value, span=tree.span)
            return CommandReply(f"{tree.key} = {tree.value}")
        return CommandReply(None, ("key", "value"), tuple((key, self.settings.text(key)) for key in sorted(SETTINGS)))


def _check_metadata(table: st.CreateTable, span: Span) -> None:
    """Raise ``ScriptError`` FX-SQL-0509 for a metadata column that would have to be written."""
    for column in table.columns:
        if column.metadata is not None and not column.virtual:
            message = f"the connector can't write the metadata column '{column.name}'"
            hint = f"declare it as one that is only read: {column.name} … METADATA VIRTUAL"
            raise ScriptError("FX-SQL-0509", message, span=span, hint=hint)
