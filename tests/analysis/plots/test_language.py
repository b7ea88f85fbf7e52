"""Pictures in Korean: no English is left, and a missing font is a message."""

import re
from pathlib import Path
from typing import Any

import pytest
from matplotlib.text import Text
from stored_runs import copy_line, write_step_losses
from typer.testing import CliRunner

import kerasbatch as kb
from kerasbatch.analysis.plots import language
from kerasbatch.analysis.plots.language import font_of, translated
from kerasbatch.cli import app

REFERENCE = Path(__file__).parents[3] / "results/reference"
NAMES = {
    "J",
    "b",
    "S",
    "B_crit",
    "MB",
    "e",
    "fused",
    "keras",
    "accuracy",
    "val_accuracy",
    "mae",
    "val_mae",
}
"""Names of Keras, symbols and units, which stay as they are."""


def left_in(figure: Any) -> set[str]:
    """The words of a figure in Latin letters."""
    texts = [each.get_text() for each in figure.findobj(Text)]
    return {word for text in texts for word in re.findall(r"[A-Za-z_]+", text)}


@pytest.mark.parametrize(
    ("text", "korean"),
    [
        (
            "S = 28 (1 + 82 / b); B_crit, 95 %: 41 to 169",
            "S = 28 (1 + 82 / b); B_crit, 95 %: 41~169",
        ),
        (
            "S = 28 (1 + 82 / b); B_crit, 95 %: at least 41",
            "S = 28 (1 + 82 / b); B_crit, 95 %: 41 이상",
        ),
        (
            "S = 28 (1 + 82 / b); B_crit, 95 %: at most 41",
            "S = 28 (1 + 82 / b); B_crit, 95 %: 41 이하",
        ),
        ("batch size 32, seed 1 (unfinished)", "배치 크기 32, 시드 1 (끝나지 않음)"),
        ("mini-batch, b = 32: diverged", "미니배치 경사 하강법, b = 32: 발산"),
        ("my batch size 3 to 4, seedling 5", "my batch size 3 to 4, seedling 5"),
    ],
)
def test_phrases(text: str, korean: str) -> None:
    """Ours are translated, and not what a user wrote."""
    assert translated(text, "ko") == korean


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
    assert any(re.search("[가-힣]", each.get_text()) for each in figure.findobj(Text))  # type: ignore[attr-defined]
    assert left_in(figure) <= NAMES


def test_steps_are_translated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The losses of steps, and what is left out."""
    monkeypatch.setitem(language.FONTS, "ko", ("DejaVu Sans",))
    one, _ = copy_line(tmp_path)
    write_step_losses(one, [1.0, 0.5])
    figure = kb.plot(tmp_path, kind="step_loss", language="ko")
    assert figure.axes[0].get_ylabel() == "스텝의 손실"
    assert left_in(figure) <= NAMES
    assert translated("3 runs; 2 more are not drawn", "ko") == "실행 3개, 그리지 않은 실행 2개"


def test_english_stays() -> None:
    """No text and no font changes."""
    english, plain = (
        kb.plot(REFERENCE / "gradient_descent", kind="contour", **options)  # type: ignore[arg-type]
        for options in ({"language": "en"}, {})
    )

    def texts(figure: Any) -> list[tuple[str, list[str]]]:
        return [(each.get_text(), each.get_fontfamily()) for each in figure.findobj(Text)]

    assert texts(english) == texts(plain)


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
    monkeypatch.setattr(language, "FONT_FILES", re.compile("DejaVuSansMono"))
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: [file])
    assert language.known_fonts() == set()
    assert language.new_fonts() == {"DejaVu Sans Mono"}
