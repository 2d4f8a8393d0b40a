"""Makes calls of functions written in Python: checks the number of arguments, and brings each to its parameter's type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.core.types import NullType, StringType
from fluxcore.errors import ScriptError
from fluxcore.expr import build
from fluxcore.expr.nodes import Expr, UserCall
from fluxcore.expr.table_calls import TableCall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.user_functions import ScalarFunction, TableFunction, UserFunction
    from fluxcore.errors import Span


def user_call(user: ScalarFunction, args: Sequence[Expr], *, span: Span | None = None) -> Expr:
    """Return a call of a scalar function. Raises ``ScriptError`` FX-SQL-0310 for arguments that it doesn't take."""
    return UserCall(user=user, args=_arguments(user, args, span), type=user.result, span=span)


def user_table_call(user: TableFunction, args: Sequence[Expr], *, span: Span | None = None) -> TableCall:
    """Return a call of a table function. Raises ``ScriptError`` FX-SQL-0310 for arguments that it doesn't take."""
    given = _arguments(user, args, span)
    return TableCall(function=user.name, args=given, columns=user.columns, user=user, span=span)


def _arguments(user: UserFunction, args: Sequence[Expr], span: Span | None) -> tuple[Expr, ...]:
    if not user.takes(len(args)):
        given = ", ".join(arg.type.name() for arg in args)
        message = f"{user.name} can't take ({given})"
        raise ScriptError("FX-SQL-0310", message, span=span, hint=f"it wants {user.signature()}")
    return tuple(_argument(user, index, arg, span) for index, arg in enumerate(args))


def _argument(user: UserFunction, index: int, arg: Expr, span: Span | None) -> Expr:
    wanted = user.parameter(index)
    if wanted.type is None:
        if isinstance(arg.type, NullType):
            return build.cast(arg, StringType())
        return arg
    what = f"the argument '{wanted.name}' of {user.name}"
    return build.coerce(arg, wanted.type, what, span=arg.span or span)
