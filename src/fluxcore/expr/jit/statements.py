"""Statements of Python as code that Numba compiles: assignments, IF, loops over ranges, WHILE, RETURN.

A variable has one kind in the whole function, found by going over it until nothing changes. Each loop ends as soon as Python has
to compute the row, and RAISE and a failing ASSERT are such a case.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from fluxcore.expr.jit.expressions import Scope, operation
from fluxcore.expr.jit.kinds import Kind, Typed, coerced, joined
from fluxcore.expr.jit.source import NotCompiledError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.expr.jit.program import Param, Program
    from fluxcore.expr.jit.source import Source

_PASSES_MAX = 10


def translated(
    program: Program, source: Source, name: str, params: Sequence[Param], *, nullable: bool
) -> tuple[Kind, str]:
    """Return the kind of a function's results, and its code under a name.

    In: ``nullable`` says whether it may give None: then ``t[0]`` is 2.0. Raises ``NotCompiledError``.
    """
    stores = {
        node.id for node in ast.walk(source.tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    optional = {each.name for each in params if each.optional}
    if stores & optional:
        raise source.refusal(source.tree, f"it assigns to {min(stores & optional)}, which may be None")
    kinds = {each.name: each.kind for each in params}
    result: Kind | None = None
    for _ in range(_PASSES_MAX):
        scope = Scope(
            program, source, {each.name: each for each in params}, frozenset(stores | set(kinds)), dict(kinds)
        )
        scope.assigned = {each.name for each in params}
        body = _Body(scope, result, nullable=nullable)
        body.block(source.tree.body, 1)
        if scope.kinds == kinds and body.result is result:
            return _whole(body, name, params)
        kinds, result = scope.kinds, body.result
    raise source.refusal(source.tree, "the kinds of its variables can't be found out")


def _whole(body: _Body, name: str, params: Sequence[Param]) -> tuple[Kind, str]:
    if body.result is None:
        raise body.scope.source.refusal(body.scope.source.tree, "it gives nothing but None")
    if not body.ended:
        body.give_none(body.scope.source.tree, 1)
    given = [
        "t",
        *(part for each in params for part in ([f"n_{each.name}"] if each.optional else []) + [f"p_{each.name}"]),
    ]
    kinds = body.scope.kinds
    heads = [f"    v_{each.name} = {coerced(Typed(each.kind, f'p_{each.name}'), kinds[each.name])}" for each in params]
    lines = [f"def {name}({', '.join(given)}, *OUTSIDE):", *heads]
    return body.result, "\n".join(["@njit(nogil=True, error_model='numpy')", *lines, *body.lines]) + "\n"


class _Body:
    """The lines of a function; ``ended`` says that nothing behind them is reached."""

    def __init__(self, scope: Scope, result: Kind | None, *, nullable: bool) -> None:
        self.scope = scope
        self.result = result
        self.lines: list[str] = []
        self.ended = False
        self._nullable = nullable

    def block(self, statements: Sequence[ast.stmt], depth: int) -> None:
        """Add statements."""
        self.ended = False
        before = len(self.lines)
        for statement in statements:
            if self.ended:
                break
            make = _STATEMENTS.get(type(statement))
            if make is None:
                raise self.scope.source.refusal(statement, f"{type(statement).__name__} is not compiled")
            make(self, statement, depth)
        if len(self.lines) == before:
            self.add("pass", depth)

    def add(self, line: str, depth: int) -> None:
        """Add one line."""
        self.lines.append("    " * depth + line)

    def leave(self, depth: int, code: str) -> None:
        """Return from the function, with a code in ``t[0]``."""
        self.add(f"t[0] = {code}", depth)
        self.add(f"return {(self.result or Kind.FLOAT).zero}", depth)
        self.ended = True

    def give_none(self, node: ast.AST, depth: int) -> None:
        """Return None."""
        if not self._nullable:
            raise self.scope.source.refusal(node, "a function that it calls may give None")
        self.leave(depth, "2.0")

    def give(self, node: ast.expr | None, depth: int, at: ast.AST) -> None:
        """Return a value."""
        if node is None or (isinstance(node, ast.Constant) and node.value is None):
            self.give_none(at, depth)
            return
        if isinstance(node, ast.IfExp):
            self.add(f"if {self.scope.condition(node.test)}:", depth)
            self.give(node.body, depth + 1, at)
            self.give(node.orelse, depth, at)
            return
        name = self.scope.optional(node)
        if name is not None:
            self.add(f"if n_{name}:", depth)
            self.give_none(at, depth + 1)
            value = Typed(self.scope.kinds[name], f"v_{name}")
        else:
            value = self.scope.value(node)
        self.result = self._join(self.result, value.kind, node, "its results are")
        self.add(f"return {coerced(value, self.result)}", depth)
        self.ended = True

    def assign(self, name: str, value: Typed, node: ast.AST) -> str:
        """Note that a variable gets a value; return the code of it as the variable's kind."""
        kind = self._join(self.scope.kinds.get(name), value.kind, node, f"{name} is")
        self.scope.kinds[name] = kind
        return coerced(value, kind)

    def loop(self, head: str, body: Sequence[ast.stmt], depth: int) -> None:
        """Add a loop, which ends where Python has to go on."""
        self.add(head, depth)
        self.add("if t[0] != 0.0:", depth + 1)
        self.add(f"return {(self.result or Kind.FLOAT).zero}", depth + 2)
        self.block(body, depth + 1)
        self.ended = False

    def _join(self, one: Kind | None, other: Kind, node: ast.AST, what: str) -> Kind:
        found = joined(one, other)
        if found is None:
            assert one is not None
            raise self.scope.source.refusal(node, f"{what} {one.value} and {other.value}")
        return found


