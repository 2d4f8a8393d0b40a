"""``fluxcore sql``: an interactive shell."""

from __future__ import annotations

import os
import shutil
import sys
import time
import traceback
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fluxcore.cli.commands import COMMANDS, HELP, is_command, switched, watch_seconds, watched
from fluxcore.cli.errors import broken_pipe, tell
from fluxcore.cli.output.replies import show_reply
from fluxcore.cli.pager import Paged, pager_command
from fluxcore.cli.run import Shown, check_format, new_session, read_script, run_script, run_step, tell_of_stopping
from fluxcore.errors import Cancelled, FluxError, ScriptError, nearest
from fluxcore.plan.graph import in_order
from fluxcore.runtime.kernels import use_cache_folder
from fluxcore.sql.materialized import definition_of

if TYPE_CHECKING:
    from fluxcore.api.session import Session, Step
    from fluxcore.cli.run import RunOptions


def start(options: RunOptions, *, execute: str | None, init: str | None, pager: bool = True) -> None:
    """Run ``execute``, or what standard input holds if it is no terminal, or the prompt."""
    use_cache_folder()
    check_format(options.format)
    with new_session(options.settings(), options.target) as session:
        _start(session, options, execute=execute, init=init, pager=pager)


def _start(session: Session, options: RunOptions, *, execute: str | None, init: str | None, pager: bool) -> None:
    if init is not None:
        run_script(session, *read_script(init), options.format)
    if execute is not None:
        run_script(session, execute, "<command line>", options.format)
        tell_of_stopping(session)
    elif not sys.stdin.isatty():
        run_script(session, *read_script("-"), options.format)
        tell_of_stopping(session)
    else:
        _Prompt(session, options.format, pager=pager, debug=options.debug).run()


