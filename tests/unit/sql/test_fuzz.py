"""Broken scripts of all kinds: each can be bound, or gives one clean error."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fluxcore.api.session import Session
from fluxcore.errors import FluxError, ScriptError
from fluxcore.sql.lexer import Kind, tokens

GOLDEN = sorted((Path(__file__).parents[2] / "golden").rglob("*.sql"))
DATA = str(Path(__file__).parents[2] / "golden" / "data")
SCRIPTS = [path.read_text("utf-8").replace("{data}", DATA) for path in GOLDEN]
WORDS = sorted({token.text for text in SCRIPTS for token in tokens(text) if token.kind not in (Kind.END, Kind.STRING)})
WORDS += [
    "'x'",
    "'1'",
    "1",
    "2.5",
    "1E3",
    "NULL",
    "()",
    "`a b`",
    "/*",
    "--",
    "''",
    "\\",
    "é",
    "\0",
    "LATERAL",
    "OVER (",
]


def bound(text):
    try:
        Session().bind(text)
    except FluxError as error:
        assert isinstance(error, ScriptError), error
        assert error.code.startswith("FX-")
        assert error.message
        place = error.located(text, None).place
        if place is not None and place.line is not None:
            assert 1 <= place.line <= text.count("\n") + 1


def pieces(text):
    return [text[token.span.start : token.span.end] for token in tokens(text) if token.kind is not Kind.END]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_whole_scripts_are_fine(path):
    Session().bind(path.read_text("utf-8").replace("{data}", DATA))


@settings(max_examples=400)
@given(data=st.data())
def test_scripts_with_pieces_lost_doubled_swapped_and_put_in(data):
    parts = pieces(data.draw(st.sampled_from(SCRIPTS)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(0, len(parts) - 1)))
        match data.draw(st.sampled_from(["lose", "double", "swap", "put", "replace", "cut"])):
            case "lose":
                del parts[at : at + data.draw(st.integers(1, 3))]
            case "double":
                parts[at:at] = parts[at : at + 2]
            case "swap" if at + 1 < len(parts):
                parts[at], parts[at + 1] = parts[at + 1], parts[at]
            case "put":
                parts.insert(at, data.draw(st.sampled_from(WORDS)))
            case "replace" if parts:
                parts[at] = data.draw(st.sampled_from(WORDS))
            case "cut":
                del parts[at:]
    bound(" ".join(parts))


@settings(max_examples=200)
@given(st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join))
@example("SELECT " + "(" * 5000)
@example("SELECT " + "NOT " * 5000 + "TRUE")
@example("SELECT " + "-" * 3 + "1")
@example("SELECT 1" + " + 1" * 3000)
def test_any_words(text):
    bound(text)


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_any_text(text):
    bound(text)
