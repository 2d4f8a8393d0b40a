"""Carries out what concerns catalogs, databases and modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.errors import ScriptError, not_supported
from fluxcore.sql import statements as st
from fluxcore.sql.replies import CommandReply
from fluxcore.sql.spaces import Space

if TYPE_CHECKING:
    from fluxcore.sql.ast import OptionPair
    from fluxcore.sql.catalog import Catalog

_TYPE = "generic_in_memory"


def create_catalog(tree: st.CreateCatalog, catalog: Catalog) -> CommandReply:
    """Carry out CREATE CATALOG. Raises ``ScriptError`` FX-SQL-0522 for a name in use, FX-SQL-0512 or 0513 for its options."""
    spaces = catalog.spaces
    if tree.name in spaces.catalogs:
        if tree.if_not_exists:
            return CommandReply(f"catalog {tree.name} exists already")
        raise ScriptError("FX-SQL-0522", f"the catalog '{tree.name}' exists already", span=tree.span)
    options = {pair.key: pair.value for pair in tree.options}
    _check_catalog(tree.options, tree)
    default = options.get("default-database", "default")
    spaces.catalogs[tree.name] = Space(options, tree.comment, default)
    spaces.databases[tree.name, default] = Space()
    return CommandReply(f"catalog {tree.name} created")


def _check_catalog(options: tuple[OptionPair, ...], tree: st.CreateCatalog) -> None:
    kinds = [pair for pair in options if pair.key == "type"]
    if not kinds:
        hint = f"WITH ('type' = '{_TYPE}')"
        raise ScriptError("FX-SQL-0512", "a catalog needs the option 'type'", span=tree.span, hint=hint)
    if kinds[0].value != _TYPE:
        hint = f"'{_TYPE}' holds tables for as long as the session lives"
        raise not_supported(f"a catalog of type '{kinds[0].value}'", span=kinds[0].value_span, hint=hint)
    for pair in options:
        if pair.key not in ("type", "default-database"):
            message = f"a catalog of type '{_TYPE}' has no option '{pair.key}'"
            raise ScriptError("FX-SQL-0511", message, span=pair.span, hint="it has 'default-database'")


def create_database(tree: st.CreateDatabase, catalog: Catalog) -> CommandReply:
    """Carry out CREATE DATABASE. Raises ``ScriptError`` FX-SQL-0522 for a name in use, FX-SQL-0520."""
    spaces = catalog.spaces
    if len(tree.name) > 2:
        raise ScriptError("FX-SQL-0521", f"'{'.'.join(tree.name)}' names no database", span=tree.span)
    of, name = (spaces.current[0], tree.name[0]) if len(tree.name) == 1 else (tree.name[0], tree.name[1])
    spaces.catalog(of, tree.span)
    if (of, name) in spaces.databases:
        if tree.if_not_exists:
            return CommandReply(f"database {name} exists already")
        raise ScriptError("FX-SQL-0522", f"the database '{name}' exists already", span=tree.span)
    spaces.databases[of, name] = Space({pair.key: pair.value for pair in tree.options}, tree.comment)
    return CommandReply(f"database {name} created")


def drop(tree: st.Drop, catalog: Catalog) -> CommandReply:
    """Carry out DROP CATALOG or DROP DATABASE.

    Raises: ``ScriptError`` FX-SQL-0520 or 0521 where there is none, FX-SQL-0524 for one in use, or one that holds tables.
    """
    spaces = catalog.spaces
    shown = ".".join(tree.name)
    reply = CommandReply(f"{tree.kind.lower()} {shown} dropped")
    try:
        place = spaces.database(tree.name, tree.span) if tree.kind == "DATABASE" else None
        if place is None:
            spaces.catalog(tree.name[0], tree.span)
    except ScriptError:
        if tree.if_exists:
            return reply
        raise
    in_use = spaces.current == place if place is not None else spaces.current[0] == tree.name[0]
    if in_use:
        message = f"the {tree.kind.lower()} '{shown}' is the current one"
        raise ScriptError("FX-SQL-0524", message, span=tree.span, hint="USE another one before")
    if place is None:
        for found in spaces.databases_of(tree.name[0]):
            catalog.drop_database(tree.name[0], found)
            del spaces.databases[tree.name[0], found]
        del spaces.catalogs[tree.name[0]]
        return reply
    held = catalog.names_in(place, permanent=True)
    if held and not tree.cascade:
        message = f"the database '{shown}' holds {', '.join(held[:3])}{' and others' if len(held) > 3 else ''}"
        raise ScriptError("FX-SQL-0524", message, span=tree.span, hint="DROP DATABASE … CASCADE removes all of it")
    catalog.drop_database(*place)
    del spaces.databases[place]
    return reply


def alter(tree: st.Alter, catalog: Catalog) -> CommandReply:
    """Carry out ALTER CATALOG or ALTER DATABASE. Raises ``ScriptError`` FX-SQL-0520, 0521 or 0511."""
    spaces = catalog.spaces
    reply = CommandReply(f"{tree.kind.lower()} {tree.name[-1]} changed")
    key: str | tuple[str, str]
    if tree.kind == "DATABASE":
        key = spaces.database(tree.name, tree.span)
        space = spaces.databases[key]
    else:
        key = tree.name[0]
        space = spaces.catalog(key, tree.span)
    match tree.change:
        case st.SetComment(comment=comment):
            spaces.change(key, comment=comment)
        case st.SetOptions(options=pairs):
            if tree.kind == "CATALOG":
                for pair in pairs:
                    message = f"the option '{pair.key}' of a catalog of type '{_TYPE}' can't be changed"
                    raise ScriptError("FX-SQL-0511", message, span=pair.span)
            spaces.change(key, options={**space.options, **{pair.key: pair.value for pair in pairs}})
        case st.ResetOptions(keys=keys):
            if "type" in keys:
                message = "the option 'type' of a catalog can't be changed"
                raise ScriptError("FX-SQL-0511", message, span=tree.change.span)
            spaces.change(key, options={k: v for k, v in space.options.items() if k not in keys})
    return reply


def use(tree: st.Use, catalog: Catalog) -> CommandReply:
    """Carry out USE. Raises ``ScriptError`` FX-SQL-0520, 0521 or 0525."""
    if tree.kind == "MODULES":
        for name in tree.names:
            if name != "core":
                raise _no_module(name, tree)
        if len(tree.names) > 1:
            raise ScriptError("FX-SQL-0525", "the module 'core' stands twice", span=tree.span)
        return CommandReply("modules: core")
    if tree.kind == "CATALOG":
        catalog.spaces.use_catalog(tree.names[0], tree.span)
    else:
        catalog.spaces.current = catalog.spaces.database(tree.names, tree.span)
    return CommandReply(f"current: {'.'.join(catalog.spaces.current)}")


def module(tree: st.Module) -> CommandReply:
    """Carry out LOAD MODULE or UNLOAD MODULE: there is only core. Raises ``ScriptError`` FX-SQL-0525 or 0900."""
    if tree.load and tree.name == "core":
        raise ScriptError("FX-SQL-0525", "the module 'core' is loaded already", span=tree.span)
    if not tree.load and tree.name == "core":
        raise not_supported("UNLOAD MODULE core", span=tree.span, hint="all built-in functions are in it")
    if tree.load:
        raise not_supported(f"the module '{tree.name}'", span=tree.span, hint="there is only core")
    raise _no_module(tree.name, tree)


def _no_module(name: str, tree: st.Use | st.Module) -> ScriptError:
    return ScriptError("FX-SQL-0525", f"there is no module '{name}'", span=tree.span, hint="there is only core")
