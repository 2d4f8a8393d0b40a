"""``fluxcore explain``: shows plans, as they would run here or as they would be sent to a Flink cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fluxcore.api.target import explaining
from fluxcore.cli.errors import tell
from fluxcore.cli.run import new_session, run_job, script_text
from fluxcore.core.settings import Settings
from fluxcore.errors import JobError, ScriptError
from fluxcore.sql.materialized import Action, MaterializedStatement
from fluxcore.sql.script import ExplainStatement, InsertStatement, SelectStatement, StatementSet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.cli.run import RunOptions
    from fluxcore.plan.nodes import Node


def explain(options: RunOptions) -> None:
    """Print how a script or a Python job would run.

    Raises: ``ScriptError`` FX-CLI-0006 for a script that runs nothing, FX-CLI-0009 when it can't run on the target.
    """
    if options.script.endswith(".py"):
        problems = _explain_job(options)
    elif options.on_flink:
        problems = _explain_for_flink(options)
    else:
        _explain_script(options)
        return
    for line in problems:
        tell(f"does not run on {options.target}: {line}")
    if problems:
        raise ScriptError("FX-CLI-0009", f"'{options.script}' can't run on {options.target} as it is")


def _explain_script(options: RunOptions) -> None:
    """Print the plan of each query, and of the inserts that run together."""
    session = new_session(options.settings(), options.target)
    with script_text(options.script) as (text, name):
        statements = session.bind(text, file=name).statements
    groups: list[list[Node]] = []
    inserting = False
    for statement in statements:
        if isinstance(statement, InsertStatement | StatementSet):
            several = statement.inserts if isinstance(statement, StatementSet) else (statement,)
            if not inserting:
                groups.append([])
            groups[-1] += [each.plan for each in several]
            inserting = True
        elif isinstance(statement, SelectStatement):
            groups.append([statement.plan])
            inserting = False
        elif isinstance(statement, MaterializedStatement):
            if statement.action is Action.CREATE:
                groups.append([statement.definition.plan])
            inserting = False
        elif isinstance(statement, ExplainStatement):
            groups.append(list(statement.plan))
            inserting = False
    if not groups:
        raise ScriptError("FX-CLI-0006", f"'{options.script}' holds no query and no INSERT")
    print("\n\n".join(session.explain(*plans) for plans in groups))  # noqa: T201


def _explain_for_flink(options: RunOptions) -> list[str]:
    """Print a script's statements as they would be sent; return what Flink has no twin of."""
    from fluxcore.targets.flink.script import sent_statements

    with script_text(options.script) as (text, name):
        statements, unportable = sent_statements(text, name, {**Settings.load().values, **options.settings()})
    print("\n\n".join(f"{statement};" for statement in statements))  # noqa: T201
    return [each.describe() for each in unportable]


def _explain_job(options: RunOptions) -> list[str]:
    """Run a Python job with targets that show its plans; return why they can't run."""
    problems: list[str] = []
    shown = 0

    def show(plan: str, reasons: Sequence[str]) -> None:
        nonlocal shown
        print(f"{chr(10) if shown else ''}{plan}")  # noqa: T201
        problems.extend(reasons)
        shown += 1

    with explaining(show):
        try:
            run_job(Path(options.script), options.settings(), options.target)
        except JobError as error:
            if not shown:
                raise
            tell(
                f"the job stopped at {error.place.describe() if error.place else '?'}, for want of rows: {error.message}"
            )
    if not shown:
        raise ScriptError("FX-CLI-0006", f"'{options.script}' runs nothing")
    return problems
