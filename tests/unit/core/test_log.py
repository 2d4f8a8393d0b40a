import json
import logging
import subprocess
import sys

import pytest

from fluxcore.core import log
from fluxcore.core.log import JsonFormatter, Log, TextFormatter


@pytest.fixture
def records():
    """The records that reach the logger of the package while the test runs."""
    found = []

    class Keep(logging.Handler):
        def emit(self, record):
            found.append(record)

    logger, handler = logging.getLogger("fluxcore"), Keep()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield found
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_a_record_is_one_json_object_with_the_fields_of_its_log(records) -> None:
    Log("job", job="1f").info("ended", rows=3, operator="Scan(t)")
    (record,) = records
    told = json.loads(JsonFormatter().format(record))
    assert told.pop("time").endswith("Z")
    assert told == {
        "level": "INFO", "logger": "fluxcore.job", "event": "ended", "job": "1f", "rows": 3, "operator": "Scan(t)",
    }  # fmt: skip


def test_a_record_as_text(records) -> None:
    Log("job", job="1f").warning("rows were skipped", rows=3)
    assert TextFormatter().format(records[0]) == "warning: rows were skipped · job=1f rows=3"


def test_records_below_the_level_are_not_made(records) -> None:
    Log("job").debug("noise")
    assert records == []


def test_what_is_shown_replaces_what_was_shown(capsys) -> None:
    logger = logging.getLogger("fluxcore")
    before = list(logger.handlers), logger.level, logger.propagate
    try:
        log.show("info", "text")
        log.show("warning", "json")
        Log("job").info("not shown")
        Log("job").warning("shown")
        (line,) = capsys.readouterr().err.splitlines()
        assert json.loads(line)["event"] == "shown"
    finally:
        logger.handlers[:], logger.level, logger.propagate = before


@pytest.mark.parametrize(
    ("setup", "heard"), [("", True), ("import logging; logging.basicConfig(level=logging.ERROR)", False)]
)
def test_warnings_are_heard_unless_the_program_has_its_own_logging(setup, heard):
    program = f"{setup}\nfrom fluxcore.core.log import Log\nLog('bus').warning('a handler failed', group='g')\nLog('bus').info('not this')"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert found.stderr == ("fluxcore warning: a handler failed · group=g\n" if heard else "")
