"""Carries out the statements about functions on a session's functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.errors import ScriptError, nearest
from fluxcore.sql import statements as st
from fluxcore.sql.functions import Registered, details, is_built_in
from fluxcore.sql.user_modules import folders_of, load_function

if TYPE_CHECKING:
    from fluxcore.core.settings import Settings
    from fluxcore.sql import ast
    from fluxcore.sql.functions import FunctionCatalog

FUNCTION_STATEMENTS = (st.CreateFunction, st.DropFunction, st.DescribeFunction)

Reply = tuple[str | None, tuple[str, ...], tuple[tuple[str, ...], ...]]


def run_function_statement(
    tree: ast.Statement, functions: FunctionCatalog, settings: Settings, file: str | None
) -> Reply:
    """Carry out a statement; return its message, or the names and rows of its answer. Raises ``ScriptError``."""
    match tree:
        case st.CreateFunction():
            return _create(tree, functions, settings, file), (), ()
        case st.DropFunction():
            functions.drop(tree.name[-1], tree.lifetime, if_exists=tree.if_exists, span=tree.span)
            return f"function {tree.name[-1]} dropped", (), ()
    assert isinstance(tree, st.DescribeFunction), tree
    return None, ("info name", "info value"), tuple(_describe(tree, functions))


def _create(tree: st.CreateFunction, functions: FunctionCatalog, settings: Settings, file: str | None) -> str:
    name = tree.name[-1]
    function = load_function(tree.identifier, folders_of(file, settings), tree.place)
    entry = Registered(function, tree.lifetime, tree.identifier)
    if tree.alter:
        functions.change(name, entry, if_exists=tree.exists, span=tree.span)
        return f"function {name} altered"
    made = functions.add(name, entry, if_not_exists=tree.exists, span=tree.span)
    return f"function {name} created" if made else f"{name} exists already"


def _describe(tree: st.DescribeFunction, functions: FunctionCatalog) -> list[tuple[str, str]]:
    name = tree.name[-1]
    found = functions.get(name, qualified=len(tree.name) > 1)
    if found is None and not (len(tree.name) == 1 and is_built_in(name)):
        hint = nearest(name, functions.names())
        raise ScriptError("FX-SQL-0606", f"there is no function '{name}'", span=tree.span, hint=hint)
    return details(name, found, extended=tree.extended)
