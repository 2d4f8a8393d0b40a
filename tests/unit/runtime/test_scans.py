"""What a scan takes from its table and from the settings."""

from __future__ import annotations

import pytest

from fluxcore.core.ports import TableDescription
from fluxcore.core.schema import Column, Schema
from fluxcore.core.settings import Settings
from fluxcore.core.types import BIGINT
from fluxcore.plan.nodes import Scan
from fluxcore.runtime.scans import idle_timeout_s


@pytest.mark.parametrize(
    ("option", "setting", "seconds"),
    [(None, None, None), ("2 s", None, 2.0), (None, "500 ms", 0.5), ("2 s", "500 ms", 2.0), ("0 ms", "500 ms", None)],
)
def test_the_tables_idle_timeout_wins_over_the_settings(option, setting, seconds):
    options = {"scan.watermark.idle-timeout": option} if option else {}
    table = TableDescription("t", Schema.of([Column("a", BIGINT)]), options)
    settings = Settings().with_value("table.exec.source.idle-timeout", setting) if setting else Settings()
    assert idle_timeout_s(Scan(table, (0,)), settings) == seconds
