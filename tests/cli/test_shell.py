"""``fluxcore sql`` in a terminal: statements over several lines, errors that do not end it, completion, leaving."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time

import pytest


class Terminal:
    """A shell behind a pseudo-terminal; ``read_until`` waits for words and fails after a bounded time."""

    def __init__(self, folder):
        self._main, child = pty.openpty()
        env = {
            **os.environ,
            "TERM": "xterm",
            "COLUMNS": "120",
            "LINES": "40",
            "HOME": str(folder),
            "PROMPT_TOOLKIT_NO_CPR": "1",
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
        self.text = self.text[found.end() :]

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
