"""Simplifies expressions without computing anything: branches never taken, tests that types decide, conditions in conflict.

What holds of any value is done by :func:`simplify`; :func:`simplify_condition` also uses that a filter keeps a row only where
its condition is TRUE, so that FALSE and NULL are the same to it.
"""

from __future__ import annotations

import datetime as dt
import operator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from fluxcore.core.types import BOOLEAN, FloatType, NullType
from fluxcore.expr.nodes import Call, ColumnRef, Expr, Literal, transform
from fluxcore.expr.null_rules import is_null_with
from fluxcore.expr.pushdown import conjunction, conjuncts, deterministic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.core.types import DataType

_NOT_NULL = BOOLEAN.with_nullable(False)
_MIRROR = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_ORDERED = (int, str, Decimal, dt.date, dt.datetime, dt.time)


def simplify(expr: Expr) -> Expr:
    """Return an expression of the same value: constant branches of CASE, tests of columns that are never NULL, ``NOT NOT``."""
    return transform(expr, _simplify)


def simplify_condition(expr: Expr) -> Expr:
    """Return a condition that is TRUE for the same rows; what is never true becomes FALSE.

    Conditions said twice go, so do those that another one implies (``x > 3`` beside ``x > 5``); ranges that no value is in
    become FALSE, and ``x = x`` becomes ``x IS NOT NULL``.
    """
    parts = list(dict.fromkeys(_of_filter(part) for part in conjuncts(simplify(expr))))
    if any(_is_constant(part, False) for part in parts):
        return never()
    parts = [part for part in parts if not _is_constant(part, True)]
    tests = [_test_of(part) for part in parts]
    if any(_excludes(a, b) for n, a in enumerate(tests) if a for b in tests[n + 1 :] if b):
        return never()
    kept = [
        part
        for n, (part, test) in enumerate(zip(parts, tests, strict=True))
        if test is None or not any(m != n and other and _implies(other, test, m < n) for m, other in enumerate(tests))
    ]
    return conjunction(kept) or Literal(type=_NOT_NULL, value=True)


def never() -> Literal:
    """Return FALSE."""
    return Literal(type=_NOT_NULL, value=False)


def is_true(expr: Expr) -> bool:
    """Return whether a condition is the constant TRUE."""
    return _is_constant(expr, True)


def is_never(expr: Expr) -> bool:
    """Return whether a condition is the constant FALSE or NULL."""
    return isinstance(expr, Literal) and expr.value is not True


def _is_constant(expr: Expr, value: bool) -> bool:
    return isinstance(expr, Literal) and expr.value is value


def _simplify(node: Expr) -> Expr:
    if not isinstance(node, Call):
        return node
    match node.function:
        case "CASE" | "IF":
            return _case(node)
        case "COALESCE" | "IFNULL":
            return _coalesce(node)
        case "NOT" if isinstance(node.args[0], Call) and node.args[0].function == "NOT":
            return node.args[0].args[0]
        case "IS NULL" | "IS NOT NULL" if isinstance(node.args[0], ColumnRef) and not node.args[0].type.nullable:
            return Literal(type=_NOT_NULL, value=node.function == "IS NOT NULL", span=node.span)
        case "=" | "<=" | ">=" | "<>" | "<" | ">" if _same_known(node.args) and not node.args[0].type.nullable:
            return Literal(type=_NOT_NULL, value=node.function in ("=", "<=", ">="), span=node.span)
    if is_null_with(node, ()) and not isinstance(node.type, NullType):
        return Literal(type=node.type.with_nullable(True), value=None, span=node.span)
    return node


def _same_known(args: Sequence[Expr]) -> bool:
    """Return whether both sides are one column, of a type whose values all equal themselves."""
    first, second = args
    return first == second and isinstance(first, ColumnRef) and not isinstance(first.type, FloatType)


def _case(node: Call) -> Expr:
    """Return CASE without branches whose condition is a constant."""
    kept: list[Expr] = []
    last = node.args[-1]
    for condition, value in zip(node.args[0:-1:2], node.args[1::2], strict=True):
        if isinstance(condition, Literal):
            if condition.value is True:
                last = value
                break
            continue
        kept += [condition, value]
    if not kept:
        return last if _fits(last.type, node.type) else node
    found = (*kept, last)
    return node if len(found) == len(node.args) else node.with_children(found)


