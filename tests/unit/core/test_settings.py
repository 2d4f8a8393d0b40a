"""Settings come from file, environment and code, checked wherever they come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from fluxcore.core.settings import Settings
from fluxcore.errors import ScriptError


def test_later_places_win(tmp_path: Path) -> None:
    (tmp_path / "fluxcore.toml").write_text(
        '[set]\n"parallelism.default" = 3\n[set.table]\nlocal-time-zone = "Asia/Tokyo"\n'
    )
    loaded = Settings.load(tmp_path, {"FLUXCORE_SET_PARALLELISM_DEFAULT": "5"})
    assert loaded.parallelism == 5
    assert loaded.zone.name == "Asia/Tokyo"
    assert loaded.with_value("parallelism.default", "7").parallelism == 7


def test_defaults(tmp_path: Path) -> None:
    loaded = Settings.load(tmp_path, {})
    assert loaded.zone.name == "UTC"
    assert loaded.parallelism >= 1


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("parallelism.defalt", "2", "FX-SET-0001"),
        ("parallelism.default", "two", "FX-SET-0002"),
        ("table.local-time-zone", "Mars/Olympus", "FX-SET-0002"),
        ("execution.runtime-mode", "magic", "FX-SET-0002"),
        ("table.exec.source.idle-timeout", "a while", "FX-SET-0002"),
        ("table.exec.state.ttl", "an hour", "FX-SET-0002"),
    ],
)
def test_wrong_settings_are_refused(key: str, value: str, code: str) -> None:
    with pytest.raises(ScriptError) as caught:
        Settings().with_value(key, value)
    assert caught.value.code == code


def test_unknown_key_gets_the_nearest() -> None:
    with pytest.raises(ScriptError, match="parallelism.default"):
        Settings().with_value("paralelism.default", "2")


def test_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "fluxcore.toml").write_text("this is = = no toml")
    with pytest.raises(ScriptError, match="fluxcore.toml"):
        Settings.load(tmp_path, {})


def test_reset() -> None:
    changed = Settings().with_value("parallelism.default", "2")
    assert changed.without("parallelism.default") == Settings()
    assert changed.without(None) == Settings()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("execution.checkpointing.interval", "1 min"),
        ("state.backend.type", "rocksdb"),
        ("table.optimizer.join-reorder-enabled", "true"),
        ("table.exec.rank.topn-cache-size", "100"),
        ("table.sql-dialect", "DEFAULT"),
        ("table.exec.async-lookup.output-mode", "ordered"),
    ],
)
def test_settings_of_flink_on_which_nothing_depends_are_taken(key, value):
    assert Settings().with_value(key, value).text(key) == value


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("table.exec.sink.not-null-enforcer", "DROP", "FX-SET-0002"),
        ("table.exec.legacy-cast-behaviour", "ENABLED", "FX-SET-0002"),
        ("execution.runtime-mod", "batch", "FX-SET-0001"),
        ("pipeline.nam", "x", "FX-SET-0001"),
        ("table.column-expansion-strategy", "x", "FX-SET-0001"),
        ("tabel.dml-sync", "true", "FX-SET-0001"),
    ],
)
def test_those_that_change_answers_and_mistakes_are_refused(key, value, code):
    with pytest.raises(ScriptError) as caught:
        Settings().with_value(key, value)
    assert caught.value.code == code


def test_flinks_parallelism_of_sql_wins():
    settings = Settings().with_value("parallelism.default", "2")
    assert settings.with_value("table.exec.resource.default-parallelism", "3").parallelism == 3
    assert settings.with_value("table.exec.resource.default-parallelism", "-1").parallelism == 2
