"""Windows in GROUP BY, as Flink had them before table functions: ``GROUP BY k, TUMBLE(ts, INTERVAL '1' HOUR)``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fluxcore.errors import ScriptError, not_supported
from fluxcore.plan.columns import references, with_columns
from fluxcore.plan.nodes import AssignWindow, WindowKind, WindowSpec
from fluxcore.plan.windows import is_local
from fluxcore.sql import ast
from fluxcore.sql.bind_expressions import ExpressionBinder
from fluxcore.sql.window_arguments import length_of, time_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.expr.nodes import Expr
    from fluxcore.plan.nodes import Node
    from fluxcore.sql.scope import Scope

_LENGTHS = {"TUMBLE": ("size",), "HOP": ("slide", "size"), "SESSION": ("gap",)}


def find_group_window(group: Sequence[ast.Expression]) -> ast.FunctionCall | None:
    """Return the window among the trees of GROUP BY, or None."""
    for tree in group:
        if isinstance(tree, ast.FunctionCall) and tree.name.upper() in _LENGTHS:
            return tree
    return None


def group_window(
    node: Node, scope: Scope, group: Sequence[ast.Expression]
) -> tuple[Node, dict[ast.FunctionCall, Expr]]:
    """Return the node with its rows in the window of GROUP BY, and what TUMBLE_START and the like stand for.

    Without a window it returns the node and nothing. Sessions are those of the other keys.

    Raises: ``ScriptError`` FX-SQL-0401, 0403, 0404 for arguments that are wrong.
    """
    call = find_group_window(group)
    if call is None:
        return node, {}
    name, lengths = call.name.upper(), _LENGTHS[call.name.upper()]
    if len(call.args) not in (1 + len(lengths), 2 + len(lengths)):
        raise ScriptError("FX-SQL-0401", f"{name} takes a time column, {' and '.join(lengths)}", span=call.span)
    if not isinstance(call.args[0], ast.Name):
        raise not_supported(f"{name} of an expression", span=call.args[0].span)
    node, time = time_column(node, scope, call.args[0].parts, call.args[0].span)
    sizes = [length_of(tree, what, name) for tree, what in zip(call.args[1:], lengths, strict=False)]
    offset = length_of(call.args[-1], "offset", name) if len(call.args) > 1 + len(lengths) else 0
    partition: list[int] = []
    if name == "SESSION":
        binder = ExpressionBinder(scope, place="in GROUP BY")
        keys = [binder.bind(tree) for tree in group if tree is not call]
        node, partition = with_columns(node, keys)
    shape, keys_of_sessions = (sizes[-1], sizes[0], offset), tuple(dict.fromkeys(partition))
    spec = WindowSpec(WindowKind(name), time, *shape, keys_of_sessions, is_local(node.schema, time))
    found = AssignWindow(node, spec)
    start, end, moment = references(found)[-3:]
    marks = {"START": start, "END": end, "ROWTIME": moment, "PROCTIME": moment}
    return found, {replace(call, name=f"{name}_{mark}"): expr for mark, expr in marks.items()}
