"""The benchmark of the bus: the JSON has the promised form, rivals run apart, and one that isn't there is named."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fluxcore.bench import bus_rivals, bus_worker
from fluxcore.bench.bus import BusBenchOptions, run
from fluxcore.errors import ScriptError


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("bench")
    cases = ("memory-batch", "disk-64")
    options = BusBenchOptions(cases, 2000, 1, str(folder), str(folder / "out.json"), rivals=False)
    assert run(options) == 0
    assert [each.name for each in folder.iterdir()] == ["out.json"]
    found: list[dict[str, Any]] = json.loads((folder / "out.json").read_text())["results"]
    return found


def test_the_json_has_the_promised_form(results: list[dict[str, Any]]) -> None:
    disk, *ours = results
    assert disk["engine"] == "fdatasync"
    assert disk["fsyncs"] > 0
    assert {each["engine"] for each in ours} == {"fluxcore"}
    assert [each["source"] for each in ours if each["case"] == "disk-64"] == ["acks=memory", "acks=os", "acks=disk"]
    for each in ours:
        assert "missing" not in each, each
        assert each["peak_rss_mb"] > 0
        if each["source"] != "waiting":
            assert each["rows_per_s"] == pytest.approx(each["rows"] / each["seconds"][0], rel=0.05)


def test_what_an_event_takes_while_it_waits(results: list[dict[str, Any]]) -> None:
    (batches,) = [each for each in results if each["source"] == "waiting"]
    assert batches["bytes_per_event"] < 1
    assert 100 < bus_worker.waiting(bus_worker.BusTask("waiting", "fluxcore", calls=20_000))["bytes_per_event"] < 300


@pytest.mark.parametrize("form", ["async", "inline", "async, with keys", "thread"])
def test_what_is_measured_is_handled(form: str) -> None:
    assert bus_worker.memory(bus_worker.BusTask("memory", "fluxcore", form, 500))["seconds"] > 0
    late = bus_worker.open_loop(bus_worker.BusTask("open-loop", "fluxcore", form, 500))
    assert 0 < late["p50_ms"] <= late["p99_ms"]


def test_durable_publishers_share_syncs(results: list[dict[str, Any]]) -> None:
    (disk,) = [each for each in results if each["case"] == "disk-64" and each["source"] == "acks=disk"]
    assert disk["rows"] / 64 / 2 < disk["fsyncs"] < disk["rows"]


@pytest.mark.parametrize(("engine", "kind"), [("bubus", "memory"), ("sqlite", "disk")])
def test_a_rival_runs_apart_or_is_named_as_missing(engine: str, kind: str, tmp_path: Path) -> None:
    task = {"kind": kind, "engine": engine, "calls": 640, "publishers": 64, "acks": "disk", "folder": str(tmp_path),
            "payload_bytes": 160}  # fmt: skip
    command = [sys.executable, "-S", str(bus_rivals.__file__), json.dumps(task)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    found = json.loads(done.stdout)
    if engine == "bubus":
        assert found == {"missing": "bubus is not installed"}
    else:
        assert found["seconds"] > 0
        assert 10 <= found["fsyncs"] <= 640
        assert "synchronous" in found["configuration"]


def test_a_case_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ScriptError) as caught:
        run(BusBenchOptions(("fliter",)))
    assert (caught.value.code, caught.value.hint) == ("FX-BEN-0004", "did you mean 'filter'?")
