"""A console that shows texts from outside literally.

Specs, column names, labels, file names and Keras' messages may contain markup, emoji codes,
control characters or characters that reverse the direction of writing. A reader that closes the
pipe does not end a training.
"""

import os
import unicodedata
from typing import Any

from rich.console import Console
from rich.text import Text

_ALLOWED = frozenset("\n\t")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode's categories of control, format, surrogate, private and line-ending characters."""


def clean(text: str) -> str:
    """Return a text with its invisible characters written as escape codes."""
    return "".join(
        character if _is_visible(character) else _escape(character) for character in text
    )


def _is_visible(character: str) -> bool:
    return character in _ALLOWED or unicodedata.category(character) not in _HIDDEN


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


class SafeConsole(Console):
    """A console without markup, for texts from any source."""

    def __init__(self, *, errors: bool) -> None:
        super().__init__(stderr=errors, highlight=False, markup=False, emoji=False)
        self._descriptor = 2 if errors else 1

    def render_str(self, text: str, *arguments: Any, **options: Any) -> Text:
        """Return a cleaned text as a rich text."""
        return super().render_str(clean(text), *arguments, **options)

    def on_broken_pipe(self) -> None:
        """Discard further output after the reader has closed the pipe."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._descriptor)
