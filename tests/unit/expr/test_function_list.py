"""Each function of Flink 2.3's list is there, or left out with a reason that the reference page shows."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from fluxcore.api.session import Session
from fluxcore.expr.aggregates import is_aggregate, is_over_function
from fluxcore.expr.functions import documented
from fluxcore.expr.registry import REGISTRY

FOLDER = Path(__file__).parents[2] / "functions"
LANGUAGE = {
    "BETWEEN",
    "EXISTS",
    "CAST",
    "TRY_CAST",
    "IS_JSON",
    "GROUPING",
    "GROUPING_ID",
    "GROUP_ID",
    "FROM_CHANGELOG",
    "TO_CHANGELOG",
}
"""Words of the language, which the parser and the binder know."""


def listed() -> list[str]:
    lines = (FOLDER / "flink_functions.txt").read_text("utf-8").splitlines()
    return [name for line in lines if not line.startswith(("#", "[")) for name in line.split()]


def known(name: str) -> bool:
    return (
        name in REGISTRY
        or name.replace("_", " ") in REGISTRY
        or name in LANGUAGE
        or is_aggregate(name)
        or is_over_function(name)
    )


def test_every_function_of_flink_is_there_or_left_out_with_a_reason() -> None:
    names = listed()
    left_out = [
        name for group in tomllib.loads((FOLDER / "left_out.toml").read_text("utf-8")).values() for name in group
    ]
    assert len(names) == len(set(names)) > 250
    assert len(left_out) == len(set(left_out))
    assert {name for name in names if not known(name)} == set(left_out)


def test_every_scalar_function_says_what_it_gives() -> None:
    for functions in documented().values():
        for name, text, _ in functions:
            assert text, name


EXAMPLES = {function.name: function.example for function in REGISTRY.values() if function.example}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_of_a_function_is_true(name: str) -> None:
    expression, wanted = EXAMPLES[name]
    session = Session({"parallelism.default": "1"})
    found = (
        session.sql(f"SELECT CAST({expression} AS STRING) AS x FROM (VALUES (1)) AS t(a)").to_arrow()["x"].to_pylist()
    )
    assert found == [wanted]
