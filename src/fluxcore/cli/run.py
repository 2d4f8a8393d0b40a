"""``fluxcore run``: runs a SQL script or a Python job."""

from __future__ import annotations

import os
import runpy
import sys
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from fluxcore.cli.errors import tell
from fluxcore.cli.output.replies import show_reply
from fluxcore.cli.output.sinks import FORMATS, output_sink
from fluxcore.core import log
from fluxcore.core.settings import Settings
from fluxcore.errors import FluxError, JobError, Place, ScriptError, nearest
from fluxcore.plan.changelog import is_append_only, unique_key
from fluxcore.runtime.kernels import use_cache_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fluxcore.api.session import Session, Step
    from fluxcore.sql.script import SelectStatement


@dataclass(frozen=True)
class RunOptions:
    """What the command line of ``run`` says."""

    script: str
    format: str = "table"
    parallelism: int | None = None
    set: tuple[str, ...] = ()
    target: str = "embedded"
    debug: bool = False
    metrics: bool = False
    detach: bool = False

    @property
    def on_flink(self) -> bool:
        """Return whether a Flink cluster runs it."""
        return self.target.partition("://")[0] == "flink"

    @property
    def sent(self) -> bool:
        """Return whether it is a SQL script that is sent to a Flink cluster in its own words."""
        return self.on_flink and not self.script.endswith(".py")

    def settings(self) -> dict[str, str]:
        """Return the settings given. Raises ``ScriptError`` FX-CLI-0001 for one without ``=``."""
        found: dict[str, str] = {}
        for pair in self.set:
            key, equals, value = pair.partition("=")
            if not equals:
                raise ScriptError("FX-CLI-0001", f"--set wants key=value, not '{pair}'")
            found[key.strip()] = value.strip()
        if self.parallelism is not None:
            found["parallelism.default"] = str(self.parallelism)
        if self.metrics:
            found["fluxcore.metrics.show"] = "true"
        return found


def run(options: RunOptions) -> None:
    """Run a script here, or a job wherever it says, to its end. Raises what went wrong."""
    check_format(options.format)
    if options.detach:
        raise ScriptError(
            "FX-CLI-0007",
            "--detach leaves the inserts of a SQL script on a cluster: it needs --target flink://HOST:PORT",
        )
    settings = options.settings()
    use_cache_folder()
    for key, value in settings.items():
        Settings().with_value(key, value)
    if options.script.endswith(".py"):
        run_job(Path(options.script), settings, options.target)
        return
    with script_text(options.script) as (text, name), new_session(settings, options.target) as session:
        run_script(session, text, name, options.format)
        tell_of_stopping(session)


def tell_of_stopping(session: Session) -> None:
    """Name the materialised tables whose jobs end with a script."""
    for table in session.tables:
        if table.running:
            tell(f"materialized table {table.definition.name} stopped: its script has ended")


def check_format(format_: str) -> None:
    """Check the name of a form of output. Raises ``ScriptError`` FX-CLI-0002."""
    if format_ not in FORMATS:
        hint = nearest(format_, FORMATS) or f"one of {', '.join(FORMATS)}"
        raise ScriptError("FX-CLI-0002", f"there is no format '{format_}'", hint=hint)


def new_session(settings: dict[str, str], target: str) -> Session:
    """Return a session for the command line."""
    from fluxcore.api.session import Session  # loads the engine

    return Session(settings, target=target)


def show_log(settings: Settings) -> None:
    """Show log records on standard error as the settings say."""
    log.show(settings.text("fluxcore.log.level"), settings.text("fluxcore.log.format"))


def read_script(name: str) -> tuple[str, str]:
    """Return a script's text and the name that messages use; ``-`` is standard input.

    Raises: ``ScriptError`` FX-CLI-0003 for a file that can't be read, FX-CLI-0004 for text that is not UTF-8.
    """
    try:
        if name == "-":
            return sys.stdin.buffer.read().decode("utf-8-sig"), "<stdin>"
        return Path(name).read_bytes().decode("utf-8-sig"), name
    except OSError as error:
        folder = Path(name).parent
        near = nearest(Path(name).name, [each.name for each in folder.iterdir()]) if folder.is_dir() else None
        reason = error.strerror or str(error)
        raise ScriptError("FX-CLI-0003", f"'{name}' can't be read: {reason.lower()}", hint=near) from error
    except UnicodeDecodeError as error:
        raise ScriptError("FX-CLI-0004", f"'{name}' is not UTF-8 text (byte {error.start})") from error


