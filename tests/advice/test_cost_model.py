"""From noise and timings to a batch size: exact where it can be, and silent where it must."""

import math

import numpy as np
import pytest

from kerasbatch.advice import cost_model
from kerasbatch.advice.cost_model import MeanNoise, NoiseAt

FLAT = {1: [1.0, 1.0], 10: [1.0, 1.0], 100: [1.0, 1.0], 1000: [1.0, 1.0]}
PROPORTIONAL = {size: [float(size)] * 2 for size in FLAT}
SIZES = [1, 10, 100, 1000]
BENT = {1: [1.0], 10: [1.0], 100: [2.0], 1000: [20.0]}


def noise(scale: float, **other: float) -> MeanNoise:
    values = {
        "low": scale * 0.9,
        "high": scale * 1.1,
        "early": scale,
        "late": scale,
        "estimated_share": 1.0,
    }
    return MeanNoise(scale, **(values | other))


def test_a_mean_over_the_steps() -> None:
    """Each evaluation stands for the steps half way to its neighbours."""
    rows = [NoiseAt(0, 1, 1, 1), NoiseAt(2, 5, 4, 6), NoiseAt(10, 9, 8, 12)]
    found = cost_model.mean_noise(rows)
    assert found is not None
    assert found.scale == pytest.approx((1 * 1 + 5 * 5 + 4 * 9) / 10)
    assert found.low == pytest.approx((1 * 1 + 5 * 4 + 4 * 8) / 10)
    assert found.high == pytest.approx((1 * 1 + 5 * 6 + 4 * 12) / 10)
    assert found.early == pytest.approx(3)  # at step 1
    assert found.late == pytest.approx(8.5)  # at step 9
    assert found.estimated_share == 1
    assert cost_model.mean_noise([NoiseAt(0, 3, 2, 4)]) is None


def test_what_could_not_be_told_lies_above_its_lower_end() -> None:
    """So the mean has no upper end, and the noise late in the training is not taken for less."""
    rows = [NoiseAt(0, 10, 9, 11), NoiseAt(50, 20, 18, 22), NoiseAt(100, None, 300, math.inf)]
    found = cost_model.mean_noise(rows)
    assert found is not None
    assert found.low == pytest.approx(0.25 * 9 + 0.5 * 18 + 0.25 * 300)
    assert (found.high, found.estimated_share) == (math.inf, 0.75)
    assert found.late > 200
    assert "anywhere from 86 to inf" in str(cost_model.advice_obstacle(found, BENT, SIZES))


def test_where_steps_cost_the_same_large_batches_look_free() -> None:
    """And where they cost in proportion, small ones win."""
    found = cost_model.batch_size_costs(noise(50), FLAT)
    np.testing.assert_allclose(found.seconds, (1 + 50 / found.sizes) / (1 + 50 / 1000))
    assert (found.fastest, found.in_range) == (1000, [1000])
    small = cost_model.batch_size_costs(noise(50), PROPORTIONAL)
    np.testing.assert_allclose(small.seconds, small.examples)
    assert (small.fastest, small.in_range, small.thrifty) == (1, [1], 1)


def test_the_best_lies_where_both_bends_meet() -> None:
    """(1 + B/b) t(b), and b + B, in units of the best."""
    found = cost_model.batch_size_costs(noise(90), BENT)
    np.testing.assert_allclose(found.seconds * 3.8, [91, 10, 3.8, 21.8])
    np.testing.assert_allclose(found.examples, [1, 100 / 91, 190 / 91, 1090 / 91])
    assert (found.fastest, found.thrifty) == (100, 10)
    assert (found.low <= found.seconds + 1e-9).all()
    assert (found.seconds <= found.high + 1e-9).all()


def test_intervals_grow_with_the_noise_and_the_timings() -> None:
    """The same draws every time."""
    narrow = cost_model.batch_size_costs(noise(90), BENT)
    wide = cost_model.batch_size_costs(noise(90, low=30, high=270), BENT)
    shaky = cost_model.batch_size_costs(noise(90), {**BENT, 1: [0.7, 1.0, 1.4]})
    assert wide.high[1] - wide.low[1] > 2 * (narrow.high[1] - narrow.low[1])
    assert shaky.high[0] - shaky.low[0] > 2 * (narrow.high[0] - narrow.low[0])
    np.testing.assert_array_equal(narrow.low, cost_model.batch_size_costs(noise(90), BENT).low)


@pytest.mark.parametrize(
    ("found", "seconds", "words"),
    [
        (None, BENT, "could not be estimated over most of the training"),
        (noise(90, estimated_share=0.4), BENT, "could not be estimated over most of the training"),
        (noise(90, high=math.inf), BENT, "anywhere from 81 to inf"),
        (noise(90, low=20, high=161), BENT, "anywhere from 20 to 161"),
        (noise(90), {1: [1.0], 10: [1.0]}, "fastest of those that there was time to try, and 100"),
        (noise(0.1), {10: [1.0], 100: [9.0]}, "batch size 10 is the fastest of those"),
        (noise(0.0, low=0.0, high=0.0), BENT, "hardly differ"),
        (noise(90), {**BENT, 100: [2.0, 4.2]}, "a step at batch size 100 took 2 s in one round"),
        (noise(90, early=0.1, late=900), BENT, "would be right early and 100 late"),
    ],
)
def test_it_abstains(found: MeanNoise | None, seconds: dict[int, list[float]], words: str) -> None:
    """And says what would decide."""
    said = cost_model.advice_obstacle(found, seconds, SIZES)
    assert said is not None
    assert words in said
    assert "would decide" in said


def test_what_decides_nothing_is_no_obstacle() -> None:
    """A size far from the best may be timed badly; sizes that are as good early as late are one."""
    assert cost_model.advice_obstacle(noise(90), {**BENT, 10: [1.0, 2.1]}, SIZES) is None
    level = {1: [1.0], 10: [9.0], 100: [85.0]}
    assert cost_model.fastest(0.5, level) == 1
    assert cost_model.fastest(9000.0, level) == 100
    assert cost_model.advice_obstacle(noise(9000, early=0.5), level, [1, 10, 100]) is not None
    assert cost_model.advice_obstacle(noise(9000, early=100.0), level, [1, 10, 100]) is None


def test_it_advises_up_to_the_bounds() -> None:
    """A factor of 8 in the noise, of 2 in the timings."""
    assert (
        cost_model.advice_obstacle(noise(90, low=20, high=160), {**BENT, 10: [1.0, 2.0]}, SIZES)
        is None
    )
    assert cost_model.noise_growth_note(noise(90, early=10, late=99), BENT) == ""
    assert "early 10 would be the fastest size, late 100" in cost_model.noise_growth_note(
        noise(90, early=5, late=90), BENT
    )
