"""Statements about functions as SQL text."""

from __future__ import annotations

from fluxcore.core.quotes import text
from fluxcore.sql import statements as st
from fluxcore.sql.functions import Lifetime
from fluxcore.sql.print.names import dotted

_KIND = {
    Lifetime.CATALOG: "FUNCTION",
    Lifetime.TEMPORARY: "TEMPORARY FUNCTION",
    Lifetime.TEMPORARY_SYSTEM: "TEMPORARY SYSTEM FUNCTION",
}


def function_statement(tree: st.CreateFunction | st.DropFunction | st.DescribeFunction) -> str:
    """Return CREATE, ALTER, DROP or DESCRIBE FUNCTION without ``;``."""
    name = dotted(tree.name)
    match tree:
        case st.DescribeFunction():
            return f"DESCRIBE FUNCTION {'EXTENDED ' if tree.extended else ''}{name}"
        case st.DropFunction():
            return f"DROP {_KIND[tree.lifetime]} {'IF EXISTS ' if tree.if_exists else ''}{name}"
    verb, condition = ("ALTER", "IF EXISTS ") if tree.alter else ("CREATE", "IF NOT EXISTS ")
    exists = condition if tree.exists else ""
    return f"{verb} {_KIND[tree.lifetime]} {exists}{name} AS {text(tree.identifier)} LANGUAGE PYTHON"
