"""Queries and what stands in FROM as SQL text."""

from __future__ import annotations

from fluxcore.core.quotes import quoted, text
from fluxcore.sql import ast
from fluxcore.sql.print.expressions import ExpressionPrinter
from fluxcore.sql.print.match import match_recognize
from fluxcore.sql.print.names import dotted, listed, pairs


def query(tree: ast.Query) -> str:
    """Return a query."""
    parts = []
    if tree.tables:
        parts.append("WITH " + ", ".join(_with(*each) for each in tree.tables))
    match tree:
        case ast.Select():
            parts.append(_select(tree))
        case ast.ValuesQuery():
            rows = (f"({', '.join(expression(value) for value in row)})" for row in tree.rows)
            parts.append(f"VALUES {', '.join(rows)}")
        case ast.SetQuery():
            kind = tree.kind + (" ALL" if tree.all else "")
            parts.append(f"{_operand(tree.left)} {kind} {_operand(tree.right)}")
        case _:
            raise TypeError(f"no text for {type(tree).__name__}")
    if tree.order:
        parts.append(_EXPRESSIONS.order(tree.order))
    if tree.limit is not None:
        parts.append(f"LIMIT {tree.limit}")
    if tree.offset:
        parts.append(f"OFFSET {tree.offset} ROWS")
    return "\n".join(parts)


def expression(tree: ast.Expression) -> str:
    """Return an expression."""
    return _EXPRESSIONS.show(tree)


def relation(tree: ast.Relation) -> str:
    """Return what stands in FROM."""
    match tree:
        case ast.TableName():
            return dotted(tree.parts) + (f" /*+ OPTIONS({pairs(tree.options)}) */" if tree.options else "")
        case ast.Aliased():
            columns = f" {listed(tree.columns)}" if tree.columns else ""
            return f"{_single(tree.relation)} AS {quoted(tree.alias)}{columns}"
        case ast.AsOf():
            return f"{_single(tree.relation)} FOR SYSTEM_TIME AS OF {expression(tree.time)}"
        case ast.Derived():
            return f"{'LATERAL ' if tree.lateral else ''}({query(tree.query)})"
        case ast.WindowTable():
            return f"TABLE({expression(tree.call)})"
        case ast.TableFunction():
            return f"LATERAL TABLE({_table_call(tree.call)})"
        case ast.ChangelogTable():
            return f"TABLE({_table_call(tree.call)})"
        case ast.MatchRecognize():
            return match_recognize(tree, _single(tree.relation), _EXPRESSIONS)
        case ast.Unnest():
            return f"UNNEST({expression(tree.arg)}){' WITH ORDINALITY' if tree.ordinality else ''}"
        case ast.Joined():
            return _joined(tree)
    raise TypeError(f"no text for {type(tree).__name__}")


def _with(name: str, columns: tuple[str, ...], tree: ast.Query) -> str:
    return f"{quoted(name)}{f' {listed(columns)}' if columns else ''} AS ({query(tree)})"


def _operand(tree: ast.Query) -> str:
    bare = not isinstance(tree, ast.SetQuery) and not (tree.tables or tree.order or tree.offset) and tree.limit is None
    return query(tree) if bare else f"({query(tree)})"


def _select(tree: ast.Select) -> str:
    lifetimes = ", ".join(f"{text(name)} = '{ms} ms'" for name, ms in tree.lifetimes)
    hint = f"/*+ STATE_TTL({lifetimes}) */ " if lifetimes else ""
    items = (expression(each.expr) + (f" AS {quoted(each.alias)}" if each.alias else "") for each in tree.items)
    parts = [f"SELECT {hint}{'DISTINCT ' if tree.distinct else ''}{', '.join(items)}"]
    if tree.source is not None:
        parts.append(f"FROM {relation(tree.source)}")
    if tree.where is not None:
        parts.append(f"WHERE {expression(tree.where)}")
    if tree.group is not None:
        keys = ", ".join(expression(key) for key in tree.group)
        parts.append(f"GROUP BY {keys or '()'}")
    if tree.having is not None:
        parts.append(f"HAVING {expression(tree.having)}")
    if tree.windows:
        shown = (f"{quoted(name)} AS {_EXPRESSIONS.window(window)}" for name, window in tree.windows)
        parts.append(f"WINDOW {', '.join(shown)}")
    if tree.qualify is not None:
        parts.append(f"QUALIFY {expression(tree.qualify)}")
    return "\n".join(parts)


def _table_call(call: ast.FunctionCall) -> str:
    inside = expression(ast.FunctionCall(name="F", args=call.args, named=call.named, span=call.span))
    return quoted(call.name) + inside[1:]


def _single(tree: ast.Relation) -> str:
    """Return a relation that is one thing for what stands around it."""
    return f"({relation(tree)})" if isinstance(tree, ast.Joined | ast.Aliased) else relation(tree)


def _joined(tree: ast.Joined) -> str:
    right = relation(tree.right)
    if isinstance(tree.right, ast.Joined):
        right = f"({right})"
    word = ("NATURAL " if tree.natural else "") + ("JOIN" if tree.kind == "INNER" else f"{tree.kind} JOIN")
    shown = f"{relation(tree.left)}\n{word} {right}"
    if tree.using:
        return f"{shown} USING {listed(tree.using)}"
    return shown + (f" ON {expression(tree.condition)}" if tree.condition is not None else "")


_EXPRESSIONS = ExpressionPrinter(query, relation)
