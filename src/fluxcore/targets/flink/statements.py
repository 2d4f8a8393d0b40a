"""A SQL script as the statements that Flink's SQL gateway takes, each with its place in the user's file.

The text of a statement is the user's own but for two things: connector options are translated, and inserts that follow one
another become one statement set, as they are one job here. Whatever FluxCore's own parser does not know yet is sent as it is.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from fluxcore.core import quotes, registry
from fluxcore.core.ports import TableDescription
from fluxcore.core.schema import Schema
from fluxcore.core.settings import Settings
from fluxcore.errors import ScriptError, Span
from fluxcore.plan.endless import is_bounded
from fluxcore.sql.bind_tables import bind_table, stored_columns
from fluxcore.sql.lexer import Kind, tokens
from fluxcore.sql.parser import Parser
from fluxcore.sql.statements import CreateTable
from fluxcore.targets.flink.portability import Unportable
from fluxcore.targets.flink.sql.options import flink_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.sql.lexer import Token


class What(Enum):
    """What a statement is for."""

    QUERY = "query"
    INSERT = "insert"
    SETTING = "setting"
    QUESTION = "question"
    DEFINITION = "definition"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: ``text`` as Flink takes it, ``span`` its place in the script, ``table`` what a CREATE TABLE made."""

    what: What
    text: str
    span: Span
    table: TableDescription | None = None
    unportable: tuple[Unportable, ...] = ()


def statements_of(text: str) -> list[Statement]:
    """Return the statements of a script.

    Raises: ``ScriptError`` FX-SQL-0101 to 0103 for text that can't be cut into words, FX-SQL-0107 for an empty statement set.
    """
    found: list[Statement] = []
    for words in _cut(tokens(text)):
        found += _statements(text, words)
    return found


def never_ends(table: TableDescription) -> bool:
    """Return whether a table is known to have no last row; of a connector that FluxCore doesn't have nothing is known."""
    name = table.options.get("connector", "")
    if name == "kafka":
        return "scan.bounded.mode" not in table.options
    if name not in registry.names(registry.CONNECTORS) or not len(table.schema):
        return False
    return registry.connector(name).readable() and not is_bounded(stored_columns(table), Settings())


def _cut(words: Sequence[Token]) -> list[list[Token]]:
    """Return the words of each statement, without the semicolons between them; a statement set is one piece."""
    pieces: list[list[Token]] = []
    current: list[Token] = []
    in_set = False
    for word in words:
        ends = word.kind is Kind.END or (word.kind is Kind.SYMBOL and word.text == ";")
        if not ends or in_set:
            if word.kind is Kind.END:
                break
            current.append(word)
            opens = [each.word for each in current[:4]]
            in_set = opens[:4] == ["EXECUTE", "STATEMENT", "SET", "BEGIN"] or opens[:3] == ["BEGIN", "STATEMENT", "SET"]
            in_set = in_set and not (word.word == "END" and current[-2].text == ";")
        elif current:
            pieces.append(current)
            current = []
    return [*pieces, current] if current else pieces


def _statements(text: str, words: list[Token]) -> list[Statement]:
    first = words[0].word
    if [each.word for each in words[:3]] in (["EXECUTE", "STATEMENT", "SET"], ["BEGIN", "STATEMENT", "SET"]):
        return _members(text, words)
    if first == "EXECUTE":
        words = words[1:]
        first = words[0].word if words else ""
    if not words:
        return []
    span = words[0].span.to(words[-1].span)
    if words[0].kind is Kind.SYMBOL or first in ("SELECT", "WITH", "VALUES"):
        return [Statement(What.QUERY, _text(text, span), span)]
    if first == "INSERT":
        return [Statement(What.INSERT, _text(text, span), span)]
    if first in ("SET", "RESET"):
        return [Statement(What.SETTING, _setting(words, _text(text, span)), span)]
    if first in ("EXPLAIN", "SHOW", "DESCRIBE", "DESC"):
        return [Statement(What.QUESTION, _text(text, span), span)]
    if first == "CREATE":
        return [_definition(text, span)]
    return [Statement(What.DEFINITION, _text(text, span), span)]


def _members(text: str, words: list[Token]) -> list[Statement]:
    """Return the inserts of a statement set."""
    start = 4 if words[0].word == "EXECUTE" else 3
    inner = [word for word in words[start:] if word.word != "END" or word is not words[-1]]
    pieces: list[list[Token]] = [[]]
    for word in inner:
        if word.kind is Kind.SYMBOL and word.text == ";":
            pieces.append([])
        else:
            pieces[-1].append(word)
    spans = [piece[0].span.to(piece[-1].span) for piece in pieces if piece]
    if not spans:
        raise ScriptError("FX-SQL-0107", "the statement set holds no INSERT", span=words[0].span.to(words[-1].span))
    return [Statement(What.INSERT, _text(text, span), span) for span in spans]


def _text(text: str, span: Span) -> str:
    return text[span.start : span.end]


def _setting(words: list[Token], text: str) -> str:
    """Return SET or RESET with key and value in quotes, as Flink wants them."""
    if len(words) == 1:
        return text
    equals = next((i for i, word in enumerate(words) if word.text == "=" and word.kind is Kind.SYMBOL), len(words))
    parts = ["".join(word.text for word in some) for some in (words[1:equals], words[equals + 1 :])]
    key, value = map(quotes.text, parts)
    return f"{words[0].word} {key}" + (f" = {value}" if equals < len(words) else "")


def _definition(text: str, span: Span) -> Statement:
    """Return a CREATE statement; the options of a table whose connector is known here as Flink calls them."""
    own = _text(text, span)
    plain = Statement(What.DEFINITION, own, span)
    try:
        tree = Parser(tokens(own)).statement()
    except ScriptError:
        return plain  # Flink says what is wrong with it, if anything is
    if not isinstance(tree, CreateTable) or all(pair.key != "connector" for pair in tree.options):
        return plain
    table = _table(tree)
    options, unportable = flink_options(table)
    shown = ", ".join(f"{quotes.text(key)} = {quotes.text(value)}" for key, value in options.items())
    start, end = tree.options[0].span.start, tree.options[-1].value_span.end
    shown += "\n" * own.count("\n", start, end)  # so that Flink's line numbers stay the user's
    return replace(plain, text=own[:start] + shown + own[end:], table=table, unportable=unportable)


def _table(tree: CreateTable) -> TableDescription:
    """Return the table of a CREATE TABLE; one that FluxCore can't bind has its options, but no columns."""
    if tree.like is None and tree.query is None:
        with suppress(ScriptError):
            return bind_table(tree).table
    options = {pair.key: pair.value for pair in tree.options}
    return TableDescription(tree.name[-1], Schema.of(()), options, span=tree.span)
