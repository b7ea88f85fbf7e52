"""The form of texts as the model gets them."""

from dataclasses import dataclass
from typing import Any

from kerasbatch.spec.data_schema import TextFilesData


@dataclass(frozen=True)
class TextFormat:
    """The form of texts.

    Args:
        words: the largest number of different words, with those for padding and for unknown words.
        length: the words of a text that the model gets; the rest is cut, and short ones are padded.
        column: the column of a table, or None for files.
    """

    words: int
    length: int
    column: str | None = None

    @classmethod
    def of(cls, data: Any) -> "TextFormat | None":
        """Return the form that a spec asks for, or None if its data hold no text."""
        if isinstance(data, TextFilesData):
            return cls(data.words, data.length)
        text = getattr(data, "text", None)
        return None if text is None else cls(text.words, text.length, text.column)
