"""Carries out CREATE, ALTER and DROP of tables and views on the catalog."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.errors import ScriptError, not_supported
from fluxcore.plan.columns import references
from fluxcore.plan.nodes import Node, Project
from fluxcore.sql import statements as st
from fluxcore.sql.alter import altered
from fluxcore.sql.bind_tables import bind_table, check_columns, with_key_not_null
from fluxcore.sql.catalog import Catalog, Entry
from fluxcore.sql.like import filled, merged
from fluxcore.sql.replies import CommandReply

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.errors import Span
    from fluxcore.sql.ast import Query
    from fluxcore.sql.catalog import Path


class Definer:
    """Makes, changes and removes tables and views of a catalog; ``query`` binds a query."""

    def __init__(self, catalog: Catalog, query: Callable[[Query], Node]) -> None:
        self._catalog = catalog
        self._query = query
        catalog.rebind = self._rebind

    def create_table(self, tree: st.CreateTable) -> CommandReply:
        """Carry out CREATE TABLE, but for the rows of its query. Raises ``ScriptError``."""
        name = tree.name[-1]
        path = self._catalog.path(tree.name, tree.span)
        if tree.if_not_exists and self._catalog.exists(path, temporary=tree.temporary):
            return CommandReply(f"{name} exists already")
        if tree.query is not None:
            tree = filled(tree, self._query(tree.query).schema)
            if tree.replace and self._catalog.exists(path):
                self._catalog.drop(tree.name, "TABLE", span=tree.span)
        if tree.like is not None:
            base = self._catalog.get(tree.like.table, tree.like.span)
            if not isinstance(base.tree, st.CreateTable):
                message = f"'{'.'.join(tree.like.table)}' behind LIKE is no table that CREATE TABLE made"
                raise ScriptError("FX-SQL-0514", message, span=tree.like.span)
            tree = merged(tree, base.tree)
        self._catalog.add(tree.name, _table_entry(tree), span=tree.span)
        return CommandReply(f"table {name} created")

    def create_view(self, tree: st.CreateView) -> CommandReply:
        """Carry out CREATE VIEW. Raises ``ScriptError``."""
        path = self._catalog.path(tree.name, tree.span)
        if tree.if_not_exists and self._catalog.exists(path, temporary=tree.temporary):
            return CommandReply(f"{tree.name[-1]} exists already")
        self._catalog.add(tree.name, self._view_entry(tree), span=tree.span)
        return CommandReply(f"view {tree.name[-1]} created")

    def drop(self, tree: st.Drop) -> CommandReply:
        """Carry out DROP TABLE or DROP VIEW. Raises ``ScriptError``."""
        self._catalog.drop(tree.name, tree.kind, if_exists=tree.if_exists, temporary=tree.temporary, span=tree.span)
        return CommandReply(f"{tree.kind.lower()} {tree.name[-1]} dropped")

    def alter(self, tree: st.Alter) -> CommandReply:
        """Carry out ALTER TABLE or ALTER VIEW. Raises ``ScriptError``."""
        reply = CommandReply(f"{tree.kind.lower()} {tree.name[-1]} changed")
        path = self._catalog.path(tree.name, tree.span)
        entry = self._catalog.entry(path)
        if entry is None and tree.if_exists:
            return CommandReply(f"there is no table {tree.name[-1]}")
        entry = self._catalog.get(tree.name, tree.span)
        if entry.kind != tree.kind:
            message = f"'{tree.name[-1]}' is a {entry.kind.lower()}"
            raise ScriptError("FX-SQL-0515", message, span=tree.span, hint=f"ALTER {entry.kind} changes it")
        if isinstance(tree.change, st.RenameTo):
            self._rename(path, tree.change.name, tree.change.span)
            return reply
        if isinstance(tree.change, st.SetQuery):
            self._set_query(path, entry, tree.change)
            return reply
        if not isinstance(entry.tree, st.CreateTable):
            raise ScriptError("FX-SQL-0515", f"'{tree.name[-1]}' was not made by CREATE TABLE", span=tree.span)
        changed = replace(altered(entry.tree, tree.change), span=tree.span)
        self._catalog.put(path, _table_entry(changed))
        return reply

    def _rename(self, path: Path, name: tuple[str, ...], span: Span) -> None:
        new = (*path[: 3 - len(name)], *name)
        self._catalog.spaces.database(new[:2], span)
        self._catalog.rename(path, (new[0], new[1], new[2]), span)

    def _set_query(self, path: Path, entry: Entry, change: st.SetQuery) -> None:
        if not isinstance(entry.tree, st.CreateView):
            raise ScriptError("FX-SQL-0515", f"'{path[-1]}' was not made by CREATE VIEW", span=change.span)
        tree = replace(entry.tree, query=change.query, columns=(), span=change.span)
        entry = self._view_entry(tree)
        self._catalog.put(path, entry)
        try:
            self._catalog.get(path, change.span)
        except RecursionError:
            message = f"the view '{path[-1]}' would read itself"
            raise ScriptError("FX-SQL-0515", message, span=change.span) from None

    def _view_entry(self, tree: st.CreateView) -> Entry:
        node = self._query(tree.query)
        names = tuple(node.schema.names)
        if tree.columns and len(tree.columns) != len(names):
            message = f"the view names {len(tree.columns)} columns, and the query has {len(names)}"
            raise ScriptError("FX-SQL-0209", message, span=tree.span)
        return Entry(
            _renamed(node, tree.columns), kind="VIEW", tree=tree, temporary=tree.temporary,
            space=self._catalog.spaces.current, names=names,
        )  # fmt: skip

    def _rebind(self, entry: Entry) -> Entry:
        """Return a view with its plan made anew: the columns are those that it had when it was created."""
        assert isinstance(entry.tree, st.CreateView)
        spaces = self._catalog.spaces
        now, spaces.current = spaces.current, entry.space
        try:
            node = self._query(entry.tree.query)
        finally:
            spaces.current = now
        names = node.schema.names
        if tuple(names) != entry.names:
            gone = [name for name in entry.names if name not in names]
            if gone:
                raise ScriptError("FX-SQL-0201", f"its query gives no column '{gone[0]}' any more")
            node = Project(node, references(node, [names.index(name) for name in entry.names]), entry.names)
        return replace(entry, node=_renamed(node, entry.tree.columns))


def _renamed(node: Node, columns: tuple[str, ...]) -> Node:
    return Project(node, references(node), columns) if columns else node


def _table_entry(tree: st.CreateTable) -> Entry:
    """Return a table; one whose connector can't take its options says why when it is used."""
    tree = replace(with_key_not_null(tree), query=None, replace=False, if_not_exists=False)
    if len(tree.name) > 3:
        raise not_supported("a name of more than three parts", span=tree.span)
    check_columns(tree)
    try:
        bound = bind_table(tree)
    except ScriptError as error:
        if not error.code.startswith(("FX-SQL-051", "FX-CON", "FX-SQL-0509")) and error.code != "FX-SQL-0900":
            raise
        return Entry(None, kind="TABLE", tree=tree, temporary=tree.temporary, problem=error)
    return Entry(bound.node, bound.table, bound.target, kind="TABLE", tree=tree, temporary=tree.temporary)
