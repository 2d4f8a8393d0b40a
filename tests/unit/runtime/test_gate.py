"""The combined watermark is the minimum over active inputs and never falls."""

from __future__ import annotations

import numpy as np

from fluxcore.core.batch import Steps
from fluxcore.core.time import MAX_TIME_MS, MIN_TIME_MS
from fluxcore.runtime.gate import Gate


def test_silent_input_holds_the_watermark_back() -> None:
    gate = Gate(2)
    assert gate.raise_to(0, 100) == MIN_TIME_MS
    assert gate.raise_to(1, 50) == 50
    assert gate.raise_to(1, 200) == 100


def test_idle_and_ended_inputs_leave_the_minimum() -> None:
    gate = Gate(3)
    gate.raise_to(0, 100)
    gate.raise_to(1, 10)
    assert gate.set_idle(2) == 10
    assert gate.end(1) == 100
    assert gate.end(0) == 100, "the idle input may come back"
    assert gate.is_idle
    assert gate.end(2) == MAX_TIME_MS
    assert not gate.is_idle


def test_an_input_that_comes_back_never_lowers_the_watermark() -> None:
    gate = Gate(2)
    gate.raise_to(0, 100)
    assert gate.set_idle(1) == 100
    assert gate.raise_to(1, 20) == 100
    assert gate.raise_to(0, 300) == 100


def test_all_idle_keeps_the_watermark() -> None:
    gate = Gate(1)
    gate.raise_to(0, 5)
    assert gate.set_idle(0) == 5


def test_steps_are_held_at_the_other_inputs() -> None:
    gate = Gate(2)
    steps = Steps(np.array([1, 2, 3]), np.array([10, 20, 30]))
    assert gate.steps(0, steps) is None
    gate.raise_to(1, 25)
    found = gate.steps(0, steps)
    assert found is not None
    assert found.rows.tolist() == [1, 2, 3]
    assert found.values.tolist() == [10, 20, 25]
    gate.raise_to(0, 30)
    assert gate.combined == 25
    assert gate.steps(0, steps) is None