def _return(body: _Body, node: ast.Return, depth: int) -> None:
    body.give(node.value, depth, node)


def _assign(body: _Body, node: ast.Assign, depth: int) -> None:
    if len(node.targets) != 1:
        raise body.scope.source.refusal(node, "an assignment to several targets is not compiled")
    target = node.targets[0]
    if isinstance(target, ast.Name):
        _set(body, target, body.scope.value(node.value), depth)
        return
    names = [each for each in target.elts if isinstance(each, ast.Name)] if isinstance(target, ast.Tuple) else []
    parts = node.value.elts if isinstance(node.value, ast.Tuple) else []
    if not names or not isinstance(target, ast.Tuple) or not len(names) == len(parts) == len(target.elts):
        raise body.scope.source.refusal(node, "only variables are assigned to")
    values = [body.scope.value(each) for each in parts]
    codes = [body.assign(name.id, value, node) for name, value in zip(names, values, strict=True)]
    body.add(f"{', '.join(f'v_{name.id}' for name in names)} = {', '.join(codes)}", depth)
    body.scope.assigned |= {name.id for name in names}


def _set(body: _Body, target: ast.Name, value: Typed, depth: int) -> None:
    code = body.assign(target.id, value, target)
    body.add(f"v_{target.id} = {code}", depth)
    body.scope.assigned.add(target.id)


def _augmented(body: _Body, node: ast.AugAssign, depth: int) -> None:
    if not isinstance(node.target, ast.Name):
        raise body.scope.source.refusal(node, "only variables are assigned to")
    old = body.scope.value(ast.copy_location(ast.Name(node.target.id, ast.Load()), node))
    try:
        value = operation(node.op, old, body.scope.value(node.value))
    except NotCompiledError as error:
        raise error if "(line " in str(error) else body.scope.source.refusal(node, str(error)) from None
    _set(body, node.target, value, depth)


def _annotated(body: _Body, node: ast.AnnAssign, depth: int) -> None:
    if node.value is None:
        return
    if not isinstance(node.target, ast.Name):
        raise body.scope.source.refusal(node, "only variables are assigned to")
    _set(body, node.target, body.scope.value(node.value), depth)


def _if(body: _Body, node: ast.If, depth: int) -> None:
    body.add(f"if {body.scope.condition(node.test)}:", depth)
    before = set(body.scope.assigned)
    body.block(node.body, depth + 1)
    first, ended = set(body.scope.assigned), body.ended
    body.scope.assigned = set(before)
    body.ended = False
    if node.orelse:
        body.add("else:", depth)
        body.block(node.orelse, depth + 1)
    other = body.scope.assigned
    if ended:
        body.scope.assigned = other
    else:
        body.scope.assigned = first if body.ended else first & other
    body.ended = body.ended and ended


def _while(body: _Body, node: ast.While, depth: int) -> None:
    if node.orelse:
        raise body.scope.source.refusal(node, "a loop with else is not compiled")
    before = set(body.scope.assigned)
    body.loop(f"while {body.scope.condition(node.test)}:", node.body, depth)
    body.scope.assigned = before


def _for(body: _Body, node: ast.For, depth: int) -> None:
    scope = body.scope
    call = node.iter
    if node.orelse or not isinstance(node.target, ast.Name):
        raise scope.source.refusal(node, "a loop with else, or over several variables, is not compiled")
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.func.id in scope.locals:
        raise scope.source.refusal(node, "a loop over anything but range() is not compiled")
    read = scope.source.resolver(call.func.id)
    args = [scope.value(each) for each in call.args]
    if read() is not range or call.keywords or not 1 <= len(args) <= 3 or any(a.kind is not Kind.INT for a in args):
        raise scope.source.refusal(node, "a loop over anything but range() of whole numbers is not compiled")
    scope.program.guards.append((read, range))
    codes = [each.code for each in args]
    bounds = ["np.int64(0)", codes[0]] if len(codes) == 1 else codes[:2]
    step = codes[2] if len(codes) == 3 else "np.int64(1)"
    before = set(scope.assigned)
    name = node.target.id
    each = f"i{depth}_{name}"
    value = body.assign(name, Typed(Kind.INT, f"np.int64({each})"), node)
    scope.assigned.add(name)
    inner = len(body.lines)
    body.loop(f"for {each} in range_int({', '.join(bounds)}, {step}, t):", node.body, depth)
    body.lines.insert(inner + 3, "    " * (depth + 1) + f"v_{name} = {value}")
    scope.assigned = before


def _leave_loop(body: _Body, node: ast.Break | ast.Continue, depth: int) -> None:
    body.add("break" if isinstance(node, ast.Break) else "continue", depth)
    body.ended = True


def _raise(body: _Body, _: ast.Raise, depth: int) -> None:
    body.leave(depth, "1.0")


def _assert(body: _Body, node: ast.Assert, depth: int) -> None:
    body.add(f"if not {body.scope.condition(node.test)}:", depth)
    body.leave(depth + 1, "1.0")
    body.ended = False


def _nothing(body: _Body, node: ast.stmt, depth: int) -> None:  # noqa: ARG001
    if isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant):
        raise body.scope.source.refusal(node, "an expression whose value nobody takes is not compiled")


_STATEMENTS: dict[type, Callable[..., None]] = {
    ast.Return: _return,
    ast.Assign: _assign,
    ast.AugAssign: _augmented,
    ast.AnnAssign: _annotated,
    ast.If: _if,
    ast.While: _while,
    ast.For: _for,
    ast.Break: _leave_loop,
    ast.Continue: _leave_loop,
    ast.Raise: _raise,
    ast.Assert: _assert,
    ast.Pass: _nothing,
    ast.Expr: _nothing,
}
