"""The ``fluxcore`` command."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from fluxcore import __version__
from fluxcore.cli.bus import bus_app
from fluxcore.cli.errors import TerminatedError, leave, told
from fluxcore.cli.flink import flink_app

app = typer.Typer(
    name="fluxcore",
    help="Streaming SQL in one Python process: Flink's dialect over files and streams, no broker and no JVM.",
    epilog="Begin with `fluxcore demo`, or write a script and `fluxcore run script.sql`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
bench_app = typer.Typer(help="Measure FluxCore beside a rival, in turns, in fresh processes.", no_args_is_help=True)
app.add_typer(bench_app, name="bench")
app.add_typer(flink_app, name="flink")
app.add_typer(bus_app, name="bus")

Debug = Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting; may stand several times.")
]
Parallelism = Annotated[
    int | None, typer.Option(min=1, max=256, help="Worker threads per stage; default: the processors.")
]
Target = Annotated[
    str,
    typer.Option(
        metavar="TARGET",
        help="Where it runs: embedded, batch (bounded input, on DuckDB), flink://HOST:PORT (a SQL gateway), or flink (the cluster of "
        "`fluxcore flink up`).",
    ),
]


def _version(value: bool) -> None:
    if value:
        typer.echo(f"fluxcore {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Set up signals before any command."""
    signal.signal(signal.SIGTERM, _terminated)


def _terminated(number: int, frame: object) -> None:  # noqa: ARG001
    raise TerminatedError


