"""A console that shows texts from outside literally.

Specs, column names, labels, file names and Keras' messages may contain markup, emoji codes,
control characters or characters that reverse the direction of writing. A reader that closes the
pipe does not end a training.
"""

import os
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions
from rich.segment import Segment
from rich.text import Text

from kerasbatch.text import clean


class SafeConsole(Console):
    """A console without markup, for texts from any source."""

    def __init__(self, *, errors: bool) -> None:
        super().__init__(stderr=errors, highlight=False, markup=False, emoji=False)
        self._descriptor = 2 if errors else 1

    def render_str(self, text: str, *arguments: Any, **options: Any) -> Text:
        """Return a cleaned text as a rich text."""
        return super().render_str(clean(text), *arguments, **options)

    def render(self, renderable: Any, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of any object, with their texts cleaned."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=clean(segment.text))

    def on_broken_pipe(self) -> None:
        """Discard further output after the reader has closed the pipe."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._descriptor)
