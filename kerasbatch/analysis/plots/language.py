"""Pictures in another language: their texts, and a font that has its letters."""

import functools
import re
from collections.abc import Container
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import yaml

from kerasbatch.errors import Fault, SpecError
from kerasbatch.text import show_value
from kerasbatch.types import Language

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FONTS = {
    "ko": (
        "NanumGothic",
        "Noto Sans KR",
        "Noto Sans CJK KR",
        "Noto Sans CJK JP",
        "Malgun Gothic",
        "Apple SD Gothic Neo",
        "AppleGothic",
        "UnDotum",
    )
}
"""The fonts with the letters of a language, the best one first."""
FONT_FILES = re.compile("^(NanumGothic|NotoSans(CJK|KR)|malgun|Apple.*Gothic|UnDotum)", re.I)
"""The names of their files."""


def language_faults(name: str) -> list[Fault]:
    """Return a fault if there are no texts in a language."""
    legal = get_args(Language)
    if name in legal:
        return []
    return [Fault(("--language",), f"found {show_value(name)}; must be {' or '.join(legal)}")]


def translate(figure: "Figure", language: Language) -> None:
    """Translate all texts of a figure.

    Names of metrics, keys of a spec and numbers stay as they are.

    Args:
        figure: the figure, drawn in English.
        language: the language; nothing changes for `en`.

    Raises:
        SpecError: if no font has its letters.
    """
    if language == "en":
        return
    from matplotlib import rcParams
    from matplotlib.text import Text

    font = font_of(language, known_fonts() or new_fonts())
    for text in figure.findobj(Text):
        assert isinstance(text, Text)  # noqa: S101
        text.set_text(translated(text.get_text(), language))
        text.set_fontfamily([*rcParams["font.family"], font])


def known_fonts() -> set[str]:
    """Return the fonts for other languages in matplotlib's list, which it keeps in a file."""
    from matplotlib.font_manager import fontManager

    names = {entry.name for entry in fontManager.ttflist}
    return names & {font for fonts in FONTS.values() for font in fonts}


def new_fonts() -> set[str]:
    """Add the fonts for other languages that were installed since that list was written."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    for file in findSystemFonts():
        if FONT_FILES.search(Path(file).name):
            fontManager.addfont(file)
    return known_fonts()


def font_of(language: Language, installed: Container[str]) -> str:
    """Return the first font of a language that is installed.

    Raises:
        SpecError: if there is none.
    """
    for font in FONTS[language]:
        if font in installed:
            return font
    message = (
        f"no font with the letters of {language} is installed; install one of "
        f"{', '.join(FONTS[language])} (on Debian and Ubuntu: sudo apt install fonts-nanum)"
    )
    raise SpecError([Fault(("--language",), message)])


def translated(text: str, language: Language) -> str:
    """Return a text of a picture in a language."""
    for phrase, translation in _phrases(language):
        text = phrase.sub(translation, text)
    return text


@functools.cache
def _phrases(language: Language) -> list[tuple[re.Pattern[str], str]]:
    file = files("kerasbatch.analysis.plots") / "texts" / f"{language}.yaml"
    phrases = yaml.safe_load(file.read_text(encoding="utf-8"))["phrases"]
    return [(re.compile(phrase, re.MULTILINE), translation) for phrase, translation in phrases]
