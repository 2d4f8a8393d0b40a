"""Which Java is taken, and what is said when none will do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fluxcore.errors import JobError
from fluxcore.targets.flink.cluster.java import find_java

if TYPE_CHECKING:
    from pathlib import Path


def java(folder: Path, says: str, code: int = 0) -> str:
    """Put a `java` into the `bin` of a folder that prints a version as real ones do, and return that `bin`."""
    path = folder / "bin" / "java"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho '{says}' >&2\nexit {code}\n")
    path.chmod(0o755)
    return str(path.parent)


@pytest.mark.parametrize(
    ("says", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "21" 2023-09-19 LTS', 21),
        ('openjdk version "25-ea" 2025-09-16', 25),
    ],
)
def test_versions_that_will_do(tmp_path: Path, says: str, version: int) -> None:
    found = find_java({"PATH": java(tmp_path, says)})
    assert (found.version, found.path) == (version, tmp_path / "bin" / "java")


def test_java_home_comes_before_path(tmp_path: Path) -> None:
    java(tmp_path / "home", 'openjdk version "21.0.1"')
    path = java(tmp_path / "path", 'openjdk version "17.0.1"')
    assert find_java({"JAVA_HOME": str(tmp_path / "home"), "PATH": path}).version == 21


@pytest.mark.parametrize("home", ["old", "missing"])
def test_a_java_home_that_will_not_do_gives_way_to_path(tmp_path: Path, home: str) -> None:
    java(tmp_path / "old", 'java version "1.8.0_392"')
    path = java(tmp_path / "path", 'openjdk version "17.0.1"')
    assert find_java({"JAVA_HOME": str(tmp_path / home), "PATH": path}).version == 17


def test_no_java_at_all() -> None:
    with pytest.raises(JobError, match="JAVA_HOME is not set, and PATH has no java") as error:
        find_java({"PATH": "/nowhere"})
    assert error.value.code == "FX-FLK-0003"
    assert "openjdk-17" in (error.value.hint or "")


def test_what_is_too_old_is_named_with_its_place(tmp_path: Path) -> None:
    home, path = tmp_path / "home", java(tmp_path / "path", 'openjdk version "11.0.22" 2024-01-16')
    java(home, 'java version "1.8.0_392"')
    with pytest.raises(JobError) as error:
        find_java({"JAVA_HOME": str(home), "PATH": path})
    assert error.value.code == "FX-FLK-0004"
    assert f"{home}/bin/java (JAVA_HOME) is version 8" in error.value.message
    assert f"{path}/java (PATH) is version 11" in error.value.message


def test_a_java_that_fails_is_none(tmp_path: Path) -> None:
    """As macOS has one, which only says where Java could be had."""
    path = java(tmp_path, "Unable to locate a Java Runtime.", code=1)
    with pytest.raises(JobError, match="is no Java") as error:
        find_java({"PATH": path})
    assert error.value.code == "FX-FLK-0003"


def test_a_file_that_can_not_be_executed_is_none(tmp_path: Path) -> None:
    path = java(tmp_path, "")
    (tmp_path / "bin" / "java").write_text("not a program")
    with pytest.raises(JobError, match="is no Java"):
        find_java({"JAVA_HOME": str(tmp_path), "PATH": path})
