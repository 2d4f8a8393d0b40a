"""Result types of aggregate and OVER functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.types import (
    BIGINT,
    DOUBLE,
    INT,
    STRING,
    ArrayType,
    DataType,
    DecimalType,
    IntegerType,
    MapType,
    RowType,
    StringType,
    VariantType,
    is_numeric,
)
from fluxcore.errors import ScriptError, nearest, not_supported
from fluxcore.expr import build
from fluxcore.expr.fold import fold
from fluxcore.expr.nodes import Call, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.errors import Span
    from fluxcore.expr.nodes import Expr

AGGREGATES = frozenset(
    {"COUNT", "SUM", "MIN", "MAX", "AVG", "STDDEV_POP", "STDDEV_SAMP", "STDDEV", "VAR_POP", "VAR_SAMP", "VARIANCE",
     "FIRST_VALUE", "LAST_VALUE", "PERCENTILE", "LISTAGG", "ARRAY_AGG", "COLLECT", "APPROX_COUNT_DISTINCT",
     "APPROX_PERCENTILE", "JSON_ARRAYAGG", "JSON_OBJECTAGG"}
)  # fmt: skip
"""Names that mean an aggregate in SQL."""

OVER_ONLY = frozenset(
    {"LAG", "LEAD", "ROW_NUMBER", "RANK", "DENSE_RANK", "NTILE", "PERCENT_RANK", "CUME_DIST", "NTH_VALUE"}
)
"""Names that only stand before OVER."""

_WHOLE_PARTITION = frozenset({"LEAD", "NTILE", "PERCENT_RANK", "CUME_DIST"})
_NO_ARGUMENTS = frozenset({"ROW_NUMBER", "RANK", "DENSE_RANK", "PERCENT_RANK", "CUME_DIST"})
_FIRST_CONSTANT = {
    "PERCENTILE": 1, "APPROX_PERCENTILE": 1, "LAG": 1, "LEAD": 1, "LISTAGG": 1, "NTH_VALUE": 1, "NTILE": 0
}  # fmt: skip


def is_aggregate(name: str) -> bool:
    """Return whether a name is an aggregate function."""
    return name.upper() in AGGREGATES


def is_group_window(name: str) -> bool:
    """Return whether a function stands for a window in GROUP BY or for one of its marks, such as TUMBLE_START."""
    kind, _, mark = name.partition("_")
    return kind in ("TUMBLE", "HOP", "SESSION") and mark in ("", "START", "END", "ROWTIME", "PROCTIME")


def is_over_function(name: str) -> bool:
    """Return whether a name is a function that only OVER can follow."""
    return name.upper() in OVER_ONLY


def looks_ahead(function: str, preceding: float | None, following: float | None) -> bool:
    """Return whether OVER's result for a row depends on rows behind its peers, given how far its frame reaches."""
    return following != 0 or (preceding or 0) < 0 or function in _WHOLE_PARTITION


def constants_from(function: str, count: int) -> int:
    """Return from which of ``count`` arguments on a function wants constants, its parameters."""
    return min(_FIRST_CONSTANT.get(function, count), count)


def call_parameters(
    function: str,
    args: Sequence[Expr],
    type_: DataType,
    span: Span | None = None,
    settings: Settings | None = None,
) -> tuple[object, ...]:
    """Return the parameters of a function of result type ``type_`` as Python values; ``settings`` tell the session's zone.

    Raises: ``ScriptError`` FX-SQL-0900 for what is no constant, FX-SQL-0315 for one out of range.
    """
    found: list[object] = []
    for place, arg in enumerate(args):
        if isinstance(arg, Call) and arg.function == "ARRAY" and function in _SHARES:
            found.append(tuple(call_parameters(function, [each], type_, span, settings)[0] for each in arg.args))
            continue
        default = place and function in ("LAG", "LEAD")
        value = fold(build.coerce(arg, type_, f"the default of {function}") if default else arg, settings)
        if not isinstance(value, Literal):
            raise not_supported(f"{function} with a parameter that is not a constant", span=arg.span)
        found.append(float(value.value) if function in _SHARES and value.value is not None else value.value)
    problem = _problem(function, found[0])
    if problem:
        raise ScriptError("FX-SQL-0315", f"{function} wants {problem}", span=args[0].span or span)
    return tuple(found)


_SHARES = frozenset({"PERCENTILE", "APPROX_PERCENTILE"})


