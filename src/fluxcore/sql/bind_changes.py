"""Binds TO_CHANGELOG and FROM_CHANGELOG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.types import StringType
from fluxcore.errors import ScriptError, nearest
from fluxcore.plan.changelog import is_append_only
from fluxcore.plan.changes import FromChangelog, ToChangelog
from fluxcore.plan.columns import select
from fluxcore.sql import ast

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.errors import Span
    from fluxcore.plan.nodes import Node

KINDS = ("INSERT", "UPDATE_BEFORE", "UPDATE_AFTER", "DELETE")
_ARGUMENTS = ("INPUT", "OP", "OP_MAPPING")


def bind_changes(call: ast.FunctionCall, relation: Callable[[ast.Relation], Node]) -> Node:
    """Return the plan of TO_CHANGELOG or FROM_CHANGELOG; ``relation`` binds its input.

    Raises: ``ScriptError`` FX-SQL-0401, 0402 for arguments that are wrong, 0415 for codes or a column that are.
    """
    name = call.name.upper()
    args = dict(call.named) if call.named else dict(zip(_ARGUMENTS, call.args, strict=False))
    unknown = [each for each in args if each not in _ARGUMENTS]
    if unknown or len(call.args) > len(_ARGUMENTS):
        what = unknown[0].lower() if unknown else "more than 3 arguments"
        hint = nearest(what, [each.lower() for each in _ARGUMENTS])
        raise ScriptError("FX-SQL-0402", f"{name} has no argument {what}", span=call.span, hint=hint)
    data = args.get("INPUT")
    if isinstance(data, ast.SubQuery) and data.kind == "SCALAR":
        data = ast.TableArgument(table=ast.Derived(query=data.query, span=data.span), span=data.span)
    if not isinstance(data, ast.TableArgument):
        raise ScriptError("FX-SQL-0401", f"{name} takes a table first: TABLE t", span=call.span)
    if data.partition:
        raise ScriptError("FX-SQL-0402", f"{name} takes no PARTITION BY", span=data.span)
    node, column = relation(data.table), _column(args.get("OP"), name, call.span)
    if name == "TO_CHANGELOG":
        return _to(node, column, _codes(args.get("OP_MAPPING"), name, kinds_first=True), call.span)
    return _from(node, column, _codes(args.get("OP_MAPPING"), name, kinds_first=False), call.span)


def _to(node: Node, column: str, codes: tuple[tuple[str, str], ...], span: Span) -> Node:
    if column in node.schema.names:
        raise ScriptError(
            "FX-SQL-0415", f"the input has a column '{column}' already", span=span, hint="op => DESCRIPTOR(…)"
        )
    found = ToChangelog(node, codes, column)
    width = len(node.schema)
    return select(found, [width, *range(width)])


def _from(node: Node, column: str, codes: tuple[tuple[str, str], ...], span: Span) -> Node:
    names = node.schema.names
    if column not in names:
        hint = nearest(column, names) or "op => DESCRIPTOR(…) names the column of the operation"
        raise ScriptError("FX-SQL-0415", f"the input has no column '{column}'", span=span, hint=hint)
    place = names.index(column)
    if not isinstance(node.schema[place].type, StringType):
        message = f"the operation in '{column}' is {node.schema[place].type.name()}, and must be STRING"
        raise ScriptError("FX-SQL-0415", message, span=span)
    if not is_append_only(node):
        raise ScriptError("FX-SQL-0415", "FROM_CHANGELOG takes rows that are not updated", span=span)
    kinds = {kind for kind, _ in codes}
    if "UPDATE_AFTER" in kinds and "UPDATE_BEFORE" not in kinds:
        raise ScriptError("FX-SQL-0415", "UPDATE_AFTER needs UPDATE_BEFORE beside it", span=span)
    found = FromChangelog(node, place, codes)
    return select(found, [index for index in range(len(names)) if index != place])


def _column(tree: ast.Expression | None, name: str, span: Span) -> str:
    if tree is None:
        return "op"
    if not isinstance(tree, ast.Descriptor) or len(tree.columns) != 1:
        raise ScriptError("FX-SQL-0401", f"{name} takes op => DESCRIPTOR(column)", span=tree.span or span)
    return tree.columns[0]


def _codes(tree: ast.Expression | None, name: str, *, kinds_first: bool) -> tuple[tuple[str, str], ...]:
    """Return pairs of a kind of change and its code; keys of the map may be several with commas between them."""
    if tree is None:
        return tuple((kind, kind) for kind in KINDS)
    texts = (
        [each.value for each in tree.args if isinstance(each, ast.Constant)]
        if isinstance(tree, ast.FunctionCall)
        else []
    )
    whole = isinstance(tree, ast.FunctionCall) and tree.name == "MAP" and len(texts) == len(tree.args) and texts
    if not whole or not all(isinstance(each, str) for each in texts):
        raise ScriptError("FX-SQL-0401", f"{name} takes op_mapping => MAP['…', '…'] of constants", span=tree.span)
    pairs = list(zip(texts[::2], texts[1::2], strict=True))
    split = [(key.strip(), value) for keys, value in pairs for key in keys.split(",")]
    found = split if kinds_first else [(kind, code) for code, kind in split]
    for kind, _ in found:
        if kind not in KINDS:
            known = nearest(kind, KINDS) or f"known are {', '.join(KINDS)}"
            raise ScriptError("FX-SQL-0415", f"there is no change '{kind}'", span=tree.span, hint=known)
    for names in ([key for key, _ in split], [] if kinds_first else [kind for _, kind in pairs]):
        twice = next((each for each in names if names.count(each) > 1), None)
        if twice is not None:
            hint = None if kinds_first else "several codes of one change stand in one text: 'a, b'"
            raise ScriptError("FX-SQL-0415", f"'{twice}' stands twice", span=tree.span, hint=hint)
    return tuple(found)
