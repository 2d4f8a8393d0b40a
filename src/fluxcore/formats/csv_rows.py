"""Reads one CSV record at a time, by the rules of Flink's reader (Jackson)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fluxcore.core.types import ArrayType, RowType
from fluxcore.errors import ScriptError
from fluxcore.formats.faults import RowError
from fluxcore.formats.values import parse_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fluxcore.core.ports import TableDescription
    from fluxcore.core.types import DataType

_ESCAPED = {"0": "\0", "n": "\n", "r": "\r", "t": "\t"}
_JAVA_ESCAPES = {"\\t": "\t", "\\n": "\n", "\\r": "\r", "\\\\": "\\", "\\0": "\0", "\\f": "\f", '\\"': '"', "\\'": "'"}


@dataclass(frozen=True, slots=True)
class CsvStyle:
    """How the records are written; characters are single ASCII ones, None where there is none."""

    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = None
    null_literal: str | None = None
    array_delimiter: str = ";"
    comments: bool = False
    header: bool = False
    skip_first: bool = False
    lenient: bool = False
    trim: bool = False
    trailing_delimiter: bool = True
    more_fields: bool = False
    empty_is_null: bool = False

    @staticmethod
    def from_options(options: Mapping[str, str]) -> CsvStyle:
        """Return the style that a table's options ask for; they were validated."""

        def flag(name: str, default: bool = False) -> bool:
            text = options.get(f"csv.{name}")
            return default if text is None else text.lower() == "true"

        quote = None if flag("disable-quote-character") else options.get("csv.quote-character", '"')
        return CsvStyle(
            delimiter=_unescaped(options.get("csv.field-delimiter", ",")),
            quote=quote,
            escape=options.get("csv.escape-character"),
            null_literal=options.get("csv.null-literal"),
            array_delimiter=options.get("csv.array-element-delimiter", ";"),
            comments=flag("allow-comments"),
            header=flag("header"),
            skip_first=flag("ignore-first-line"),
            lenient=flag("ignore-parse-errors"),
            trim=flag("trim-spaces"),
            trailing_delimiter=flag("allow-trailing-comma", True),
            more_fields=flag("ignore-trailing-unmappable"),
            empty_is_null=flag("empty-string-as-null"),
        )


def _unescaped(text: str) -> str:
    if text.startswith("\\u") and len(text) == 6:
        return chr(int(text[2:], 16))
    return _JAVA_ESCAPES.get(text, text)


def validate_style(table: TableDescription) -> None:
    """Raise ``ScriptError`` FX-FMT-0001 for options that are no single ASCII characters or exclude each other."""
    options = table.options

    def wrong(name: str, message: str, hint: str | None = None) -> ScriptError:
        return ScriptError("FX-FMT-0001", message, span=table.spans.get(name), hint=hint)

    for short in ("field-delimiter", "quote-character", "escape-character"):
        name = f"csv.{short}"
        text = options.get(name)
        if text is None:
            continue
        single = _unescaped(text) if short == "field-delimiter" else text
        if len(single) != 1 or ord(single) > 127 or single in "\r\n":
            raise wrong(name, f"'{name}' must be one ASCII character, not '{text}'")
    style = CsvStyle.from_options(options)
    if style.quote is None and "csv.quote-character" in options:
        raise wrong("csv.quote-character", "'csv.quote-character' can't be set while quotes are disabled")
    used = [each for each in (style.delimiter, style.quote, style.escape) if each is not None]
    if len(set(used)) < len(used):
        raise wrong("csv.field-delimiter", "delimiter, quote and escape character must differ")
    if style.header and style.skip_first:
        raise wrong(
            "csv.ignore-first-line",
            "'csv.header' and 'csv.ignore-first-line' exclude each other",
            "'csv.header' maps the columns by name, 'csv.ignore-first-line' only skips the line",
        )


def split_record(text: str, style: CsvStyle) -> list[tuple[str, bool]]:
    """Return the fields of one record (without its line end), and whether each stood in quotes. Raises: ``RowError``."""
    fields: list[tuple[str, bool]] = []
    at = 0
    while True:
        start = at
        if style.trim:
            while at < len(text) and text[at] <= " " and text[at] != style.delimiter:
                at += 1
        if style.quote is not None and at < len(text) and text[at] == style.quote:
            field, at = _quoted(text, at, style)
            fields.append((field, True))
        else:
            field, at = _plain(text, at if style.trim else start, style)
            fields.append((field, False))
        if at >= len(text):
            return fields
        at += 1


def _quoted(text: str, start: int, style: CsvStyle) -> tuple[str, int]:
    """Return the content of the quoted field that opens at ``start``, and where its delimiter stands."""
    parts: list[str] = []
    at = start + 1
    while True:
        if at >= len(text):
            raise RowError("a quote is not closed", value=text[start:])
        character = text[at]
        at += 1
        if character == style.escape and at < len(text):
            parts.append(_ESCAPED.get(text[at], text[at]))
            at += 1
        elif character != style.quote:
            parts.append(character)
        elif at < len(text) and text[at] == style.quote:
            parts.append(character)
            at += 1
        else:
            break
    while at < len(text) and text[at] != style.delimiter:
        if text[at] > " ":
            raise RowError(f"'{text[at]}' follows a closing quote instead of a delimiter", value=text[start : at + 1])
        at += 1
    return "".join(parts), at


def _plain(text: str, at: int, style: CsvStyle) -> tuple[str, int]:
    if style.escape is None:
        end = text.find(style.delimiter, at)
        end = len(text) if end < 0 else end
        return text[at:end].strip(" \t") if style.trim else text[at:end], end
    parts: list[str] = []
    while at < len(text) and text[at] != style.delimiter:
        if text[at] == style.escape and at + 1 < len(text):
            at += 1
            parts.append(_ESCAPED.get(text[at], text[at]))
        else:
            parts.append(text[at])
        at += 1
    return "".join(parts), at


def field_value(type_: DataType, text: str, style: CsvStyle) -> Any:
    """Return the value of a field, None for the null literal. Raises: ``RowError``."""
    if text == style.null_literal or (style.empty_is_null and not text):
        return None
    if isinstance(type_, ArrayType):
        parts = text.split(style.array_delimiter) if text else []
        return [field_value(type_.element, part, style) for part in parts]
    if isinstance(type_, RowType):
        parts = text.split(style.array_delimiter) if text else []
        if len(parts) != len(type_.fields):
            raise RowError(f"{len(parts)} parts instead of {len(type_.fields)} of a {type_.name()}", value=text)
        named = zip(parts, type_.fields, strict=True)
        return {name: field_value(kind, part, style) for part, (name, kind) in named}
    return parse_text(type_, text)
