"""``fluxcore sql`` in a terminal: statements over several lines, errors that do not end it, completion, leaving."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest


class Terminal:
    """A shell behind a pseudo-terminal; ``read_until`` waits for words and fails after a bounded time."""

    def __init__(self, folder, **more):
        self._main, child = pty.openpty()
        env = {
            **os.environ,
            "TERM": "xterm",
            "COLUMNS": "120",
            "LINES": "40",
            "HOME": str(folder),
            "PROMPT_TOOLKIT_NO_CPR": "1",
            **more,
        }
        command = [sys.executable, "-m", "fluxcore.cli.main", "sql"]
        self.process = subprocess.Popen(
            command, stdin=child, stdout=child, stderr=child, cwd=folder, env=env, close_fds=True
        )
        os.close(child)
        self.text = ""

    def send(self, text):
        os.write(self._main, text.encode())

    def read_until(self, pattern, seconds=40):
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self.text):
            ready, _, _ = select.select([self._main], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{pattern} did not come:\n{self.text}"
            try:
                self.text += os.read(self._main, 65536).decode(errors="replace")
            except OSError:
                break  # the shell has closed its end
        found = re.search(pattern, self.text)
        assert found, f"{pattern} did not come:\n{self.text}"
        read, self.text = self.text[: found.end()], self.text[found.end() :]
        return read

    def interrupt(self):
        """Do what Ctrl-C does while something runs; the pseudo-terminal controls no processes."""
        self.process.send_signal(signal.SIGINT)

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(30)
        os.close(self._main)


@pytest.fixture
def terminal(tmp_path):
    made = Terminal(tmp_path)
    made.read_until("flux>.*\x1b\\[\\?25h")
    yield made
    made.close()


def test_a_statement_may_take_several_lines(terminal):
    terminal.send("SELECT 40 +\r")
    terminal.send("2 AS answer;\r")
    terminal.read_until(r"\|\s+answer\s+\|")
    terminal.read_until(r"\|\s+42\s+\|")


def test_an_error_does_not_end_the_shell(terminal):
    terminal.send("SELECT nope;\r")
    terminal.read_until("FX-SQL-0201")
    terminal.send("CREATE VIEW numbers AS SELECT * FROM (VALUES (1), (2)) AS t(a);\r")
    terminal.read_until("view numbers created")
    terminal.send("SELECT SUM(a) AS total FROM numbers;\r")
    terminal.read_until(r"\|\s+3\s+\|")


def test_names_are_completed(terminal):
    terminal.send("CREATE VIEW remarkable AS SELECT 7 AS a;\r")
    terminal.read_until("view remarkable created")
    terminal.read_until("flux>")
    terminal.send("SELECT a FROM remar\t")
    terminal.read_until("remarkable|kable")
    terminal.send(";\r")
    terminal.read_until(r"\|\s+7\s+\|")


@pytest.mark.parametrize("word", ["exit;\r", "quit;\r", "\x04"], ids=["exit", "quit", "Ctrl-D"])
def test_leaving(terminal, word):
    terminal.send(word)
    assert terminal.process.wait(60) == 0


def test_statements_are_remembered(terminal, tmp_path):
    terminal.send("SELECT 11 AS x;\r")
    terminal.read_until(r"\|\s+11\s+\|")
    terminal.send("\x1b[A\r")
    terminal.read_until(r"\|\s+11\s+\|")


BID = (
    "CREATE TABLE bid (price BIGINT, `dateTime` TIMESTAMP(3)) WITH "
    "('connector' = 'nexmark', 'table' = 'bid', 'rate-limit' = '2000');\r"
)


def test_a_materialized_table_runs_while_others_ask_it(terminal):
    terminal.send(BID)
    terminal.read_until("table bid created")
    terminal.send(
        "CREATE MATERIALIZED TABLE parts AS SELECT price % 5 AS k, COUNT(*) AS n FROM bid GROUP BY price % 5;\r"
    )
    terminal.read_until("materialized table parts created")
    terminal.send("SELECT COUNT(*) AS groups_found FROM parts \\watch 0.2\r")
    terminal.read_until(r"every 0\.2 s")
    terminal.read_until(r"\|\s+5\s+\|")
    terminal.interrupt()
    terminal.read_until("stopped")
    terminal.send("\\jobs\r")
    terminal.read_until(r"parts\s+RUNNING\s+5\s+[\d,]+")
    terminal.send("SELECT nope FROM parts;\r")
    terminal.read_until("FX-SQL-0201")
    terminal.send("\\stop parts\r")
    terminal.read_until("parts is stopped")
    terminal.send("SELECT COUNT(*) AS groups_left FROM parts;\r")
    terminal.read_until(r"\|\s+5\s+\|")
    terminal.send("\\jobs\r")
    terminal.read_until(r"parts\s+STOPPED")
    terminal.read_until("flux>.*\x1b\\[\\?25h")
    terminal.send("\x04")
    assert terminal.process.wait(60) == 0


def test_an_endless_result_has_the_screen_until_q(terminal):
    terminal.send(BID)
    terminal.read_until("table bid created")
    terminal.send("SELECT price % 2 AS parity, COUNT(*) AS n FROM bid GROUP BY price % 2;\r")
    terminal.read_until(re.escape("\x1b[?1049h"))
    terminal.read_until(r"2 rows, [\d,]+ changes . [\d,]+ rows/s read . q or Ctrl-C ends")
    terminal.send("q")
    terminal.read_until(re.escape("\x1b[?1049l"))
    terminal.read_until(r"2 rows, [\d,]+ changes")
    terminal.read_until("flux>")
    terminal.send("SELECT 6 * 7 AS x;\r")
    terminal.read_until(r"\|\s+42\s+\|")


def test_commands_tell_and_switch(terminal):
    terminal.send("\\help\r")
    terminal.read_until(r"\\tables\s+the tables and views")
    terminal.send(".timing on\r")
    terminal.read_until("timing is on")
    terminal.send("SELECT 1 AS x;\r")
    terminal.read_until(r"Time: [\d.,]+ ms")
    terminal.send("\\timing\r")
    terminal.read_until("timing is off")
    terminal.send("\\format json\r")
    terminal.send("SELECT 1 AS x;\r")
    terminal.read_until(r'{"x": 1}')
    terminal.send("\\format xml\r")
    terminal.read_until("FX-CLI-0002")
    terminal.send("\\nothing\r")
    terminal.read_until("FX-CLI-0013")
    terminal.send("\\stop nothing\r")
    terminal.read_until("FX-CLI-0013")
    terminal.send("\\watch soon\r")
    terminal.read_until("FX-CLI-0011")
    terminal.send("CREATE MATERIALIZED TABLE m AS SELECT 1 AS x \\watch\r")
    terminal.read_until("FX-CLI-0012")


def test_a_long_result_is_paged(tmp_path):
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\necho PAGER BEGINS\ncat\necho PAGER ENDS\n")
    pager.chmod(0o755)
    terminal = Terminal(tmp_path, PAGER=str(pager))
    try:
        terminal.read_until("flux>.*\x1b\\[\\?25h")
        terminal.send("SELECT 5 AS few;\r")
        assert "PAGER" not in terminal.read_until(r"\|\s+5\s+\|")
        terminal.send("SHOW FUNCTIONS;\r")
        terminal.read_until("PAGER BEGINS[^P]*abs[^P]*upper[^P]*PAGER ENDS")
        terminal.send("\\pager off\r")
        terminal.read_until("the pager is off")
        terminal.send("SHOW FUNCTIONS;\r")
        assert "PAGER" not in terminal.read_until("\nupper")
        terminal.read_until("flux>.*\x1b\\[\\?25h")
    finally:
        terminal.close()


def test_who_leaves_the_pager_stops_the_query(tmp_path):
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\nhead -n 3\necho PAGER ENDS\n")
    pager.chmod(0o755)
    terminal = Terminal(tmp_path, PAGER=str(pager))
    try:
        terminal.read_until("flux>.*\x1b\\[\\?25h")
        terminal.send(
            "CREATE TABLE g (x INT) WITH ('connector' = 'datagen', 'number-of-rows' = '100000000');\rSELECT x FROM g;\r"
        )
        terminal.read_until("PAGER ENDS")
        assert "FX-" not in terminal.read_until("flux>")
        terminal.send("SELECT 6 * 7 AS y;\r")
        terminal.read_until(r"\|\s+42\s+\|")
    finally:
        terminal.close()
