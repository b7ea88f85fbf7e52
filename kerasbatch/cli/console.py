"""The console: what comes from outside is shown as it is written, and can do nothing.

Specs, column names, labels, file names and Keras' messages may hold markup, emoji codes, control
characters or characters that turn the direction of writing. A reader who has seen enough and
closes the pipe ends no training.
"""

import os
import unicodedata
from typing import Any

from rich.console import Console
from rich.text import Text

_KEPT = frozenset("\n\t")
_UNSHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode's categories of control, format, surrogate, private and line-ending characters."""


def clean(text: str) -> str:
    """Return a text in which characters that are not to be seen are written out as codes."""
    return "".join(character if _is_shown(character) else _code(character) for character in text)


def _is_shown(character: str) -> bool:
    return character in _KEPT or unicodedata.category(character) not in _UNSHOWN


def _code(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


class SafeConsole(Console):
    """A console without markup, for texts of anybody."""

    def __init__(self, *, errors: bool) -> None:
        super().__init__(stderr=errors, highlight=False, markup=False, emoji=False)
        self._descriptor = 2 if errors else 1

    def render_str(self, text: str, *arguments: Any, **options: Any) -> Text:
        """Make a text of rich's, cleaned."""
        return super().render_str(clean(text), *arguments, **options)

    def on_broken_pipe(self) -> None:
        """Write to nowhere from here on: whoever read has seen enough."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._descriptor)
