"""Structured log records: an event, and fields by name, among them the job that they belong to.

Records go to Python's ``logging`` under ``fluxcore``, where a program can take them like any others; in a program that has set up
no logging, warnings are shown on standard error. The command line shows them there too, as text or as one JSON object a line.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIELDS = "fluxcore_fields"


class Log:
    """Writes the records of one part, such as ``job``; ``fields`` stand in all of them."""

    def __init__(self, part: str, **fields: Any) -> None:
        self._logger = logging.getLogger(f"fluxcore.{part}")
        self._fields = fields

    def debug(self, event: str, **fields: Any) -> None:
        """Write what helps to find a fault."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """Write what happened as it should."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Write what a user should look at."""
        self._write(logging.WARNING, event, fields)

    def _write(self, level: int, event: str, fields: Mapping[str, Any]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, event, extra={_FIELDS: {**self._fields, **fields}})


class TextFormatter(logging.Formatter):
    """``warning: rows skipped · rows=12 job=1f3a``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        fields = " ".join(f"{key}={value}" for key, value in _fields(record).items())
        return f"{record.levelname.lower()}: {record.getMessage()}{' · ' if fields else ''}{fields}"


class JsonFormatter(logging.Formatter):
    """One JSON object: time (UTC), level, logger, event, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        time = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds")
        head = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
        }
        return json.dumps(head | _fields(record), ensure_ascii=False, default=str)


def show(level: str, form: str) -> None:
    """Show the records of a level and above on standard error, instead of what was shown before."""
    logger = logging.getLogger("fluxcore")
    for handler in [each for each in logger.handlers if isinstance(each, _Shown)]:
        logger.removeHandler(handler)
    handler = _Shown()
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    logger.propagate = False


class _Shown(logging.StreamHandler[Any]):
    """The handler of the command line."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    found: dict[str, Any] = getattr(record, _FIELDS, {})
    return found


class _Unheard(logging.Handler):
    """Shows warnings of a program that has set up no logging, so that a handler that fails does not do so in silence."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.setFormatter(TextFormatter())

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002
        """Return whether nobody else has the record."""
        return not logging.getLogger().handlers and logging.getLogger("fluxcore").handlers == [self]

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        sys.stderr.write(f"fluxcore {self.format(record)}\n")


logging.getLogger("fluxcore").addHandler(_Unheard())