def _problem(function: str, value: object) -> str | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if function in _SHARES:
        shares = value if isinstance(value, tuple) else (value,)
        good = all(isinstance(share, float) and 0 <= share <= 1 for share in shares)
        return None if good else "a share from 0 to 1"
    if function in ("LAG", "LEAD") and not (whole and value >= 0):  # type: ignore[operator]
        return "a whole number of rows"
    if function in ("NTILE", "NTH_VALUE") and not (whole and value > 0):  # type: ignore[operator]
        return "a whole number from 1 on"
    return None


def aggregate_type(
    function: str, args: Sequence[DataType], *, distinct: bool = False, span: Span | None = None
) -> DataType:
    """Return the result type of an aggregate or OVER function over arguments of these types.

    Raises: ``ScriptError`` FX-SQL-0211 for an unknown function, FX-SQL-0314 for arguments that it doesn't take.
    """
    name = function.upper()
    if name not in AGGREGATES and name not in OVER_ONLY:
        hint = nearest(function, AGGREGATES | OVER_ONLY)
        raise ScriptError("FX-SQL-0211", f"there is no aggregate function '{function}'", span=span, hint=hint)
    type_ = _type(name, list(args))
    if type_ is None or (distinct and not args):
        given = ", ".join(arg.name() for arg in args)
        raise ScriptError("FX-SQL-0314", f"{name} can't take ({given})", span=span)
    return type_


def _type(name: str, args: list[DataType]) -> DataType | None:
    if name == "COUNT":
        return BIGINT.with_nullable(False) if len(args) <= 1 else None
    if name in _NO_ARGUMENTS:
        type_ = DOUBLE if name in ("PERCENT_RANK", "CUME_DIST") else BIGINT
        return None if args else type_.with_nullable(False)
    if not args:
        return None
    first = args[0].with_nullable(True)
    if name == "APPROX_COUNT_DISTINCT":
        return BIGINT.with_nullable(False)
    if name in {"LAG", "LEAD"}:
        return first if len(args) <= 3 else None
    if name == "NTILE":
        return INT.with_nullable(False) if len(args) == 1 and isinstance(first, IntegerType) else None
    if name == "NTH_VALUE":
        return first if len(args) == 2 and isinstance(args[1], IntegerType) else None
    if name == "APPROX_PERCENTILE":
        return DOUBLE if is_numeric(first) and len(args) == 2 and is_numeric(args[1]) else None
    if name == "PERCENTILE":
        return _percentile_type(first, args)
    if name == "LISTAGG":
        return STRING if isinstance(first, StringType) and len(args) <= 2 else None
    if len(args) != 1:
        return None
    if name in {"MIN", "MAX", "FIRST_VALUE", "LAST_VALUE"}:
        unordered = isinstance(first, RowType | VariantType) and name in ("MIN", "MAX")
        return None if unordered or isinstance(first, ArrayType | MapType) else first
    if name in {"JSON_ARRAYAGG", "JSON_OBJECTAGG"}:
        return STRING.with_nullable(False) if isinstance(first, StringType) else None
    if name == "ARRAY_AGG":
        return ArrayType(element=args[0])
    if name == "COLLECT":
        return MapType(key=args[0], value=IntegerType(bits=32, nullable=False), multiset=True)
    if not is_numeric(first):
        return None
    return _number_type(name, first)


def _percentile_type(first: DataType, args: list[DataType]) -> DataType | None:
    """Return the type of PERCENTILE(value, share or shares[, frequency])."""
    if not is_numeric(first) or not 2 <= len(args) <= 3 or not all(isinstance(each, IntegerType) for each in args[2:]):
        return None
    if isinstance(args[1], ArrayType):
        return ArrayType(element=DOUBLE) if is_numeric(args[1].element) else None
    return DOUBLE if is_numeric(args[1]) else None


def with_frequency(args: Sequence[Expr]) -> list[Expr]:
    """Return PERCENTILE's arguments with a frequency as part of its value: a ROW of both, NULL where none counts."""
    value, share, frequency = args
    counts = build.call(">", [frequency, build.literal(0)])
    known = build.call("AND", [build.call("IS NOT NULL", [value]), counts])
    type_ = RowType(fields=(("value", value.type), ("frequency", frequency.type)))
    both = build.cast(build.call("ROW", [value, frequency]), type_)
    return [build.call("CASE", [known, both, build.literal(None, type_)]), share]


def _number_type(name: str, first: DataType) -> DataType:
    if isinstance(first, DecimalType):
        return DecimalType(precision=38, scale=first.scale if name == "SUM" else max(first.scale, 6))
    return first
