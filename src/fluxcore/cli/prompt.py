"""The editor of the shell: history, several lines, completion, colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import Completer, Completion
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.lexers import PygmentsLexer
from pygments.lexers.sql import SqlLexer

from fluxcore.cli.commands import COMMANDS, is_command, watched
from fluxcore.cli.errors import tell
from fluxcore.expr.aggregates import AGGREGATES, OVER_ONLY
from fluxcore.expr.registry import REGISTRY
from fluxcore.sql.lexer import is_complete
from fluxcore.sql.reserved import RESERVED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document
    from prompt_toolkit.key_binding import KeyPressEvent

    from fluxcore.api.session import Session


def make_prompt(session: Session, history: Path) -> Callable[[], str]:
    """Return the function that asks for one statement. Raises ``EOFError`` on Ctrl-D, ``KeyboardInterrupt`` on Ctrl-C."""
    editor: PromptSession[str] = PromptSession(
        "flux> ",
        history=_history(history),
        completer=SqlCompleter(session),
        complete_while_typing=False,
        lexer=PygmentsLexer(SqlLexer),
        auto_suggest=AutoSuggestFromHistory(),
        multiline=True,
        prompt_continuation=lambda width, number, wrapped: "…> ".rjust(width),  # noqa: ARG005
        key_bindings=_keys(),
    )
    return editor.prompt


def _history(path: Path) -> History:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return FileHistory(str(path))
    except OSError as error:
        tell(f"no history is kept: {path} can't be written ({error.strerror})")
        return InMemoryHistory()


def _keys() -> KeyBindings:
    """Let Enter run a statement that ends with ``;`` or a command, and begin a new line otherwise."""
    keys = KeyBindings()

    @Condition
    def finished() -> bool:
        from prompt_toolkit.application.current import get_app

        text = get_app().current_buffer.text
        return not text.strip() or is_command(text) or watched(text) is not None or is_complete(text)

    @keys.add("enter", filter=finished)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    return keys


class SqlCompleter(Completer):
    """Completes keywords, functions, tables and their columns, and the shell's own commands."""

    def __init__(self, session: Session) -> None:
        self._session = session
        functions = [name for name in REGISTRY if name[0].isalpha() and " " not in name]
        self._words = sorted(
            {*RESERVED, *functions, *AGGREGATES, *OVER_ONLY, "TUMBLE", "HOP", "CUMULATE", "DESCRIPTOR"}
        )

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:  # noqa: ARG002
        """Yield what the word before the cursor may become; names are shown before keywords."""
        line = document.text_before_cursor
        if is_command(line) and " " not in line.strip():
            for command in COMMANDS:
                if command.startswith(line.strip()[1:]):
                    yield Completion(command, 1 - len(line.strip()))
            return
        word = document.get_word_before_cursor(pattern=None)
        start = word.upper()
        catalog = self._session.catalog
        names = catalog.names()
        columns = {column for name in names for column in catalog.column_names(name)}
        for name in [*names, *sorted(columns)]:
            if name.upper().startswith(start):
                yield Completion(name, -len(word))
        if word:
            for keyword in self._words:
                if keyword.startswith(start):
                    yield Completion(keyword.lower() if word.islower() else keyword, -len(word))