@contextmanager
def script_text(name: str) -> Iterator[tuple[str, str]]:
    """Return a script as SQL and its name for messages; a pipeline in YAML is written as SQL, and errors are shown at its places.

    Raises: ``ScriptError`` as :func:`read_script`, FX-YAML-0001 and FX-YAML-0002 for a pipeline that is none.
    """
    text, name = read_script(name)
    if Path(name).suffix not in (".yaml", ".yml"):
        yield text, name
        return
    from fluxcore.api.yaml import read_pipeline  # needed by few scripts

    pipeline = read_pipeline(text, name)
    with pipeline.places():
        yield pipeline.script.text, name


def run_script(session: Session, text: str, name: str, format_: str) -> None:
    """Run the statements of a script; nothing runs unless all of it can be bound."""
    for step in session.steps(session.bind(text, file=name), text=text, file=name):
        run_step(session, step, Shown(format_), text, name)


@dataclass(frozen=True)
class Shown:
    """How the rows of a step are shown; ``wait`` for the jobs of materialised tables that end by themselves."""

    format: str
    stream: BinaryIO = field(default_factory=lambda: sys.stdout.buffer)
    wait: bool = True


def run_step(session: Session, step: Step, shown: Shown, text: str = "", name: str | None = None) -> None:
    """Run one step: a reply is shown, a job is waited for, and stopped when the waiting is interrupted."""
    if step.reply is not None:
        reply = step.reply.answered()
        show_reply(reply.message, reply.columns, reply.rows, shown.format, shown.stream)
        return

    show_log(step.settings)
    try:
        if step.table is not None:
            tell(session.tables.carry_out(step.table, wait=shown.wait))
        else:
            _run_job_of(session, step, shown)
    except FluxError as error:
        raise error.located(text, name) from error.__cause__


def _run_job_of(session: Session, step: Step, shown: Shown) -> None:
    changes = shown.format == "changelog" or (shown.format == "table" and is_updated_for_ever(session, step))

    def output(statement: SelectStatement) -> object:
        key = unique_key(statement.plan)
        return output_sink(shown.format, shown.stream, statement.plan.schema, changes=changes, key=key)

    if changes and shown.format == "table" and sys.stdout.isatty():
        from fluxcore.cli.live import show_live  # the screen is needed by nobody else

        show_live(session, step)
        return
    job = session.start_step(step, output, changelog=changes)  # type: ignore[arg-type]
    try:
        job.result()
    except BaseException:
        job.stop()
        raise


def is_updated_for_ever(session: Session, step: Step) -> bool:
    """Return whether a step is a query whose rows are updated and whose input never ends."""
    select = step.select
    return select is not None and not is_append_only(select.plan) and not session.is_bounded(select.plan, step.settings)


def run_job(path: Path, settings: dict[str, str], target: str) -> None:
    """Run a Python file as a program; the sessions that it makes get the command line's settings and target.

    Raises: ``ScriptError`` FX-JOB-0001 for text that is no Python, ``JobError`` FX-JOB-0002 for an exception of the job.
    """
    read_script(str(path))
    checked = Settings.load()
    for key, value in settings.items():
        checked = checked.with_value(key, value)
    show_log(checked)
    os.environ["FLUXCORE_JOB_TARGET"] = target
    os.environ["FLUXCORE_JOB_SETTINGS"] = "\n".join(f"{key}={value}" for key, value in settings.items())
    sys.argv = [str(path)]
    sys.path.insert(0, str(path.resolve().parent))
    try:
        runpy.run_path(str(path), run_name="__main__")
    except FluxError:
        raise
    except SyntaxError as error:
        place = Place(error.filename, error.lineno, error.offset, (error.text or "").rstrip("\n"))
        raise ScriptError("FX-JOB-0001", f"this is no Python: {error.msg}", place=place) from error
    except Exception as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        line = frames[-1] if frames else None
        place = Place(str(path), line.lineno if line else None)
        hint = "run again with --debug for the whole traceback"
        raise JobError("FX-JOB-0002", f"{type(error).__name__}: {error}", place=place, hint=hint) from error
