"""The repository keeps its own habits."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from fluxcore.core.settings import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*.md"))]


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).is_file()]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_source_file_is_a_room_and_not_a_hall(path: Path) -> None:
    text = path.read_text("utf-8")
    screen = 110 if path.name.endswith("_kernels.py") else 85  # a call in the middle of a hot loop costs half its speed
    assert text.count("\n") <= 700, "a file over 700 lines has more than one purpose"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno <= screen, f"{node.name} does not fit a screen"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_things_say_what_they_are_for(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree), "the module has no docstring"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            if any(isinstance(each, ast.Name) and each.id == "overload" for each in node.decorator_list):
                continue  # the function behind its overloads says it
            assert ast.get_docstring(node), f"{node.name} has no docstring"


def test_the_lock_names_no_hosts_and_no_paths() -> None:
    text = (ROOT / "requirements" / "lock.txt").read_text()
    assert "==" in text
    assert not re.search(r"https?:|file:|@ |--index|--find-links|/opt/|/root/|/home/", text)


def test_the_lock_covers_what_the_project_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    for extra, names in project["project"]["optional-dependencies"].items():
        wanted += [] if extra == "all" else names
    locked = {
        re.split(r"==", line)[0].lower() for line in (ROOT / "requirements" / "lock.txt").read_text().splitlines()
    }
    missing = [name for name in (re.split(r"[<>=!\[; ]", each)[0].lower().replace("_", "-") for each in wanted)
               if name not in {each.replace("_", "-") for each in locked}]  # fmt: skip
    assert not missing, "run make lock"


def test_the_changelog_knows_the_version() -> None:
    found = re.search(r'__version__ = "(.*)"', (ROOT / "src" / "fluxcore" / "__init__.py").read_text())
    assert found
    assert f"## [{found[1]}]" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_inside_the_documentation_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" in target or target.startswith("mailto:"):
            continue
        assert (path.parent / target).exists(), f"{target} does not exist"


def test_generated_reference_pages_are_up_to_date() -> None:
    result = subprocess.run(
        [sys.executable, "scripts/reference.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text()
    for key in SETTINGS:
        assert f"`{key}`" in page


FEATURE = re.compile(r"^\| ([A-Z]{3}-\d+) \| ([^|]*) \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$", re.MULTILINE)


def test_feature_rows_are_true_to_form() -> None:
    rows = FEATURE.findall((ROOT / "docs" / "features.md").read_text())
    assert len(rows) == len({row[0] for row in rows}) >= 250, "each id stands once"
    for name, status, modules, page, tests in rows:
        assert re.fullmatch(r"works|partial: .+|not yet", status.strip()), f"{name}: {status}"
        for cell in (modules, page, tests):
            for path in re.findall(r"`([^`]+)`", cell):
                assert (ROOT / path).exists(), f"{name} names {path}, which does not exist"
        if status.strip() != "not yet":
            assert "`" in modules, f"{name} names no module"
            assert "`" in tests, f"{name} names no tests"


def test_nothing_unfinished_is_left_in_the_sources() -> None:
    words = re.compile("TO" + r"DO|FIX" + r"ME|XXX|NotImplemented\b(?!Error)|except[^:\n]*:\s*pass")
    for path in SOURCES:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if "return NotImplemented" not in line:
                assert not words.search(line), f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
