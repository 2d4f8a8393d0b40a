"""CSV, as Flink's ``csv`` format reads and writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from fluxcore.core.ports import Option
from fluxcore.core.types import ArrayType, MapType, RowType, VariantType
from fluxcore.errors import ScriptError
from fluxcore.formats.base import VARIANT_HINT, Format
from fluxcore.formats.csv_rows import CsvStyle, validate_style

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.ports import SplitReader, TableDescription
    from fluxcore.core.schema import Schema
    from fluxcore.core.types import DataType
    from fluxcore.formats.base import Decoder, DecodeRequest, Encoder


def _option(name: str, kind: str, help: str, default: str | None = None, extension: bool = False) -> Option:
    return Option(f"csv.{name}", kind, default, help=help, extension=extension)


class CsvFormat(Format):
    """Comma-separated values."""

    name = "csv"
    options: ClassVar[Sequence[Option]] = (
        _option("field-delimiter", "string", "The character between fields; '\\t' is a tab.", ","),
        _option("quote-character", "string", "The character around fields that hold special ones.", '"'),
        _option("disable-quote-character", "boolean", "Whether no character quotes.", "false"),
        _option("escape-character", "string", "The character that takes the meaning of the next one."),
        _option("allow-comments", "boolean", "Whether lines that begin with # are skipped.", "false"),
        _option("null-literal", "string", "The text of a field that is NULL."),
        _option("array-element-delimiter", "string", "The text between the elements of an ARRAY or ROW.", ";"),
        _option("ignore-parse-errors", "boolean", "Whether a wrong field is NULL and a wrong row is skipped.", "false"),
        _option("ignore-first-line", "boolean", "Whether the first line of each file is skipped.", "false"),
        _option("trim-spaces", "boolean", "Whether fields without quotes lose the spaces around them.", "false"),
        _option("empty-string-as-null", "boolean", "Whether an empty field is NULL.", "false"),
        _option("allow-trailing-comma", "boolean", "Whether a delimiter may end a line.", "true"),
        _option("ignore-trailing-unmappable", "boolean", "Whether further fields are ignored.", "false"),
        _option("fail-on-missing-columns", "boolean", "Accepted; too few fields are always an error.", "false"),
        _option("write-bigdecimal-in-scientific-notation", "boolean", "Accepted; decimals are always plain.", "true"),
        _option("header", "boolean", "Whether the first line of each file names its columns.", "false", extension=True),
    )

    def validate(self, table: TableDescription) -> None:
        """Raise ``ScriptError`` FX-FMT-0001 for options, FX-FMT-0002 for a column type that CSV can't hold."""
        validate_style(table)
        for index, column in enumerate(table.schema):
            if index not in table.metadata and not _supported(column.type):
                variant = isinstance(column.type, VariantType)
                hint = VARIANT_HINT if variant else "use the json format for maps and nested collections"
                message = f"column '{column.name}': CSV can't hold {column.type.name()}"
                raise ScriptError("FX-FMT-0002", message, span=table.span, hint=hint)

    def open_file(self, path: str, request: DecodeRequest, position: Mapping[str, Any] | None = None) -> SplitReader:
        """Return a reader of a CSV file."""
        from fluxcore.formats.text_file import TextFileReader

        return TextFileReader(path, _decoder(request), position)

    def decoder(self, request: DecodeRequest) -> Decoder:
        """Return a decoder of messages of one record each."""
        return _decoder(request)

    def encoder(self, schema: Schema, options: Mapping[str, str]) -> Encoder:
        """Return an encoder of records that end with a line feed."""
        from fluxcore.formats.csv_encoder import CsvEncoder

        return CsvEncoder(schema, CsvStyle.from_options(options))


def _decoder(request: DecodeRequest) -> Any:
    from fluxcore.formats.csv_decoder import CsvDecoder

    return CsvDecoder(request)


def _supported(type_: DataType, top: bool = True) -> bool:
    if isinstance(type_, ArrayType):
        return top and _supported(type_.element, top=False)
    if isinstance(type_, RowType):
        return top and all(_supported(kind, top=False) for _, kind in type_.fields)
    return not isinstance(type_, MapType | VariantType)
