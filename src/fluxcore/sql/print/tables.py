"""Definitions of tables and views as SQL text, in the form of Flink's SHOW CREATE."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.core.quotes import quoted, text
from fluxcore.sql.print.names import dotted, listed, type_name
from fluxcore.sql.print.queries import expression, query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.sql import statements as st
    from fluxcore.sql.ast import OptionPair


def create_table(tree: st.CreateTable) -> str:
    """Return CREATE TABLE."""
    lead = f"CREATE {'OR REPLACE ' if tree.replace else ''}{'TEMPORARY ' if tree.temporary else ''}TABLE "
    parts = [lead + ("IF NOT EXISTS " if tree.if_not_exists else "") + dotted(tree.name)]
    inside = [column(each) for each in tree.columns]
    if tree.watermark is not None:
        inside.append(watermark(tree.watermark))
    if tree.primary_key is not None:
        inside.append(key(tree.primary_key))
    if inside:
        parts[0] += " (\n  " + ",\n  ".join(inside) + "\n)"
    if tree.comment is not None:
        parts.append(f"COMMENT {text(tree.comment)}")
    if tree.distribution is not None:
        parts.append(f"DISTRIBUTED {distribution(tree.distribution)}")
    if tree.partitioned:
        parts.append(f"PARTITIONED BY {listed(tree.partitioned)}")
    if tree.options:
        parts.append(with_options(tree.options))
    if tree.like is not None:
        choices = "".join(f"\n  {strategy} {feature}" for strategy, feature in tree.like.choices)
        parts.append(f"LIKE {dotted(tree.like.table)}" + (f" ({choices}\n)" if choices else ""))
    if tree.query is not None:
        parts.append(f"AS {query(tree.query)}")
    return "\n".join(parts)


def create_materialized(tree: st.CreateMaterialized) -> str:
    """Return CREATE MATERIALIZED TABLE."""
    assert tree.table.query is not None
    lead = f"CREATE {'OR ALTER ' if tree.alter else ''}MATERIALIZED TABLE "
    parts = [lead + create_table(replace(tree.table, query=None)).removeprefix("CREATE TABLE ")]
    if tree.freshness is not None:
        parts.append(f"FRESHNESS = INTERVAL '{tree.freshness.count}' {tree.freshness.unit}")
    if tree.mode is not None:
        parts.append(f"REFRESH_MODE = {tree.mode}")
    return "\n".join([*parts, f"AS {query(tree.table.query)}"])


def create_view(tree: st.CreateView) -> str:
    """Return CREATE VIEW."""
    lead = f"CREATE {'TEMPORARY ' if tree.temporary else ''}VIEW {'IF NOT EXISTS ' if tree.if_not_exists else ''}"
    parts = [lead + dotted(tree.name)]
    if tree.columns:
        parts[0] += " (\n  " + ",\n  ".join(quoted(name) for name in tree.columns) + "\n)"
    if tree.comment is not None:
        parts.append(f"COMMENT {text(tree.comment)}")
    return "\n".join([*parts, f"AS {query(tree.query)}"])


def column(tree: st.ColumnDefinition) -> str:
    """Return the definition of a column."""
    shown = quoted(tree.name)
    if tree.computed is not None:
        shown += f" AS {expression(tree.computed)}"
    elif tree.type is not None:
        shown += f" {type_name(tree.type)}"
    extras = metadata(tree)
    comment = f" COMMENT {text(tree.comment)}" if tree.comment is not None else ""
    return shown + (f" {extras}" if extras else "") + comment


def metadata(tree: st.ColumnDefinition) -> str:
    """Return METADATA FROM … of a column, if it is one."""
    if tree.metadata is None:
        return ""
    own = f" FROM {text(tree.metadata)}" if tree.metadata != tree.name else ""
    return f"METADATA{own}{' VIRTUAL' if tree.virtual else ''}"


def watermark(tree: st.WatermarkDefinition) -> str:
    """Return WATERMARK FOR …."""
    return f"WATERMARK FOR {quoted(tree.column)} AS {expression(tree.expr)}"


def key(tree: st.KeyDefinition) -> str:
    """Return PRIMARY KEY …."""
    lead = f"CONSTRAINT {quoted(tree.name)} " if tree.name is not None else ""
    return f"{lead}PRIMARY KEY {listed(tree.columns)} NOT ENFORCED"


def distribution(tree: st.Distribution) -> str:
    """Return what follows DISTRIBUTED."""
    parts = []
    if tree.columns:
        parts.append(f"BY {tree.kind or ''}{listed(tree.columns)}")
    if tree.buckets is not None:
        parts.append(f"INTO {tree.buckets} BUCKETS")
    return " ".join(parts)


def with_options(options: Sequence[OptionPair]) -> str:
    """Return WITH (…), an option a line."""
    return f"WITH {option_lines(options)}"


def option_lines(options: Sequence[OptionPair]) -> str:
    """Return options in brackets, one a line."""
    if not options:
        return "()"
    return "(\n  " + ",\n  ".join(f"{text(pair.key)} = {text(pair.value)}" for pair in options) + "\n)"
