"""SQL that is put together from pieces of a document, and the way back from a place in it to the piece."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fluxcore.api.yaml.document import Document, Piece
    from fluxcore.errors import Place


@dataclass
class Written:
    """The text so far, and for each piece in it where it begins."""

    text: str = ""
    pieces: list[tuple[int, Piece]] = field(default_factory=list)

    def add(self, *parts: str | Piece | Written) -> Written:
        """Append texts of SQL's own, pieces of the document, and what was written apart."""
        for part in parts:
            if isinstance(part, Written):
                self.pieces += [(len(self.text) + start, piece) for start, piece in part.pieces]
            elif not isinstance(part, str):
                self.pieces.append((len(self.text), part))
            self.text += part if isinstance(part, str) else part.text
        return self

    def listed(self, parts: Iterable[str | Piece | Written], between: str = ", ") -> Written:
        """Append several parts with a text between them."""
        for number, part in enumerate(parts):
            self.add(*((between, part) if number else (part,)))
        return self

    def place(self, document: Document, place: Place) -> Place:
        """Return the place in the document of a place in the text."""
        if place.line is None or not self.pieces:
            return place
        lines = self.text.split("\n")
        offset = sum(len(each) + 1 for each in lines[: place.line - 1]) + (place.column or 1) - 1
        starts = [start for start, _ in self.pieces]
        number = max(0, bisect_right(starts, offset) - 1)
        behind = bisect_right(starts, offset)
        if behind < len(starts) and starts[behind] < offset + place.length:  # a piece in quotes
            number, offset = behind, starts[behind]
        start, piece = self.pieces[number]
        inside = 0 <= offset - start < max(1, len(piece.text))
        found = document.place(piece, offset - start if inside else 0)
        known = len(found.source_line or "") - (found.column or 1) + 1
        length = max(1, min(place.length if inside else len(piece.text), len(piece.text), known))
        return replace(found, length=length, field=place.field, operator=place.operator)
