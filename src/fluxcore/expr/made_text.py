"""Bounds on the text that a function makes, so that no value and no batch of them takes the memory of the process."""

from __future__ import annotations

from fluxcore.errors import DataError
from fluxcore.limits import MADE_BATCH_CHARACTERS_MAX, MADE_TEXT_CHARACTERS_MAX


class MadeText:
    """Counts the characters of the texts that ``function`` makes for one batch, before each is made."""

    __slots__ = ("_function", "_total")

    def __init__(self, function: str) -> None:
        self._function = function
        self._total = 0

    def add(self, characters: int) -> None:
        """Count a value. Raises ``DataError`` FX-RUN-0114 for one that is too long, or too many together."""
        if characters > MADE_TEXT_CHARACTERS_MAX:
            hint = f"a text may have {MADE_TEXT_CHARACTERS_MAX:,}"
            raise DataError(
                "FX-RUN-0114", f"{self._function} would make a text of {characters:,} characters", hint=hint
            )
        self._total += characters
        if self._total > MADE_BATCH_CHARACTERS_MAX:
            raise too_much(self._function)


def check_batch(maker: str, characters: int) -> None:
    """Refuse more characters than one batch may hold in a column. Raises ``DataError`` FX-RUN-0114."""
    if characters > MADE_BATCH_CHARACTERS_MAX:
        raise too_much(maker)


def too_much(maker: str) -> DataError:
    """Return the error for texts that are too long together."""
    hint = f"together they may have {MADE_BATCH_CHARACTERS_MAX:,} characters; make them shorter"
    return DataError("FX-RUN-0114", f"{maker} would make too much text for one batch of rows", hint=hint)
