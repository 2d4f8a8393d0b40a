"""The catalogs, databases, tables and views that a session knows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fluxcore.core import registry
from fluxcore.errors import ScriptError, nearest
from fluxcore.sql.functions import FunctionCatalog
from fluxcore.sql.spaces import DEFAULT_CATALOG, DEFAULT_DATABASE, Spaces

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.core.ports import TableDescription
    from fluxcore.core.schema import Schema
    from fluxcore.errors import Span
    from fluxcore.plan.nodes import Node
    from fluxcore.sql.materialized import Definition
    from fluxcore.sql.statements import CreateMaterialized, CreateTable, CreateView

    Path = tuple[str, str, str]


@dataclass(frozen=True)
class Entry:
    """A table or view.

    ``node`` is the plan that reads it; ``table`` and ``target`` say how its connector reads and writes a table; ``tree`` is
    its definition, with all that LIKE or ALTER brought. ``problem`` is why a table can't be used, which is told when it is.
    ``materialized`` is how a materialised table is filled. A view's ``space`` is the catalog and the database in which its names are looked up, ``names`` are those of its query, and
    ``age`` says which state of the catalog its plan is of.
    """

    node: Node | None
    table: TableDescription | None = None
    target: TableDescription | None = None
    kind: str = "VIEW"
    tree: CreateTable | CreateMaterialized | CreateView | None = None
    temporary: bool = False
    problem: ScriptError | None = None
    space: tuple[str, str] = (DEFAULT_CATALOG, DEFAULT_DATABASE)
    names: tuple[str, ...] = ()
    age: int = 0
    schema: Schema | None = field(default=None)
    materialized: Definition | None = None

    @property
    def columns(self) -> Schema:
        """Return the columns. Raises ``ScriptError`` for a table that can't be used."""
        if self.node is not None:
            return self.node.schema
        if self.schema is not None:
            return self.schema
        assert self.problem is not None, "a table without a plan says why"
        raise self.problem


