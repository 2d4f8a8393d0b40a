"""Finds connectors and formats by name through entry points; built-ins take the same way as plugins."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from fluxcore.errors import ScriptError, nearest

if TYPE_CHECKING:
    from fluxcore.core.ports import Connector
    from fluxcore.errors import Span

CONNECTORS = "fluxcore.connectors"
FORMATS = "fluxcore.formats"
TARGETS = "fluxcore.targets"
_ADDED = (
    EntryPoint("batch", "fluxcore.targets.batch.target:BatchTarget", TARGETS),
    EntryPoint("frys", "fluxcore.bus.table.connector:FrysConnector", CONNECTORS),
)
"""Built-ins that an installation in place may not name yet, because it was made before they came."""
_KINDS = {CONNECTORS: "connector", FORMATS: "format", TARGETS: "target"}


@cache
def _installed() -> Any:
    """Return all entry points, looked for once in every package that is installed; their type depends on Python's version."""
    return entry_points()


@cache
def _entries(group: str) -> dict[str, EntryPoint]:
    own = (each for each in _ADDED if each.group == group)
    return {entry.name: entry for entry in (*own, *_installed().select(group=group))}


@cache
def _load(group: str, name: str) -> Any:
    return _entries(group)[name].load()()


def names(group: str) -> list[str]:
    """Return the names registered in an entry-point group, sorted."""
    return sorted(_entries(group))


def find(group: str, name: str, *, span: Span | None = None) -> Any:
    """Return the registered object of that name, loaded on first use.

    Raises: ``ScriptError`` FX-CON-0001 for an unknown name, FX-CON-0002 when its optional libraries are missing.
    """
    kind = _KINDS.get(group, "extension")
    if name not in _entries(group):
        hint = nearest(name, names(group)) or f"known {kind}s: {', '.join(names(group))}"
        raise ScriptError("FX-CON-0001", f"there is no {kind} '{name}'", span=span, hint=hint)
    try:
        return _load(group, name)
    except ImportError as error:
        hint = f"install the extra that provides it: pip install 'fluxcore[{name}]'"
        raise ScriptError("FX-CON-0002", f"{kind} '{name}' needs {error.name}", span=span, hint=hint) from error


def connector(name: str, *, span: Span | None = None) -> Connector:
    """Return the connector of that name; raises as :func:`find`."""
    found: Connector = find(CONNECTORS, name, span=span)
    return found
