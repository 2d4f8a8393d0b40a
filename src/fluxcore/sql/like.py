"""Definitions made of others: CREATE TABLE … LIKE, and the table of CREATE TABLE … AS."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.errors import ScriptError, nearest
from fluxcore.sql.statements import ColumnDefinition

if TYPE_CHECKING:
    from fluxcore.core.schema import Schema
    from fluxcore.sql.ast import OptionPair
    from fluxcore.sql.statements import CreateTable

_FEATURES = (
    "CONSTRAINTS", "PARTITIONS", "DISTRIBUTION", "GENERATED", "OPTIONS", "WATERMARKS", "METADATA",
)  # fmt: skip


def merged(tree: CreateTable, base: CreateTable) -> CreateTable:
    """Return a definition with what its LIKE takes from ``base``.

    Without a choice everything is included, and options are overwritten. Raises: ``ScriptError`` FX-SQL-0514 for what both
    define.
    """
    assert tree.like is not None
    choices = dict.fromkeys(_FEATURES, "INCLUDING") | {"OPTIONS": "OVERWRITING"}
    for strategy, feature in tree.like.choices:
        if feature == "ALL":
            choices = dict.fromkeys(_FEATURES, strategy)
    choices |= {feature: strategy for strategy, feature in tree.like.choices if feature != "ALL"}
    watermark, key, partitioned, distribution = tree.watermark, tree.primary_key, tree.partitioned, tree.distribution
    if choices["WATERMARKS"] != "EXCLUDING" and base.watermark is not None:
        if watermark is not None and choices["WATERMARKS"] == "INCLUDING":
            raise _both(tree, "a watermark", "WATERMARKS", overwriting=True)
        watermark = watermark or base.watermark
    if choices["CONSTRAINTS"] == "INCLUDING" and base.primary_key is not None:
        if key is not None:
            raise _both(tree, "a primary key", "CONSTRAINTS")
        key = base.primary_key
    if choices["PARTITIONS"] == "INCLUDING" and base.partitioned:
        if partitioned:
            raise _both(tree, "partitions", "PARTITIONS")
        partitioned = base.partitioned
    if choices["DISTRIBUTION"] == "INCLUDING" and base.distribution is not None:
        if distribution is not None:
            raise _both(tree, "a distribution", "DISTRIBUTION")
        distribution = base.distribution
    return replace(
        tree, columns=_columns(tree, base, choices), watermark=watermark, primary_key=key, partitioned=partitioned,
        distribution=distribution, options=_options(tree, base, choices["OPTIONS"]), like=None,
    )  # fmt: skip


def _both(tree: CreateTable, what: str, feature: str, *, overwriting: bool = False) -> ScriptError:
    hint = f"write EXCLUDING {feature}" + (f" or OVERWRITING {feature}" if overwriting else "")
    return ScriptError("FX-SQL-0514", f"the table behind LIKE has {what} already", span=tree.span, hint=hint)


def _columns(tree: CreateTable, base: CreateTable, choices: dict[str, str]) -> tuple[ColumnDefinition, ...]:
    found: dict[str, ColumnDefinition] = {}
    for column in base.columns:
        feature = _feature(column)
        if feature is None or choices[feature] != "EXCLUDING":
            found[column.name] = column
    for column in tree.columns:
        known = found.get(column.name)
        if known is not None:
            feature = _feature(column)
            if feature is None or _feature(known) != feature or choices[feature] != "OVERWRITING":
                hint = f"write EXCLUDING {feature} or OVERWRITING {feature}" if feature else None
                message = f"the table behind LIKE has a column '{column.name}' already"
                raise ScriptError("FX-SQL-0514", message, span=column.span, hint=hint)
        found[column.name] = column
    return tuple(found.values())


def _feature(column: ColumnDefinition) -> str | None:
    """Return which choice of LIKE concerns a column; None for a physical one, which always stays."""
    if column.computed is not None:
        return "GENERATED"
    return "METADATA" if column.metadata is not None else None


def _options(tree: CreateTable, base: CreateTable, strategy: str) -> tuple[OptionPair, ...]:
    if strategy == "EXCLUDING":
        return tree.options
    found = {pair.key: pair for pair in base.options}
    for pair in tree.options:
        if strategy == "INCLUDING" and pair.key in found:
            hint = "write EXCLUDING OPTIONS or OVERWRITING OPTIONS"
            message = f"the table behind LIKE has the option '{pair.key}' already"
            raise ScriptError("FX-SQL-0514", message, span=pair.span, hint=hint)
        found[pair.key] = pair
    return tuple(found.values())


def filled(tree: CreateTable, schema: Schema) -> CreateTable:
    """Return the definition of CREATE TABLE AS: its own columns first, then those of the query.

    A column of both has the type that the definition says; bare names give the query's columns another order. Raises:
    ``ScriptError`` FX-SQL-0507 for bare names that are not the query's columns, FX-SQL-0503.
    """
    assert tree.query is not None
    for name in schema.names:
        if schema.names.count(name) > 1:
            raise ScriptError("FX-SQL-0503", f"the column '{name}' stands twice", span=tree.query.span)
    queried = {c.name: ColumnDefinition(name=c.name, type=c.type, span=tree.query.span) for c in schema}
    if any(column.type is None and column.computed is None for column in tree.columns):
        names = [column.name for column in tree.columns]
        if len(names) != len(schema):
            message = f"the list names {len(names)} columns, and the query has {len(schema)}"
            raise ScriptError("FX-SQL-0507", message, span=tree.span)
        for column in tree.columns:
            if column.name not in queried:
                hint = nearest(column.name, schema.names)
                raise ScriptError(
                    "FX-SQL-0201", f"the query has no column '{column.name}'", span=column.span, hint=hint
                )
        return replace(tree, columns=tuple(queried[name] for name in names))
    for column in tree.columns:
        if column.name in queried and (column.computed is not None or column.metadata is not None):
            message = f"'{column.name}' is a column of the query, and can't be computed"
            raise ScriptError("FX-SQL-0503", message, span=column.span)
    own = {column.name: column for column in tree.columns}
    first = tuple(column for column in tree.columns if column.name not in queried)
    return replace(tree, columns=first + tuple(own.get(name, column) for name, column in queried.items()))
