"""``fluxcore flink``: a local Flink cluster, and the jobs of any."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fluxcore.cli.errors import leave, tell, told
from fluxcore.errors import ScriptError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fluxcore.targets.flink.cluster.cluster import Status

flink_app = typer.Typer(help="Start and end a local Flink cluster, and manage the jobs of any.", no_args_is_help=True)

Work = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="The cluster's folder, if there are to be several; default: below the user's cache folder."
    ),
]
Target = Annotated[
    str,
    typer.Option(
        metavar="TARGET", help="The cluster: flink://HOST:PORT of its SQL gateway, or flink for the local one."
    ),
]
Job = Annotated[str, typer.Argument(help="The job's id, as `fluxcore flink jobs` tells it.")]
Format = Annotated[str, typer.Option(help="table or json.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")]


@flink_app.command()
def up(
    profile: Annotated[str, typer.Option(help="throughput, latency or small.")] = "throughput",
    version: Annotated[str, typer.Option(help="The version of Flink, 2.0 to 2.3.")] = "2.3.0",
    jars: Annotated[
        list[str] | None,
        typer.Option(
            metavar="JAR",
            help="A path, group:artifact:version, or one of parquet, avro, kafka; may stand several times.",
        ),
    ] = None,
    set: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A key of Flink's; may stand several times.")
    ] = None,
    taskmanagers: Annotated[int, typer.Option(min=1, max=64, help="How many TaskManagers.")] = 1,
    python: Annotated[
        bool, typer.Option("--python", help="With PyFlink, fetched once, so that functions in Python run there.")
    ] = False,
    work: Work = None,
    debug: Debug = False,
) -> None:
    """Start a local cluster, and print its address: JobManager, TaskManager and SQL gateway on free loopback ports.

    It needs a Java of version 17 or newer; Flink itself is fetched once from PyPI and Maven Central. The cluster runs until
    `fluxcore flink down`. Where one runs already, its address is printed.

    Example: fluxcore run job.sql --target $(fluxcore flink up)
    """
    with told(debug=debug):
        _need_extra()
        from fluxcore.targets.flink.cluster import cluster as command
        from fluxcore.targets.flink.cluster.configuration import ClusterOptions

        options = ClusterOptions(profile, version, work, tuple(jars or ()), _pairs(set or ()), taskmanagers, python)
        cluster = command.up(options, tell)
        tell(f"web pages: {cluster.jobmanager}")
        typer.echo(cluster.address)
        leave(0)


@flink_app.command()
def down(work: Work = None, debug: Debug = False) -> None:
    """End the local cluster; its logs, checkpoints and savepoints stay."""
    with told(debug=debug):
        _need_extra()
        from fluxcore.targets.flink.cluster import cluster as command

        tell("the cluster has ended" if command.down(work, tell) else "no cluster was running")
        leave(0)


@flink_app.command()
def status(
    work: Work = None,
    format: Annotated[str, typer.Option(help="text or json.")] = "text",
    debug: Debug = False,
) -> None:
    """Show the local cluster's address, processes, memory and slots; exit code 1 when it doesn't run."""
    with told(debug=debug):
        _need_extra()
        from fluxcore.targets.flink.cluster import cluster as command

        if format not in ("text", "json"):
            raise ScriptError("FX-CLI-0002", f"there is no format '{format}'", hint="one of text, json")
        found = command.status(work)
        typer.echo(json.dumps(_told(found)) if format == "json" else "\n".join(_lines(found)))
        leave(0 if found.state == "running" else 1)


@flink_app.command()
def jobs(target: Target = "flink", format: Format = "table", debug: Debug = False) -> None:
    """List the jobs of a cluster, the latest first."""
    with told(debug=debug):
        _need_extra()
        from fluxcore.cli import flink_jobs as command

        command.jobs(target, format)
        leave(0)


@flink_app.command()
def describe(job: Job, target: Target = "flink", format: Format = "table", debug: Debug = False) -> None:
    """Show a job's state, its operators with their rows and their time, and why it failed."""
    with told(debug=debug):
        _need_extra()
        from fluxcore.cli import flink_jobs as command

        command.describe(target, job, format)
        leave(0)


@flink_app.command()
def cancel(job: Job, target: Target = "flink", debug: Debug = False) -> None:
    """Cancel a job where it is."""
    with told(debug=debug):
        _need_extra()
        from fluxcore.cli import flink_jobs as command

        command.cancel(target, job)
        leave(0)


@flink_app.command()
def savepoint(
    job: Job,
    to: Annotated[str | None, typer.Option(metavar="FOLDER", help="Where to write; default: as configured.")] = None,
    stop: Annotated[bool, typer.Option("--stop", help="End the job behind its savepoint.")] = False,
    drain: Annotated[
        bool, typer.Option("--drain", help="With --stop: let all windows give their results first.")
    ] = False,
    target: Target = "flink",
    debug: Debug = False,
) -> None:
    """Take a savepoint of a running job, and print its path."""
    with told(debug=debug):
        _need_extra()
        from fluxcore.cli import flink_jobs as command

        if drain and not stop:
            raise ScriptError("FX-CLI-0008", "--drain ends the windows of a job that stops: say --stop too")
        command.savepoint(target, job, to, stop=stop, drain=drain)
        leave(0)


