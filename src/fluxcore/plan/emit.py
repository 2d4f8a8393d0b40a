"""Lets the windows of a query give results early, and anew with late rows, as Flink's ``table.exec.emit.*`` ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.core.duration import duration_ms
from fluxcore.core.triggers import TriggerKind, TriggerSpec
from fluxcore.errors import ScriptError
from fluxcore.plan.graph import rewrite
from fluxcore.plan.nodes import WindowAggregate, WindowSpec
from fluxcore.plan.rules.slice_windows import slice_windows
from fluxcore.plan.triggered import TriggeredAggregate

if TYPE_CHECKING:
    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node

_PREFIX = "table.exec.emit."


@dataclass(frozen=True)
class Emit:
    """When windows give results besides their end: after so many ms of the clock (0: with every row), or not."""

    early: int | None
    late: int | None
    lateness: int

    @property
    def wanted(self) -> bool:
        """Return whether windows give more than one result, at their end."""
        return (self.early, self.late, self.lateness) != (None, None, 0)


def emit_windows(plan: Node, settings: Settings) -> Node:
    """Return the plan with its window aggregates as the settings want them; as it is where they want nothing.

    Raises: ``ScriptError`` FX-SET-0004 for settings that don't fit each other, FX-SQL-0420 for windows that can't do so.
    """
    emit = emit_of(settings)
    if not emit.wanted:
        return plan

    def change(node: Node) -> Node:
        if not isinstance(node, WindowAggregate):
            return node
        (sliced,) = slice_windows([node])
        if not isinstance(sliced, WindowAggregate) or not isinstance(sliced.window, WindowSpec):
            message = "these windows can't give results early or late: their rows are changed before they are grouped"
            raise ScriptError("FX-SQL-0420", message, hint=f"group right behind the window, or RESET '{_PREFIX}…'")
        trigger = TriggerSpec(TriggerKind.EVENT_TIME, early=emit.early, late=emit.late)
        parts = sliced.window, sliced.keys, sliced.calls, sliced.names
        return TriggeredAggregate(sliced.input, *parts, trigger, lateness=emit.lateness)

    return rewrite([plan], change)[0]


def emit_of(settings: Settings) -> Emit:
    """Return what the settings ask for. Raises ``ScriptError`` FX-SET-0004 where they don't fit each other."""
    early, late = _delay(settings, "early-fire"), _delay(settings, "late-fire")
    given = settings.text(f"{_PREFIX}allow-lateness")
    lateness = duration_ms(given) if given else 0
    if late is not None and not lateness:
        hint = f"SET '{_PREFIX}allow-lateness' = '1 h'"
        raise ScriptError("FX-SET-0004", "late rows give no results where none are allowed", hint=hint)
    return Emit(early, late, lateness)


def _delay(settings: Settings, which: str) -> int | None:
    if settings.text(f"{_PREFIX}{which}.enabled").lower() != "true":
        return None
    delay = settings.text(f"{_PREFIX}{which}.delay")
    if not delay:
        hint = f"SET '{_PREFIX}{which}.delay' = '10 s'; 0 is with every row"
        raise ScriptError("FX-SET-0004", f"'{_PREFIX}{which}.enabled' needs a delay", hint=hint)
    return duration_ms(delay)
