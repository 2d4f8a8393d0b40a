"""The connector ``frys``: a topic of a bus in a folder as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from fluxcore.bus.errors import BusError
from fluxcore.bus.rows import check_columns
from fluxcore.bus.subjects import Pattern
from fluxcore.bus.table.sink import TopicSink, fields_of
from fluxcore.bus.table.source import METADATA, Places, TopicSource
from fluxcore.core.ports import Connector, Option
from fluxcore.errors import ScriptError, nearest
from fluxcore.formats.json import JsonFormat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.ports import ScanRequest, Sink, SinkRequest, Source, TableDescription
    from fluxcore.core.types import DataType

STARTS = ("earliest-offset", "latest-offset", "timestamp", "specific-offset")
ENDS = ("unbounded", "latest-offset", "timestamp", "specific-offset")


class FrysConnector(Connector):
    """Reads a topic of a bus from its files, live or up to its end, beside whoever writes it; and appends to one.

    Columns of a topic with a schema, and of events that came as Arrow batches, are read as they lie, without decoding; payloads of
    single events are read as JSON.
    """

    name = "frys"
    options: ClassVar[Sequence[Option]] = (
        Option("bus", required=True, help="The bus: file:./data.", extension=True),
        Option("topic", required=True, help="The topic's name."),
        Option("subjects", help="Read only these subjects: patterns with ; between them.", extension=True),
        Option("scan.startup.mode", "enum", "earliest-offset", choices=STARTS, help="Where reading begins."),
        Option("scan.startup.timestamp-millis", "integer", help="With timestamp: milliseconds since 1970, by the time of publishing."),
        Option("scan.startup.offset", "integer", help="With specific-offset: the first offset.", extension=True),
        Option("scan.bounded.mode", "enum", "unbounded", choices=ENDS, help="Where reading ends; unbounded goes on for ever."),
        Option("scan.bounded.timestamp-millis", "integer", help="With timestamp: events published from then on are left out, as the topic stands when the job starts."),
        Option("scan.bounded.offset", "integer", help="With specific-offset: the first offset that is left out.", extension=True),
        Option("sink.subject", help="The subject of written rows, in which {column} stands for a value; default: the topic's name.",
               extension=True),
        Option("sink.key", help="The column that is the key of written rows.", extension=True),
        Option("sink.acks", "enum", "disk", choices=("memory", "os", "disk"), help="What written rows survive when the job goes on.",
               extension=True),
        *JsonFormat.options,
    )  # fmt: skip

    def validate(self, table: TableDescription) -> None:
        """Check the options. Raises ``ScriptError`` FX-CON-0160."""
        JsonFormat().validate(table)
        given = table.options
        for part, modes in (("startup", STARTS), ("bounded", ENDS)):
            mode = given.get(f"scan.{part}.mode", modes[0])
            for needed, name in (("timestamp", "timestamp-millis"), ("specific-offset", "offset")):
                key = f"scan.{part}.{name}"
                if mode == needed and key not in given:
                    raise _wrong(table, f"scan.{part}.mode", f"'scan.{part}.mode' = '{mode}' needs '{key}'")
                if mode != needed and key in given:
                    raise _wrong(table, key, f"'{key}' needs 'scan.{part}.mode' = '{needed}'")
        if not given["bus"].startswith("file:"):
            raise _wrong(
                table,
                "bus",
                f"a table can't be read from the bus '{given['bus']}'",
                "write file: and a folder: file:./data",
            )
        try:
            for text in given.get("subjects", ">").split(";"):
                Pattern(text.strip())
            check_columns(physical(table))
        except BusError as error:
            raise _wrong(
                table, "subjects" if error.code == "FX-BUS-0102" else "topic", error.message, error.hint
            ) from None
        names = physical(table).names
        for key, fields in (
            ("sink.subject", fields_of(given.get("sink.subject", ""))),
            ("sink.key", [given["sink.key"]] if "sink.key" in given else []),
        ):
            for name in fields:
                if name not in names:
                    raise _wrong(table, key, f"'{key}' names '{name}', which is no column", nearest(name, names))

    def metadata(self, given: Mapping[str, str]) -> Mapping[str, DataType]:  # noqa: ARG002
        """Return what can be told of an event beside its payload."""
        return METADATA

    def source(self, request: ScanRequest) -> Source:
        """Return the source."""
        return TopicSource(request, Places.of(request.table))

    def sink(self, request: SinkRequest) -> Sink:
        """Return the sink."""
        return TopicSink(request)


def physical(table: TableDescription) -> pa.Schema:
    """Return the columns of a table that are the payload's."""
    columns = [column for index, column in enumerate(table.schema) if index not in table.metadata]
    return pa.schema([pa.field(column.name, column.type.arrow()) for column in columns])


def _wrong(table: TableDescription, key: str, message: str, hint: str | None = None) -> ScriptError:
    return ScriptError("FX-CON-0160", message, span=table.spans.get(key, table.span), hint=hint)
