"""The row policy: what happens to a row that can't be read."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fluxcore.core.ports import Option, RowPolicy
from fluxcore.errors import DataError, JobError, Place, ScriptError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fluxcore.core.ports import TableDescription

ROW_OPTIONS: Final = (
    Option(
        "row-policy",
        "enum",
        "fail",
        choices=tuple(policy.value for policy in RowPolicy),
        help="What happens to a row that can't be read: the job fails, the row is skipped, or it goes to a file.",
        extension=True,
    ),
    Option(
        "dead-letter.path",
        help="The file that receives unreadable rows as JSON lines, for 'row-policy' = 'dead-letter'.",
        extension=True,
    ),
)
"""Options of every table whose rows are decoded."""

_SHOWN = 200


@dataclass(frozen=True, slots=True)
class RowSource:
    """Where a row stands: its file (or the origin of the message), its first line, and its bytes."""

    file: str
    line: int
    raw: bytes


class RowError(Exception):
    """A row can't be read; ``field`` and ``value`` say which cell, when it is one."""

    def __init__(self, cause: str, *, field: str | None = None, value: str | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.field = field
        self.value = value


class RowFaults:
    """Applies the policy to bad rows and counts them; shared by all readers of one source."""

    def __init__(self, policy: RowPolicy = RowPolicy.FAIL, dead_letter_path: str | None = None) -> None:
        self.policy = policy
        self._path = dead_letter_path
        self._lock = threading.Lock()
        self._skipped = 0
        self._dead = 0

    @staticmethod
    def from_options(options: Mapping[str, str]) -> RowFaults:
        """Return the policy that a table's options ask for."""
        return RowFaults(RowPolicy(options.get("row-policy", "fail")), options.get("dead-letter.path"))

    def reject(self, error: RowError, row: RowSource) -> None:
        """Deal with a bad row.

        Raises: ``DataError`` FX-DAT-0001 under the policy ``fail``; ``JobError`` FX-DAT-0004 when the dead-letter file
        can't be written.
        """
        if self.policy is RowPolicy.FAIL:
            raise self._failure(error, row)
        with self._lock:
            if self.policy is RowPolicy.SKIP:
                self._skipped += 1
            else:
                self._write(error, row)
                self._dead += 1

    def skip(self) -> None:
        """Count a row that a format's own option (``ignore-parse-errors``) skips."""
        with self._lock:
            self._skipped += 1

    def statistics(self) -> dict[str, int]:
        """Return ``skipped_rows`` and ``dead_letter_rows`` so far."""
        with self._lock:
            return {"skipped_rows": self._skipped, "dead_letter_rows": self._dead}

    def _failure(self, error: RowError, row: RowSource) -> DataError:
        shown = error.value if error.value is not None else row.raw.decode("utf-8", "backslashreplace")
        if len(shown) > _SHOWN:
            shown = shown[:_SHOWN] + "…"
        return DataError(
            "FX-DAT-0001",
            f"{error.cause}: {shown!r}",
            place=Place(file=row.file, line=row.line, field=error.field),
            hint="correct the row, or set 'row-policy' = 'skip' or 'dead-letter' on the table to go on without it",
        )

    def _write(self, error: RowError, row: RowSource) -> None:
        assert self._path is not None, "the options were not validated"
        entry = {"file": row.file, "line": row.line, "field": error.field, "cause": error.cause}
        raw = row.raw.decode("utf-8", "backslashreplace")
        text = json.dumps({**entry, "row": raw}, ensure_ascii=False)
        try:
            Path(self._path).parent.mkdir(parents=True, exist_ok=True)
            with Path(self._path).open("a", encoding="utf-8") as file:
                file.write(text + "\n")
        except OSError as problem:
            reason = problem.strerror or str(problem)
            raise JobError(
                "FX-DAT-0004", f"the dead-letter file '{self._path}' can't be written: {reason}"
            ) from problem


def validate_row_options(table: TableDescription) -> None:
    """Raise ``ScriptError`` FX-DAT-0003 when the policy and the path of the dead-letter file don't fit together."""
    policy, path = table.options.get("row-policy", "fail"), table.options.get("dead-letter.path")
    if policy not in {each.value for each in RowPolicy}:
        raise ScriptError(
            "FX-DAT-0003",
            f"'row-policy' can't be '{policy}'",
            span=table.spans.get("row-policy"),
            hint="use fail, skip or dead-letter",
        )
    if policy == RowPolicy.DEAD_LETTER.value and not path:
        raise ScriptError(
            "FX-DAT-0003",
            "'row-policy' = 'dead-letter' needs a file",
            span=table.spans.get("row-policy"),
            hint="set 'dead-letter.path'",
        )
    if path and policy != RowPolicy.DEAD_LETTER.value:
        raise ScriptError(
            "FX-DAT-0003",
            "'dead-letter.path' has no effect without 'row-policy' = 'dead-letter'",
            span=table.spans.get("dead-letter.path"),
            hint="set 'row-policy' = 'dead-letter'",
        )
