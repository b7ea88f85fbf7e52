"""The curve through the steps to a target, and when there is none."""

import numpy as np
import pytest

from kerasbatch.analysis.comparison.critical_batch_size import Fit, NoFit, fit
from kerasbatch.analysis.comparison.text.cells import interval_text

SIZES = np.array([1, 4, 16, 64, 256, 1024, 4096], float)


def curve(sizes: np.ndarray, s_min: float = 50.0, b_crit: float = 100.0) -> np.ndarray:
    return s_min * (1 + b_crit / sizes)


@pytest.mark.parametrize(("s_min", "b_crit"), [(50.0, 100.0), (3.0, 7.5), (1e4, 1500.0)])
def test_points_of_the_formula_give_it_back(s_min: float, b_crit: float) -> None:
    """To 1e-6, and the interval is a point."""
    found = fit(SIZES, curve(SIZES, s_min, b_crit))
    assert isinstance(found, Fit)
    assert found.s_min == pytest.approx(s_min, rel=1e-6)
    assert found.b_crit == pytest.approx(b_crit, rel=1e-6)
    assert (found.low, found.high) == (pytest.approx(b_crit), pytest.approx(b_crit))
    assert found.residual < 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [SIZES[:5], SIZES[:6], SIZES])
@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize(("own", "shared"), [(0.05, 0.0), (0.2, 0.2)])
def test_coverage_of_the_interval(sizes: np.ndarray, seeds: int, own: float, shared: float) -> None:
    """Of 200 curves, 90 % have the true value inside; seeds of one size share an error."""
    random, b_crit = np.random.RandomState(5), float(np.sqrt(sizes[0] * sizes[-1]))
    inside = without = 0
    for _ in range(200):
        noise = random.normal(0, shared, len(sizes)) + random.normal(0, own, (seeds, len(sizes)))
        steps = curve(sizes, b_crit=b_crit) * 2**noise
        result = fit(np.tile(sizes, seeds), steps.ravel())
        without += isinstance(result, NoFit)
        inside += isinstance(result, Fit) and result.low <= b_crit <= result.high
    assert inside >= 180
    assert without <= 20


def test_an_end_without_a_bound() -> None:
    """The bend lies at the largest size and the points are noisy: only a lower end is known."""
    noise = np.array([0.4, -0.4, 0.3, -0.4, 0.4])
    result = fit(SIZES[:5], curve(SIZES[:5], b_crit=300.0) * 2**noise)
    assert isinstance(result, Fit)
    assert (0 < result.low < 300, result.high) == (True, np.inf)
    assert interval_text(result).startswith("at least")


def test_seeds_of_one_size_are_one_observation() -> None:
    """Ten copies of every point do not make the interval narrower."""
    random = np.random.RandomState(2)
    steps = curve(SIZES) * 2 ** random.normal(0, 0.2, len(SIZES))
    assert fit(np.repeat(SIZES, 10), np.repeat(steps, 10)) == fit(SIZES, steps)


def test_one_wild_point_does_not_carry_the_curve_away() -> None:
    """An outlier of three octaves among 21 points."""
    sizes = np.repeat(SIZES, 3)
    random = np.random.RandomState(1)
    steps = curve(sizes) * 2 ** random.normal(0, 0.05, len(sizes))
    steps[4] *= 8
    found = fit(sizes, steps)
    assert isinstance(found, Fit)
    assert found.b_crit == pytest.approx(100, rel=0.15)


def test_three_regimes() -> None:
    """A quarter of B_crit and below, four times B_crit and above, and between."""
    found = fit(SIZES, curve(SIZES))
    assert isinstance(found, Fit)
    assert found.regimes == {
        1: "perfect scaling",
        4: "perfect scaling",
        16: "perfect scaling",
        64: "diminishing returns",
        256: "diminishing returns",
        1024: "maximal",
        4096: "maximal",
    }


@pytest.mark.parametrize(
    ("sizes", "steps", "reason"),
    [
        (SIZES[:3], curve(SIZES[:3]), "3 batch sizes reached the target; a curve needs 5"),
        (SIZES, curve(SIZES, 1.0, 1e6), "no bend in sight"),
        (SIZES, np.full(7, 80.0), "no bend in sight"),
        (SIZES, curve(SIZES) * [8, 1, 8, 1, 8, 1, 8], "octaves off the curve"),
    ],
    ids=["few sizes", "all perfect", "all flat", "no curve"],
)
def test_points_that_support_no_curve(sizes: np.ndarray, steps: np.ndarray, reason: str) -> None:
    """Are refused with the reason."""
    found = fit(sizes, steps)
    assert isinstance(found, NoFit)
    assert reason in found.reason
