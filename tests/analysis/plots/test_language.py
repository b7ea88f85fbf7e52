"""Pictures in Korean: no English is left, and a missing font is a message."""

import re
from pathlib import Path

import pytest
from matplotlib.text import Text
from stored_runs import copy_line, write_step_losses
from typer.testing import CliRunner

import kerasbatch as kb
from kerasbatch.analysis.plots import language
from kerasbatch.analysis.plots.language import font_of, translated
from kerasbatch.cli import app

REFERENCE = Path(__file__).parents[3] / "results/reference"
LINES = Path(__file__).parents[2] / "stored_runs"
NAMES = {"J", "b", "S", "MB", "e", "fused", "keras", "accuracy", "val_accuracy", "mae", "val_mae"}
"""Names of Keras, symbols and units, which stay as they are."""


@pytest.mark.parametrize(
    ("experiment", "kind"),
    [
        ("gradient_descent", "contour"),
        ("stochastic_with_replacement", "contour"),
        ("mnist_batch_sizes", "curves"),
        ("mnist_batch_sizes", "rates"),
        ("digits_b16", "curves"),
        ("digits_batch_sizes", "to_target"),
        ("digits_batch_sizes", "throughput"),
        ("digits_batch_sizes", "memory"),
    ],
)
def test_no_english_is_left(experiment: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for names; the font of the tests has no Korean letters, and nothing is rendered."""
    monkeypatch.setitem(language.FONTS, "ko", ("DejaVu Sans",))
    figure = kb.plot(REFERENCE / experiment, kind=kind, language="ko")
    texts = [str(each.get_text()) for each in figure.findobj(Text)]  # type: ignore[attr-defined]
    assert any(re.search("[가-힣]", text) for text in texts)
    left = {word for text in texts for word in re.findall(r"[A-Za-z_]+", text)}
    assert left <= NAMES


def test_steps_are_translated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The losses of steps, and what is left out."""
    monkeypatch.setitem(language.FONTS, "ko", ("DejaVu Sans",))
    one, _ = copy_line(tmp_path)
    write_step_losses(one, [1.0, 0.5])
    figure = kb.plot(tmp_path, kind="step_loss", language="ko")
    assert figure.axes[0].get_ylabel() == "스텝의 손실"
    assert translated("3 runs; 2 more are not drawn", "ko") == "실행 3개, 그리지 않은 실행 2개"


def test_english_stays() -> None:
    """No text and no font changes."""
    figure = kb.plot(REFERENCE / "gradient_descent", kind="contour", language="en")
    assert figure.axes[0].get_xlabel() == "θ₀, the intercept"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--language", "de"], "found 'de'; must be en or ko"),
        (["--language", "ko"], "no font with the letters of ko is installed; install one of Nanum"),
    ],
)
def test_bad_input(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A language that is none of ours, and a font that is not there."""
    monkeypatch.setattr(language, "known_fonts", set)
    monkeypatch.setattr(language, "new_fonts", set)
    command = ["plot", str(REFERENCE / "gradient_descent"), "--kind", "contour", *arguments]
    with pytest.raises(kb.SpecError, match=message):
        CliRunner().invoke(
            app.app, [*command, "-o", str(tmp_path / "a.png")], catch_exceptions=False
        )


def test_the_best_font_is_taken() -> None:
    """The order is ours, not that of the system."""
    assert font_of("ko", {"AppleGothic", "Noto Sans KR", "DejaVu Sans"}) == "Noto Sans KR"


def test_fonts_that_were_installed_since_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Although matplotlib keeps its list in a file."""
    from matplotlib.font_manager import findfont, fontManager

    monkeypatch.setitem(language.FONTS, "ko", ("DejaVu Sans Mono",))
    without = [entry for entry in fontManager.ttflist if entry.name != "DejaVu Sans Mono"]
    file = findfont("DejaVu Sans Mono")
    monkeypatch.setattr(fontManager, "ttflist", without)
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: [file])
    assert language.known_fonts() == set()
    assert language.new_fonts() == {"DejaVu Sans Mono"}
