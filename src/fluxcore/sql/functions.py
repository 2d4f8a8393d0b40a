"""The functions that a session knows beside the built-in ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from fluxcore.core.user_functions import ScalarFunction, TableFunction, kind_of
from fluxcore.errors import ScriptError, nearest
from fluxcore.expr.aggregates import is_aggregate, is_group_window, is_over_function
from fluxcore.expr.registry import REGISTRY

if TYPE_CHECKING:
    from fluxcore.core.user_functions import AnyUserFunction
    from fluxcore.errors import Span


class Lifetime(Enum):
    """How a function was made: what is looked up first stands first, and built-in functions come behind the first kind."""

    TEMPORARY_SYSTEM = "temporary system function"
    TEMPORARY = "temporary function"
    CATALOG = "function"


@dataclass(frozen=True)
class Registered:
    """A function under its name; ``identifier`` is what ``AS`` said, nothing for one that a program registered."""

    function: AnyUserFunction
    lifetime: Lifetime
    identifier: str = ""


class FunctionCatalog:
    """Functions by name, whatever the case of its letters, in the order in which Flink looks them up."""

    def __init__(self) -> None:
        self._known: dict[tuple[Lifetime, str], Registered] = {}

    def copy(self) -> FunctionCatalog:
        """Return a catalog of the same functions."""
        found = FunctionCatalog()
        found._known = dict(self._known)
        return found

    def __bool__(self) -> bool:
        return bool(self._known)

    def get(self, name: str, *, qualified: bool = False) -> Registered | None:
        """Return the function of the user's that a name means; ``qualified`` names never mean a system function."""
        key = name.lower()
        for lifetime in Lifetime:
            if lifetime is Lifetime.TEMPORARY_SYSTEM and qualified:
                continue
            if lifetime is Lifetime.TEMPORARY and not qualified and is_built_in(name):
                return None
            found = self._known.get((lifetime, key))
            if found is not None:
                return found
        return None

    def add(self, name: str, entry: Registered, *, if_not_exists: bool = False, span: Span | None = None) -> bool:
        """Add a function; return whether it is new. Raises ``ScriptError`` FX-SQL-0605 for a name in use."""
        key = (entry.lifetime, name.lower())
        if key in self._known:
            if if_not_exists:
                return False
            hint = "write IF NOT EXISTS, or drop it first"
            raise ScriptError("FX-SQL-0605", f"a {entry.lifetime.value} '{name}' exists already", span=span, hint=hint)
        self._known[key] = entry
        return True

    def put(self, name: str, entry: Registered) -> None:
        """Add or replace a function."""
        self._known[entry.lifetime, name.lower()] = entry

    def change(self, name: str, entry: Registered, *, if_exists: bool = False, span: Span | None = None) -> None:
        """Give a name another function. Raises ``ScriptError`` FX-SQL-0606 when there is none of that name."""
        if self._has(name, entry.lifetime, if_exists=if_exists, span=span):
            self.put(name, replace(entry))

    def drop(self, name: str, lifetime: Lifetime, *, if_exists: bool = False, span: Span | None = None) -> None:
        """Remove a function. Raises ``ScriptError`` FX-SQL-0606 when there is none."""
        if self._has(name, lifetime, if_exists=if_exists, span=span):
            del self._known[lifetime, name.lower()]

    def names(self) -> list[str]:
        """Return the names of all functions of the user's, sorted, in small letters as Flink keeps them."""
        return sorted({name for _, name in self._known})

    def items(self) -> list[tuple[str, Registered]]:
        """Return all functions with their names, in the order in which they were made."""
        return [(name, entry) for (_, name), entry in self._known.items()]

    def _has(self, name: str, lifetime: Lifetime, *, if_exists: bool, span: Span | None) -> bool:
        if (lifetime, name.lower()) in self._known:
            return True
        if if_exists:
            return False
        others = [kind for kind, known in self._known if known == name.lower()]
        hint = f"it is a {others[0].value}" if others else nearest(name, self.names())
        raise ScriptError("FX-SQL-0606", f"there is no {lifetime.value} '{name}'", span=span, hint=hint)


def is_built_in(name: str) -> bool:
    """Return whether SQL has a function of that name itself."""
    return name.upper() in REGISTRY or any(
        asks(name.upper()) for asks in (is_aggregate, is_over_function, is_group_window)
    )


def details(name: str, entry: Registered | None, *, extended: bool) -> list[tuple[str, str]]:
    """Return what DESCRIBE FUNCTION tells of a function; of none it is a built-in one."""
    system = entry is None or entry.lifetime is Lifetime.TEMPORARY_SYSTEM
    rows = [
        ("is system function", str(system).lower()),
        ("is temporary", str(entry is not None and entry.lifetime is not Lifetime.CATALOG).lower()),
    ]
    if entry is None:
        return rows
    rows += [("class name", entry.identifier), ("function language", "PYTHON"), ("resource uris", "[]")]
    if not extended:
        return rows
    function = entry.function
    fixed = not isinstance(function, ScalarFunction | TableFunction) or function.deterministic
    return [
        *rows,
        ("kind", kind_of(function)),
        ("requirements", "[]"),
        ("is deterministic", str(fixed).lower()),
        ("supports constant folding", str(fixed and isinstance(function, ScalarFunction)).lower()),
        ("signature", _signature(name, function)),
    ]


def _signature(name: str, function: AnyUserFunction) -> str:
    if isinstance(function, ScalarFunction):
        return f"{name}{function.signature()} => {function.result.name()}"
    if isinstance(function, TableFunction):
        columns = ", ".join(f"`{column}` {type_.name()}" for column, type_ in function.columns)
        return f"{name}{function.signature()} => ROW<{columns}>"
    return f"{name}(ANY...) => {function.type.name()}"
