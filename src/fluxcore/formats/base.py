"""What a format is: bytes to batches and back, whatever carries the bytes.

A format reads files (:meth:`Format.open_file`), single messages (:meth:`Format.decoder`), and writes both. Connectors find
formats through the entry-point group ``fluxcore.formats``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from fluxcore.formats.faults import RowFaults
from fluxcore.limits import TEXT_BLOCK_BYTES, TEXT_RECORD_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    import pyarrow as pa

    from fluxcore.core.batch import Batch
    from fluxcore.core.ports import Option, Pushdown, SplitReader, TableDescription
    from fluxcore.core.schema import Schema


VARIANT_HINT = "write JSON_STRING(v) into a STRING column, and read it with PARSE_JSON"
"""What to do where a format holds no VARIANT, as none of Flink's does."""


@dataclass(frozen=True, slots=True)
class DecodeRequest:
    """What is wanted of encoded rows.

    ``schema`` all columns that a row holds, in order; ``columns`` the wanted positions in it, in the order of the result
    (at least one); ``options`` the table's options; ``pushdown`` a predicate over the wanted columns; ``faults`` what
    happens to rows that can't be read; ``block_bytes`` and ``record_bytes_max`` bounds of the text readers.
    """

    schema: Schema
    columns: tuple[int, ...]
    options: Mapping[str, str] = field(default_factory=dict)
    pushdown: Pushdown | None = None
    faults: RowFaults = field(default_factory=RowFaults)
    block_bytes: int = TEXT_BLOCK_BYTES
    record_bytes_max: int = TEXT_RECORD_BYTES_MAX


class Decoder(ABC):
    """Turns single messages into batches; any number of threads may call it."""

    @abstractmethod
    def decode_messages(self, messages: Sequence[bytes], origin: str = "message") -> Batch:
        """Return the rows of messages that hold one row each.

        In: ``origin`` names the messages in errors (their number counts as the line). Out: the wanted columns in the
        Arrow types of the schema. Raises: ``DataError`` FX-DAT-0001 where the row policy is to fail.
        """


class Encoder(ABC):
    """Turns batches into bytes; one thread at a time calls it."""

    def header(self) -> bytes:
        """Return what stands before the first row of a file."""
        return b""

    @abstractmethod
    def encode(self, batch: pa.RecordBatch) -> pa.Buffer:
        """Return the rows as they stand in a file, each with its line end."""

    @abstractmethod
    def encode_messages(self, batch: pa.RecordBatch) -> pa.BinaryArray:
        """Return one message for each row."""


class FileWriter(ABC):
    """Writes the rows of one file."""

    @abstractmethod
    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""

    @property
    def gathered_bytes(self) -> int:
        """Return the bytes of rows that wait in memory to be written together."""
        return 0

    def flush(self) -> None:  # noqa: B027  (most formats write rows at once)
        """Write the rows that wait in memory."""

    @abstractmethod
    def close(self) -> None:
        """Finish the file's content; the file itself stays open."""


class Format(ABC):
    """A format as the entry-point group ``fluxcore.formats`` names it."""

    name: ClassVar[str]
    options: ClassVar[Sequence[Option]] = ()

    def validate(self, table: TableDescription) -> None:  # noqa: B027
        """Raise a ``ScriptError`` for options that don't fit each other or the schema."""

    @abstractmethod
    def open_file(self, path: str, request: DecodeRequest, position: Mapping[str, Any] | None = None) -> SplitReader:
        """Return a reader of a local file, from its start or from a position that a reader gave.

        Raises: ``OSError`` for a file that can't be read; ``DataError`` for one that isn't of this format.
        """

    def rows(self, path: str) -> int | None:  # noqa: ARG002
        """Return how many rows a local file has, where it says so itself; None where all of it had to be read."""
        return None

    def decoder(self, request: DecodeRequest) -> Decoder:
        """Return a decoder of single messages; a format of whole files has none."""
        raise NotImplementedError

    def encoder(self, schema: Schema, options: Mapping[str, str]) -> Encoder:
        """Return an encoder of rows; a format of whole files has none."""
        raise NotImplementedError

    def file_writer(self, file: BinaryIO, schema: Schema, options: Mapping[str, str]) -> FileWriter:
        """Return a writer that appends rows to an open file."""
        return _EncodedFile(file, self.encoder(schema, options))


class _EncodedFile(FileWriter):
    """A file made of encoded rows."""

    def __init__(self, file: BinaryIO, encoder: Encoder) -> None:
        self._file = file
        self._encoder = encoder
        header = encoder.header()
        if header:
            file.write(header)

    def write(self, batch: pa.RecordBatch) -> None:
        self._file.write(self._encoder.encode(batch))

    def close(self) -> None:
        self._file.flush()
