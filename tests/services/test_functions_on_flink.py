"""Flink still answers the questions of ``tests/functions`` as it is written down there.

``make oracle`` asks all of them again, the ordinary tests every tenth.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.functions.asking import ask
from tests.functions.cases import answers_of, categories, groups_of
from tests.functions.here import alike, told_by_flink

from fluxcore.targets.flink.gateway import Gateway

if TYPE_CHECKING:
    from fluxcore.targets.flink.cluster.record import Cluster

STEP = 1 if os.environ.get("FLUXCORE_ORACLE") == "all" else 10


@pytest.mark.parametrize("category", categories())
def test_flink_answers_as_before(category: str, flink: Cluster) -> None:
    host, port = flink.gateway
    known, changed = answers_of(category), {}
    for group in groups_of(category):
        some = group.questions[::STEP]
        before = known[group.name]["answers"]
        for question, told in ask(Gateway(f"{host}:{port}"), group, some, before).items():
            now, then = (told_by_flink(each, group.settings) for each in (told, before[question]))
            if not alike(now, then):
                changed[f"{group.name}: {question}"] = f"{now} and no longer {then}"
    assert not changed
