"""The catalogs and databases of a session, and which are current."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fluxcore.errors import ScriptError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.errors import Span

DEFAULT_CATALOG = "default_catalog"
DEFAULT_DATABASE = "default_database"


@dataclass(frozen=True)
class Space:
    """What is known of a catalog or a database besides what it holds; ``default`` is a catalog's first database."""

    options: Mapping[str, str] = field(default_factory=dict)
    comment: str | None = None
    default: str = DEFAULT_DATABASE


class Spaces:
    """Catalogs by name, databases by catalog and name; ``current`` is the catalog and the database that names go by."""

    def __init__(self) -> None:
        self.catalogs: dict[str, Space] = {DEFAULT_CATALOG: Space({"type": "generic_in_memory"})}
        self.databases: dict[tuple[str, str], Space] = {(DEFAULT_CATALOG, DEFAULT_DATABASE): Space()}
        self.current: tuple[str, str] = (DEFAULT_CATALOG, DEFAULT_DATABASE)

    def copy(self) -> Spaces:
        """Return the same catalogs and databases."""
        found = Spaces()
        found.catalogs, found.databases, found.current = dict(self.catalogs), dict(self.databases), self.current
        return found

    def database(self, parts: Sequence[str], span: Span | None = None) -> tuple[str, str]:
        """Return the catalog and the database that ``()``, ``(db,)`` or ``(catalog, db)`` mean.

        Raises: ``ScriptError`` FX-SQL-0520 or 0521 where there is no such.
        """
        if not parts:
            return self.current
        if len(parts) > 2:
            raise ScriptError("FX-SQL-0521", f"'{'.'.join(parts)}' names no database", span=span)
        catalog, database = (self.current[0], parts[0]) if len(parts) == 1 else (parts[0], parts[1])
        self.catalog(catalog, span)
        if (catalog, database) not in self.databases:
            hint = nearest(database, self.databases_of(catalog)) or "SHOW DATABASES lists them"
            message = f"there is no database '{database}' in catalog '{catalog}'"
            raise ScriptError("FX-SQL-0521", message, span=span, hint=hint)
        return catalog, database

    def catalog(self, name: str, span: Span | None = None) -> Space:
        """Return a catalog. Raises ``ScriptError`` FX-SQL-0520."""
        found = self.catalogs.get(name)
        if found is None:
            hint = nearest(name, self.catalogs) or "SHOW CATALOGS lists them"
            raise ScriptError("FX-SQL-0520", f"there is no catalog '{name}'", span=span, hint=hint)
        return found

    def databases_of(self, catalog: str) -> list[str]:
        """Return the names of a catalog's databases, sorted."""
        return sorted(name for of, name in self.databases if of == catalog)

    def use_catalog(self, name: str, span: Span | None = None) -> None:
        """Make a catalog current, with its first database. Raises ``ScriptError`` FX-SQL-0520."""
        self.current = (name, self.catalog(name, span).default)

    def change(self, key: str | tuple[str, str], **changes: object) -> None:
        """Change the options or the comment of a catalog or a database."""
        if isinstance(key, str):
            self.catalogs[key] = replace(self.catalogs[key], **changes)  # type: ignore[arg-type]
        else:
            self.databases[key] = replace(self.databases[key], **changes)  # type: ignore[arg-type]
