"""Shows plans as they run here: each node with its changelog, key, size, tasks and state, and the rules that did something.

In text a node that several take rows from is shown where it first stands, with a number, and by that number later. As JSON
each node stands once, and names the nodes that it takes rows from.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fluxcore.errors import ScriptError
from fluxcore.plan.changelog import changelog_mode, is_append_only, row_key
from fluxcore.plan.graph import in_order, shared_nodes
from fluxcore.plan.nodes import Insert
from fluxcore.plan.sizes import Sizes
from fluxcore.plan.state import state_of
from fluxcore.plan.user_functions import function_notes
from fluxcore.runtime.build import tasks_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.core.settings import Settings
    from fluxcore.plan.nodes import Node


@dataclass(frozen=True)
class Explained:
    """Optimised plans of one job, the rules that changed something, and the settings that they run with."""

    plans: Sequence[Node]
    rules: Sequence[str]
    settings: Settings


def explain_text(explained: Explained) -> str:
    """Return plans as indented lines, inputs below the nodes that take their rows; then the rules and the parallelism.

    Functions in Python stand between them, with how each runs.
    """
    lines = _Lines(explained)
    trees = ["\n".join(lines.of(plan, 0)) for plan in explained.plans]
    rules = ", ".join(explained.rules) or "none"
    functions = "".join(f"\n  {name}: {note}" for name, note in function_notes(explained.plans))
    if functions:
        trees.append(f"functions:{functions}")
    return "\n\n".join(trees) + f"\n\nrules: {rules}\nparallelism: {explained.settings.parallelism}"


def explain_json(explained: Explained) -> str:
    """Return plans as a JSON object: ``nodes``, inputs before those that take their rows, ``rules`` and ``parallelism``."""
    sizes = Sizes(explained.settings)
    numbers = {node: number for number, node in enumerate(in_order(explained.plans), 1)}
    nodes = []
    for node, number in numbers.items():
        told: dict[str, Any] = {"id": number, "type": type(node).__name__, "contents": node.describe()}
        told["columns"] = [f"{column.name} {column.type.sql()}" for column in node.schema]
        told |= _facts(node, explained.settings, sizes)
        told["inputs"] = [numbers[each] for each in node.inputs]
        nodes.append(told)
    whole: dict[str, Any] = {
        "nodes": nodes,
        "results": [numbers[plan] for plan in explained.plans],
        "rules": list(explained.rules),
        "parallelism": explained.settings.parallelism,
    }
    functions = function_notes(explained.plans)
    if functions:
        whole["functions"] = [{"name": name, "runs": note} for name, note in functions]
    return json.dumps(whole, indent=2, ensure_ascii=False)


class _Lines:
    def __init__(self, explained: Explained) -> None:
        self._settings = explained.settings
        self._sizes = Sizes(explained.settings)
        shared = shared_nodes(explained.plans)
        self._numbers = {node: i for i, node in enumerate((n for n in in_order(explained.plans) if n in shared), 1)}
        self._shown: set[Node] = set()

    def of(self, node: Node, depth: int) -> list[str]:
        """Return the lines of a node and of its inputs."""
        start = "  " * depth + node.describe()
        number = self._numbers.get(node)
        if node in self._shown:
            return [f"{start} as above, shared={number}"]
        facts = _facts(node, self._settings, self._sizes)
        line = f"{start} changelog=[{facts['changelog']}]"
        if "tasks" in facts:
            line += f" tasks={facts['tasks']}"
        if "problem" in facts:
            line += f" [{facts['problem']}]"
        if "state" in facts:
            line += f" state=[{facts['state']}]"
        if "key" in facts:
            line += f" key=[{', '.join(facts['key'])}]"
        if "rows" in facts:
            line += f" rows={facts['rows']}"
        if number is not None:
            self._shown.add(node)
            line += f" shared={number}"
        return [line, *(below for each in node.inputs for below in self.of(each, depth + 1))]


def _facts(node: Node, settings: Settings, sizes: Sizes) -> dict[str, Any]:
    """Return what is told of a node besides its own line, as far as it is known."""
    found: dict[str, Any] = {"changelog": changelog_mode(node)}
    key = () if is_append_only(node) else row_key(node)
    if key:
        found["key"] = [node.schema[index].name for index in key]
    size = None if isinstance(node, Insert) else sizes.of(node)
    if size is not None:
        found["rows"] = size.describe()
    state = state_of(node)
    if state is not None:
        try:
            found["tasks"] = tasks_of(node, settings)
        except ScriptError as error:  # a plan that can't run is shown all the same
            found["problem"] = error.message
        found["state"] = state
    return found
