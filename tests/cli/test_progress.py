"""Lines of progress where there are no bars."""

import io

import pytest
from rich.console import Console

from kerasbatch.cache.progress import show
from kerasbatch.cli.display import progress
from kerasbatch.cli.display.progress import Display


@pytest.mark.parametrize(("interval", "counts"), [(1e9, [1]), (0.0, [1, 2])])
def test_work_on_data_is_shown_while_a_command_waits(
    monkeypatch: pytest.MonkeyPatch, interval: float, counts: list[int]
) -> None:
    """Lines that follow each other at once are one; nothing is shown after the work."""
    monkeypatch.setattr(progress, "PLAIN_INTERVAL", interval)
    text = io.StringIO()
    display = Display(Console(file=text), quiet=False)
    with display.waiting_for("reading the data"):
        for count in (1, 2):
            show(f"reading images: {count} of 3 images")
    show("reading images: 3 of 3 images")
    shown = [f"reading images: {count} of 3 images" for count in counts]
    assert text.getvalue().splitlines() == ["reading the data ...", *shown]


def test_a_quiet_command_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PLAIN_INTERVAL", 0.0)
    text = io.StringIO()
    with Display(Console(file=text), quiet=True).waiting_for("reading the data"):
        show("reading images: 1 of 3 images")
    assert not text.getvalue()
