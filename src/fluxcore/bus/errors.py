"""The errors of the bus."""

from __future__ import annotations

from fluxcore.errors import FluxError


class BusError(FluxError):
    """The bus can't do what was asked: a wrong subject, a closed bus, a payload that can't be read. Codes FX-BUS-…."""


class RequestTimeout(BusError):
    """Nobody answered a request in time."""


class NoResponders(BusError):
    """No handler takes the subject of a request."""


def text_of(error: BaseException) -> str:
    """Return the kind and the text of any error, also of one whose text can't be had."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001  (an error's own __str__ may raise anything)
        return type(error).__name__
