"""What the command line loads before it is needed: start-up is paid for by every run."""

from __future__ import annotations

import subprocess
import sys

import pytest

SHOWN = """
import os, sys
from fluxcore.cli.main import app
def leave(code):
    print(*sys.modules, file=sys.stderr)
    os.close(2)
    real(code)
real, os._exit = os._exit, leave
try:
    app(sys.argv[1:])
finally:
    leave(0)
"""


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["--version"], {"pyarrow", "numpy", "numba", "duckdb", "pydantic", "pandas", "asyncio"}),
        (["run", "-"], {"duckdb", "polars", "urllib3", "fluxcore.bus", "fluxcore.expr.jit", "fluxcore.targets.flink"}),
    ],
)
def test_a_command_loads_nothing_that_it_does_not_need(arguments: list[str], absent: set[str]) -> None:
    command = [sys.executable, "-c", SHOWN, *arguments]
    done = subprocess.run(command, input="SELECT 1;", capture_output=True, text=True, timeout=120, check=True)
    loaded = set(done.stderr.split())
    assert "fluxcore.cli.main" in loaded
    assert not absent & loaded