class Catalog:
    """Tables and views by name; names are case-sensitive.

    A name is looked up in the current database, ``db.t`` in the current catalog. TEMPORARY tables and views lie before the
    others of the same name. ``rebind`` makes the plan of a view anew after the tables behind it have changed; ``jobs`` tells
    of the session's jobs: id, name, status and the time of the start of each.
    """

    def __init__(self) -> None:
        self.spaces = Spaces()
        self._entries: dict[Path, Entry] = {}
        self._temporary: dict[Path, Entry] = {}
        self._age = 0
        self.functions = FunctionCatalog()
        self.rebind: Callable[[Entry], Entry] | None = None
        self.jobs: Callable[[], tuple[tuple[str, ...], ...]] = tuple

    def copy(self) -> Catalog:
        """Return a catalog of the same tables and views."""
        found = Catalog()
        found.take(self)
        return found

    def take(self, other: Catalog) -> None:
        """Hold what another catalog holds."""
        self.spaces = other.spaces.copy()
        self._entries = dict(other._entries)
        self._temporary = dict(other._temporary)
        self._age = other._age
        self.functions = other.functions.copy()
        self.jobs = other.jobs

    def path(self, name: str | tuple[str, ...], span: Span | None = None) -> Path:
        """Return a name with its catalog and database.

        Raises: ``ScriptError`` FX-SQL-0520 or 0521 for a catalog or database that there isn't, FX-SQL-0203 for more parts.
        """
        parts = (name,) if isinstance(name, str) else name
        if len(parts) > 3:
            message = f"'{'.'.join(parts)}' has too many parts: write catalog.database.table"
            raise ScriptError("FX-SQL-0203", message, span=span)
        catalog, database = self.spaces.database(parts[:-1], span)
        return catalog, database, parts[-1]

    def add(
        self, name: str | tuple[str, ...], entry: Entry, *, if_not_exists: bool = False, span: Span | None = None
    ) -> bool:
        """Add a table or view; return whether it is new. Raises ``ScriptError`` FX-SQL-0502 for a name in use."""
        path = self.path(name, span)
        known = self._temporary if entry.temporary else self._entries
        if path in known:
            if if_not_exists:
                return False
            hint = "write IF NOT EXISTS, or drop it first"
            raise ScriptError("FX-SQL-0502", f"'{path[-1]}' exists already", span=span, hint=hint)
        if path in self._temporary or path in self._entries:
            self._age += 1
        known[path] = replace(entry, age=self._age)
        return True

    def put(self, path: Path, entry: Entry) -> None:
        """Put a changed table or view in the place of the one that was there."""
        self._age += 1
        (self._temporary if entry.temporary else self._entries)[path] = replace(entry, age=self._age)

    def register(self, name: str, node: Node) -> None:
        """Add or replace a temporary view over a plan that a program made."""
        self.put(self.path(name), Entry(node, temporary=True))

    def drop(
        self,
        name: tuple[str, ...],
        kind: str,
        *,
        if_exists: bool = False,
        temporary: bool = False,
        span: Span | None = None,
    ) -> None:
        """Remove a table or view.

        Raises: ``ScriptError`` FX-SQL-0203 when there is none, FX-SQL-0523 when a temporary one lies before it.
        """
        try:
            path = self.path(name, span)
        except ScriptError:
            if if_exists:
                return
            raise
        shadow = self._temporary.get(path)
        if shadow is not None and shadow.kind == kind and not temporary:
            message = f"'{path[-1]}' is a temporary {kind.lower()}"
            raise ScriptError("FX-SQL-0523", message, span=span, hint=f"write DROP TEMPORARY {kind} {path[-1]}")
        known = self._temporary if temporary else self._entries
        found = known.get(path)
        if found is not None and found.materialized is not None and kind == "TABLE":
            message = f"'{path[-1]}' is a materialised table"
            raise ScriptError("FX-SQL-0523", message, span=span, hint=f"write DROP MATERIALIZED TABLE {path[-1]}")
        if found is None or found.kind != kind:
            if if_exists:
                return
            raise self._missing(path, name, span, kind)
        self._age += 1
        del known[path]

    def drop_database(self, catalog: str, database: str) -> None:
        """Remove what a database holds, but for temporary tables and views."""
        self._age += 1
        for path in [path for path in self._entries if path[:2] == (catalog, database)]:
            del self._entries[path]

    def rename(self, path: Path, new: Path, span: Span | None = None) -> None:
        """Give a table or view another name. Raises ``ScriptError`` FX-SQL-0502 for a name in use."""
        found = self.entry(path)
        assert found is not None, path
        known = self._temporary if found.temporary else self._entries
        if new in known:
            raise ScriptError("FX-SQL-0502", f"'{new[-1]}' exists already", span=span)
        del known[path]
        self.put(new, found)

    def exists(self, path: Path, *, temporary: bool = False) -> bool:
        """Return whether there is a table or view at a path, a temporary one or another."""
        return path in (self._temporary if temporary else self._entries)

    def entry(self, path: Path) -> Entry | None:
        """Return the table or view that a path means, if there is one."""
        return self._temporary.get(path) or self._entries.get(path)

    def get(self, name: str | tuple[str, ...], span: Span | None = None) -> Entry:
        """Return a table or view, its plan as of now. Raises ``ScriptError`` FX-SQL-0203 with the nearest names."""
        path = self.path(name, span)
        found = self.entry(path)
        if found is None:
            raise self._missing(path, name, span)
        if found.kind == "VIEW" and found.tree is not None and found.age != self._age and self.rebind is not None:
            found = self._refreshed(path, found, span)
        return found

    def relation(self, name: str | tuple[str, ...], span: Span | None = None) -> Node:
        """Return the plan of a table or view to read. Raises ``ScriptError`` FX-SQL-0203, or FX-CON-0003."""
        found = self.usable(name, span)
        if found.table is not None and not registry.connector(found.table.options["connector"]).readable():
            message = (
                f"'{found.table.name}' can't be read: its connector '{found.table.options['connector']}' only writes"
            )
            raise ScriptError("FX-CON-0003", message, span=span)
        assert found.node is not None
        return found.node

    def table(self, name: str | tuple[str, ...], span: Span | None = None) -> TableDescription:
        """Return a table to write into. Raises ``ScriptError`` FX-SQL-0203 or 0204, or FX-CON-0003."""
        found = self.usable(name, span)
        if found.target is None:
            shown = name if isinstance(name, str) else name[-1]
            what = "view" if found.materialized is None else "materialised table"
            raise ScriptError("FX-SQL-0204", f"'{shown}' is a {what} and can't be written into", span=span)
        connector = found.target.options["connector"]
        if not registry.connector(connector).writable():
            message = f"'{found.target.name}' can't be written: its connector '{connector}' only reads"
            raise ScriptError("FX-CON-0003", message, span=span)
        return found.target

    def usable(self, name: str | tuple[str, ...], span: Span | None = None) -> Entry:
        """Return a table or view that has a plan. Raises ``ScriptError`` FX-SQL-0203, and why a table has none."""
        found = self.get(name, span)
        if found.problem is not None:
            if found.problem.code == "FX-SQL-0510":
                found.problem.span = span or found.problem.span
            raise found.problem
        return found

    def names(self, kind: str | None = None) -> list[str]:
        """Return the names of all tables and views of the current database, or of one kind, sorted."""
        return self.names_in(self.spaces.current, kind)

    def names_in(self, space: tuple[str, str], kind: str | None = None, *, permanent: bool = False) -> list[str]:
        """Return the names of the tables and views of a database, sorted."""
        known = self._entries if permanent else {**self._entries, **self._temporary}
        return sorted(path[2] for path, entry in known.items() if path[:2] == space and kind in (None, entry.kind))

    def column_names(self, name: str) -> list[str]:
        """Return the names of the columns of a table or view of the current database, as far as they are known."""
        found = self.entry(self.path(name))
        return found.node.schema.names if found is not None and found.node is not None else []

    def materialized(self) -> list[Definition]:
        """Return the materialised tables of all databases."""
        return [each.materialized for each in self._entries.values() if each.materialized is not None]

    def has_place(self, name: tuple[str, ...]) -> bool:
        """Return whether the catalog and the database that a name mentions are there."""
        try:
            self.path(name)
        except ScriptError:
            return False
        return True

    def problems(self) -> list[ScriptError]:
        """Return why tables can't be used, of those that name a connector."""
        entries = (*self._entries.values(), *self._temporary.values())
        return [each.problem for each in entries if each.problem is not None and each.problem.code != "FX-SQL-0510"]

    def _refreshed(self, path: Path, entry: Entry, span: Span | None) -> Entry:
        assert self.rebind is not None
        try:
            fresh = replace(self.rebind(entry), age=self._age)
        except ScriptError as error:
            message = f"the view '{path[-1]}' can't be read any more: {error.message}"
            raise ScriptError(error.code, message, span=span, hint=error.hint) from error
        (self._temporary if entry.temporary else self._entries)[path] = fresh
        return fresh

    def _missing(
        self, path: Path, name: str | tuple[str, ...], span: Span | None, kind: str | None = None
    ) -> ScriptError:
        known = self.names_in(path[:2], kind)
        hint = nearest(path[2], known) or (f"known are {', '.join(known)}" if known else "make it with CREATE TABLE")
        shown = name if isinstance(name, str) else ".".join(name)
        return ScriptError("FX-SQL-0203", f"there is no {(kind or 'table').lower()} '{shown}'", span=span, hint=hint)
