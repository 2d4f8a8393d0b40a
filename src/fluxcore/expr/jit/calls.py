"""The functions of Python that compiled functions may call, by the object that they are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fluxcore.expr.jit.kinds import Kind, Typed, coerced, joined, numeric

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def known_call(function: Any, args: Sequence[Typed]) -> Typed | None:
    """Return the code of a call of one of Python's own functions; None where it is none of them, or not so."""
    try:
        make = _CALLS.get(function)
    except TypeError:  # an object that can't be a key
        return None
    return None if make is None else make([numeric(each) for each in args], args)


def power(base: Typed, exponent: Typed) -> Typed | None:
    """Return ``base ** exponent``."""
    if base.kind is exponent.kind is Kind.INT:
        return Typed(Kind.INT, f"pow_int({base.code}, {exponent.code}, t)")
    if Kind.NUM in (base.kind, exponent.kind):
        return None
    return Typed(Kind.FLOAT, f"pow_float({coerced(base, Kind.FLOAT)}, {coerced(exponent, Kind.FLOAT)}, t)")


def _float(value: Typed) -> str:
    return coerced(value, Kind.FLOAT)


def _of_one(code: str, kind: Kind = Kind.FLOAT) -> Callable[[Sequence[Typed], Sequence[Typed]], Typed | None]:
    """Return what makes the call of a function of one float; ``code`` has {} for it."""
    return lambda args, _: Typed(kind, code.format(_float(args[0]))) if len(args) == 1 else None


def _of_two(code: str) -> Callable[[Sequence[Typed], Sequence[Typed]], Typed | None]:
    return lambda args, _: Typed(Kind.FLOAT, code.format(*map(_float, args))) if len(args) == 2 else None


def _log(args: Sequence[Typed], _: Sequence[Typed]) -> Typed | None:
    logs = [f"finite(math.log({_float(each)}), t)" for each in args]
    if len(logs) == 2:
        return Typed(Kind.FLOAT, f"div_float({logs[0]}, {logs[1]}, t)")
    return Typed(Kind.FLOAT, logs[0]) if len(logs) == 1 else None


def _rounding(code: str) -> Callable[[Sequence[Typed], Sequence[Typed]], Typed | None]:
    """Return what makes the call of a function that gives a whole number; of one it is itself."""

    def make(args: Sequence[Typed], _: Sequence[Typed]) -> Typed | None:
        if len(args) != 1:
            return None
        return args[0] if args[0].kind is Kind.INT else Typed(Kind.INT, f"{code}({args[0].code}, t)")

    return make


def _to_float(args: Sequence[Typed], _: Sequence[Typed]) -> Typed | None:
    return Typed(Kind.FLOAT, _float(args[0])) if len(args) == 1 else None


def _to_bool(_: Sequence[Typed], args: Sequence[Typed]) -> Typed | None:
    return truth(args[0]) if len(args) == 1 else None


def _abs(args: Sequence[Typed], _: Sequence[Typed]) -> Typed | None:
    if len(args) != 1:
        return None
    if args[0].kind is Kind.INT:
        return Typed(Kind.INT, f"abs_int({args[0].code}, t)")
    return Typed(args[0].kind, f"abs({args[0].code})")


def _extreme(code: str) -> Callable[[Sequence[Typed], Sequence[Typed]], Typed | None]:
    """Return what makes ``min`` or ``max``: the first one that no later one beats."""

    def make(_: Sequence[Typed], args: Sequence[Typed]) -> Typed | None:
        if len(args) < 2:
            return None
        kind: Kind | None = None
        for each in args:
            kind = joined(kind, each.kind)
            if kind is None:
                return None
        assert kind is not None
        found = coerced(args[0], kind)
        for each in args[1:]:
            found = f"{code}({found}, {coerced(each, kind)})"
        return Typed(kind, found)

    return make


def _pow(args: Sequence[Typed], _: Sequence[Typed]) -> Typed | None:
    return power(*args) if len(args) == 2 else None


def truth(value: Typed) -> Typed:
    """Return whether a value counts as true."""
    return value if value.kind is Kind.BOOL else Typed(Kind.BOOL, f"({value.code} != 0)")


_FINITE = ("sqrt", "exp", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh")

_CALLS: dict[Any, Callable[[Sequence[Typed], Sequence[Typed]], Typed | None]] = {
    **{getattr(math, name): _of_one(f"finite(math.{name}({{}}), t)") for name in _FINITE},
    math.log: _log,
    math.pow: _of_two("pow_float({}, {}, t)"),
    math.atan2: _of_two("atan2_float({}, {}, t)"),
    math.fmod: _of_two("fmod_float({}, {}, t)"),
    math.copysign: _of_two("math.copysign({}, {})"),
    math.fabs: _of_one("abs({})"),
    math.degrees: _of_one("({} * (180.0 / math.pi))"),
    math.radians: _of_one("({} * (math.pi / 180.0))"),
    math.isnan: _of_one("math.isnan({})", Kind.BOOL),
    math.isinf: _of_one("math.isinf({})", Kind.BOOL),
    math.isfinite: _of_one("math.isfinite({})", Kind.BOOL),
    math.floor: _rounding("floor_float"),
    math.ceil: _rounding("ceil_float"),
    math.trunc: _rounding("whole"),
    round: _rounding("round_float"),
    int: _rounding("whole"),
    float: _to_float,
    bool: _to_bool,
    abs: _abs,
    min: _extreme("lesser"),
    max: _extreme("greater"),
    pow: _pow,
}
