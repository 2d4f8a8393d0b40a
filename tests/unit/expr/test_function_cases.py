"""Built-in functions give what a real Flink 2.3 gave (``tests/functions``), over columns and over constants."""

from __future__ import annotations

from functools import cache

import pytest
from tests.functions.cases import Group, answers_of, categories, differences_of, groups_of
from tests.functions.here import Here, alike, told_by_flink

GROUPS = {f"{category}/{group.name}": group for category in categories() for group in groups_of(category)}


@cache
def unlike(name: str, *, constants: bool) -> dict[str, str]:
    """Return the questions of a group that FluxCore answers otherwise, with both answers."""
    group = GROUPS[name]
    here, found = Here(group), {}
    answers = answers_of(group.category)[group.name]["answers"]
    for question in group.questions:
        there = told_by_flink(answers[question], group.settings)
        ours = here.over_constants(question) if constants else here.over_columns(question)
        if not alike(ours, there):
            found[question] = f"{shown(group, ours)} on Flink {shown(group, there)}"
    return found


def shown(group: Group, answer: object) -> str:
    why = getattr(answer, "why", "")
    return why or f"{getattr(answer, 'type', '')} {getattr(answer, 'values', ())}"


@pytest.mark.parametrize("constants", [False, True], ids=["columns", "constants"])
@pytest.mark.parametrize("name", GROUPS)
def test_each_question_has_flinks_answer(name: str, *, constants: bool) -> None:
    group = GROUPS[name]
    allowed = differences_of(group.category).get(group.name, {})
    found = {question: told for question, told in unlike(name, constants=constants).items() if question not in allowed}
    assert not found, "\n".join(f"{question}: {told}" for question, told in found.items())


@pytest.mark.parametrize("name", GROUPS)
def test_every_named_difference_is_one_and_has_a_reason(name: str) -> None:
    group = GROUPS[name]
    allowed = differences_of(group.category).get(group.name, {})
    differ = unlike(name, constants=False).keys() | unlike(name, constants=True).keys()
    assert not allowed.keys() - differ, "these are answered as Flink answers them"
    assert all(reason.strip() for reason in allowed.values())


def test_differences_name_groups_that_are_there() -> None:
    for category in categories():
        names = {group.name for group in groups_of(category)}
        assert differences_of(category).keys() <= names


@pytest.mark.parametrize("category", categories())
def test_flink_answered_exactly_what_is_asked(category: str) -> None:
    told = answers_of(category)
    assert {group.name: (group.basis(), set(group.questions)) for group in groups_of(category)} == {
        name: (group["rows"], set(group["answers"])) for name, group in told.items()
    }, "run scripts/function_answers.py"
