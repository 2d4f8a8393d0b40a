"""How the commands of the bus print: events as JSON lines or for people, and tables."""

from __future__ import annotations

import base64
import os
import sys
from typing import TYPE_CHECKING, Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from fluxcore.bus.payloads import plain
from fluxcore.core.log import show
from fluxcore.errors import ScriptError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fluxcore.bus.event import Event

FORMATS = ("json", "table")
_ENCODER = msgspec.json.Encoder(decimal_format="string")


def quiet() -> None:
    """Leave out warnings that are for programs with an event loop of their own: these commands do one thing at a time."""
    show("error", "text")


def address(url: str | None) -> str:
    """Return the address of the bus. Raises ``ScriptError`` FX-CLI-0020 where none is given, FX-CLI-0021 for one of memory."""
    if not url:
        hint = "write --bus file:./data, or set FLUXCORE_BUS"
        raise ScriptError("FX-CLI-0020", "no bus is named", hint=hint)
    if url.startswith("memory:"):
        hint = "a bus in memory ends with its process; name a folder: --bus file:./data"
        raise ScriptError("FX-CLI-0021", f"nothing can be found at '{url}'", hint=hint)
    return url


def check_format(name: str) -> None:
    """Raise ``ScriptError`` FX-CLI-0002 for a format that does not exist."""
    if name not in FORMATS:
        raise ScriptError("FX-CLI-0002", f"there is no format '{name}'", hint=f"there are {' and '.join(FORMATS)}")


def write(text: bytes, *, at_once: bool = True) -> None:
    """Write to standard output; what is not written at once is when the command ends."""
    sys.stdout.buffer.write(text)
    if at_once:
        sys.stdout.buffer.flush()


def event_line(event: Event, format: str) -> bytes:
    """Return an event as a line: a JSON object with offset, subject, key, time, headers and data, or a text for people."""
    data = payload(event.data)
    time = event.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if format == "json":
        found = {
            "offset": event.offset, "subject": event.subject, "key": event.key, "time": time,
            "headers": dict(event.headers), "data": data,
        }  # fmt: skip
        return _ENCODER.encode(found) + b"\n"
    key = f" [{event.key}]" if event.key is not None else ""
    headers = "".join(f" {name}={value}" for name, value in event.headers.items())
    content = data if isinstance(data, str) else _ENCODER.encode(data).decode()
    return f"{time} {event.topic}/{event.offset} {event.subject}{key}{headers} {content}\n".encode()


def payload(data: Any) -> Any:
    """Return a payload as plain values; bytes as Base64."""
    if isinstance(data, bytes | bytearray | memoryview):
        return base64.b64encode(data).decode()
    return plain(data)


def print_rows(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], format: str) -> None:
    """Print rows as JSON lines, or as a table with these columns."""
    if format == "json":
        write(b"".join(_ENCODER.encode(row) + b"\n" for row in rows))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in columns))
    width = None if sys.stdout.isatty() else int(os.environ.get("COLUMNS", "200"))
    Console(file=sys.stdout, width=width, highlight=False, markup=False).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return _ENCODER.encode(value).decode()
