"""The functions of the user's that plans call, and how each runs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from fluxcore.core.user_functions import Form
from fluxcore.expr.nodes import AggCall, Expr, UserCall, walk
from fluxcore.expr.table_calls import TableCall
from fluxcore.plan.graph import in_order
from fluxcore.plan.nodes import Node

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def function_notes(roots: Sequence[Node]) -> list[tuple[str, str]]:
    """Return the names of the functions that plans call, each once in the order of the plan, and how they run."""
    found: dict[tuple[str, str], None] = {}
    for node in in_order(roots):
        for field in dataclasses.fields(node):  # type: ignore[arg-type]
            for call in _calls(getattr(node, field.name)):
                note = _note(call)
                if note is not None:
                    found[note] = None
    return list(found)


def _note(call: UserCall | TableCall | AggCall) -> tuple[str, str] | None:
    user = call.user
    if user is None:
        return None
    if isinstance(call, TableCall):
        return user.name, "in Python: it gives rows"
    if isinstance(call, AggCall):
        return user.name, "in Python: it keeps accumulators"
    if call.user.form is not Form.ROW:
        return user.name, f"a batch at a time, on {call.user.form.value} arrays"
    from fluxcore.expr.jit.compiled import note_of  # needed by few plans

    return user.name, note_of(call.user, len(call.args))


def _calls(value: Any) -> Iterator[UserCall | TableCall | AggCall]:
    """Yield the calls in what a node holds; its inputs are nodes of their own."""
    if isinstance(value, Expr):
        yield from (each for each in walk(value) if isinstance(each, UserCall))
    elif isinstance(value, tuple):
        for each in value:
            yield from _calls(each)
    elif isinstance(value, TableCall | AggCall):
        yield value
    if dataclasses.is_dataclass(value) and not isinstance(value, Node | Expr | type):
        for field in dataclasses.fields(value):
            yield from _calls(getattr(value, field.name))
