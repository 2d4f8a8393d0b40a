"""Three-valued logic and tests for NULL."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from fluxcore.core.types import BOOLEAN, BooleanType, NullType
from fluxcore.expr.registry import Function, Inputs, register
from fluxcore.expr.rules import boolean_of, to

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.core.types import DataType
    from fluxcore.expr.nodes import Expr

_NOT_NULL = BOOLEAN.with_nullable(False)


def _booleans(args: Sequence[Expr]) -> tuple[Sequence[Expr], DataType] | str:
    if not args or not all(isinstance(arg.type, BooleanType | NullType) for arg in args):
        return "BOOLEAN values"
    return [to(arg, BOOLEAN) for arg in args], boolean_of(args)


def _test(args: Sequence[Expr]) -> tuple[Sequence[Expr], DataType] | str:
    found = _booleans(args)
    return found if isinstance(found, str) else (found[0], _NOT_NULL)


def _any(args: Sequence[Expr]) -> tuple[Sequence[Expr], DataType] | str:
    return (args, _NOT_NULL) if len(args) == 1 else "one value"


def _joined(compute: Callable[..., pa.Array]) -> Callable[[Inputs], pa.Array]:
    return lambda inputs: reduce(compute, [inputs.array(index) for index in range(len(inputs.values))])


def _is(value: bool, *, negated: bool) -> Callable[[Inputs], pa.Array]:
    def kernel(inputs: Inputs) -> pa.Array:
        array = inputs.array(0)
        found = pc.fill_null(array if value else pc.invert(array), False)
        return pc.invert(found) if negated else found

    return kernel


register(Function("AND", "Logic", _booleans, _joined(pc.and_kleene), "Whether all are true; FALSE beats NULL."))
register(Function("OR", "Logic", _booleans, _joined(pc.or_kleene), "Whether any is true; TRUE beats NULL."))
register(
    Function("NOT", "Logic", _booleans, lambda inputs: pc.invert(inputs.array(0)), "The opposite; NULL stays NULL.")
)
register(Function("IS NULL", "Logic", _any, lambda inputs: inputs.array(0).is_null(), "Whether the value is NULL."))
register(
    Function("IS NOT NULL", "Logic", _any, lambda inputs: inputs.array(0).is_valid(), "Whether the value is known.")
)
register(
    Function("IS UNKNOWN", "Logic", _test, lambda inputs: inputs.array(0).is_null(), "Whether a condition is NULL.")
)
register(
    Function(
        "IS NOT UNKNOWN", "Logic", _test, lambda inputs: inputs.array(0).is_valid(), "Whether a condition is known."
    )
)
register(Function("IS TRUE", "Logic", _test, _is(True, negated=False), "Whether a condition is TRUE."))
register(Function("IS NOT TRUE", "Logic", _test, _is(True, negated=True), "Whether a condition is FALSE or NULL."))
register(Function("IS FALSE", "Logic", _test, _is(False, negated=False), "Whether a condition is FALSE."))
register(Function("IS NOT FALSE", "Logic", _test, _is(False, negated=True), "Whether a condition is TRUE or NULL."))
