"""Errors of a piece, named after it and the user's line."""

from __future__ import annotations

from fluxcore.core.user_code import user_line
from fluxcore.errors import Cancelled, FluxError, JobError


class errors_of:  # noqa: N801
    """Names the operator in every error inside the ``with`` block; what is no ``FluxError`` becomes one."""

    __slots__ = ("_operator",)

    def __init__(self, operator: str) -> None:
        self._operator = operator

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception):
            told = located(error, self._operator)
            if told is not error:  # an error is never its own cause: whoever follows causes would not come to an end
                raise told from error


def located(error: BaseException, operator: str) -> FluxError:
    """Return the error that a user sees for an exception inside an operator."""
    if isinstance(error, Cancelled):
        return error
    if isinstance(error, FluxError):
        return error.in_operator(operator)
    if isinstance(error, MemoryError):
        return JobError("FX-RUN-0901", "memory ran out").in_operator(operator)
    kind = type(error).__name__
    line, debug = user_line(error), "run again with --debug for the details"
    hint = f"in {line}; {debug}" if line else debug
    return JobError("FX-RUN-0900", f"{kind}: {error}", hint=hint).in_operator(operator)