@flink_app.command()
def restore(
    path: Annotated[str, typer.Argument(help="A savepoint or a checkpoint.")],
    script: Annotated[str, typer.Argument(help="The SQL script whose inserts go on from there.")],
    parallelism: Annotated[int | None, typer.Option(min=1, help="With another parallelism.")] = None,
    set: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting; may stand several times.")
    ] = None,
    target: Target = "flink",
    debug: Debug = False,
) -> None:
    """Start the inserts of a script from a savepoint, print the ids of their jobs and leave them."""
    with told(debug=debug):
        _need_extra()
        from fluxcore.cli import run_on_flink as command
        from fluxcore.cli.run import RunOptions

        from_there = ("execution.state-recovery.path=" + path, *(set or ()))
        command.run(RunOptions(script, "table", parallelism, from_there, target, debug, detach=True))
        leave(0)


@flink_app.command()
def rescale(
    job: Job,
    parallelism: Annotated[int, typer.Argument(min=1, help="The parallelism to come.")],
    target: Target = "flink",
    debug: Debug = False,
) -> None:
    """Change the parallelism of a running job, which goes on from a checkpoint that is taken for it.

    The cluster needs Flink's adaptive scheduler: fluxcore flink up --set jobmanager.scheduler=adaptive
    """
    with told(debug=debug):
        _need_extra()
        from fluxcore.cli import flink_jobs as command

        command.rescale(target, job, parallelism)
        leave(0)


@flink_app.command()
def compare(
    script: Annotated[str, typer.Argument(help="A SQL script of queries, or - for standard input.")],
    parallelism: Annotated[int | None, typer.Option(min=1, help="Of both sides.")] = None,
    set: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting; may stand several times.")
    ] = None,
    target: Target = "flink",
    debug: Debug = False,
) -> None:
    """Run the queries of a script here and on a cluster, and compare their final tables; exit code 1 when they differ."""
    with told(debug=debug):
        _need_extra()
        from fluxcore.cli import flink_jobs as command
        from fluxcore.cli.run import RunOptions

        leave(command.compare(RunOptions(script, "table", parallelism, tuple(set or ()), target)))


@flink_app.command()
def logs(
    all: Annotated[bool, typer.Option("--all", help="The whole logs, not their last lines.")] = False,
    target: Target = "flink",
    debug: Debug = False,
) -> None:
    """Print the logs of a cluster's JobManager and TaskManagers."""
    with told(debug=debug):
        _need_extra()
        from fluxcore.cli import flink_jobs as command

        command.logs(target, whole=all)
        leave(0)


def _need_extra() -> None:
    """Raise ``ScriptError`` FX-FLK-0001 without the libraries of the extra."""
    if importlib.util.find_spec("urllib3") is None:
        hint = "pip install 'fluxcore[flink]'"
        raise ScriptError(
            "FX-FLK-0001", "Flink is spoken to with the package urllib3, which is not installed", hint=hint
        )


def _pairs(pairs: Sequence[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ScriptError("FX-CLI-0001", f"--set wants key=value, not '{pair}'")
        found[key.strip()] = value.strip()
    return found


def _told(status: Status) -> dict[str, Any]:
    cluster = status.cluster if status.state != "stopped" else None
    return {
        "state": status.state,
        "address": cluster and cluster.address,
        "jobmanager": cluster and cluster.jobmanager,
        "version": cluster and cluster.version,
        "profile": cluster and cluster.profile,
        "started": cluster and cluster.started,
        "slots_total": status.slots_total,
        "slots_free": status.slots_free,
        "jobs_running": status.jobs_running,
        "work": str(status.work),
        "processes": [
            {"role": each.role, "pid": each.pid, "alive": each.alive, "memory_mb": each.memory_mb, "log": each.log}
            for each in status.processes
        ],
    }


def _lines(status: Status) -> list[str]:
    cluster = status.cluster
    lines = [f"state      {status.state}"]
    if cluster is not None and status.state != "stopped":
        lines += [
            f"address    {cluster.address}",
            f"web pages  {cluster.jobmanager}",
            f"flink      {cluster.version}, profile {cluster.profile}, since {cluster.started}",
            f"slots      {status.slots_free} of {status.slots_total} free, {status.jobs_running} jobs running",
        ]
    for each in status.processes:
        does = (
            f"{each.memory_mb} MB"
            if each.alive and each.memory_mb is not None
            else "runs"
            if each.alive
            else "has ended"
        )
        lines.append(f"process    {each.role} ({each.pid}): {does}, log {each.log}")
    return [*lines, f"folder     {status.work}"]