def _coalesce(node: Call) -> Expr:
    """Return COALESCE without NULLs, and without what stands behind a value that is never NULL."""
    kept: list[Expr] = []
    for arg in node.args:
        if isinstance(arg, Literal) and arg.value is None:
            continue
        kept.append(arg)
        if isinstance(arg, Literal) or (isinstance(arg, ColumnRef) and not arg.type.nullable):
            break
    if len(kept) == 1 and _fits(kept[0].type, node.type):
        return kept[0]
    return node if not kept or len(kept) == len(node.args) else node.with_children(tuple(kept))


def _fits(found: DataType, wanted: DataType) -> bool:
    return found.with_nullable(True) == wanted.with_nullable(True)


def _of_filter(part: Expr) -> Expr:
    """Return a conjunct of a filter in its simplest form."""
    if isinstance(part, Literal):
        return part if part.value is True else never()
    if isinstance(part, Call) and part.function in ("=", "<=", ">=", "<>", "<", ">") and _same_known(part.args):
        if part.function in ("=", "<=", ">="):
            return Call(function="IS NOT NULL", args=(part.args[0],), type=_NOT_NULL, span=part.span)
        return never()
    if isinstance(part, Call) and part.function == "IS TRUE":
        return _of_filter(part.args[0])
    return part


@dataclass(frozen=True)
class _Test:
    """What a conjunct says about one value: it is in a set, or compares with a constant, or is (not) NULL."""

    value: Expr
    op: str
    constants: tuple[Any, ...] = ()


def _test_of(part: Expr) -> _Test | None:
    if not isinstance(part, Call):
        return None
    if part.function in ("IS NULL", "IS NOT NULL") and deterministic(part.args[0]):
        return _Test(part.args[0], part.function)
    if part.function == "IN":
        value, constants = part.args[0], [each.value for each in part.args[1:] if isinstance(each, Literal)]
        known = [each for each in constants if each is not None]
        if len(constants) < len(part.args) - 1 or not _comparable(known) or not deterministic(value):
            return None
        return _Test(value, "IN", tuple(known))
    if part.function not in _MIRROR:
        return None
    value, constant = part.args
    op = part.function
    if isinstance(value, Literal):
        value, constant, op = constant, value, _MIRROR[op]
    if not isinstance(constant, Literal) or isinstance(value, Literal) or not _comparable([constant.value]):
        return None
    if not deterministic(value):
        return None
    return _Test(value, "IN", (constant.value,)) if op == "=" else _Test(value, op, (constant.value,))


def _comparable(constants: Sequence[Any]) -> bool:
    kinds = {type(each) for each in constants}
    return len(kinds) == 1 and all(issubclass(kind, _ORDERED) and kind is not bool for kind in kinds)


def _excludes(a: _Test, b: _Test) -> bool:
    """Return whether no value meets both tests."""
    if a.value != b.value:
        return False
    if "IS NULL" in (a.op, b.op):
        return a.op != b.op
    if "IS NOT NULL" in (a.op, b.op) or type(a.constants[0]) is not type(b.constants[0]):
        return False
    if b.op == "IN":
        a, b = b, a
    if a.op == "IN":
        return not any(_meets(each, b) for each in a.constants)
    if "<>" in (a.op, b.op) or a.op[0] == b.op[0]:
        return False
    low, high = (a, b) if a.op[0] == ">" else (b, a)
    first, last = low.constants[0], high.constants[0]
    return bool(first > last or (first == last and (low.op, high.op) != (">=", "<=")))


def _meets(constant: Any, test: _Test) -> bool:
    if test.op == "IN":
        return constant in test.constants
    return _COMPARE[test.op](constant, test.constants[0])


def _implies(a: _Test, b: _Test, earlier: bool) -> bool:
    """Return whether each value that meets ``a`` meets ``b``; of two that imply each other the earlier one counts."""
    if a.value != b.value or a.op == "IS NULL" or b.op == "IS NULL":
        return False
    if b.op == "IS NOT NULL":
        return a.op != "IS NOT NULL"
    if a.op == "IS NOT NULL" or type(a.constants[0]) is not type(b.constants[0]):
        return False
    if a.op == "IN":
        within = all(_meets(each, b) for each in a.constants)
        return within and (b.op != "IN" or len(set(a.constants)) < len(set(b.constants)) or earlier)
    if b.op == "IN" or "<>" in (a.op, b.op) or a.op[0] != b.op[0]:
        return False
    x, y = a.constants[0], b.constants[0]
    if x == y:
        return (a.op != b.op and len(a.op) == 1) or (a.op == b.op and earlier)
    return bool(x > y) if a.op[0] == ">" else bool(x < y)
