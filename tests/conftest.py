"""Settings of all tests: no deadlines (machines are busy), and a failure that can be repeated.

``FLUXCORE_TEST_PROFILE=long`` runs many more random cases (``make test-long``).
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import sys
import tempfile
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("fluxcore", deadline=None, print_blob=True, max_examples=60)
settings.register_profile("long", deadline=None, print_blob=True, max_examples=1500)
settings.load_profile("long" if os.environ.get("FLUXCORE_TEST_PROFILE") == "long" else "fluxcore")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell starts what it runs in the background this way, and processes started here would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _show_entry_points() -> None:
    """Let this process and those that it starts find the connectors of this tree, though an older one is installed."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    groups = {
        group: {name: value for name, value in entries.items() if name not in entry_points(group=group).names}
        for group, entries in project["entry-points"].items()
    }
    if not any(groups.values()):
        return
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    info = folder / "fluxcore_tree-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fluxcore-tree\nVersion: 0\n")
    lines = [
        line for group, each in groups.items() for line in (f"[{group}]", *(f"{n} = {v}" for n, v in each.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    sys.path.append(str(folder))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(folder))))


_show_entry_points()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what could not be tested because a program is missing here."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple)]
    for reason in sorted({each for each in reasons if "NOT TESTED" in each}):
        number = reasons.count(reason)
        terminalreporter.write_line(f"{number} tests: {reason.removeprefix('Skipped: ')}", red=True, bold=True)
