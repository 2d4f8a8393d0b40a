"""Names, strings and types as SQL text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core import types as t
from fluxcore.core.quotes import quoted, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fluxcore.core.types import DataType
    from fluxcore.sql.ast import OptionPair


def dotted(parts: Sequence[str]) -> str:
    """Return a name with its qualifiers."""
    return ".".join(quoted(part) for part in parts)


def listed(names: Iterable[str]) -> str:
    """Return names in brackets."""
    return f"({', '.join(quoted(name) for name in names)})"


def pairs(options: Sequence[OptionPair]) -> str:
    """Return options as they stand in the brackets of a hint."""
    return ", ".join(f"{text(pair.key)} = {text(pair.value)}" for pair in options)


def type_name(type_: DataType) -> str:
    """Return a type as Flink writes it into a definition, STRING as VARCHAR(2147483647)."""
    return _bare(type_) + ("" if type_.nullable else " NOT NULL")


def _bare(type_: DataType) -> str:
    match type_:
        case t.StringType(fixed=False):
            return f"VARCHAR({type_.length})"
        case t.BytesType(fixed=False):
            return f"VARBINARY({type_.length})"
        case t.TimestampType(local=True):
            return f"TIMESTAMP({type_.precision}) WITH LOCAL TIME ZONE"
        case t.ArrayType():
            return f"ARRAY<{type_name(type_.element)}>"
        case t.MapType(multiset=True):
            return f"MULTISET<{type_name(type_.key)}>"
        case t.MapType():
            return f"MAP<{type_name(type_.key)}, {type_name(type_.value)}>"
        case t.RowType():
            return f"ROW<{', '.join(f'{quoted(name)} {type_name(each)}' for name, each in type_.fields)}>"
    return type_.name()
