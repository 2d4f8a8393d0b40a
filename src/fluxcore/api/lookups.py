"""How a lookup in Python keeps what it finds, and how it calls: ``fx.cache(rows=10_000)``, ``fx.calls(at_once=10)``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxcore.core.duration import duration_ms
from fluxcore.core.lookups import LookupOptions
from fluxcore.errors import ScriptError

if TYPE_CHECKING:
    from fluxcore.api.windows import Duration


@dataclass(frozen=True)
class Cache:
    """Keeps what was found for a key; see :func:`cache`."""

    rows: int | None
    after_write_ms: int | None
    after_access_ms: int | None
    missing: bool


@dataclass(frozen=True)
class Calls:
    """How a function is called; see :func:`calls`."""

    at_once: int = 1
    timeout_ms: int | None = None
    retries: int = 0


def cache(
    rows: int | None = None,
    *,
    after_write: Duration | None = None,
    after_access: Duration | None = None,
    missing: bool = True,
) -> Cache:
    """Return a cache of at most ``rows`` keys, of which those not used for longest go first.

    A key is asked for again ``after_write`` since it was found, or ``after_access`` since it was last used. ``missing`` says
    whether it is kept that a key has no row. Raises ``ScriptError`` FX-API-0003.
    """
    return Cache(rows, _length(after_write), _length(after_access), missing)


def calls(at_once: int = 1, *, timeout: Duration | None = None, retries: int = 0) -> Calls:
    """Return how to call a function: ``at_once`` so many calls at the most.

    A call that raises an ``OSError``, such as a lost connection, is tried again ``retries`` times; an ``async`` one also when
    it takes longer than ``timeout``. Raises ``ScriptError`` FX-API-0003.
    """
    if at_once < 1 or retries < 0:
        raise ScriptError("FX-API-0003", "a lookup makes at least one call at once, and no fewer than 0 retries")
    return Calls(at_once, _length(timeout), retries)


def lookup_options(cache: Cache | None, calls: Calls | None) -> LookupOptions:
    """Return the options of a lookup."""
    made, kept = calls or Calls(), cache or Cache(None, None, None, True)
    return LookupOptions(
        cached=cache is not None,
        rows_max=kept.rows,
        after_access_ms=kept.after_access_ms,
        after_write_ms=kept.after_write_ms,
        missing=kept.missing,
        retries=made.retries,
        capacity=made.at_once,
        timeout_s=None if made.timeout_ms is None else made.timeout_ms / 1000,
    )


def _length(value: Duration | None) -> int | None:
    try:
        return None if value is None else duration_ms(value)
    except ValueError as error:
        raise ScriptError("FX-API-0003", str(error)) from error
