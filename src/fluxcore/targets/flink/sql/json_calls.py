"""How Flink SQL writes the JSON functions, whose words stand among their arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.quotes import text
from fluxcore.core.types import StringType, same
from fluxcore.expr.functions.json_writes import MAKERS
from fluxcore.expr.nodes import Call, Cast, Literal
from fluxcore.targets.flink.sql.type_names import type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.expr.nodes import Expr


def _word(expr: Expr) -> str:
    return str(expr.value) if isinstance(expr, Literal) else ""


def _returning(expr: Expr) -> str:
    return "" if same(expr.type, StringType()) else f" RETURNING {type_name(expr.type)}"


def _exists(args: Sequence[str], exprs: Sequence[Expr]) -> str:
    return f"JSON_EXISTS({args[0]}, {args[1]} {_word(exprs[2])} ON ERROR)"


def _value(args: Sequence[str], exprs: Sequence[Expr]) -> str:
    shown = f"{args[0]}, {args[1]}{_returning(exprs[2])}"
    for place, event in ((3, "EMPTY"), (5, "ERROR")):
        what = _word(exprs[place])
        default = f" {_default(exprs[place + 1], args[place + 1])}" if what == "DEFAULT" else ""
        shown += f" {what}{default} ON {event}"
    return f"JSON_VALUE({shown})"


def _default(expr: Expr, shown: str) -> str:
    """Return a default, which Flink wants as a plain constant."""
    if isinstance(expr, Literal) and isinstance(expr.value, str):
        return text(expr.value)
    if isinstance(expr, Cast) and isinstance(expr.arg, Literal):
        value = expr.arg.value
        return text(value) if isinstance(value, str) else str(value)
    return shown


def _query(args: Sequence[str], exprs: Sequence[Expr]) -> str:
    kind = _word(exprs[3])
    wrapper = "WITHOUT" if kind == "WITHOUT" else f"WITH {kind}"
    rest = f"{_returning(exprs[2])} {wrapper} ARRAY WRAPPER {_word(exprs[4])} ON EMPTY {_word(exprs[5])} ON ERROR"
    return f"JSON_QUERY({args[0]}, {args[1]}{rest})"


def _object(args: Sequence[str], exprs: Sequence[Expr]) -> str:
    values = _values(args[3::2], exprs[3::2], _word(exprs[1]))
    pairs = ", ".join(f"KEY {text(_word(key))} VALUE {value}" for key, value in zip(exprs[2::2], values, strict=True))
    return f"JSON_OBJECT({pairs} {_word(exprs[0])} ON NULL)" if pairs else "JSON_OBJECT()"


def _array(args: Sequence[str], exprs: Sequence[Expr]) -> str:
    values = ", ".join(_values(args[2:], exprs[2:], _word(exprs[1])))
    return f"JSON_ARRAY({values} {_word(exprs[0])} ON NULL)" if values else "JSON_ARRAY()"


def _values(args: Sequence[str], exprs: Sequence[Expr], flags: str) -> list[str]:
    """Return values; what is JSON already and no call that makes JSON, such as a constant that was one, is told so."""
    shown = zip(args, exprs, flags, strict=True)
    return [f"JSON({arg})" if flag == "1" and not _makes_json(expr) else arg for arg, expr, flag in shown]


def _makes_json(expr: Expr) -> bool:
    return isinstance(expr, Call) and expr.function in MAKERS


def _string(args: Sequence[str], _: Sequence[Expr]) -> str:
    return f"JSON_STRING({args[0]})" if len(args) == 1 else args[0]


JSON_FORMS: dict[str, Callable[[Sequence[str], Sequence[Expr]], str]] = {
    "JSON_EXISTS": _exists, "JSON_VALUE": _value, "JSON_QUERY": _query, "JSON_OBJECT": _object, "JSON_ARRAY": _array,
    "JSON_STRING": _string,
}  # fmt: skip
"""Functions with words among their arguments: of their printed arguments, and of the arguments."""
