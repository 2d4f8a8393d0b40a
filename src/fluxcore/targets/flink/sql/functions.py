"""How Flink SQL writes the functions of the registry: most by their name, the rest in a form of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.quotes import quoted
from fluxcore.core.types import IntegerType, IntervalType, StringType, VariantType
from fluxcore.expr.nodes import Call, Cast, Literal
from fluxcore.targets.flink.sql.json_calls import JSON_FORMS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.expr.nodes import Expr

PRIMARY, UNARY, PRODUCT, SUM, COMPARISON, NEGATION, CONJUNCTION, DISJUNCTION = range(8, 0, -1)
"""How tightly a piece of SQL holds together; a higher number needs no brackets inside a lower one."""

INFIX = {
    "OR": DISJUNCTION, "AND": CONJUNCTION, "=": COMPARISON, "<>": COMPARISON, "<": COMPARISON, "<=": COMPARISON,
    ">": COMPARISON, ">=": COMPARISON, "IS DISTINCT FROM": COMPARISON, "IS NOT DISTINCT FROM": COMPARISON,
    "LIKE": COMPARISON, "SIMILAR TO": COMPARISON, "+": SUM, "-": SUM, "||": SUM, "*": PRODUCT, "/": PRODUCT, "%": PRODUCT,
}  # fmt: skip
POSTFIX = frozenset(
    {
        "IS NULL",
        "IS NOT NULL",
        "IS TRUE",
        "IS NOT TRUE",
        "IS FALSE",
        "IS NOT FALSE",
        "IS UNKNOWN",
        "IS NOT UNKNOWN",
        "IS JSON VALUE",
        "IS JSON OBJECT",
        "IS JSON ARRAY",
        "IS JSON SCALAR",
    }
)
BARE = frozenset({"CURRENT_TIMESTAMP", "LOCALTIMESTAMP", "CURRENT_DATE", "CURRENT_TIME", "LOCALTIME"})
"""Functions that stand without brackets."""


def _extract(args: Sequence[str], _: Sequence[Expr]) -> str:
    return f"EXTRACT({args[0]} FROM {args[1]})"


def _rounded(name: str) -> Callable[[Sequence[str], Sequence[Expr]], str]:
    return lambda args, _: f"{name}({args[0]})" if len(args) == 1 else f"{name}({args[0]} TO {args[1]})"


def _position(args: Sequence[str], _: Sequence[Expr]) -> str:
    return f"POSITION({args[0]} IN {args[1]})" if len(args) == 2 else f"LOCATE({', '.join(args)})"


def _overlay(args: Sequence[str], _: Sequence[Expr]) -> str:
    length = f" FOR {args[3]}" if len(args) == 4 else ""
    return f"OVERLAY({args[0]} PLACING {args[1]} FROM {args[2]}{length})"


def _trim(args: Sequence[str], _: Sequence[Expr]) -> str:
    return f"TRIM({args[0]})" if len(args) == 1 else f"BTRIM({', '.join(args)})"


def _item(args: Sequence[str], _: Sequence[Expr]) -> str:
    return f"{args[0]}[{args[1]}]"


def _array(args: Sequence[str], _: Sequence[Expr]) -> str:
    return f"ARRAY[{', '.join(args)}]"


def _overlaps(args: Sequence[str], _: Sequence[Expr]) -> str:
    return f"(({args[0]}, {args[1]}) OVERLAPS ({args[2]}, {args[3]}))"


def _map(args: Sequence[str], _: Sequence[Expr]) -> str:
    return f"MAP[{', '.join(args)}]"


def _field(args: Sequence[str], exprs: Sequence[Expr]) -> str:
    name = exprs[1].value if isinstance(exprs[1], Literal) else ""
    held = args[0] if args[0].startswith("`") else f"({args[0]})"
    return f"{held}.{quoted(name)}"


def _case(args: Sequence[str], _: Sequence[Expr]) -> str:
    pairs = zip(args[0:-1:2], args[1:-1:2], strict=True)
    whens = " ".join(f"WHEN {condition} THEN {value}" for condition, value in pairs)
    return f"CASE {whens} ELSE {args[-1]} END"


SPECIAL: dict[str, Callable[[Sequence[str], Sequence[Expr]], str]] = {
    "EXTRACT": _extract, "FLOOR": _rounded("FLOOR"), "CEIL": _rounded("CEIL"), "POSITION": _position, "TRIM": _trim,
    "OVERLAY": _overlay, "ITEM": _item, "ARRAY": _array, "MAP": _map, "OVERLAPS": _overlaps, "FIELD": _field, "CASE": _case, **JSON_FORMS,
}  # fmt: skip
"""Functions with a form of their own: of their printed arguments, each of which stands by itself, and of the arguments."""

UNIT_ARGUMENT = {"EXTRACT": 0, "TIMESTAMPADD": 0, "TIMESTAMPDIFF": 0, "FLOOR": 1, "CEIL": 1}
"""The argument that is a unit of time, written as a word."""

KNOWN = frozenset(
    """
    ABS ACOS ARRAY_APPEND ARRAY_CONCAT ARRAY_CONTAINS ARRAY_DISTINCT ARRAY_EXCEPT ARRAY_INTERSECT ARRAY_JOIN ARRAY_MAX
    ARRAY_MIN ARRAY_POSITION ARRAY_PREPEND ARRAY_REMOVE ARRAY_REVERSE ARRAY_SLICE ARRAY_SORT ARRAY_UNION ASCII ASIN ATAN
    ATAN2 BIN BITMAP_AND BITMAP_ANDNOT BITMAP_BUILD BITMAP_CARDINALITY BITMAP_FROM_BYTES BITMAP_OR BITMAP_TO_ARRAY
    BITMAP_TO_BYTES BITMAP_TO_STRING BITMAP_XOR BTRIM CARDINALITY CHAR_LENGTH CHR COALESCE CONCAT CONCAT_WS CONVERT_TZ
    COS COSH COT CURRENT_DATABASE CURRENT_DATE CURRENT_ROW_TIMESTAMP CURRENT_TIME CURRENT_TIMESTAMP CURRENT_WATERMARK
    DATE_FORMAT DAYOFMONTH DAYOFWEEK DAYOFYEAR DECODE DEGREES E ELEMENT ELT ENCODE ENDSWITH EXP FROM_BASE64 FROM_UNIXTIME
    GREATEST HEX HOUR IF IFNULL INET_ATON INET_NTOA INITCAP INSTR IS_ALPHA IS_DECIMAL IS_DIGIT JSON JSON_ARRAY JSON_EXISTS
    JSON_OBJECT JSON_QUERY JSON_QUOTE JSON_STRING JSON_UNQUOTE JSON_VALUE LEAST LEFT LN LOCALTIME LOCALTIMESTAMP LOCATE
    LOG LOG10 LOG2 LOWER LPAD LTRIM MAP_ENTRIES MAP_FROM_ARRAYS MAP_KEYS MAP_UNION MAP_VALUES MD5 MINUTE MOD MONTH NOT
    NOW NULLIF OVERLAY PARSE_JSON PARSE_URL PI POWER PRINTF PROCTIME QUARTER RADIANS RAND RAND_INTEGER REGEXP
    REGEXP_COUNT REGEXP_EXTRACT REGEXP_EXTRACT_ALL REGEXP_INSTR REGEXP_REPLACE REGEXP_SUBSTR REPEAT REPLACE REVERSE RIGHT
    ROUND ROW RPAD RTRIM SECOND SHA1 SHA2 SHA224 SHA256 SHA384 SHA512 SIGN SIN SINH SPLIT SPLIT_INDEX SQRT STARTSWITH
    STR_TO_MAP SUBSTR SUBSTRING TAN TANH TIMESTAMPADD TIMESTAMPDIFF TO_BASE64 TO_DATE TO_TIMESTAMP TO_TIMESTAMP_LTZ
    TRANSLATE TRUNCATE TRY_PARSE_JSON TYPEOF UNHEX UNIX_TIMESTAMP UPPER URL_DECODE URL_ENCODE UUID WEEK YEAR
    """.split()  # noqa: SIM905  (a long list of words reads better so)
)
"""The functions of Flink 2.3 that stand by their name in front of their arguments."""


def problem(expr: Expr) -> tuple[str, str] | None:
    """Return what Flink lacks of an expression, itself, and why it matters; None where it has all."""
    if isinstance(expr, Cast):
        source, target = expr.arg.type, expr.type
        if isinstance(source, VariantType):
            return (
                f"CAST of VARIANT to {target.name()}",
                "Flink 2.3 gives no value of a VARIANT; JSON_STRING gives its text",
            )
        pair = isinstance(source, IntervalType), isinstance(target, IntervalType)
        constant = isinstance(expr.arg, Literal) and isinstance(source, IntegerType)
        if (pair[0] and not pair[1] and not isinstance(target, StringType)) or (pair == (False, True) and not constant):
            return f"CAST of {source.name()} to {target.name()}", "Flink doesn't convert intervals to and from numbers"
        return None
    if not isinstance(expr, Call):
        return None
    name = expr.function
    if name == "/" and isinstance(expr.args[0].type, IntervalType):
        return "an interval divided by a number", "Flink doesn't divide intervals"
    if name == "ARRAY" and not expr.args:
        return "an ARRAY without elements", "Flink's ARRAY[…] takes at least one"
    if name in INFIX or name in POSTFIX or name in SPECIAL or name in KNOWN or name in ("IN", "NEG"):
        return None
    return f"the function {name}", "Flink 2.3 has no function of that name"
