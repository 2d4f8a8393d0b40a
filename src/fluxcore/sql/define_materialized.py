"""Carries out CREATE, ALTER and DROP MATERIALIZED TABLE on the catalog; what runs is told by statements."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.connectors.contents import Contents
from fluxcore.core import registry
from fluxcore.core.duration import duration_ms
from fluxcore.core.schema import Schema
from fluxcore.errors import ScriptError, nearest
from fluxcore.expr import build
from fluxcore.expr.fold import fold
from fluxcore.plan.columns import references
from fluxcore.plan.graph import in_order
from fluxcore.plan.nodes import Node, Project
from fluxcore.sql import statements as st
from fluxcore.sql.alter import altered
from fluxcore.sql.ast import OptionPair
from fluxcore.sql.bind_expressions import ExpressionBinder
from fluxcore.sql.bind_tables import BoundTable, bind_table
from fluxcore.sql.catalog import Entry
from fluxcore.sql.like import filled
from fluxcore.sql.materialized import KIND, Action, Definition, MaterializedStatement, definition_of, remember
from fluxcore.sql.replies import CommandReply
from fluxcore.sql.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.core.settings import Settings
    from fluxcore.errors import Span
    from fluxcore.expr.nodes import Expr
    from fluxcore.sql.ast import Query
    from fluxcore.sql.catalog import Catalog, Path

    Done = CommandReply | MaterializedStatement

_UNIT_MS = {"SECOND": 1_000, "MINUTE": 60_000, "HOUR": 3_600_000, "DAY": 86_400_000}
_IN_NEXT = {"SECOND": 60, "MINUTE": 60, "HOUR": 24, "DAY": 2}
_OPTIONS = r"format|sink\.parallelism|partition\.fields\..+\.date-formatter"


class MaterializedDefiner:
    """Makes, changes and removes materialised tables of a catalog; ``query`` binds a query under the settings as they are."""

    def __init__(self, catalog: Catalog, query: Callable[[Query], Node]) -> None:
        self._catalog = catalog
        self._query = query

    def create(self, tree: st.CreateMaterialized, settings: Settings) -> Done:
        """Carry out CREATE [OR ALTER]. Raises ``ScriptError`` FX-SQL-0530 and those of tables."""
        name = tree.table.name
        path = self._catalog.path(name, tree.span)
        known = self._catalog.entry(path)
        if tree.alter and known is not None and known.materialized is not None:
            assert isinstance(known.tree, st.CreateMaterialized)
            fresh = replace(tree, freshness=tree.freshness or known.tree.freshness, mode=tree.mode or known.tree.mode)
            return self._replaced(path, known, fresh, settings)
        if known is not None and not known.temporary:
            hint = "CREATE OR ALTER changes a materialized table" if known.materialized is not None else None
            raise ScriptError("FX-SQL-0502", f"'{name[-1]}' exists already", span=tree.span, hint=hint)
        entry = self._entry(tree, settings)
        self._catalog.add(name, entry, span=tree.span)
        assert entry.materialized is not None
        return MaterializedStatement(
            Action.CREATE, entry.materialized, f"materialized table {name[-1]} created", tree.span
        )

    def drop(self, tree: st.Drop) -> Done:
        """Carry out DROP. Raises ``ScriptError`` FX-SQL-0203 when there is none."""
        known = None
        if not tree.if_exists or self._catalog.has_place(tree.name):
            known = self._catalog.entry(self._catalog.path(tree.name, tree.span))
        self._catalog.drop(tree.name, KIND, if_exists=tree.if_exists, span=tree.span)
        if known is None or known.materialized is None:
            return CommandReply(f"there is no materialized table {tree.name[-1]}")
        message = f"materialized table {tree.name[-1]} dropped"
        return MaterializedStatement(Action.DROP, known.materialized, message, tree.span)

    def alter(self, tree: st.Alter, settings: Settings) -> Done:
        """Carry out ALTER. Raises ``ScriptError`` FX-SQL-0515 and 0530."""
        path = self._catalog.path(tree.name, tree.span)
        known = self._catalog.get(tree.name, tree.span)
        if known.materialized is None or not isinstance(known.tree, st.CreateMaterialized):
            message = f"'{tree.name[-1]}' is a {known.kind.lower()}"
            raise ScriptError("FX-SQL-0515", message, span=tree.span, hint=f"ALTER {known.kind} changes it")
        change = tree.change
        if isinstance(change, st.SetQuery):
            columns = tuple(replace(column, span=tree.span) for column in known.tree.table.columns)
            table = replace(known.tree.table, query=change.query, columns=columns, span=tree.span)
            return self._replaced(path, known, replace(known.tree, table=table, span=tree.span), settings)
        if isinstance(change, st.Refreshing):
            return self._refreshing(tree, change, known)
        if isinstance(change, st.SetOptions | st.ResetOptions) and not (
            change.options if isinstance(change, st.SetOptions) else change.keys
        ):
            raise ScriptError("FX-SQL-0515", "there is no option to change", span=change.span)
        table = altered(known.tree.table, change)
        if _stored(table) != _stored(known.tree.table):
            message = (
                "the columns that are kept are those of the query: only computed ones are added, changed or dropped"
            )
            hint = f"ALTER MATERIALIZED TABLE {tree.name[-1]} AS SELECT … changes the query"
            raise ScriptError("FX-SQL-0515", message, span=change.span, hint=hint)
        if table.primary_key != known.tree.table.primary_key:
            fresh = replace(known.tree, table=table, span=tree.span)
            return self._replaced(path, known, fresh, settings)
        _check_options(table)
        node = _reading(table, known.materialized.memory.key).node
        self._catalog.put(path, replace(known, node=node, tree=replace(known.tree, table=table)))
        return CommandReply(f"materialized table {tree.name[-1]} changed")

    def _refreshing(self, tree: st.Alter, change: st.Refreshing, known: Entry) -> Done:
        definition = known.materialized
        assert definition is not None
        for pair in change.options:
            _check_option(pair)
        done = {"SUSPEND": "suspended", "RESUME": "resumed", "REFRESH": "refreshed"}[change.action]
        message = f"materialized table {tree.name[-1]} {done}"
        condition = None
        if change.partition:
            assert isinstance(known.tree, st.CreateMaterialized)
            condition = _condition(change, definition.plan, known.tree.table.partitioned)
        return MaterializedStatement(Action(change.action.lower()), definition, message, tree.span, condition=condition)

    def _replaced(self, path: Path, known: Entry, tree: st.CreateMaterialized, settings: Settings) -> Done:
        """Put a new version in the place of one; nothing happens where they say the same."""
        old = known.materialized
        assert old is not None and isinstance(known.tree, st.CreateMaterialized)
        entry = self._entry(tree, settings)
        assert entry.materialized is not None and isinstance(entry.tree, st.CreateMaterialized)
        new = entry.materialized
        if entry.tree.table == known.tree.table and (new.full, new.freshness_ms) == (old.full, old.freshness_ms):
            return CommandReply(f"materialized table {path[-1]} is as it was")
        _check_evolution(old.plan.schema, new.plan.schema, tree.span)
        if any(definition_of(node) is old for node in in_order([new.plan])):
            raise ScriptError("FX-SQL-0515", f"'{path[-1]}' would read itself", span=tree.span)
        self._catalog.put(path, entry)
        message = f"materialized table {path[-1]} changed"
        return MaterializedStatement(Action.CREATE, new, message, tree.span, old=old)

    def _entry(self, tree: st.CreateMaterialized, settings: Settings) -> Entry:
        assert tree.table.query is not None
        query = self._query(tree.table.query)
        _check_options(tree.table)
        table = _with_columns(tree.table, query.schema)
        memory = registry.find(registry.CONNECTORS, "memory").hold(Contents(table.name[-1]))
        bound = _reading(table, memory.key)
        _check_names(table)
        freshness, mode = _freshness(tree, settings)
        found = Definition(
            table.name[-1], _kept(query, bound.table.schema, table), bound.table, mode == "FULL",
            freshness.count * _UNIT_MS[freshness.unit], settings, memory,
        )  # fmt: skip
        remember(found)
        shown = replace(tree, table=table, freshness=freshness, mode=mode, alter=False)
        return Entry(bound.node, bound.table, None, kind=KIND, tree=shown, materialized=found)


def _reading(table: st.CreateTable, key: str) -> BoundTable:
    """Return a table as plans read it: its rows lie in memory under ``key``."""
    pairs = (("connector", "memory"), ("memory.key", key))
    options = tuple(OptionPair(key=name, value=value, span=table.span, value_span=table.span) for name, value in pairs)
    return bind_table(replace(table, options=options, partitioned=(), distribution=None, query=None, comment=None))


def _stored(table: st.CreateTable) -> tuple[st.ColumnDefinition, ...]:
    """Return the columns that are kept, but for their comments."""
    return tuple(replace(column, comment=None) for column in table.columns if column.computed is None)


def _with_columns(tree: st.CreateTable, schema: Schema) -> st.CreateTable:
    """Return the definition with all columns typed: those that it lists, in that order, then the rest of the query's.

    Raises: ``ScriptError`` FX-SQL-0530 for a listed column that the query doesn't give.
    """
    for column in tree.columns:
        if column.type is not None and column.metadata is None and schema.find(column.name) is None:
            message = f"the query gives no column '{column.name}'"
            hint = nearest(column.name, schema.names)
            raise ScriptError("FX-SQL-0530", message, span=column.span, hint=hint)
    whole = filled(tree, schema)
    listed = [column.name for column in tree.columns]
    order = {name: place for place, name in enumerate(listed)}
    columns = sorted(whole.columns, key=lambda column: order.get(column.name, len(order)))
    return replace(whole, columns=tuple(columns))


def _kept(query: Node, schema: Schema, table: st.CreateTable) -> Node:
    """Return the query with the columns that are kept, in their order and types."""
    given = dict(zip(query.schema.names, references(query), strict=True))
    exprs = []
    for column in schema:
        what = f"column '{column.name}' of '{table.name[-1]}'"
        exprs.append(build.coerce(given[column.name], column.type, what, span=table.span))
    return Project(query, tuple(exprs), tuple(schema.names))


def _check_names(table: st.CreateTable) -> None:
    """Check the columns that PRIMARY KEY and PARTITIONED BY name. Raises ``ScriptError`` FX-SQL-0506."""
    types = {column.name: column.type for column in table.columns if column.computed is None}
    for name in table.partitioned:
        if name not in types:
            message = f"PARTITIONED BY names '{name}', which is no column of the query"
            raise ScriptError("FX-SQL-0506", message, span=table.span, hint=nearest(name, types))
    key = table.primary_key
    for name in key.columns if key is not None else ():
        type_ = types[name]
        if type_ is not None and type_.nullable:
            assert key is not None
            message = f"PRIMARY KEY names '{name}', which may be NULL"
            hint = f"COALESCE({name}, …) is never NULL; or leave PRIMARY KEY out"
            raise ScriptError("FX-SQL-0506", message, span=key.span, hint=hint)


def _check_options(table: st.CreateTable) -> None:
    for pair in table.options:
        _check_option(pair)


def _check_option(pair: OptionPair) -> None:
    """Check an option. Raises ``ScriptError`` FX-SQL-0511 for one that would put the table elsewhere."""
    if re.fullmatch(_OPTIONS, pair.key) is None:
        message = f"a materialised table has no option '{pair.key}': it is kept in memory by the session"
        hint = "INSERT INTO … SELECT * FROM the table writes its changes into a table of any connector"
        raise ScriptError("FX-SQL-0511", message, span=pair.span, hint=hint)


def _check_evolution(old: Schema, new: Schema, span: Span) -> None:
    """Check that a new query only adds nullable columns at the end, as Flink wants. Raises ``ScriptError`` FX-SQL-0530."""
    hint = "only nullable columns are added, at the end; else DROP MATERIALIZED TABLE and make it anew"
    for index, column in enumerate(old):
        if index >= len(new) or new[index].name != column.name:
            message = f"the new query has no column '{column.name}' in place {index + 1}"
            raise ScriptError("FX-SQL-0530", message, span=span, hint=hint)
        if new[index].type.with_nullable(True) != column.type.with_nullable(True):
            message = (
                f"column '{column.name}' is {column.type.name()}, and the new query gives {new[index].type.name()}"
            )
            raise ScriptError("FX-SQL-0530", message, span=span, hint=hint)
    for column in new.columns[len(old) :]:
        if not column.type.nullable:
            message = f"the new column '{column.name}' is NOT NULL"
            raise ScriptError("FX-SQL-0530", message, span=span, hint=hint)


def _freshness(tree: st.CreateMaterialized, settings: Settings) -> tuple[st.Freshness, str]:
    """Return the freshness and the refresh mode, given or chosen as the settings say, which is Flink's way.

    Raises: ``ScriptError`` FX-SQL-0530 for a freshness that doesn't divide a minute, an hour or a day into equal parts, with FULL.
    """
    prefix = "materialized-table."
    mode = tree.mode
    if mode is None:
        threshold = duration_ms(settings.text(f"{prefix}refresh-mode.freshness-threshold"))
        given = tree.freshness
        late = given is not None and given.count * _UNIT_MS[given.unit] >= threshold
        mode = "FULL" if late else "CONTINUOUS"
    freshness = tree.freshness
    if freshness is None:
        default = duration_ms(settings.text(f"{prefix}default-freshness.{mode.lower()}"))
        freshness = _as_freshness(default, tree.span)
    if mode == "FULL":
        most = _IN_NEXT[freshness.unit]
        if freshness.count >= most or most % freshness.count:
            message = (
                f"with REFRESH_MODE = FULL, {freshness.count} {freshness.unit} must divide the next larger unit evenly"
            )
            hint = "such as '30' SECOND, '15' MINUTE, '6' HOUR or '1' DAY"
            raise ScriptError("FX-SQL-0530", message, span=freshness.span, hint=hint)
    return freshness, mode


def _as_freshness(ms: int, span: Span) -> st.Freshness:
    for unit in ("DAY", "HOUR", "MINUTE", "SECOND"):
        if ms >= _UNIT_MS[unit] and ms % _UNIT_MS[unit] == 0:
            return st.Freshness(count=ms // _UNIT_MS[unit], unit=unit, span=span)
    message = f"a default freshness of {ms} ms is no whole number of seconds"
    raise ScriptError("FX-SQL-0530", message, span=span)


def _condition(change: st.Refreshing, plan: Node, partitioned: tuple[str, ...]) -> Expr:
    """Return the condition of REFRESH PARTITION. Raises ``ScriptError`` FX-SQL-0506 for a column that is none of a partition."""
    found: Expr | None = None
    columns = references(plan)
    binder = ExpressionBinder(Scope.of(Schema(())), place="in PARTITION")
    for name, value in change.partition:
        if name not in partitioned:
            message = f"PARTITION names '{name}', by which the table is not partitioned"
            hint = (
                f"PARTITIONED BY names {', '.join(partitioned)}" if partitioned else "the table has no PARTITIONED BY"
            )
            raise ScriptError("FX-SQL-0506", message, span=value.span, hint=hint)
        column = columns[plan.schema.names.index(name)]
        constant = fold(build.cast(binder.bind(value), column.type, span=value.span))
        equal = build.call("=", [column, constant], span=value.span)
        found = equal if found is None else build.call("AND", [found, equal])
    assert found is not None
    return found
