"""Expressions of Python as code of checked arithmetic, each with its kind.

The code of an expression has no effect but ``t[0]``, so that it may stand twice where Python computes it once.
"""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fluxcore.expr.jit.calls import known_call, power, truth
from fluxcore.expr.jit.kinds import Kind, Typed, coerced, joined, numeric
from fluxcore.expr.jit.source import NotCompiledError, attribute

if TYPE_CHECKING:
    from collections.abc import Callable

    from fluxcore.expr.jit.program import Param, Program
    from fluxcore.expr.jit.source import Source

_COMPARE: dict[type, str] = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_PLAIN: dict[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}
_CHECKED: dict[type, str] = {
    ast.Add: "add_int", ast.Sub: "sub_int", ast.Mult: "mul_int", ast.FloorDiv: "floordiv_int", ast.Mod: "mod_int",
    ast.LShift: "shift_left", ast.RShift: "shift_right",
}  # fmt: skip
_BITS: dict[type, str] = {ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^"}


@dataclass
class Scope:
    """What is known of a function's names: parameters, kinds of variables so far, and which surely have a value now."""

    program: Program
    source: Source
    params: dict[str, Param]
    locals: frozenset[str]
    kinds: dict[str, Kind] = field(default_factory=dict)
    assigned: set[str] = field(default_factory=set)

    def optional(self, node: ast.expr) -> str | None:
        """Return the name of a parameter that may be None, where the expression is one."""
        found = isinstance(node, ast.Name) and node.id in self.params and self.params[node.id].optional
        return node.id if found and isinstance(node, ast.Name) else None

    def value(self, node: ast.expr) -> Typed:
        """Return the code of an expression. Raises ``NotCompiledError``."""
        make = _EXPRESSIONS.get(type(node))
        if make is None:
            raise self.source.refusal(node, f"{_words(node)} is not compiled")
        try:
            return make(self, node)
        except NotCompiledError as error:
            if "(line " in str(error):
                raise
            raise self.source.refusal(node, str(error)) from None

    def condition(self, node: ast.expr) -> str:
        """Return the code of whether an expression counts as true."""
        if isinstance(node, ast.BoolOp):
            word = " or " if isinstance(node.op, ast.Or) else " and "
            return f"({word.join(self.condition(each) for each in node.values)})"
        name = self.optional(node)
        if name is not None:
            return f"(not n_{name} and {truth(Typed(self.kinds[name], f'v_{name}')).code})"
        return truth(self.value(node)).code


def _words(node: ast.AST) -> str:
    return f"{type(node).__name__}"


def _constant(_: Scope, node: Any) -> Typed:
    value = node.value
    if type(value) is bool:
        return Typed(Kind.BOOL, repr(value))
    if type(value) is int:
        if not -(2**63) <= value < 2**63:
            raise NotCompiledError("a number of more than 64 bits is not compiled")
        return Typed(Kind.INT, f"np.int64({value})")
    if type(value) is float:
        return Typed(Kind.FLOAT, repr(value) if math.isfinite(value) else "math.inf")
    raise NotCompiledError(
        f"{type(value).__name__} is not compiled" if value is not None else "None stands in for a number"
    )


def _name(scope: Scope, node: Any) -> Typed:
    name = node.id
    if name not in scope.locals:
        return scope.program.number((scope.source.function, name), scope.source.resolver(name))
    if name not in scope.assigned or name not in scope.kinds:
        raise NotCompiledError(f"{name} may have no value here")
    kind = scope.kinds[name]
    if name in scope.params and scope.params[name].optional:
        return Typed(kind, f"some(v_{name}, n_{name}, t)")
    return Typed(kind, f"v_{name}")


def _attribute(scope: Scope, node: Any) -> Typed:
    read, key = _resolved(scope, node)
    return scope.program.number(key, read)


def _resolved(scope: Scope, node: ast.expr) -> tuple[Callable[[], Any], tuple[Any, ...]]:
    """Return what reads a name or an attribute of a module, and the key that it is known by."""
    if isinstance(node, ast.Name) and node.id not in scope.locals:
        return scope.source.resolver(node.id), (scope.source.function, node.id)
    if isinstance(node, ast.Attribute):
        owner, key = _resolved(scope, node.value)
        return attribute(owner, node.attr), (*key, node.attr)
    raise NotCompiledError("only names and attributes of modules are compiled here")


def _unary(scope: Scope, node: Any) -> Typed:
    if isinstance(node.op, ast.Not):
        return Typed(Kind.BOOL, f"(not {scope.condition(node.operand)})")
    value = numeric(scope.value(node.operand))
    if isinstance(node.op, ast.UAdd):
        return value
    if isinstance(node.op, ast.Invert):
        if value.kind is not Kind.INT:
            raise NotCompiledError(f"~ of a {value.kind.value}")
        return Typed(Kind.INT, f"(~{value.code})")
    if value.kind is Kind.INT:
        return Typed(Kind.INT, f"neg_int({value.code}, t)")
    return Typed(value.kind, f"as_num(-{value.code}, t)" if value.kind is Kind.NUM else f"(-{value.code})")


def _binary(scope: Scope, node: Any) -> Typed:
    return operation(node.op, scope.value(node.left), scope.value(node.right))


def operation(op: ast.operator, left: Typed, right: Typed) -> Typed:
    """Return the code of a binary operation. Raises ``NotCompiledError``."""
    if type(op) in _BITS:
        kinds = {left.kind, right.kind}
        if kinds == {Kind.BOOL}:
            return Typed(Kind.BOOL, f"({left.code} {_BITS[type(op)]} {right.code})")
        if kinds <= {Kind.BOOL, Kind.INT}:
            return Typed(Kind.INT, f"({coerced(left, Kind.INT)} {_BITS[type(op)]} {coerced(right, Kind.INT)})")
    left, right = numeric(left), numeric(right)
    if isinstance(op, ast.Pow):
        found = power(left, right)
        if found is not None:
            return found
    if isinstance(op, ast.Div):
        if left.kind is right.kind is Kind.INT:
            return Typed(Kind.FLOAT, f"div_int({left.code}, {right.code}, t)")
        kind = Kind.NUM if Kind.NUM in (left.kind, right.kind) else Kind.FLOAT
        return Typed(Kind.FLOAT, f"div_float({coerced(left, kind)}, {coerced(right, kind)}, t)")
    if left.kind is right.kind is Kind.INT and type(op) in _CHECKED:
        return Typed(Kind.INT, f"{_CHECKED[type(op)]}({left.code}, {right.code}, t)")
    found = _of_floats(op, left, right)
    if found is None:
        raise NotCompiledError(f"{type(op).__name__} of a {left.kind.value} and a {right.kind.value} is not compiled")
    return found


def _of_floats(op: ast.operator, left: Typed, right: Typed) -> Typed | None:
    """Return the code of an operation of which at least one side is no whole number, or may be none."""
    kinds = {left.kind, right.kind}
    if Kind.FLOAT in kinds:
        sides = coerced(left, Kind.FLOAT), coerced(right, Kind.FLOAT)
        if type(op) in _PLAIN:
            return Typed(Kind.FLOAT, f"({sides[0]} {_PLAIN[type(op)]} {sides[1]})")
        if isinstance(op, ast.FloorDiv | ast.Mod) and Kind.NUM not in kinds:
            code = "floordiv_float" if isinstance(op, ast.FloorDiv) else "mod_float"
            return Typed(Kind.FLOAT, f"{code}({sides[0]}, {sides[1]}, t)")
    elif Kind.NUM in kinds and type(op) in _PLAIN:
        sides = coerced(left, Kind.NUM), coerced(right, Kind.NUM)
        return Typed(Kind.NUM, f"as_num({sides[0]} {_PLAIN[type(op)]} {sides[1]}, t)")
    return None


def _compare(scope: Scope, node: Any) -> Typed:
    parts = []
    left = node.left
    for op, right in zip(node.ops, node.comparators, strict=True):
        parts.append(_compared(scope, op, left, right))
        left = right
    return Typed(Kind.BOOL, f"({' and '.join(parts)})")


def _compared(scope: Scope, op: ast.cmpop, left: ast.expr, right: ast.expr) -> str:
    if isinstance(op, ast.Is | ast.IsNot):
        if not isinstance(right, ast.Constant) or right.value is not None:
            raise NotCompiledError("'is' of anything but None is not compiled")
        name = scope.optional(left)
        null = f"n_{name}" if name is not None else f"({scope.condition(left)} and False)"
        return null if isinstance(op, ast.Is) else f"(not {null})"
    if isinstance(op, ast.In | ast.NotIn):
        if not isinstance(right, ast.Tuple | ast.List | ast.Set) or not all(
            isinstance(each, ast.Constant) for each in right.elts
        ):
            raise NotCompiledError("'in' of anything but constants is not compiled")
        equal = [_compared(scope, ast.Eq(), left, each) for each in right.elts]
        found = f"({' or '.join(equal)})" if equal else f"({scope.condition(left)} and False)"
        return found if isinstance(op, ast.In) else f"(not {found})"
    one, other = numeric(scope.value(left)), numeric(scope.value(right))
    kind = joined(one.kind, other.kind)
    assert kind is not None, "numbers can be compared"
    return f"({coerced(one, kind)} {_COMPARE[type(op)]} {coerced(other, kind)})"


def _boolean(scope: Scope, node: Any) -> Typed:
    if any(scope.optional(each) is not None for each in node.values[:-1]):
        raise NotCompiledError("'and' and 'or' of what may be None are not compiled")
    values = [scope.value(each) for each in node.values]
    is_or = isinstance(node.op, ast.Or)
    if all(each.kind is Kind.BOOL for each in values):
        return Typed(Kind.BOOL, f"({(' or ' if is_or else ' and ').join(each.code for each in values)})")
    found = values[-1]
    for each in reversed(values[:-1]):
        test = truth(each).code
        found = _chosen(test, each, found) if is_or else _chosen(test, found, each)
    return found


def _chosen(test: str, one: Typed, other: Typed) -> Typed:
    kind = joined(one.kind, other.kind)
    if kind is None:
        raise NotCompiledError(f"this is a {one.kind.value} or a {other.kind.value}")
    return Typed(kind, f"({coerced(one, kind)} if {test} else {coerced(other, kind)})")


def _if(scope: Scope, node: Any) -> Typed:
    return _chosen(scope.condition(node.test), scope.value(node.body), scope.value(node.orelse))


def _call(scope: Scope, node: Any) -> Typed:
    if node.keywords or any(isinstance(each, ast.Starred) for each in node.args):
        raise NotCompiledError("a call with keywords or * is not compiled")
    read, _ = _resolved(scope, node.func)
    function = read()
    args = [scope.value(each) for each in node.args]
    found = known_call(function, args)
    if found is None:
        name, kind = scope.program.callee(read, [each.kind for each in args])
        found = Typed(kind, f"{name}({', '.join(['t', *(each.code for each in args), '*OUTSIDE'])})")
    scope.program.guards.append((read, function))
    return found


_EXPRESSIONS: dict[type, Callable[[Scope, Any], Typed]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.UnaryOp: _unary,
    ast.BinOp: _binary,
    ast.Compare: _compare,
    ast.BoolOp: _boolean,
    ast.IfExp: _if,
    ast.Call: _call,
}
