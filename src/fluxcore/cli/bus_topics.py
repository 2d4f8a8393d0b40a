"""``fluxcore bus topics``, ``groups``, ``inspect``, ``verify`` and ``compact``: all but the last beside whoever uses the bus."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from fluxcore.bus.log import Log, Reader, ReadOptions
from fluxcore.bus.log import verify as verify_log
from fluxcore.bus.log.survey import survey
from fluxcore.bus.rows import events_of
from fluxcore.bus.transports.file.layout import Folder, folder_of
from fluxcore.cli.bus_lines import address, check_format, event_line, print_rows, write
from fluxcore.cli.errors import tell
from fluxcore.errors import ScriptError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fluxcore.bus.log import Report


def topics(url: str | None, format: str) -> None:
    """List the topics."""
    check_format(format)
    folder = _folder(url)
    columns = ("topic", "subjects", "start", "end", "bytes", "acks", "schema")
    print_rows((_topic(folder, name) for name in folder.topics()), columns, format)


def groups(url: str | None, format: str) -> None:
    """List the groups, a row for each topic that they read."""
    check_format(format)
    folder = _folder(url)
    columns = ("group", "topic", "position", "end", "lag", "done_above", "paused")
    print_rows((row for name in folder.groups() for row in _group(folder, name)), columns, format)


def inspect(url: str | None, topic: str, offset: int | None, format: str) -> None:
    """Show a topic, or one of its events."""
    check_format(format)
    folder = _folder(url)
    _check_topic(folder, topic)
    if offset is not None:
        write(_event(folder, topic, offset, format))
        return
    found = _topic(folder, topic)
    segments = [] if not _has_log(folder, topic) else list(_segments(folder, topic))
    readers = [row for name in folder.groups() for row in _group(folder, name) if row["topic"] == topic]
    if format == "json":
        print_rows([{**found, "segments": segments, "groups": readers}], (), format)
        return
    print_rows([{"what": name, "value": value} for name, value in found.items()], ("what", "value"), format)
    if segments:
        print_rows(segments, ("segment", "first", "end", "frames", "events", "bytes", "from", "to"), format)
    if readers:
        print_rows(readers, ("group", "position", "lag", "done_above", "paused"), format)


def verify(url: str | None, names: Sequence[str], format: str) -> int:
    """Check topics, and return the exit code: 1 where anything is damaged or missing."""
    check_format(format)
    folder = _folder(url)
    for name in names:
        _check_topic(folder, name)
    checked = [name for name in names or folder.topics() if _has_log(folder, name)]
    rows = [_checked(name, verify_log(folder.topic(name), folder.files)) for name in checked]
    print_rows(rows, ("topic", "ok", "events", "end", "torn_bytes", "damaged"), format)
    bad = [row["topic"] for row in rows if not row["ok"]]
    if bad:
        tell(f"damaged: {', '.join(bad)}; what is whole can be read")
    return 1 if bad else 0


def compact(url: str | None, topic: str, format: str) -> None:
    """Keep of each key the last event."""
    check_format(format)
    folder = _folder(url)
    _check_topic(folder, topic)
    declaration = folder.declaration(topic)
    assert declaration is not None
    if not (declaration.compact or declaration.versions):
        hint = f'declare it so: bus.topic("{topic}", compact=True)'
        raise ScriptError("FX-CLI-0025", f"the topic '{topic}' is not one that is compacted", hint=hint)
    with Log.open(folder.topic(topic), declaration.log_options(), folder.files) as log:
        done = log.compact(whole=True)
    print_rows([{"topic": topic, "events_before": done.rows_before, "events_after": done.rows_after}],
               ("topic", "events_before", "events_after"), format)  # fmt: skip


def _folder(url: str | None) -> Folder:
    folder = folder_of(address(url))
    if not folder.topics() and not folder.groups():
        hint = "it comes to be with the first event: fluxcore bus publish orders.eu '{\"id\": 1}'"
        raise ScriptError("FX-CLI-0026", f"there is no bus in '{folder.root}'", hint=hint)
    return folder


def _check_topic(folder: Folder, name: str) -> None:
    known = folder.topics()
    if name not in known:
        hint = nearest(name, known) or f"there are {', '.join(known)}"
        raise ScriptError("FX-CLI-0027", f"there is no topic '{name}'", hint=hint)


def _has_log(folder: Folder, name: str) -> bool:
    with Reader(folder.topic(name), folder.files) as reader:
        return reader.end > 0


def _topic(folder: Folder, name: str) -> dict[str, Any]:
    declaration = folder.declaration(name)
    assert declaration is not None
    with Reader(folder.topic(name), folder.files) as reader:
        start, end = reader.start, reader.end
    size = sum(each.used_bytes for each in survey(folder.topic(name), folder.files))
    found = {
        "topic": name, "subjects": list(declaration.subjects), "start": start, "end": end, "bytes": size,
        "acks": declaration.acks, "schema": declaration.columns or None,
    }  # fmt: skip
    usual = type(declaration)(name, declaration.subjects)
    chosen = {
        field: getattr(declaration, field)
        for field in declaration.__struct_fields__
        if field not in ("name", "subjects", "acks", "schema", "columns", "format")
        and getattr(declaration, field) != getattr(usual, field)
    }
    return {**found, **chosen}


def _segments(folder: Folder, name: str) -> Iterator[dict[str, Any]]:
    for each in survey(folder.topic(name), folder.files):
        yield {
            "segment": each.name, "first": each.first, "end": each.end, "frames": each.frames, "events": each.rows,
            "bytes": each.used_bytes, "from": _time(each.time_min_us), "to": _time(each.time_max_us),
        }  # fmt: skip


def _group(folder: Folder, name: str) -> Iterator[dict[str, Any]]:
    state = folder.group(name)
    if state is None:
        return
    for topic, progress in state.topics.items():
        with Reader(folder.topic(topic), folder.files) as reader:
            end = reader.end
        above = sum(stop - first for first, stop in progress.done)
        yield {
            "group": name, "topic": topic, "position": progress.position, "end": end,
            "lag": max(end - progress.position - above, 0), "done_above": above, "paused": state.paused,
        }  # fmt: skip


def _event(folder: Folder, topic: str, offset: int, format: str) -> bytes:
    with Reader(folder.topic(topic), folder.files) as reader:
        if reader.start <= offset < reader.end:
            for frame in reader.read(ReadOptions(offset, offset + 1)):
                return event_line(events_of(frame.batch, frame.offsets.tolist(), topic)[0], format)
        hint = f"it has {reader.start} to {reader.end - 1}" if reader.end > reader.start else "it is empty"
    raise ScriptError("FX-CLI-0028", f"there is no event {offset} in topic '{topic}'", hint=hint)


def _checked(name: str, report: Report) -> dict[str, Any]:
    damaged = [f"{each.first} to {each.end - 1}: {each.reason}" for each in report.lost]
    damaged += [f"{each} does not follow the segment before it" for each in report.chain_breaks]
    return {
        "topic": name, "ok": report.ok, "events": sum(each.rows for each in report.segments),
        "end": report.durable_end, "torn_bytes": report.torn_bytes, "damaged": damaged,
    }  # fmt: skip


def _time(value_us: int) -> str | None:
    if not value_us:
        return None
    return dt.datetime.fromtimestamp(value_us / 1e6, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
