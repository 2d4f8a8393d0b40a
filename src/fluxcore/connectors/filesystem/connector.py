"""The connector: options, and what makes its sources and sinks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, cast

from fluxcore.connectors.filesystem.constants import METADATA
from fluxcore.connectors.filesystem.partition_names import DEFAULT_NAME
from fluxcore.connectors.filesystem.partitions import DEFAULT_OPTION, check_partitioning, default_name, partitions_of
from fluxcore.core import registry
from fluxcore.core.ports import Connector, Option
from fluxcore.errors import ScriptError, not_supported
from fluxcore.formats.faults import ROW_OPTIONS, validate_row_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.ports import ScanRequest, Sink, SinkRequest, Source, TableDescription
    from fluxcore.core.types import DataType
    from fluxcore.formats.base import Format

_REFUSED = (
    Option("source.monitor-interval", "duration", help="Not supported yet: a folder is read once."),
    Option("source.path.regex-pattern", help="Not supported yet: use a pattern with * in the path."),
    Option("sink.rolling-policy.rollover-interval", "duration", help="Not supported yet: files appear at the end."),
    Option("sink.rolling-policy.check-interval", "duration", help="Not supported yet: files appear at the end."),
    Option("auto-compaction", "boolean", "false", help="Not supported yet."),
    Option("compaction.file-size", "memory", help="Not supported yet."),
    Option("sink.partition-commit.trigger", help="Not supported yet: partitions are committed at the end."),
    Option("sink.partition-commit.delay", "duration", help="Not supported yet: partitions are committed at the end."),
)
_MARK = "sink.partition-commit.success-file.name"
_SIZE = re.compile(r"\s*([0-9]+)\s*([a-zA-Z]*)\s*")
_UNITS = {"": 1, "b": 1, "bytes": 1, "k": 2**10, "kb": 2**10, "m": 2**20, "mb": 2**20, "g": 2**30, "gb": 2**30}


class FilesystemConnector(Connector):
    """Reads a file, a folder or a pattern of files; writes a folder, or the folders of partitions in it."""

    name = "filesystem"
    replaces = True
    takes_partitions = True
    options: ClassVar[Sequence[Option]] = (
        Option("path", required=True, help="A file, a folder, a pattern such as 'data/*.csv', or a file:// URL."),
        Option("format", required=True, help="The format of the files: csv, json or parquet."),
        *ROW_OPTIONS,
        Option("sink.rolling-policy.file-size", "memory", "128MB", help="The size at which a next file is begun."),
        Option(DEFAULT_OPTION, default=DEFAULT_NAME, help="What names the folder of NULL, and of an empty text."),
        Option(
            "sink.partition-commit.policy.kind",
            "enum",
            choices=("success-file",),
            help="What is left in each folder that was written, when all of its files are there.",
        ),
        Option(_MARK, default="_SUCCESS", help="The name of that file."),
        *_REFUSED,
    )

    def options_for(self, given: Mapping[str, str]) -> Sequence[Option]:
        """Return the connector's options and those of the format."""
        name = given.get("format")
        return self.options if name is None else (*self.options, *_format(name).options)

    def validate(self, table: TableDescription) -> None:
        """Raise ``ScriptError`` for options that don't fit: FX-CON-0003, FX-SQL-0900, and those of the format."""
        from fluxcore.connectors.filesystem.paths import local_path

        for option in _REFUSED:
            if option.name in table.options:
                hint = option.help.removeprefix("Not supported yet: ") if ":" in option.help else None
                raise not_supported(f"the option '{option.name}'", span=table.spans.get(option.name), hint=hint)
        path = table.options.get("path", "")
        if not path or local_path(path) is None:
            what = f"the file system of '{path}'" if path else "an empty path"
            raise not_supported(what, span=table.spans.get("path"), hint="use a local path or a file:// URL")
        check_partitioning(table)
        for index, key in table.metadata.items():
            if key not in METADATA:
                hint = f"the keys are {', '.join(METADATA)}"
                column = table.schema[index].name
                raise ScriptError("FX-CON-0003", f"column '{column}': no metadata '{key}'", span=table.span, hint=hint)
        rolling_size(table)
        mark = table.options.get(_MARK, "_")
        if mark in ("", ".", "..") or "/" in mark:
            message = f"'{_MARK}' must be the name of a file, and is '{mark}'"
            raise ScriptError("FX-CON-0003", message, span=table.spans.get(_MARK))
        validate_row_options(table)
        _format(table.options["format"], table).validate(table)

    def metadata(self, given: Mapping[str, str]) -> Mapping[str, DataType]:  # noqa: ARG002
        """Return the keys of what is known of a file."""
        return METADATA

    def partitions(self, table: TableDescription) -> list[list[tuple[str, str]]]:
        """Return the partitions that a table has now.

        Raises: ``JobError`` FX-CON-0102 and 0103 for a path that can't be read, FX-CON-0106 and 0107 for what is no partition.
        """
        from fluxcore.connectors.filesystem.paths import require_local
        from fluxcore.connectors.filesystem.staging import finish_for_reader

        finish_for_reader(require_local(table.options["path"]))
        names = [table.schema[index].name for index in table.partitioned_by]
        null = default_name(table)
        return [
            [(name, null if text is None else text) for name, text in zip(names, each.texts, strict=True)]
            for each in partitions_of(table)
        ]

    def source(self, request: ScanRequest) -> Source:
        """Return a source with one split a file."""
        from fluxcore.connectors.filesystem.source import FilesystemSource

        return FilesystemSource(request, _format(request.table.options["format"], request.table))

    def sink(self, request: SinkRequest) -> Sink:
        """Return a sink that writes part files into the folder."""
        from fluxcore.connectors.filesystem.sink import FilesystemSink

        format_ = _format(request.table.options["format"], request.table)
        return FilesystemSink(request, format_, rolling_size(request.table))


def rolling_size(table: TableDescription) -> int:
    """Return the bytes at which the sink begins a next file. Raises: ``ScriptError`` FX-CON-0003."""
    name = "sink.rolling-policy.file-size"
    text = table.options.get(name, "128MB")
    found = _SIZE.fullmatch(text)
    unit = _UNITS.get(found[2].lower()) if found else None
    if found is None or unit is None or int(found[1]) == 0:
        hint = "write a size such as 128MB"
        raise ScriptError("FX-CON-0003", f"'{name}' can't be '{text}'", span=table.spans.get(name), hint=hint)
    return int(found[1]) * unit


def _format(name: str, table: TableDescription | None = None) -> Format:
    span = table.spans.get("format") if table is not None else None
    return cast("Format", registry.find(registry.FORMATS, name, span=span))
