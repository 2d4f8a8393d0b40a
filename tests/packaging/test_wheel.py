"""The wheel works on its own: installed into a fresh environment outside the clone, with its files read-only."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = """
CREATE TABLE numbers (n BIGINT, word STRING) WITH ('connector' = 'filesystem', 'path' = 'numbers.csv', 'format' = 'csv');
SELECT word, n * 2 AS twice FROM numbers WHERE n > 3;
"""


def run(command: list[str], folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    hidden = {"PYTHONPATH", "VIRTUAL_ENV", "NUMBA_CACHE_DIR", "FLUXCORE_CACHE_DIR"}
    environment = {key: value for key, value in os.environ.items() if key not in hidden} | more
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert result.returncode == 0, f"{' '.join(command)}\n{result.stdout}\n{result.stderr}"
    return result


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment that holds the wheel and what it asks for, at the locked versions."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "examples", source / "examples")
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"):
        shutil.copy(ROOT / name, source)
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)], folder)
    (wheel,) = folder.glob("*.whl")
    uv = shutil.which("uv")
    environment = folder / "environment"
    if uv:
        run([uv, "venv", "--quiet", "--python", sys.executable, str(environment)], folder)
        install = [uv, "pip", "install", "--quiet", "--python", str(environment / "bin" / "python")]
    else:
        run([sys.executable, "-m", "venv", str(environment)], folder)
        install = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    run([*install, "--constraint", str(ROOT / "requirements" / "lock.txt"), str(wheel)], folder)
    (package,) = (environment / "lib").glob("python*/site-packages/fluxcore")
    for path in [package, *package.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    return environment / "bin"


def test_a_script_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "numbers.csv").write_text("".join(f"{n},w{n}\n" for n in range(10)))
    (tmp_path / "script.sql").write_text(SCRIPT)
    command = [str(installed / "fluxcore"), "run", "script.sql", "--format", "csv"]
    result = run(command, tmp_path, FLUXCORE_CACHE_DIR=str(tmp_path / "cache"))
    assert result.stdout.splitlines() == ["word,twice", *(f"w{n},{2 * n}" for n in range(4, 10))]


def test_the_shell_takes_statements_from_a_pipe(installed: Path, tmp_path: Path) -> None:
    result = subprocess.run(
        [str(installed / "fluxcore"), "sql"],
        cwd=tmp_path, input="SELECT 1 + 1 AS two;\n", capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "two" in result.stdout
    assert "2" in result.stdout


def test_the_demo_brings_its_script(installed: Path, tmp_path: Path) -> None:
    program = "from pathlib import Path; from fluxcore.demo.run import script; print(script(Path('here'))[0])"
    result = run([str(installed / "python"), "-c", program], tmp_path)
    assert "here/input/flights.csv" in result.stdout


def test_the_doctor_is_content(installed: Path, tmp_path: Path) -> None:
    result = run([str(installed / "fluxcore"), "doctor"], tmp_path, FLUXCORE_CACHE_DIR=str(tmp_path / "cache"))
    assert "pyarrow" in result.stdout + result.stderr