@app.command()
def run(
    script: Annotated[
        str, typer.Argument(help="A SQL script, a pipeline (.yaml), a Python job (.py), or - for standard input.")
    ],
    format: Annotated[str, typer.Option(help="How SELECTs are printed: table, json, csv or changelog.")] = "table",
    parallelism: Parallelism = None,
    set: Set = None,
    target: Target = "embedded",
    metrics: Annotated[
        bool, typer.Option("--metrics", help="Show at each job's end what its operators did, on standard error.")
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="On Flink: start the inserts, print the ids of their jobs and leave them.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Run a SQL script or a Python job.

    The whole script is checked before anything runs. Rows go to standard output, everything else to standard error.
    Exit code 0: done; 1: the job failed; 2: the script is wrong; 130: Ctrl-C; 143: SIGTERM.

    Examples: fluxcore run report.sql --format json | jq .   ·   fluxcore run job.py --parallelism 2
    """
    with told(debug=debug):
        from fluxcore.cli import run as command

        options = command.RunOptions(script, format, parallelism, tuple(set or ()), target, debug, metrics, detach)
        if options.sent:
            from fluxcore.cli import run_on_flink  # needs the extra that provides it

            run_on_flink.run(options)
        else:
            command.run(options)
        leave(0)


@app.command()
def sql(
    execute: Annotated[str | None, typer.Option("--execute", "-e", help="Run these statements and leave.")] = None,
    init: Annotated[
        str | None, typer.Option(help="A script to run first, such as one with CREATE TABLE statements.")
    ] = None,
    format: Annotated[str, typer.Option(help="How rows are printed: table, json, csv or changelog.")] = "table",
    parallelism: Parallelism = None,
    set: Set = None,
    pager: Annotated[bool, typer.Option(help="Show results that are longer than the screen in a pager.")] = True,
    debug: Debug = False,
) -> None:
    """Open a SQL shell; statements end with `;`, and .help lists its commands.

    Ctrl-C stops the running query, Ctrl-D leaves. Materialized tables live as long as the shell. When standard input is no terminal, it is read as a script.
    """
    with told(debug=debug):
        from fluxcore.cli import run as command
        from fluxcore.cli import shell

        options = command.RunOptions("-", format, parallelism, tuple(set or ()), "embedded", debug)
        shell.start(options, execute=execute, init=init, pager=pager)
        leave(0)


@app.command()
def explain(
    script: Annotated[
        str, typer.Argument(help="A SQL script, a pipeline (.yaml), a Python job (.py), or - for standard input.")
    ],
    parallelism: Parallelism = None,
    set: Set = None,
    target: Target = "embedded",
    debug: Debug = False,
) -> None:
    """Show how the queries and inserts of a script or job would run, without running them.

    With --target flink it shows the statements that would be sent, and what doesn't port and why: exit code 2 if anything
    doesn't. A Python job is run with sessions that show their plans; its queries give no rows.
    """
    with told(debug=debug):
        from fluxcore.cli import explain as command
        from fluxcore.cli.run import RunOptions

        command.explain(RunOptions(script, parallelism=parallelism, set=tuple(set or ()), target=target))
        leave(0)


@app.command()
def demo(
    work: Annotated[str, typer.Option(help="The folder for data, answers and the report.")] = "work/demo",
    parallelism: Parallelism = None,
    debug: Debug = False,
) -> None:
    """Run a year of real flights through streaming SQL, and compare every answer with DuckDB's."""
    with told(debug=debug):
        from fluxcore.demo.run import DemoOptions
        from fluxcore.demo.run import run as command

        leave(command(DemoOptions(work, parallelism)))


@app.command()
def doctor(
    settings: Annotated[bool, typer.Option("--settings", help="List all settings instead.")] = False,
    debug: Debug = False,
) -> None:
    """Look at versions, extras, folders and the kernel cache; exit code 1 if something needed is wrong."""
    with told(debug=debug):
        from fluxcore.cli import doctor as command

        leave(command.show_settings() if settings else command.examine())


@app.command()
def warm(debug: Debug = False) -> None:
    """Compile all kernels into the cache, so that no first query waits for them."""
    with told(debug=debug):
        from fluxcore.cli import warm as command

        command.warm()
        leave(0)


@bench_app.command("nexmark")
def bench_nexmark(
    queries: Annotated[str, typer.Option(help="Queries with commas between them, or all: q0 to q22.")] = "q0,q1,q2,q5",
    events: Annotated[int, typer.Option(min=1000, help="Events of the generator; 46 of 50 are bids.")] = 10_000_000,
    source: Annotated[str, typer.Option(help="csv, json, parquet or memory.")] = "csv",
    versus: Annotated[
        str, typer.Option(help="The rival: duckdb, flink (a local cluster at its best) or none.")
    ] = "duckdb",
    data: Annotated[
        str | None, typer.Option(help="The folder for the files; default: the user's cache folder.")
    ] = None,
    parallelism: Parallelism = None,
    runs: Annotated[int, typer.Option(min=1, max=20, help="Timed runs of each engine and query.")] = 3,
    json: Annotated[str | None, typer.Option(help="Write the results to this file.")] = None,
    smallest_heap: Annotated[
        bool,
        typer.Option(
            "--smallest-heap", help="With flink: look for the least memory that keeps nine tenths of its speed."
        ),
    ] = False,
    mode: Annotated[
        str, typer.Option(help="streaming, or batch: batch mode beside the streaming engine and the rival.")
    ] = "streaming",
    debug: Debug = False,
) -> None:
    """Run Nexmark queries on the same files as a rival, and print rows per second of both."""
    with told(debug=debug):
        from fluxcore.bench import nexmark as command

        asked = [name.strip() for name in queries.split(",") if name.strip()]
        names = command.QUERIES if asked == ["all"] else tuple(asked)
        options = command.NexmarkOptions(
            names, events, source, versus, data, parallelism, runs, json, smallest_heap, mode
        )
        leave(command.run(options))


@bench_app.command("latency")
def bench_latency(
    rate: Annotated[int, typer.Option(min=100, help="Events a second.")] = 50_000,
    seconds: Annotated[int, typer.Option(min=1, max=600, help="How long.")] = 10,
    keys: Annotated[int, typer.Option(min=1, help="Keys of the window.")] = 100,
    window_ms: Annotated[int, typer.Option(min=1, help="Length of the window in milliseconds.")] = 20,
    parallelism: Annotated[int, typer.Option(min=1, help="Tasks.")] = 1,
    json: Annotated[str | None, typer.Option(help="Write the results to this file.")] = None,
    debug: Debug = False,
) -> None:
    """Measure the time from the event that completes a keyed window to the window's result."""
    with told(debug=debug):
        from fluxcore.bench import latency as command

        leave(command.run(command.LatencyOptions(rate, seconds, keys, window_ms, parallelism, json)))


@bench_app.command("log")
def bench_log(
    events: Annotated[int, typer.Option(min=100_000, help="Events of a case with batches.")] = 2_000_000,
    singles: Annotated[int, typer.Option(min=10_000, help="Events of a case with single appends.")] = 200_000,
    runs: Annotated[int, typer.Option(min=1, max=20, help="Runs of each case; the median is shown.")] = 3,
    folder: Annotated[str | None, typer.Option(help="A folder on the disk to measure; default: this one.")] = None,
    json: Annotated[str | None, typer.Option(help="Write the results to this file.")] = None,
    debug: Debug = False,
) -> None:
    """Measure the log of the bus beside a bare loop of write and fdatasync on the same disk."""
    with told(debug=debug):
        from fluxcore.bench import log as command

        leave(command.run(command.LogBenchOptions(events, singles, runs, folder, json)))


@bench_app.command("bus")
def bench_bus(
    cases: Annotated[
        str, typer.Option(help="Cases with commas between them, or all: memory-one, disk-64 and so on.")
    ] = "all",
    events: Annotated[int, typer.Option(min=1000, help="Events of a case; those with batches take more.")] = 200_000,
    runs: Annotated[int, typer.Option(min=1, max=20, help="Runs of each engine and case; medians are shown.")] = 3,
    folder: Annotated[str | None, typer.Option(help="A folder on the disk to measure; default: this one.")] = None,
    json: Annotated[str | None, typer.Option(help="Write the results to this file.")] = None,
    rivals: Annotated[bool, typer.Option(help="Measure the rivals that are installed, too.")] = True,
    install_rivals: Annotated[
        bool, typer.Option("--install-rivals", help="Install the rivals, into an environment of their own.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Measure the bus beside blinker, pyee, bubus, Redis Streams, NATS JetStream and SQLite, in turns."""
    with told(debug=debug):
        from fluxcore.bench import bus as command

        asked = tuple(name.strip() for name in cases.split(",") if name.strip())
        names = command.CASES if asked == ("all",) else asked
        leave(command.run(command.BusBenchOptions(names, events, runs, folder, json, rivals, install_rivals)))


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
