"""Options of tables: FluxCore's as Flink's, and Flink's as FluxCore's. Most are the same; what differs says why.

The lists were checked against the option classes of Flink 2.3's connectors and formats.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from glob import has_magic
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

from fluxcore.core import registry
from fluxcore.errors import ScriptError
from fluxcore.sql.change_formats import CHANGE_FORMAT
from fluxcore.targets.flink.portability import Unportable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.ports import Option, TableDescription

TWINLESS = {
    "memory": "its rows are in this process, where a cluster can't read them; write them to files and read those",
    "collect": "its rows go into this process; write them into a table of the cluster",
    "sqlite": "Flink's JDBC connector has no dialect of SQLite",
    "duckdb": "Flink has no connector of DuckDB",
    "nexmark": "the generator is FluxCore's own; write its events to files and read those",
    "frys": "the bus is FluxCore's own; publish to Kafka, and read that",
}
"""Our connectors that Flink has nothing like, and why or what to do instead."""

FLINK_CONNECTORS = frozenset(
    {
        "blackhole", "datagen", "dynamodb", "elasticsearch-6", "elasticsearch-7", "elasticsearch-8", "filesystem", "firehose",
        "hbase-1.4", "hbase-2.2", "hive", "jdbc", "kafka", "kinesis", "mongodb", "mysql-cdc", "opensearch", "opensearch-2",
        "postgres-cdc", "print", "pulsar", "python-input-format", "upsert-kafka",
    }
)  # fmt: skip
"""Connectors that exist for Flink under the same name."""

_NO_OPTION = "Flink's connector has no such option"
_WHY = {
    "csv.header": "Flink's csv format has no header: a first line of names would be read as a row; take it off the files",
    "csv.ignore-first-line": "Flink's csv format reads every line; take the first one off the files",
    "row-policy": "Flink fails at a row that it can't read, or makes NULLs of its fields with 'ignore-parse-errors'",
    "dead-letter.path": "Flink keeps no rows that it can't read",
    "seed": "Flink's datagen makes other rows each time",
}
_HARMLESS = {"csv.header": "false", "csv.ignore-first-line": "false", "row-policy": "fail"}
"""Options that say nothing with these values."""
_ADDED = {"parquet": {"parquet.utc-timezone": "true"}}
"""What a format needs in Flink to mean what it means here."""


@dataclass
class _Translation:
    """Options on their way, and what can't come along."""

    where: str
    options: dict[str, str] = field(default_factory=dict)
    found: list[Unportable] = field(default_factory=list)

    def refuse(self, name: str, value: str, why: str) -> None:
        self.found.append(Unportable(f"the option '{name}' = '{value}'", why, self.where))

    @property
    def result(self) -> tuple[dict[str, str], tuple[Unportable, ...]]:
        return self.options, tuple(self.found)


def flink_options(table: TableDescription) -> tuple[dict[str, str], tuple[Unportable, ...]]:
    """Return a table's options as Flink wants them, and what of them it can't have.

    Options of a connector that Flink doesn't know stay as they are, beside the word that they can't be used.
    """
    name = table.options["connector"]
    done = _Translation(f"table '{table.name}'")
    if name not in FLINK_CONNECTORS:
        why = TWINLESS.get(name, "Flink has no connector of that name")
        done.found.append(Unportable(f"the connector '{name}'", why, done.where))
        done.options.update(table.options)
        return done.result
    extensions = {option.name for option in _known(name, table.options) if option.extension}
    for key, value in table.options.items():
        if _HARMLESS.get(key) == value.lower():
            continue
        if key in _WHY or key in extensions:
            done.refuse(key, value, _WHY.get(key, _NO_OPTION))
        elif key == "path" and name == "filesystem":
            done.options.update(_flink_path(value, done))
        else:
            done.options[key] = value
    for key, value in _ADDED.get(table.options.get("format", ""), {}).items():
        done.options.setdefault(key, value)
    return done.result


