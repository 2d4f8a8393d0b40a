"""``fluxcore bus``, which is also ``frys``: publish and read events, and look after the topics of a bus."""

from __future__ import annotations

from typing import Annotated

import typer

from fluxcore.cli.errors import leave, told

bus_app = typer.Typer(
    help="Publish and read events of a bus, and look after its topics. Output is one JSON object a line with --format json.",
    no_args_is_help=True,
)

Url = Annotated[
    str | None,
    typer.Option(
        "--bus", metavar="URL", envvar="FLUXCORE_BUS", help="The bus, such as file:./data; default: $FLUXCORE_BUS."
    ),
]
Subjects = Annotated[
    list[str], typer.Argument(metavar="SUBJECTS", help="Subjects or patterns such as orders.*.created or orders.>.")
]
TopicName = Annotated[str, typer.Argument(metavar="TOPIC", help="The topic's name.")]
Format = Annotated[str, typer.Option(help="json: one object a line; table: for people.")]
Where = Annotated[
    str | None, typer.Option(metavar="CONDITION", help='A SQL condition on the payload\'s fields: "amount > 100".')
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")]


@bus_app.command()
def publish(
    subject: Annotated[
        str | None, typer.Argument(metavar="[SUBJECT]", help="The subject; with --events that of the lines.")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DATA]...", help="Payloads; without any, each line of standard input."),
    ] = None,
    bus: Url = None,
    key: Annotated[str | None, typer.Option(help="The key of all events.")] = None,
    key_field: Annotated[
        str | None, typer.Option("--key-field", metavar="NAME", help="The field of the payload that is the key.")
    ] = None,
    id: Annotated[str | None, typer.Option(help="The id of the one event: a second one with it is left out.")] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", metavar="NAME=VALUE", help="A header; may stand several times.")
    ] = None,
    acks: Annotated[
        str | None, typer.Option(help="What the receipt waits for: memory, os or disk; default: the topic's.")
    ] = None,
    delay: Annotated[str | None, typer.Option(metavar="DURATION", help="Handlers get it after so long: '5 s'.")] = None,
    expires: Annotated[str | None, typer.Option(metavar="DURATION", help="Nobody gets it after so long.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Payloads are bytes as they stand, not JSON.")] = False,
    events: Annotated[
        bool, typer.Option("--events", help="Lines are events as replay prints them: subject, key, headers, data.")
    ] = False,
    format: Annotated[str, typer.Option(help="table: a summary; json: a receipt a line.")] = "table",
    debug: Debug = False,
) -> None:
    """Publish events, and wait until all are acknowledged.

    A payload that is JSON is that value, any other a text. Exit code 1 if an event could not be published; those before it are.

    Examples: fluxcore bus publish orders.eu '{"id": 1}' --bus file:./data   ·   jq -c . orders.json | fluxcore bus publish orders.eu
    """
    with told(debug=debug):
        from fluxcore.cli import bus_publish as command

        wanted = command.PublishOptions(
            subject, tuple(data or ()), key, key_field, id, tuple(header or ()), acks, delay, expires, raw, events
        )
        command.publish(bus, wanted, format)
        leave(0)


@bus_app.command()
def subscribe(
    subjects: Subjects,
    bus: Url = None,
    group: Annotated[
        str | None,
        typer.Option(help="Read as this group: each event once, from where the group stands; it is done when printed."),
    ] = None,
    start: Annotated[
        str, typer.Option("--from", metavar="START", help="Where to begin: new, earliest, an offset or a time.")
    ] = "new",
    where: Where = None,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many events.")] = None,
    format: Format = "json",
    debug: Debug = False,
) -> None:
    """Print events as they come, until Ctrl-C or --count.

    Example: fluxcore bus subscribe 'orders.>' --group audit --bus file:./data | jq .data
    """
    with told(debug=debug):
        from fluxcore.cli import bus_read as command

        command.subscribe(bus, command.Wanted(tuple(subjects), start, where, format, count=count), group)
        leave(0)


@bus_app.command()
def replay(
    subjects: Subjects,
    bus: Url = None,
    start: Annotated[
        str, typer.Option("--from", metavar="START", help="Where to begin: earliest, an offset or a time.")
    ] = "earliest",
    stop: Annotated[
        str | None, typer.Option("--to", metavar="STOP", help="Where to end: an offset or a time, not included.")
    ] = None,
    where: Where = None,
    speed: Annotated[
        float, typer.Option(min=0.0, help="1: as far apart as they came, 2: twice as fast, 0: at once.")
    ] = 0.0,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many events.")] = None,
    format: Format = "json",
    debug: Debug = False,
) -> None:
    """Print the events that are kept, up to those there now: offset, subject, key, time, headers and data.

    Example: fluxcore bus replay 'orders.>' --from 2026-01-01T00:00:00Z --where "amount > 100" --bus file:./data
    """
    with told(debug=debug):
        from fluxcore.cli import bus_read as command

        command.replay(bus, command.Wanted(tuple(subjects), start, where, format, stop, speed, count))
        leave(0)


@bus_app.command()
def tail(
    subjects: Subjects,
    bus: Url = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="So many of the last events first.")] = 10,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", "-f", help="Go on with those that come.")] = False,
    where: Where = None,
    format: Format = "json",
    debug: Debug = False,
) -> None:
    """Print the last events, and with --follow those that come.

    Example: fluxcore bus tail 'orders.>' -n 5 -f --bus file:./data
    """
    with told(debug=debug):
        from fluxcore.cli import bus_read as command

        command.tail(bus, command.Wanted(tuple(subjects), "earliest", where, format), lines, follow=follow)
        leave(0)


@bus_app.command()
def topics(bus: Url = None, format: Format = "table", debug: Debug = False) -> None:
    """List the topics: subjects, first and next offset, size, and what the topic was declared with."""
    with told(debug=debug):
        from fluxcore.cli import bus_topics as command

        command.topics(bus, format)
        leave(0)


@bus_app.command()
def groups(bus: Url = None, format: Format = "table", debug: Debug = False) -> None:
    """List the groups: in each topic the position, and how many events it is behind."""
    with told(debug=debug):
        from fluxcore.cli import bus_topics as command

        command.groups(bus, format)
        leave(0)


@bus_app.command()
def inspect(
    topic: TopicName,
    offset: Annotated[int | None, typer.Argument(help="An event's offset: show this event instead.")] = None,
    bus: Url = None,
    format: Format = "table",
    debug: Debug = False,
) -> None:
    """Show a topic: its declaration, segments, schemas and groups; or one of its events."""
    with told(debug=debug):
        from fluxcore.cli import bus_topics as command

        command.inspect(bus, topic, offset, format)
        leave(0)


@bus_app.command()
def verify(
    topics: Annotated[list[str] | None, typer.Argument(metavar="[TOPIC]...", help="Topics; default: all.")] = None,
    bus: Url = None,
    format: Format = "table",
    debug: Debug = False,
) -> None:
    """Read every byte of topics and check it; exit code 1 if anything that was acknowledged is damaged or missing."""
    with told(debug=debug):
        from fluxcore.cli import bus_topics as command

        leave(command.verify(bus, tuple(topics or ()), format))


@bus_app.command()
def compact(topic: TopicName, bus: Url = None, format: Format = "table", debug: Debug = False) -> None:
    """Keep of each key only the last event, in all that is not being written; the topic must not be open elsewhere."""
    with told(debug=debug):
        from fluxcore.cli import bus_topics as command

        command.compact(bus, topic, format)
        leave(0)


def main() -> None:
    """Run ``frys``."""
    bus_app()
