"""Configurations of the three profiles: sizes that add up, JVM limits that follow from them, settings that win."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from fluxcore.core.size import size_bytes
from fluxcore.errors import ScriptError
from fluxcore.targets.flink.cluster.commands import GATEWAY, JOBMANAGER, TASKMANAGER, Launcher
from fluxcore.targets.flink.cluster.configuration import ClusterOptions, configure, free_ports, written
from fluxcore.targets.flink.cluster.install import Installation
from fluxcore.targets.flink.cluster.java import Java
from fluxcore.targets.flink.cluster.libraries import Libraries
from fluxcore.targets.flink.cluster.memory import Machine

GB = 1024**3
WORK = Path("/a folder/work")
LAPTOP = Machine(processors=8, memory_bytes=16 * GB, free_bytes=12 * GB)
PARTS = (
    "framework.heap.size",
    "framework.off-heap.size",
    "task.heap.size",
    "task.off-heap.size",
    "managed.size",
    "network.max",
    "jvm-metaspace.size",
    "jvm-overhead.max",
)


def configured(profile: str = "throughput", machine: Machine = LAPTOP, **more: str) -> dict[str, str]:
    settings = {key.replace("__", "-").replace("_", "."): value for key, value in more.items()}
    return configure(ClusterOptions(profile, settings=settings), WORK, machine)


def part(values: dict[str, str], name: str) -> int:
    return size_bytes(values[f"taskmanager.memory.{name}"])


def process_size(values: dict[str, str]) -> int:
    return sum(part(values, name) for name in PARTS)


def flags(role: str, values: dict[str, str], profile: str = "throughput", java: int = 17) -> list[str]:
    installation = Installation("2.3.0", Libraries(Path("/libraries")), (Path("/gateway.jar"),))
    return Launcher(Java(Path("/java"), java), installation, profile, WORK, values).command(role)


def test_throughput_takes_most_of_the_machine_and_leaves_room() -> None:
    values = configured()
    assert 0.5 * 12 * GB < process_size(values) <= 0.6 * 16 * GB
    assert part(values, "task.heap.size") > 0.7 * process_size(values)
    assert values["pipeline.object-reuse"] == values["table.exec.mini-batch.enabled"] == "true"
    assert (values["parallelism.default"], values["taskmanager.numberOfTaskSlots"]) == ("8", "16")


def test_what_others_use_is_not_taken() -> None:
    busy = Machine(processors=8, memory_bytes=64 * GB, free_bytes=4 * GB)
    assert process_size(configured(machine=busy)) <= 0.75 * 4 * GB


def test_a_heap_never_grows_beyond_short_pointers() -> None:
    values = configured(machine=Machine(processors=64, memory_bytes=512 * GB, free_bytes=500 * GB))
    assert part(values, "task.heap.size") + part(values, "framework.heap.size") <= 30 * GB


def test_a_tiny_machine_gets_what_flink_needs_at_least() -> None:
    values = configured(machine=Machine(processors=1, memory_bytes=GB, free_bytes=GB // 2))
    assert 1.4 * GB < process_size(values) <= 1.5 * GB


def test_several_taskmanagers_share_the_machine() -> None:
    one = configure(ClusterOptions(), WORK, LAPTOP)
    four = configure(ClusterOptions(taskmanagers=4), WORK, LAPTOP)
    assert process_size(four) <= process_size(one) // 4 + GB // 100
    assert four["taskmanager.numberOfTaskSlots"] == "4"


def test_latency_sends_soon_and_keeps_a_moderate_heap() -> None:
    values = configured("latency")
    assert process_size(values) <= 8 * GB
    assert values["execution.buffer-timeout.interval"] == "1 ms"
    assert values["table.exec.mini-batch.enabled"] == "false"


def test_small_is_the_same_everywhere() -> None:
    sized = [
        {key: value for key, value in configured("small", machine).items() if "memory" in key or "lots" in key}
        for machine in (LAPTOP, Machine(processors=1, memory_bytes=GB, free_bytes=GB))
    ]
    assert sized[0] == sized[1]
    assert sized[0]["taskmanager.numberOfTaskSlots"] == "4"
    assert part(sized[0], "task.heap.size") == 384 * 1024**2


def test_rocksdb_gets_managed_memory() -> None:
    heap, rocksdb = configured(), configured(state_backend_type="rocksdb")
    assert part(heap, "managed.size") == 128 * 1024**2
    assert part(rocksdb, "managed.size") > 0.3 * process_size(rocksdb)
    assert abs(process_size(heap) - process_size(rocksdb)) < 0.02 * GB
    assert rocksdb["execution.checkpointing.incremental"] == "true"


def test_jobs_of_an_adaptive_scheduler_are_rescaled_at_once() -> None:
    cooldown = "jobmanager.adaptive-scheduler.executing.cooldown-after-rescaling"
    assert cooldown not in configured()
    assert configured(jobmanager_scheduler="adaptive")[cooldown] == "1 s"
    given = configure(ClusterOptions(settings={"jobmanager.scheduler": "adaptive", cooldown: "9 s"}), WORK, LAPTOP)
    assert given[cooldown] == "9 s"


def test_a_given_process_size_is_divided() -> None:
    values = configured(taskmanager_memory_process_size="3 gb")
    assert abs(process_size(values) - 3 * GB) < 0.01 * GB
    assert "taskmanager.memory.process.size" not in values, "with all parts given it would be one size too many"


def test_settings_win_over_the_profile() -> None:
    values = configured("small", table_exec_mini__batch_enabled="true", rest_port="8081")
    assert values["table.exec.mini-batch.enabled"] == "true"
    assert values["rest.port"] == "8081"


@pytest.mark.parametrize("profile", ["throughput", "latency", "small"])
def test_the_jvm_gets_the_limits_of_the_configuration(profile: str) -> None:
    values = configured(profile)
    heap = part(values, "task.heap.size") + part(values, "framework.heap.size")
    direct = part(values, "network.max") + part(values, "framework.off-heap.size")
    given = flags(TASKMANAGER, values, profile)
    assert f"-Xmx{heap}" in given
    assert (f"-Xms{heap}" in given) == (profile != "small")
    assert f"-XX:MaxDirectMemorySize={direct}" in given


def test_a_heap_that_was_set_reaches_the_jvm() -> None:
    values = configured(taskmanager_memory_task_heap_size="1g")
    assert f"-Xmx{GB + 128 * 1024**2}" in flags(TASKMANAGER, values)


@pytest.mark.parametrize(
    ("profile", "java", "collector"),
    [
        ("throughput", 17, ["-XX:+UseG1GC"]),
        ("throughput", 25, ["-XX:+UseG1GC"]),
        ("latency", 17, ["-XX:+UseG1GC", "-XX:MaxGCPauseMillis=10"]),
        ("latency", 21, ["-XX:+UseZGC", "-XX:+ZGenerational"]),
        ("latency", 25, ["-XX:+UseZGC"]),
        ("small", 17, ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]),
    ],
)
def test_collectors(profile: str, java: int, collector: list[str]) -> None:
    given = flags(TASKMANAGER, configured(profile), profile, java)
    known = ("-XX:+Use", "-XX:+ZG", "-XX:MaxGC", "-XX:Tiered")
    assert [flag for flag in given if flag.startswith(known)] == collector


def test_java_options_of_one_role_and_of_all() -> None:
    values = configured("small") | {"env.java.opts.all": "-Da=1 '-Db=two words'", "env.java.opts.taskmanager": "-Dc=3"}
    assert flags(TASKMANAGER, values, "small").count("-Dc=3") == 1
    for role in (JOBMANAGER, GATEWAY):
        given = flags(role, values, "small")
        assert "-Db=two words" in given
        assert "-Dc=3" not in given


def test_the_file_reads_back_as_it_was_meant() -> None:
    values = configured() | {"a.key": 'quoted "text": yes', "b.key": "#1", "c.key": "", "d.key": "1 s"}
    read = yaml.safe_load(written(values))
    for key, value in values.items():
        found = read[key]
        assert (str(found).lower() if isinstance(found, bool) else str(found)) == value


def test_everything_listens_on_the_loopback_interface() -> None:
    values = configured()
    hosts = [value for key, value in values.items() if key.endswith(("host", ".address", "bind-address"))]
    assert len(hosts) == 8
    assert set(hosts) == {"127.0.0.1"}
    assert values["execution.checkpointing.dir"] == "file:///a%20folder/work/checkpoints"


def test_free_ports_differ() -> None:
    assert len(set(free_ports(20))) == 20


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"taskmanager_memory_process_size": "much"}, "'much' is no value for 'taskmanager.memory.process.size'"),
        ({"taskmanager_memory_process_size": "500m"}, "500 MB are too little for a TaskManager"),
    ],
)
def test_sizes_that_can_not_be(settings: dict[str, str], says: str) -> None:
    with pytest.raises(ScriptError, match=says) as error:
        configured(**settings)
    assert error.value.code == "FX-FLK-0014"


def test_the_least_size_that_a_message_names_is_enough() -> None:
    with pytest.raises(ScriptError) as error:
        configured(taskmanager_memory_process_size="100m")
    least = (error.value.hint or "").rpartition("=")[2]
    assert process_size(configured(taskmanager_memory_process_size=least)) <= size_bytes(least)


def test_an_unknown_profile() -> None:
    with pytest.raises(ScriptError, match="there is no profile 'troughput'") as error:
        configured("troughput")
    assert "did you mean 'throughput'" in (error.value.hint or "")


def test_no_taskmanager() -> None:
    with pytest.raises(ScriptError, match="at least one"):
        configure(ClusterOptions(taskmanagers=0), WORK, LAPTOP)
