"""Asks a real Flink the questions of a group: many in one query, and those that fail by halves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.functions.cases import ROW, Group

from fluxcore.errors import JobError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fluxcore.targets.flink.gateway import Gateway, GatewaySession

MOST_AT_ONCE = 60
PROPERTIES = {"parallelism.default": "1", "execution.runtime-mode": "streaming"}
VIEW = "rows_"
BROKEN = ("NoResourceAvailable", "OutOfMemory", "TaskManager", "does not answer")


def ask(
    gateway: Gateway, group: Group, questions: Sequence[str], known: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return Flink's answer to each of a group's questions, as ``cases`` describes them.

    In: ``known`` answers of before: what failed then is asked alone at once.
    """
    known = known or {}
    with gateway.session({**PROPERTIES, **group.settings}) as session:
        session.run(f"CREATE TEMPORARY VIEW {VIEW} AS {group.view()}")
        refused: dict[str, Any] = {}

        def plan(some: Sequence[str]) -> None:
            session.run(f"EXPLAIN {query(some)}")

        def refuse(one: str, error: JobError) -> None:
            refused[one] = {"refused": reason(error)}

        found: dict[str, Any] = {}
        alone = [each for each in questions if isinstance(known.get(each), dict)]
        for each in alone:
            halved([each], plan, refuse)
        halved([each for each in questions if each not in alone], plan, refuse)

        def run(some: Sequence[str]) -> None:
            found.update(answered(session, some, len(group.rows)))

        def row_by_row(one: str, error: JobError) -> None:
            if "Compile" in reason(error):  # Flink's own generated code is wrong, for each row alike
                refuse(one, error)
            else:
                found[one] = each_row(session, group, one)

        taken = [each for each in questions if each not in refused]
        alone = [each for each in taken if fails(known.get(each))]
        for each in alone:
            halved([each], run, row_by_row)
        halved([each for each in taken if each not in alone], run, row_by_row)
    return {each: refused.get(each) or found[each] for each in questions}


def fails(answer: Any) -> bool:
    """Return whether some row of an answer fails."""
    return isinstance(answer, list) and any(isinstance(each, dict) and each.keys() == {"fails"} for each in answer[1])


def halved(
    questions: Sequence[str], what: Callable[[Sequence[str]], None], failed: Callable[[str, JobError], None]
) -> None:
    """Do ``what`` with all questions, in as few parts as those that fail allow; hand each of these to ``failed``."""
    for start in range(0, len(questions), MOST_AT_ONCE):
        some = questions[start : start + MOST_AT_ONCE]
        try:
            what(some)
        except JobError as error:
            if len(some) == 1:
                failed(some[0], error)
            else:
                halved(some[: len(some) // 2], what, failed)
                halved(some[len(some) // 2 :], what, failed)


def query(questions: Sequence[str], where: str = "") -> str:
    """Return the query that asks some questions."""
    columns = ", ".join(f"{each} AS x{index}" for index, each in enumerate(questions))
    return f"SELECT {ROW}, {columns} FROM {VIEW}{where}"


def answered(session: GatewaySession, questions: Sequence[str], rows: int, where: str = "") -> dict[str, Any]:
    """Return type and values of each question. Raises ``JobError`` when the query fails."""
    operation = session.submit(query(questions, where))
    schema, lines = None, {}
    try:
        for page in operation.pages():
            schema = page.schema
            assert page.appends
            lines.update({row[0]: row[1:] for row in page.rows})
    finally:
        operation.close()
    assert schema is not None
    assert len(lines) == rows, "a row is missing"
    return {
        each: [schema.types[index + 1].sql(), [_json(lines[number][index]) for number in sorted(lines)]]
        for index, each in enumerate(questions)
    }


def each_row(session: GatewaySession, group: Group, question: str) -> Any:
    """Return the answer to a question that fails over all rows, asked for each row alone."""
    values: list[Any] = []
    types = set()
    for number in range(len(group.rows)):
        try:
            type_, (value,) = answered(session, [question], 1, f" WHERE {ROW} = {number}")[question]
            types.add(type_)
            values.append(value)
        except JobError as failure:
            if "NoResourceAvailable" in failure.message:
                raise
            values.append({"fails": reason(failure)})
    if not types:
        types = {described(session, question)}
    (type_,) = types
    return [type_, values]


def described(session: GatewaySession, question: str) -> str:
    """Return the type of a question that fails for all rows, from the query's description."""
    view = "described_"
    session.run(f"CREATE TEMPORARY VIEW {view} AS {query([question])}")
    try:
        row = session.run(f"DESCRIBE {view}").rows[1]
    finally:
        session.run(f"DROP TEMPORARY VIEW {view}")
    return f"{row[1]}{'' if row[2] in (True, 'TRUE') else ' NOT NULL'}"


def reason(error: JobError) -> str:
    """Return the first line of what Flink said; for people only."""
    text = error.message.strip().split("\n")[0][:160]
    if any(word in text for word in BROKEN):
        raise error  # says nothing of the question
    return text


def _json(value: Any) -> Any:
    """Return a value of the gateway's JSON as what ``json`` can write and read back without loss."""
    if isinstance(value, dict):
        return {key: _json(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_json(each) for each in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)
