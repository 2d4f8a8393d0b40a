"""The session that ``fx.sql``, ``fx.read`` and ``fx.from_arrow`` share, made on first use."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from fluxcore.api.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from fluxcore.api.stream import Stream
    from fluxcore.core.feed import Feed


@cache
def shared_session() -> Session:
    """Return the session of the module-level functions."""
    return Session()


def sql(query: str) -> Stream:
    """Return the stream of a SQL query over the tables that ``read`` and ``from_arrow`` made."""
    return shared_session().sql(query)


def read(path: str, **options: Any) -> Stream:
    """Return the stream of a file or folder; see :meth:`fluxcore.api.session.Session.read`."""
    return shared_session().read(path, **options)


def from_arrow(data: Any, **options: Any) -> Stream:
    """Return the stream of Arrow data; see :meth:`fluxcore.api.session.Session.from_arrow`."""
    return shared_session().from_arrow(data, **options)


def from_feed(feed: Feed, **options: Any) -> Stream:
    """Return the stream of a source that the program brings; see :meth:`fluxcore.api.session.Session.from_feed`."""
    return shared_session().from_feed(feed, **options)


def collect(*streams: Stream) -> tuple[pa.Table, ...]:
    """Run several streams of one session in one job; return the rows of each, in order."""
    return streams[0].session.collect(*streams) if streams else ()


def run(outputs: Mapping[str, Stream], *, target: str | None = None) -> None:
    """Run one job that writes several streams of one session into its tables, by their names, to its end.

    ``target`` where it runs, such as ``flink://HOST:PORT``, when not where the session's other jobs do.
    """
    session = next((stream.session for stream in outputs.values()), None)
    if session is not None:
        session.run(outputs, target=target)
