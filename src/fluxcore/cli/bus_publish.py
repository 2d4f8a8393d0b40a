"""``fluxcore bus publish``."""

from __future__ import annotations

import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from fluxcore.api.bus import Bus
from fluxcore.bus.payloads import field
from fluxcore.cli.bus_lines import address, check_format, quiet, write
from fluxcore.cli.errors import tell
from fluxcore.errors import DataError, ScriptError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from fluxcore.bus.publishing import Publishing

_IN_FLIGHT = 4096
_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """What is published: payloads, or lines of standard input where there are none."""

    subject: str | None
    data: tuple[str, ...]
    key: str | None = None
    key_field: str | None = None
    id: str | None = None
    headers: tuple[str, ...] = ()
    acks: str | None = None
    delay: str | None = None
    expires: str | None = None
    raw: bool = False
    events: bool = False


@dataclass(slots=True)
class Summary:
    """What was acknowledged so far."""

    format: str
    count: int = 0
    duplicates: int = 0
    survives: str = ""

    def add(self, publishing: Publishing) -> None:
        """Wait for a receipt, count it, and print it where that is wanted. Raises what kept the event from being published."""
        receipt = publishing.result()
        self.count += 1
        self.duplicates += receipt.duplicate
        self.survives = receipt.survives
        if self.format == "json":
            found = {name: getattr(receipt, name) for name in ("topic", "offset", "survives", "duplicate")}
            write(_ENCODER.encode(found) + b"\n")

    def text(self) -> str:
        """Return the closing line."""
        if not self.count:
            return "nothing published"
        more = f", {self.duplicates} of them duplicates" if self.duplicates else ""
        return f"{self.count} published{more}; safe: {self.survives}"


def publish(url: str | None, options: PublishOptions, format: str) -> None:
    """Publish and wait for every acknowledgement."""
    check_format(format)
    quiet()
    _check(options)
    bus, summary = Bus(address(url)), Summary(format)
    told: deque[Future[None]] = deque()
    try:
        # the bus and the receipts have threads of their own, so that lines may be long in coming
        with bus, ThreadPoolExecutor(1) as receipts:
            for event in _events(options):
                told.append(receipts.submit(summary.add, bus.publish(**event)))
                while told and (len(told) > _IN_FLIGHT or told[0].done()):
                    told.popleft().result()
            for each in told:
                each.result()
    finally:
        tell(summary.text())


def _check(options: PublishOptions) -> None:
    """Raise ``ScriptError`` FX-CLI-0023 for options that exclude each other."""
    if options.subject is None and not options.events:
        raise ScriptError(
            "FX-CLI-0023", "no subject to publish to", hint="fluxcore bus publish orders.eu '{\"id\": 1}'"
        )
    if options.events and (options.data or options.raw or options.key_field):
        raise ScriptError(
            "FX-CLI-0023", "--events takes whole events from standard input, and no payloads, --raw or --key-field"
        )
    if options.id is not None and len(options.data) != 1:
        raise ScriptError("FX-CLI-0023", "--id is of one event, so there must be one payload")


def _events(options: PublishOptions) -> Iterator[dict[str, Any]]:
    """Give the arguments of each event's publishing."""
    more: dict[str, Any] = {
        name: value for name in ("acks", "delay", "expires", "id") if (value := getattr(options, name)) is not None
    }
    headers = dict(_pair(each) for each in options.headers)
    lines: Iterator[bytes] = (
        (text.encode() for text in options.data)
        if options.data
        else (line.rstrip(b"\r\n") for line in sys.stdin.buffer)
    )
    for number, line in enumerate(lines, 1):
        if options.events:
            if line:
                yield {**_whole(line, number, options.subject), **more}
            continue
        data: Any = line if options.raw else _value(line)
        key = options.key
        if options.key_field is not None:
            found = field(data, options.key_field)
            if found is None:
                raise DataError("FX-CLI-0024", f"line {number} has no field '{options.key_field}' to be its key")
            key = found if isinstance(found, str) else _ENCODER.encode(found).decode()
        yield {"subject": options.subject, "data": data, "key": key, "headers": headers, **more}


def _whole(line: bytes, number: int, subject: str | None) -> dict[str, Any]:
    """Return an event from a line in the form in which replay prints it."""
    try:
        found = msgspec.json.decode(line)
        named = subject or found["subject"]
        return {"subject": named, "data": found["data"], "key": found.get("key"), "headers": found.get("headers") or {}}
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError) as error:
        hint = 'a line is an object such as {"subject": "orders.eu", "key": null, "headers": {}, "data": {"id": 1}}'
        raise DataError("FX-CLI-0024", f"line {number} is no event: {error}", hint=hint) from None


def _value(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return line.decode(errors="replace")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ScriptError("FX-CLI-0001", f"--header wants name=value, not '{text}'")
    return name, value
