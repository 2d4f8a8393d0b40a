"""Finds the partitions of a table: the folders ``key=value`` below its path, one level for each column."""

from __future__ import annotations

import os
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from fluxcore.connectors.filesystem.partition_names import DEFAULT_NAME, HIVE_NAME, is_nameable, unescaped, value_of
from fluxcore.connectors.filesystem.paths import cannot, hidden, missing, require_local
from fluxcore.errors import JobError, Place, ScriptError
from fluxcore.formats.faults import RowError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fluxcore.core.ports import TableDescription
    from fluxcore.core.schema import Column

DEFAULT_OPTION = "partition.default-name"


@dataclass(frozen=True, slots=True)
class Partition:
    """A folder with files, the text of each of the partition's columns (None is NULL), and its value."""

    folder: str
    texts: tuple[str | None, ...] = ()
    values: tuple[pa.Scalar, ...] = ()


def default_name(table: TableDescription) -> str:
    """Return the text that stands for NULL in folders' names."""
    return table.options.get(DEFAULT_OPTION, DEFAULT_NAME)


def check_partitioning(table: TableDescription) -> None:
    """Raise ``ScriptError`` FX-CON-0105 for columns by which files can't be told apart, FX-CON-0003 for an empty default."""
    if table.options.get(DEFAULT_OPTION) == "":
        span = table.spans.get(DEFAULT_OPTION)
        raise ScriptError("FX-CON-0003", f"'{DEFAULT_OPTION}' can't be empty", span=span)
    for index in table.partitioned_by:
        column = table.schema[index]
        if index in table.metadata:
            message = f"'{column.name}' is metadata, and can't be a column of the partition"
            raise ScriptError("FX-CON-0105", message, span=table.span)
        if not is_nameable(column.type):
            message = f"'{column.name}' can't be a column of the partition: {column.type.name()} names no folder"
            hint = "text, numbers, BOOLEAN, DATE and TIMESTAMP do"
            raise ScriptError("FX-CON-0105", message, span=table.span, hint=hint)
        if hidden(column.name):
            message = f"'{column.name}' can't be a column of the partition: a folder of such a name is hidden"
            hint = "files and folders whose names begin with . or _ are left out when a table is read"
            raise ScriptError("FX-CON-0105", message, span=table.span, hint=hint)
    if len(table.partitioned_by) + len(table.metadata) >= len(table.schema):
        message = f"all columns of '{table.name}' are in PARTITIONED BY, and none is left for the files"
        raise ScriptError("FX-CON-0105", message, span=table.span)


def partitions_of(table: TableDescription) -> list[Partition]:
    """Return the partitions that there are, in the order of their names; none where the path is not there yet.

    Raises: ``JobError`` FX-CON-0102 and 0103 for a path that can't be read or is a file, FX-CON-0106 for what is no
    partition, FX-CON-0107 for a name that is no value of its column.
    """
    root = require_local(table.options["path"])
    if not Path(root).exists():
        if has_magic(root):
            raise missing(root)
        return []
    if not Path(root).is_dir():
        message = f"'{root}' is a file; a table with partitions is a folder"
        raise JobError(
            "FX-CON-0103", message, hint="remove PARTITIONED BY, or give the folder that holds the partitions"
        )
    found = [Partition(root)]
    null = {default_name(table), *(() if DEFAULT_OPTION in table.options else (HIVE_NAME,))}
    for index in table.partitioned_by:
        column = table.schema[index]
        found = [inner for outer in found for inner in _inside(outer, column, null)]
    return found


def chosen(
    found: Sequence[Partition], table: TableDescription, test: Callable[[pa.RecordBatch], pa.BooleanArray] | None
) -> list[Partition]:
    """Return the partitions for which a condition over their columns is true."""
    if test is None or not found:
        return list(found)
    schema = table.schema.select(table.partitioned_by).arrow()
    columns = [pa.array([each.values[place] for each in found], field.type) for place, field in enumerate(schema)]
    mask = test(pa.RecordBatch.from_arrays(columns, schema=schema))
    return [each for each, kept in zip(found, mask.to_pylist(), strict=True) if kept]


def _inside(outer: Partition, column: Column, null: set[str]) -> list[Partition]:
    try:
        with os.scandir(outer.folder) as entries:
            names = sorted((entry.name, entry.is_dir()) for entry in entries if not hidden(entry.name))
    except OSError as error:
        raise cannot("read", outer.folder, error) from error
    found = []
    for name, is_folder in names:
        path = os.path.join(outer.folder, name)  # noqa: PTH118  (thousands of them)
        key, separator, text = name.partition("=")
        if not is_folder or not separator or not text or unescaped(key) != column.name:
            what = "folder" if is_folder else "file"
            message = f"the {what} '{path}' is no partition: folders '{column.name}=…' are expected here"
            hint = "PARTITIONED BY names the folders from the outermost on; a name that begins with . or _ is left out"
            raise JobError("FX-CON-0106", message, hint=hint)
        plain = unescaped(text)
        known = None if plain in null else plain
        found.append(Partition(path, (*outer.texts, known), (*outer.values, _value(path, column, known))))
    return found


def _value(path: str, column: Column, text: str | None) -> pa.Scalar:
    place = Place(file=path, field=column.name)
    if text is None and not column.type.nullable:
        message = f"the partition has NULL for '{column.name}', which is NOT NULL"
        raise JobError("FX-CON-0107", message, place=place)
    try:
        return value_of(text, column.type)
    except RowError as error:
        message = f"'{error.value}' is no value of the column of the partition: {error.cause}"
        raise JobError("FX-CON-0107", message, place=place) from error
    except UnicodeEncodeError as error:
        raise JobError("FX-CON-0107", "the name of the partition is not UTF-8", place=place) from error
