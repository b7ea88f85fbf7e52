"""The colours of lines stay apart for people who lack one kind of cone, and from the page."""

from itertools import combinations

import numpy as np
import pytest

from kerasbatch.analysis.plots.style import COLOURS, ON_DARK
from kerasbatch.types import Array

# Machado, Oliveira and Fernandes 2009, doi 10.1109/TVCG.2009.113: severity 1, on linear RGB.
SEEN_BY = {
    "everyone else": np.eye(3),
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1.0, 1.089])


def linear(colour: str) -> Array:
    """Return the linear RGB of a colour like #0072B2."""
    values = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: Array) -> Array:
    """Return CIELAB of linear RGB."""
    ratios = TO_XYZ @ rgb / WHITE
    x, y, z = np.where(ratios > 0.008856, np.cbrt(ratios), 7.787 * ratios + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours by WCAG, 1 to 21."""
    low, high = sorted(float(TO_XYZ[1] @ linear(colour)) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def test_black_and_white() -> None:
    """The arithmetic of this file."""
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    np.testing.assert_allclose(lab(linear("#FFFFFF")), [100, 0, 0], atol=0.02)


@pytest.mark.parametrize("name", SEEN_BY)
@pytest.mark.parametrize("colours", [COLOURS, ON_DARK], ids=["white page", "dark page"])
def test_any_two_lines_stay_apart(colours: tuple[str, ...], name: str) -> None:
    """By at least 10 in CIELAB."""
    seen = [lab(np.clip(np.array(SEEN_BY[name]) @ linear(colour), 0, 1)) for colour in colours]
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > 10


def test_lines_stand_out_from_the_page() -> None:
    """3 to 1, as WCAG asks of graphics."""
    assert min(contrast(colour, "#FFFFFF") for colour in COLOURS) >= 3
    assert min(contrast(colour, "#151515") for colour in ON_DARK) >= 3
