"""``fluxcore sql``: an interactive shell."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fluxcore.cli.errors import tell
from fluxcore.cli.run import new_session, read_script, run_script, run_step
from fluxcore.errors import Cancelled, FluxError
from fluxcore.runtime.kernels import use_cache_folder

if TYPE_CHECKING:
    from fluxcore.api.session import Session, Step
    from fluxcore.cli.run import RunOptions

HELP = """Statements end with ;  and may take several lines.
  .help            this help
  .tables          the tables and views
  .format NAME     table (of an endless query: as it changes), json, csv or changelog (every change as it comes)
  .read FILE       run a script
  .quit            leave (or QUIT; or EXIT; or Ctrl-D)
Ctrl-C stops the running query. SHOW TABLES, DESCRIBE t and EXPLAIN SELECT … work as in Flink."""


def start(options: RunOptions, *, execute: str | None, init: str | None) -> None:
    """Run ``execute``, or what standard input holds if it is no terminal, or the prompt."""
    use_cache_folder()
    session = new_session(options.settings(), options.target)
    if init is not None:
        run_script(session, *read_script(init), options.format)
    if execute is not None:
        run_script(session, execute, "<command line>", options.format)
    elif not sys.stdin.isatty():
        run_script(session, *read_script("-"), options.format)
    else:
        _Prompt(session, options.format, debug=options.debug).run()


def history_file() -> Path:
    """Return where the shell keeps its history."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "fluxcore" / "history"


class _Prompt:
    def __init__(self, session: Session, format_: str, *, debug: bool) -> None:
        self._session = session
        self._format = format_
        self._debug = debug

    def run(self) -> None:
        from fluxcore.cli.prompt import make_prompt  # the editor is needed by nobody else

        ask = make_prompt(self._session, history_file())
        tell("FluxCore SQL. Statements end with ; — .help tells more, Ctrl-D leaves.")
        while True:
            try:
                text = ask().strip()
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
            if text.rstrip("; ").lower() in (".quit", ".exit", "quit", "exit"):
                return
            if text:
                self._handle(text)

    def _handle(self, text: str) -> None:
        """Run what was typed; an error or Ctrl-C ends it and not the shell."""
        try:
            if text.startswith("."):
                self._command(text)
            else:
                bound = self._session.bind(text, file="<shell>")
                for step in self._session.steps(bound, text=text, file="<shell>"):
                    self._step(step, text)
        except (KeyboardInterrupt, Cancelled):
            tell("stopped")
        except FluxError as error:
            tell(error.render())

    def _step(self, step: Step, text: str) -> None:
        from fluxcore.cli.live import show_live, wants_live  # the screen is needed by nobody else

        if not wants_live(self._session, step, self._format):
            run_step(self._session, step, self._format, text, "<shell>")
            return
        try:
            show_live(self._session, step)
        except FluxError as error:
            raise error.located(text, "<shell>") from error.__cause__

    def _command(self, text: str) -> None:
        word, _, rest = text.partition(" ")
        match word:
            case ".help":
                tell(HELP)
            case ".tables":
                tell("\n".join(self._session.catalog.names()) or "no tables yet")
            case ".format" if rest.strip() in ("table", "json", "csv", "changelog"):
                self._format = rest.strip()
            case ".read":
                run_script(self._session, *read_script(rest.strip()), self._format)
            case _:
                tell(f"there is no command '{text}'; .help lists them")
