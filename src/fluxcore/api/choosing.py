"""Conditions that choose rows: a sample, and the first of several conditions that holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.types import STRING
from fluxcore.errors import ScriptError
from fluxcore.expr import build
from fluxcore.expr.nodes import ColumnRef
from fluxcore.expr.pushdown import conjunction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.schema import Schema
    from fluxcore.expr.nodes import Expr

_DIGITS = 8
"""Hexadecimal digits of a hash that are looked at: a share is kept to within 1 in 4 billion."""


def sampled(schema: Schema, places: Sequence[int], share: float, seed: int) -> Expr:
    """Return the condition that a share of all rows meets: those whose columns, as text with the seed, hash low.

    Rows that are equal in the columns are kept, or not, together; so a row that is taken back meets the same answer.
    Raises: ``ScriptError`` FX-API-0003 for a share that is not from 0 to 1.
    """
    if not 0 <= share <= 1:
        raise ScriptError("FX-API-0003", f"a share lies between 0 and 1, and this is {share}", hint="a tenth is 0.1")
    if share == 1:
        return build.literal(True)
    columns = [ColumnRef(index=place, name=schema[place].name, type=schema[place].type) for place in places]
    texts = [build.cast(each, STRING) for each in columns]
    hashed = build.call("MD5", [build.call("CONCAT_WS", [build.literal("|"), build.literal(str(seed)), *texts])])
    limit = f"{int(share * 16**_DIGITS):0{_DIGITS}x}"
    return build.call("<", [hashed, build.literal(limit)])


def first_that_holds(conditions: Sequence[Expr]) -> list[Expr | None]:
    """Return for each condition that it is the first one to be TRUE, and that none is; None where nothing is asked."""
    tests = [build.call("IS TRUE", [each]) for each in conditions]
    refused = [build.call("NOT", [each]) for each in tests]
    return [conjunction([*refused[:number], *tests[number : number + 1]]) for number in range(len(tests) + 1)]
