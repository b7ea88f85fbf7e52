"""The curve through the steps to a target, and when there is none."""

import numpy as np
import pytest

from kerasbatch.analysis.comparison.critical_batch_size import Fit, NoFit, fit

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
@pytest.mark.parametrize("noise", [0.05, 0.3])
def test_the_interval_holds_what_it_promises(noise: float) -> None:
    """Of 100 noisy sets with three seeds each, at least 88 have the true value inside."""
    random, sizes, inside = np.random.RandomState(5), np.repeat(SIZES, 3), 0
    for _ in range(100):
        found = fit(sizes, curve(sizes) * 2 ** random.normal(0, noise, len(sizes)))
        inside += isinstance(found, Fit) and found.low <= 100 <= found.high
    assert inside >= 88


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
        (SIZES[:3], curve(SIZES[:3]), "3 batch sizes reached the target; a curve needs 4"),
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
