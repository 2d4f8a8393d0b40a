"""Writes the reference pages that come from the code: functions, connectors, settings, error codes, what Flink shares, licences.

With ``--check`` it writes nothing and says which pages are out of date.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from fluxcore.core import registry
from fluxcore.core.flink_settings import NAMES, ONLY, PREFIXES
from fluxcore.core.settings import SETTINGS
from fluxcore.targets.flink.sql.options import FLINK_CONNECTORS, TWINLESS

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "reference"


def settings_page() -> str:
    lines = [
        "# Settings",
        "",
        "Set them with `SET 'key' = 'value'` in a script, `--set key=value` on the command line, a `fluxcore.toml` in the",
        "working folder, or an environment variable: `FLUXCORE_SET_` and the key in upper case, with `.` and `-` as `_`.",
        "",
        "| key | default | what it does |",
        "|---|---|---|",
    ]
    for setting in SETTINGS.values():
        choices = f" ({', '.join(setting.choices)})" if setting.choices else ""
        lines.append(f"| `{setting.key}` | `{setting.default}` | {setting.help}{choices} |")
    prefixes, only = (", ".join(f"`{each}`" for each in sorted(names)) for names in (PREFIXES, ONLY))
    lines += [
        "",
        "## Settings of Flink",
        "Those of a Flink cluster, of its state and of its planner are taken too, so that a script runs in both places; here nothing",
        f"depends on them. They are those that begin with {prefixes}, and",
        f"{', '.join(f'`{name}`' for name in sorted(NAMES))}. `table.exec.resource.default-parallelism` goes before `parallelism.default`.",
        "",
        f"Only with the value that says what FluxCore does anyway: {only}.",
    ]
    return "\n".join(lines) + "\n"


def connectors_page() -> str:
    lines = [
        "# Connectors and formats",
        "",
        "Options stand in `WITH (...)`. *ours* marks what Flink does not have.",
    ]
    entries = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    for group, kind in ((registry.CONNECTORS, "Connector"), (registry.FORMATS, "Format")):
        for name, place in sorted(entries[group].items()):
            module, maker = place.split(":")
            found = getattr(import_module(module), maker)()
            lines += ["", f"## {kind} `{name}`", "", first_sentence(found), ""]
            if group == registry.CONNECTORS:
                can = {"read": found.readable(), "written": found.writable(), "asked by key": found.searchable()}
                does = [word for word, able in can.items() if able]
                lines += [f"Can be {' and '.join(does)}.", ""]
            if found.options:
                lines += ["| option | default | what it does |", "|---|---|---|"]
                lines += [option_row(option) for option in found.options]
            else:
                lines.append("It has no options.")
    return "\n".join(lines) + "\n"


def option_row(option: object) -> str:
    default = "required" if option.required else f"`{option.default}`" if option.default is not None else ""
    choices = f" One of {', '.join(f'`{each}`' for each in option.choices)}." if option.choices else ""
    ours = " *ours*" if option.extension else ""
    text = option.help.replace("|", "\\|")
    return f"| `{option.name}`{ours} | {default} | {text}{choices} |"


def first_sentence(thing: object) -> str:
    text = (type(thing).__doc__ or "").strip().split("\n\n")[0]
    return " ".join(text.split())


CATEGORIES = {
    "Comparison": ("Comparison",),
    "Logical": ("Logic",),
    "Arithmetic": ("Arithmetic", "Mathematics"),
    "String": ("Text",),
    "Temporal": ("Time",),
    "Conditional": ("Conditional",),
    "Type conversion": ("Types",),
    "Collections": ("Collections",),
    "JSON": ("JSON",),
    "Variant": ("Variant",),
    "Hash": ("Hash",),
}
"""Flink's categories of scalar functions, and those of the registry in them."""


def functions_page() -> str:
    from fluxcore.expr.functions import documented

    lines = [
        "# Functions",
        "",
        "Flink SQL 2.3's scalar functions, in the order of its documentation; each example runs as a test. Aggregate functions and those",
        "of `OVER` stand in [SQL](sql.md). What each gives at the edges of its types was asked of a real Flink, a few thousand questions;",
        "`tests/functions/differences.toml` names the answers that FluxCore doesn't give, with the reasons.",
    ]
    found = documented()
    grouped = {
        title: sorted(row for part in parts for row in found.pop(part, [])) for title, parts in CATEGORIES.items()
    }
    for category, functions in (grouped | found).items():
        lines += ["", f"## {category}", "", "| function | what it gives | example |", "|---|---|---|"]
        for name, text, example in functions:
            cells = [cell.replace("|", "\\|").replace("\n", " ") for cell in (name, text, example)]
            lines.append(f"| `{cells[0]}` | {cells[1]} | {f'`{cells[2]}`' if cells[2] else ''} |")
    left_out = tomllib.loads((ROOT / "tests" / "functions" / "left_out.toml").read_text("utf-8"))
    lines += [
        "",
        "## Left out",
        "",
        "Functions of Flink 2.3 that are not there.",
        "",
        "| functions | why |",
        "|---|---|",
    ]
    lines += [f"| {', '.join(f'`{name}`' for name in names)} | {reason} |" for reason, names in left_out.items()]
    return "\n".join(lines) + "\n"


CODE = re.compile(r"^FX-[A-Z]+-\d{4}$")


