"""Connectors: what makes sources and sinks from a table's options."""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING, ClassVar

from fluxcore.core.ports.sinks import Sink
from fluxcore.core.ports.sources import LookupSource, Source
from fluxcore.core.ports.tables import LookupRequest, Option, ScanRequest, SinkRequest, TableDescription

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.types import DataType


class Connector(ABC):
    """A connector as the entry-point group ``fluxcore.connectors`` names it: makes sources and sinks from options."""

    name: ClassVar[str]
    options: ClassVar[Sequence[Option]] = ()
    replaces: ClassVar[bool] = False
    """Whether its sink can put rows in the place of what a table holds."""
    takes_partitions: ClassVar[bool] = False
    """Whether its sink takes rows of tables that are PARTITIONED BY columns."""
    writes_metadata: ClassVar[bool] = False
    """Whether its sink takes metadata columns that are not VIRTUAL."""

    def options_for(self, given: Mapping[str, str]) -> Sequence[Option]:  # noqa: ARG002
        """Return all options that count with these given ones (a format's options included)."""
        return self.options

    def validate(self, table: TableDescription) -> None:  # noqa: B027
        """Raise a ``ScriptError`` for options that don't fit each other or the schema. Names are checked by the caller."""

    def metadata(self, given: Mapping[str, str]) -> Mapping[str, DataType]:  # noqa: ARG002
        """Return the keys of the metadata that the source can put into columns, with their types, for these options."""
        return {}

    def partitions(self, table: TableDescription) -> Sequence[Sequence[tuple[str, str]]]:  # noqa: ARG002
        """Return the partitions that a table has now, each as the names and texts of its columns."""
        return ()

    def source(self, request: ScanRequest) -> Source:
        """Return the source for a scan. Raises a ``ScriptError`` when the connector can't be read."""
        raise NotImplementedError

    def sink(self, request: SinkRequest) -> Sink:
        """Return the sink for an insert. Raises a ``ScriptError`` when the connector can't be written."""
        raise NotImplementedError

    def lookup(self, request: LookupRequest) -> LookupSource:
        """Return what finds rows by key. Raises a ``ScriptError`` when the table can't be asked by key."""
        raise NotImplementedError

    def searchable(self) -> bool:
        """Return whether the connector finds rows by key."""
        return type(self).lookup is not Connector.lookup

    def readable(self) -> bool:
        """Return whether the connector has a source."""
        return type(self).source is not Connector.source

    def writable(self) -> bool:
        """Return whether the connector has a sink."""
        return type(self).sink is not Connector.sink