def fluxcore_options(options: Mapping[str, str]) -> tuple[dict[str, str], tuple[Unportable, ...]]:
    """Return Flink's options of a table as FluxCore's, and what of them FluxCore can't have.

    The connector is told by ``options['connector']``, as in ``WITH (…)``.
    """
    name = options.get("connector", "")
    done = _Translation(f"connector '{name}'")
    if name not in registry.names(registry.CONNECTORS):
        done.found.append(Unportable(f"the connector '{name}'", "FluxCore has no connector of that name", done.where))
        done.options.update(options)
        return done.result
    try:
        known = _known(name, options)
    except ScriptError as error:
        done.refuse("format", options.get("format", ""), error.message)
        known = registry.connector(name).options
    for key, value in options.items():
        option = _option(key, known)
        if key != "connector" and option is None and not key.startswith("scan.watermark."):
            done.refuse(key, value, "FluxCore's connector has no such option")
        elif option is not None and option.help.startswith("Not supported yet"):
            done.refuse(key, value, option.help[0].lower() + option.help[1:].rstrip("."))
        elif key == "path" and name == "filesystem":
            done.options[key] = _own_path(value, done)
        else:
            done.options[key] = value
    _check_parquet(options, done)
    return done.result


def _known(connector: str, options: Mapping[str, str]) -> Sequence[Option]:
    if connector not in registry.names(registry.CONNECTORS):
        return ()
    found = registry.connector(connector)
    if options.get("format") != CHANGE_FORMAT:
        return found.options_for(options)
    known = found.options_for({**options, "format": "json"})  # its messages are JSON, and its options too
    names = (each.name.removeprefix("json.") for each in known)
    return [replace(each, name=f"{CHANGE_FORMAT}.{name}") if name != each.name else each
            for each, name in zip(known, names, strict=True)]  # fmt: skip


def _option(key: str, known: Sequence[Option]) -> Option | None:
    """Return the option of a name, or one whose name has ``#`` where the key names a column."""
    for option in known:
        pattern = re.escape(option.name).replace(r"\#", ".+")
        if re.fullmatch(pattern, key):
            return option
    return None


def _check_parquet(options: Mapping[str, str], done: _Translation) -> None:
    """Say that Flink reads times of Parquet in the zone of its machines, unless it is told otherwise."""
    key = "parquet.utc-timezone"
    if options.get("format") != "parquet" or options.get(key, "false").lower() == "true":
        return
    done.options.pop(key, None)
    done.refuse(key, "false", "FluxCore keeps times of Parquet in UTC")


def _flink_path(path: str, done: _Translation) -> dict[str, str]:
    """Return the options of a path: a whole URL whose letters stand for themselves, and a pattern as one of Flink's."""
    local = _local(path)
    if local is None:
        return {"path": path}
    whole = os.path.abspath(local)  # noqa: PTH100  (a pattern is no path)
    if not has_magic(whole) or os.path.exists(whole):  # noqa: PTH110
        return {"path": f"file://{whole}"}
    folder = os.path.dirname(whole[: _first_magic(whole)] + "x")  # noqa: PTH120
    if "source.path.regex-pattern" in done.options:
        done.refuse("path", path, "Flink takes one pattern of paths")
    return {"path": f"file://{folder}", "source.path.regex-pattern": _java_pattern(whole)}


def _own_path(path: str, done: _Translation) -> str:
    """Return a path of Flink's: a ``file:`` URL as the path itself, in which ``%20`` are three letters as Flink has it."""
    scheme = urlparse(path).scheme
    if scheme in ("", "file"):
        return path.removeprefix("file://").removeprefix("file:") if scheme else path
    done.refuse("path", path, f"FluxCore can't read the file system '{scheme}'")
    return path


def _local(path: str) -> str | None:
    """Return the local path of a path or ``file:`` URL of ours; None for another system."""
    if "://" not in path and not path.startswith("file:"):
        return path
    url = urlparse(path)
    return unquote(url.path) if url.scheme == "file" and url.netloc in ("", "localhost") else None


def _first_magic(path: str) -> int:
    return min(place for place in (path.find(letter) for letter in "*?[") if place >= 0)


def _java_pattern(pattern: str) -> str:
    """Return a shell pattern as a Java regular expression of whole paths."""
    parts: list[str] = []
    place = 0
    while place < len(pattern):
        letter = pattern[place]
        if pattern.startswith("**/", place):
            parts.append("(?:.*/)?")
            place += 3
            continue
        if letter == "[" and (end := pattern.find("]", place + 2)) > 0:
            inside = pattern[place + 1 : end].replace("\\", "\\\\")
            parts.append("[" + ("^" + inside[1:] if inside.startswith("!") else inside) + "]")
            place = end
        else:
            parts.append({"*": "[^/]*", "?": "[^/]"}.get(letter) or _escaped(letter))
        place += 1
    return "".join(parts)


def _escaped(letter: str) -> str:
    return "\\" + letter if letter in r"\^$.|?*+()[]{}" else letter