def error_codes() -> dict[str, set[str]]:
    """Return each error code of the sources, with the messages it is raised with."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            for position, argument in enumerate(node.args):
                if (
                    isinstance(argument, ast.Constant)
                    and isinstance(argument.value, str)
                    and CODE.match(argument.value)
                ):
                    message = node.args[position + 1] if position + 1 < len(node.args) else None
                    found.setdefault(argument.value, set()).add(shape(message))
    return found


def shape(message: ast.expr | None) -> str:
    if isinstance(message, ast.Constant) and isinstance(message.value, str):
        return message.value
    if isinstance(message, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "…" for part in message.values)
    return ""


def errors_page() -> str:
    areas = {"SQL": "the script", "API": "Python calls", "CON": "connectors and their options", "DAT": "rows that can't be read",
             "RUN": "a running job", "SET": "settings", "JOB": "Python jobs", "CLI": "the command line", "FLK": "Flink clusters",
             "BAT": "batch mode", "BEN": "benchmarks", "LOG": "the log of the bus"}  # fmt: skip
    lines = [
        "# Error codes",
        "",
        "Every error has a stable code. It says where it happened (file, line, column, operator) and what to do next. Exit code",
        "1 means that the job failed, 2 that the script or the command line is wrong.",
        "",
        "| code | about | messages |",
        "|---|---|---|",
    ]
    for code, messages in sorted(error_codes().items()):
        text = "<br>".join(sorted(message.replace("|", "\\|").replace("<", "&lt;") for message in messages if message))
        lines.append(f"| `{code}` | {areas.get(code.split('-')[1], '')} | {text} |")
    return "\n".join(lines) + "\n"


def licences_page() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [
        "# Licences and sizes of the dependencies",
        "",
        "Installed on Linux x86-64, without their own dependencies; a Python package's size varies a little by version.",
        "",
        "| package | needed for | licence | size, MB |",
        "|---|---|---|---|",
    ]
    groups = {"core": project["dependencies"], **project["optional-dependencies"]}
    for group, wanted in groups.items():
        for requirement in wanted:
            name = re.split(r"[<>=!\[; ]", requirement)[0]
            if name == "fluxcore":
                continue
            try:
                found = distribution(name)
            except PackageNotFoundError:
                continue
            meta = found.metadata
            licence = meta.get("License-Expression") or (meta.get("License") or "").split("\n")[0][:60]
            if not licence or licence == "UNKNOWN":
                licence = next(
                    (c.rsplit("::", 1)[1].strip() for c in meta.get_all("Classifier", []) if "License ::" in c), "?"
                )
            size = sum(f.locate().stat().st_size for f in found.files or [] if f.locate().is_file()) / 1e6
            shown = "under 1" if size < 1 else f"{round(size, -1):.0f}" if size >= 20 else f"{round(size):.0f}"
            lines.append(f"| {name} | {group} | {licence} | {shown} |")
    return "\n".join(lines) + "\n"


def flink_page() -> str:
    """Return what the golden queries showed on a real Flink, and which connectors have a twin there."""
    verdicts = tomllib.loads((ROOT / "tests" / "golden" / "verdicts.toml").read_text("utf-8"))
    words = [told.partition(":")[0] for told in verdicts.values()]
    equal = sum(word.startswith("equal") for word in words)
    lines = [
        "# The same on Flink",
        "",
        f"Of {len(words)} golden queries a real Flink 2.3 can run {equal + words.count('differs')}, and gives equal tables for "
        f"{equal} of them, at parallelism 1 and 2. `make oracle` runs them all on both; the ordinary tests run every fifth.",
        "",
        "| group | queries | equal | not equal, or not on Flink |",
        "|---|---|---|---|",
    ]
    for group in sorted({name.partition("/")[0] for name in verdicts}):
        inside = {name.partition("/")[2]: told for name, told in verdicts.items() if name.startswith(f"{group}/")}
        others = [f"`{name}`: {told}" for name, told in inside.items() if not told.startswith("equal")]
        lines.append(f"| {group} | {len(inside)} | {len(inside) - len(others)} | {'<br>'.join(others)} |")
    batch = [f"`{name}`" for name, told in verdicts.items() if told == "equal in batch"]
    lines += [
        "",
        f"Equal with `execution.runtime-mode` batch only, since Flink gives such answers at the end of input: {', '.join(batch)}.",
        "",
        "## Connectors",
        "",
        "| connector | on Flink |",
        "|---|---|",
    ]
    for name in registry.names(registry.CONNECTORS):
        lines.append(f"| `{name}` | {TWINLESS.get(name, 'the same') if name not in FLINK_CONNECTORS else 'the same'} |")
    return "\n".join(lines) + "\n"


CHECKED = {
    "flink.md": flink_page,
    "settings.md": settings_page,
    "connectors.md": connectors_page,
    "functions.md": functions_page,
    "errors.md": errors_page,
}


def main() -> int:
    PAGES.mkdir(parents=True, exist_ok=True)
    stale = [name for name, make in CHECKED.items() if read(name) != make()]
    if "--check" in sys.argv:
        print("\n".join(f"docs/reference/{name} is out of date: run scripts/reference.py" for name in stale))
        return 1 if stale else 0
    for name in stale:
        (PAGES / name).write_text(CHECKED[name](), "utf-8")
    if not (PAGES / "licences.md").exists() or "--licences" in sys.argv:
        (PAGES / "licences.md").write_text(licences_page(), "utf-8")
    return 0


def read(name: str) -> str | None:
    path = PAGES / name
    return path.read_text("utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
