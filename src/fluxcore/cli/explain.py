"""``fluxcore explain``: shows plans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxcore.cli.run import new_session, read_script
from fluxcore.errors import ScriptError
from fluxcore.sql.script import ExplainStatement, InsertStatement, SelectStatement, StatementSet

if TYPE_CHECKING:
    from fluxcore.cli.run import RunOptions
    from fluxcore.plan.nodes import Node


def explain(options: RunOptions) -> None:
    """Print the plan of each query, and of the inserts that run together. Raises ``ScriptError`` where there are none."""
    if options.script.endswith(".py"):
        raise ScriptError("FX-CLI-0005", "a Python job shows its plans itself: print(stream.explain())")
    text, name = read_script(options.script)
    session = new_session(options.settings(), "embedded")
    groups: list[list[Node]] = []
    inserting = False
    for statement in session.bind(text, file=name).statements:
        if isinstance(statement, InsertStatement | StatementSet):
            several = statement.inserts if isinstance(statement, StatementSet) else (statement,)
            if not inserting:
                groups.append([])
            groups[-1] += [each.plan for each in several]
            inserting = True
        elif isinstance(statement, SelectStatement):
            groups.append([statement.plan])
            inserting = False
        elif isinstance(statement, ExplainStatement):
            groups.append(list(statement.plan))
            inserting = False
    if not groups:
        raise ScriptError("FX-CLI-0006", f"'{name}' holds no query and no INSERT")
    print("\n\n".join(session.explain(*plans) for plans in groups))  # noqa: T201