def history_file() -> Path:
    """Return where the shell keeps its history."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "fluxcore" / "history"


class _Prompt:
    def __init__(self, session: Session, format_: str, *, pager: bool, debug: bool) -> None:
        self._session = session
        self._format = format_
        self._pager = pager
        self._debug = debug
        self._timing = False
        self._last = ""

    def run(self) -> None:
        from fluxcore.cli.prompt import make_prompt  # the editor is needed by nobody else

        ask = make_prompt(self._session, history_file())
        tell("FluxCore SQL. Statements end with ; — \\help tells more, Ctrl-D leaves.")
        while True:
            try:
                text = ask().strip()
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
            if text.rstrip("; ").lower() in (".quit", ".exit", "\\quit", "\\exit", "\\q", "quit", "exit"):
                return
            if text:
                self._handle(text)

    def _handle(self, text: str) -> None:
        """Run what was typed; an error or Ctrl-C ends it and not the shell."""
        try:
            repeated = watched(text)
            if repeated is not None:
                self._watch(repeated[0] or self._last, watch_seconds(repeated[1]))
            elif is_command(text):
                self._command(text[1:])
            else:
                self._statements(text)
        except (KeyboardInterrupt, Cancelled):
            tell("stopped")
        except FluxError as error:
            tell(error.render())
            if self._debug:
                traceback.print_exception(error)
        except Exception as error:  # noqa: BLE001  (a fault of ours must not take the session's tables with it)
            tell(f"error[FX-INT-0001]: internal error: {type(error).__name__}: {error}")
            if self._debug:
                traceback.print_exception(error)

    def _statements(self, text: str) -> None:
        bound = self._session.bind(text, file="<shell>")
        for step in self._session.steps(bound, text=text, file="<shell>"):
            start = time.perf_counter()
            self._step(step, text)
            if step.select is not None:
                self._last = text
            if self._timing:
                tell(f"Time: {1000 * (time.perf_counter() - start):,.1f} ms")

    def _step(self, step: Step, text: str, *, paged: bool = True) -> None:
        from fluxcore.cli.live import show_live, wants_live  # the screen is needed by nobody else

        if wants_live(self._session, step, self._format):
            try:
                show_live(self._session, step)
            except FluxError as error:
                raise error.located(text, "<shell>") from error.__cause__
            return
        command = pager_command() if paged and self._pager and _fits_a_pager(self._session, step) else []
        if not command:
            run_step(self._session, step, Shown(self._format, wait=False), text, "<shell>")
        else:
            stream = Paged(sys.stdout.buffer, shutil.get_terminal_size().lines, command)
            try:
                run_step(self._session, step, Shown(self._format, stream, wait=False), text, "<shell>")  # type: ignore[arg-type]
            except FluxError as error:
                if not broken_pipe(error):
                    raise
            except BrokenPipeError:
                pass
            finally:
                stream.close()
        self._tell_of_filling(step)

    def _tell_of_filling(self, step: Step) -> None:
        """Say which tables that a query read are not complete yet, or have not begun."""
        if step.select is None:
            return
        for node in in_order([step.select.plan]):
            definition = definition_of(node)
            table = self._session.tables.table(definition) if definition is not None else None
            if table is None or not table.running:
                continue
            if not getattr(table.job.metrics(), "source_rows", 1):
                tell(f"{table.definition.name} has read nothing yet")
            elif table.job.bounded:
                tell(f"{table.definition.name} is being filled: {table.count:,} rows so far")

    def _watch(self, text: str, seconds: float) -> None:
        """Run queries every so many seconds, until Ctrl-C or an error."""
        if not text:
            raise ScriptError("FX-CLI-0012", "there is no query to watch yet", hint="SELECT … \\watch 2")
        while True:
            bound = self._session.bind(text, file="<shell>")
            steps = self._session.steps(bound, text=text, file="<shell>")
            for step in steps:
                select = step.select
                if step.reply is None and select is None:
                    raise ScriptError("FX-CLI-0012", "\\watch repeats queries, and nothing that changes tables")
                if select is not None and not self._session.is_bounded(select.plan, step.settings):
                    message = "this query never ends, and is shown as it changes without \\watch"
                    raise ScriptError("FX-CLI-0012", message, span=select.span).located(text, "<shell>")
            tell(f"\n{datetime.now().astimezone():%a %d %b %Y %H:%M:%S} (every {seconds:g} s; Ctrl-C ends)\n")
            for step in steps:
                self._step(step, text, paged=False)
            self._last = text
            time.sleep(seconds)

    def _command(self, text: str) -> None:
        word, _, rest = text.rstrip("; ").partition(" ")
        rest = rest.strip()
        match word:
            case "help" | "?":
                tell(HELP)
            case "tables":
                tell("\n".join(self._session.catalog.names()) or "no tables yet")
            case "jobs":
                self._jobs()
            case "stop":
                self._stop(rest)
            case "format":
                check_format(rest)
                self._format = rest
            case "timing":
                self._timing = switched(word, rest, self._timing)
                tell(f"timing is {'on' if self._timing else 'off'}")
            case "pager":
                self._pager = switched(word, rest, self._pager)
                tell(f"the pager is {'on' if self._pager else 'off'}")
            case "read":
                run_script(self._session, *read_script(rest), self._format)
            case _:
                hint = nearest(word, COMMANDS) or "\\help lists them"
                raise ScriptError("FX-CLI-0013", f"there is no command '\\{word}'", hint=hint)

    def _jobs(self) -> None:
        tables = [table for table in self._session.tables if table.job is not None]
        if not tables:
            tell("no jobs: CREATE MATERIALIZED TABLE starts one")
            return
        rows = []
        for table in tables:
            read = getattr(table.job.metrics(), "source_rows", 0)
            number = getattr(table.job, "id", "")
            rows.append((number, table.definition.name, table.status.value, f"{table.count:,}", f"{read:,}"))
        show_reply(None, ("job", "table", "status", "rows", "rows read"), rows)

    def _stop(self, name: str) -> None:
        found = [
            table
            for table in self._session.tables
            if name and name in (table.definition.name, getattr(table.job, "id", None))
        ]
        if not found:
            names = [table.definition.name for table in self._session.tables]
            hint = nearest(name, names) or "\\jobs lists them"
            raise ScriptError("FX-CLI-0013", f"there is no materialised table or job '{name}'", hint=hint)
        for table in found:
            table.halt()
            tell(f"{table.definition.name} is stopped, and keeps its rows")


def _fits_a_pager(session: Session, step: Step) -> bool:
    """Return whether a step prints rows that end, on a terminal."""
    if not sys.stdout.isatty() or not sys.stdin.isatty():
        return False
    return step.reply is not None or (step.select is not None and session.is_bounded(step.select.plan, step.settings))
