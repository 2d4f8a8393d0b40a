"""JSON lines, as Flink's ``json`` format reads and writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from fluxcore.core.ports import Option
from fluxcore.core.types import holds_variant
from fluxcore.errors import ScriptError
from fluxcore.formats.base import VARIANT_HINT, Format
from fluxcore.formats.json_rows import type_problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fluxcore.core.ports import SplitReader, TableDescription
    from fluxcore.core.schema import Schema
    from fluxcore.formats.base import Decoder, DecodeRequest, Encoder


def _option(name: str, kind: str, help: str, default: str, choices: tuple[str, ...] = ()) -> Option:
    return Option(f"json.{name}", kind, default, choices=choices, help=help)


class JsonFormat(Format):
    """One JSON object a line."""

    name = "json"
    options: ClassVar[Sequence[Option]] = (
        _option("ignore-parse-errors", "boolean", "Whether a wrong field is NULL and a wrong row is skipped.", "false"),
        _option("fail-on-missing-field", "boolean", "Whether a missing field is an error instead of NULL.", "false"),
        _option(
            "timestamp-format.standard",
            "enum",
            "How timestamps are written: with a space (SQL) or a T (ISO-8601); both are read.",
            "SQL",
            ("SQL", "ISO-8601"),
        ),
        _option(
            "map-null-key.mode",
            "enum",
            "Accepted; keys of maps are never NULL here.",
            "FAIL",
            ("FAIL", "DROP", "LITERAL"),
        ),
        _option("map-null-key.literal", "string", "Accepted; keys of maps are never NULL here.", "null"),
        _option("encode.decimal-as-plain-number", "boolean", "Accepted; decimals are always plain numbers.", "false"),
        _option("encode.ignore-null-fields", "boolean", "Whether fields that are NULL are left out.", "false"),
        _option("decode.json-parser.enabled", "boolean", "Accepted; there is one parser.", "true"),
    )

    def validate(self, table: TableDescription) -> None:
        """Raise ``ScriptError`` FX-FMT-0001 for options, FX-FMT-0002 for a column type that JSON can't hold."""
        lenient = table.options.get("json.ignore-parse-errors", "false").lower() == "true"
        if lenient and table.options.get("json.fail-on-missing-field", "false").lower() == "true":
            raise ScriptError(
                "FX-FMT-0001",
                "'json.ignore-parse-errors' and 'json.fail-on-missing-field' exclude each other",
                span=table.spans.get("json.fail-on-missing-field"),
            )
        for index, column in enumerate(table.schema):
            problem = None if index in table.metadata else type_problem(column.type)
            if problem:
                hint = VARIANT_HINT if holds_variant(column.type) else None
                raise ScriptError("FX-FMT-0002", f"column '{column.name}': {problem}", span=table.span, hint=hint)

    def open_file(self, path: str, request: DecodeRequest, position: Mapping[str, Any] | None = None) -> SplitReader:
        """Return a reader of a file of JSON lines."""
        from fluxcore.formats.text_file import TextFileReader

        return TextFileReader(path, _decoder(request), position)

    def decoder(self, request: DecodeRequest) -> Decoder:
        """Return a decoder of messages of one object each."""
        return _decoder(request)

    def encoder(self, schema: Schema, options: Mapping[str, str]) -> Encoder:
        """Return an encoder of lines."""
        from fluxcore.formats.json_encoder import JsonEncoder

        return JsonEncoder(schema, options)


def _decoder(request: DecodeRequest) -> Any:
    from fluxcore.formats.json_decoder import JsonDecoder

    return JsonDecoder(request)
