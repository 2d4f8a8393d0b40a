"""The event that is being handled."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fluxcore.bus.event import Event

CURRENT: ContextVar[Event | None] = ContextVar("fluxcore_event", default=None)
"""The event that is being handled: what is published meanwhile belongs to its trace."""
