"""What an expression's type is called, and where one is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa

from fluxcore.core.types import STRING, BooleanType, DataType, NullType
from fluxcore.expr.nodes import Literal
from fluxcore.expr.registry import Function, Inputs, register, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.expr.nodes import Expr

    Resolved = tuple[Sequence[Expr], DataType] | str

_DATABASE = "default_database"
_INTERVALS = {"INTERVAL DAY TO SECOND(3)": "INTERVAL SECOND(3)", "INTERVAL YEAR TO MONTH": "INTERVAL MONTH"}


def _typeof_rule(args: Sequence[Expr]) -> Resolved:
    wanted = "one value"
    if not 1 <= len(args) <= 2:
        return wanted
    if len(args) == 2 and not (isinstance(args[1], Literal) and isinstance(args[1].type, BooleanType)):
        return "one value and, if wanted, TRUE or FALSE"
    return args, STRING


def _typeof(inputs: Inputs) -> pa.Array:
    type_ = inputs.types[0]
    name = "NULL" if isinstance(type_, NullType) else type_.sql()
    name = re.sub("|".join(map(re.escape, _INTERVALS)), lambda found: _INTERVALS[found[0]], name)
    return spread(pa.scalar(name), inputs.rows)


def _nothing(args: Sequence[Expr]) -> Resolved:
    return "no arguments" if args else (args, STRING.with_nullable(False))


register(
    Function("TYPEOF", "Types", _typeof_rule, _typeof, "The name of a value's type.", ("TYPEOF(1)", "INT NOT NULL"))
)
register(Function("CURRENT_DATABASE", "Types", _nothing, lambda i: spread(pa.scalar(_DATABASE), i.rows), "The database in use.",
                  ("CURRENT_DATABASE()", _DATABASE)))  # fmt: skip
