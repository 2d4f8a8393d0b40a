"""What sub-queries as values need besides joins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import IntegerType
from fluxcore.errors import DataError
from fluxcore.expr.registry import Function, Inputs, register

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.types import DataType
    from fluxcore.expr.nodes import Expr


def _rule(args: Sequence[Expr]) -> tuple[Sequence[Expr], DataType] | str:
    if len(args) != 2 or not isinstance(args[0].type, IntegerType):
        return "a number of rows and a value"
    return args, args[1].type.with_nullable(True)


def _value_of_one_row(inputs: Inputs) -> Any:
    """Return the value. Raises ``DataError`` FX-RUN-0106 where it is one of several rows."""
    rows = inputs.array(0)
    most = pc.max(rows).as_py()
    if most is not None and most > 1:
        message = f"a sub-query that stands for one value has {most} rows"
        raise DataError("FX-RUN-0106", message, hint="take MAX(…) of its column, or one row: LIMIT 1")
    value = inputs.values[1]
    return value if isinstance(value, pa.Array) else inputs.array(1)


register(
    Function(
        "VALUE OF ONE ROW",
        "",
        _rule,
        _value_of_one_row,
        "The value of a sub-query; more than one row is an error.",
        total=False,
    )
)
