"""Lines of progress where there are no bars."""

import io

import pytest
from rich.console import Console

from kerasbatch.cache.progress import show
from kerasbatch.cli.display.progress import Display


@pytest.mark.parametrize("quiet", [False, True])
def test_work_on_data_is_shown_while_a_command_waits(quiet: bool) -> None:
    """Of lines that follow each other at once, the first one; nothing after the work."""
    text = io.StringIO()
    display = Display(Console(file=text), quiet=quiet)
    with display.waiting_for("reading the data"):
        for count in (1, 2):
            show(f"reading images: {count} of 3 images")
    show("reading images: 3 of 3 images")
    shown = ["reading the data ...", "reading images: 1 of 3 images"]
    assert text.getvalue().splitlines() == ([] if quiet else shown)
