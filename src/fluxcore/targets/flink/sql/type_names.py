"""Types as Flink's DDL and CAST write them."""

from __future__ import annotations

from fluxcore.core.quotes import quoted
from fluxcore.core.types import ArrayType, DataType, MapType, NullType, RowType


def type_name(type_: DataType) -> str:
    """Return the name of a type without its own nullability, which a CAST can't state; what it holds states it."""
    match type_:
        case ArrayType():
            return f"ARRAY<{declared(type_.element)}>"
        case MapType() if type_.multiset:
            return f"MULTISET<{declared(type_.key)}>"
        case MapType():
            return f"MAP<{declared(type_.key)}, {declared(type_.value)}>"
        case RowType():
            return "ROW<" + ", ".join(f"{quoted(name)} {declared(each)}" for name, each in type_.fields) + ">"
        case NullType():
            return "STRING"  # a column of which only NULLs are known has no type in Flink
    return type_.name()


def declared(type_: DataType) -> str:
    """Return a type as a column is declared with it."""
    return type_name(type_) + ("" if type_.nullable else " NOT NULL")
