"""Verdicts follow from measurements alone: from made-up ones of the opposite, and from noise."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from kerasbatch.claims import (
    approach,
    counting,
    descent,
    draws,
    learning,
    line_costs,
    memory,
    noise,
    relation,
    speed,
    vectors,
)
from kerasbatch.claims.claim import Claim
from kerasbatch.claims.gradient_variance import Variance
from kerasbatch.claims.line_costs import Cost, Costs
from kerasbatch.claims.relation import Classifier, Training
from kerasbatch.claims.verdict import VERDICTS, above, all_of, at_most, ratios, within
from kerasbatch.claims.wording import claim_row, load_texts

NAN = float("nan")
HOLDS, NOT, UNKNOWN = VERDICTS[:3]


def test_an_interval_decides_only_where_it_lies_on_one_side() -> None:
    """Also where nothing was measured."""
    assert [above(v, 2.0) for v in ([2, 3], [1, 1.9], [1, 3], [], [3, NAN])] == [
        HOLDS,
        NOT,
        UNKNOWN,
        UNKNOWN,
        UNKNOWN,
    ]
    assert [at_most(v, 2.0) for v in ([1, 2], [3], [1, 3])] == [HOLDS, NOT, UNKNOWN]
    assert [within(v, 0.1) for v in ([0, -0.1], [0, 0.2], [NAN], [])] == [
        HOLDS,
        NOT,
        UNKNOWN,
        UNKNOWN,
    ]
    assert ratios([2, 4], [1, 2]) == (1, 4)
    assert all_of([HOLDS, UNKNOWN]) == UNKNOWN
    assert all_of([UNKNOWN, NOT, HOLDS]) == NOT


EPOCHS = counting.Epochs(10, 3, [True, True], 2, ["ok", "ok"], 20)
SEEN = counting.ExamplesOfSteps({1000: 500}, {101: 500})
TRAININGS = [Training(60, 2, 20, 6), Training(60, 2, 7, 18)]
RUN = Classifier("digits", Training(100, 4, 100, 4), "ok", 0.9)
USED = Classifier("digits", Training(100, 5, 16, 35), "ok", 0.9)
MINIMUM = descent.Minimum(1.5, 1.4, 300, {0.05: 1e-9, 1.6: 9.0}, {0.05: 0.1, 1.6: 3.0})
ONE = {"one_step": approach.OneStep(1.5, 0.02, 1e-9, 30)}
NEAR = approach.Approach({1: 1.0, 200: 200.0}, 200, 9, {1: [0.001]}, {1: [0.001]})
DRAWN = draws.Draws(1000, [0.63, 0.64], 500, 0.64)
VECTORS = vectors.Arithmetic("digits", 64, 100, (64, 100), 1e-7, 1e-7, [30.0, 40.0])
FAST = [{1: 100.0, 128: 5000.0}, {1: 90.0, 128: 4000.0}]
SLOW = [{1: 100.0, 128: 110.0}, {1: 90.0, 128: 80.0}]
MIXED = [{1: 100.0, 128: 5000.0}, {1: 90.0, 128: 80.0}]
MEMORY = memory.Memory("digits", {16: [900.0, 910.0], 4096: [2000.0, 2100.0]})
SCALES = noise.TrainingNoise("digits", 10_000, 32, [(0, 50.0, 40.0, 60.0)])


def _noise(single: float, batch: float, rest: float, error: float = 0.01) -> noise.Noise:
    """Return variances at batch sizes 1, 4 and 32 of 200 examples whose trace is 32."""
    of_size = {1: single, 4: single / 4, 32: batch}
    variances: dict[Any, Variance] = {}
    for size, value in of_size.items():
        passes = value * (200 - size) / 199
        variances[size, "shuffle"] = Variance(passes, error * passes)
        variances[size, "replacement"] = Variance(value, error * value)
    variances[200, "shuffle"] = Variance(rest, 0.0)
    return noise.Noise("line", 200, 32.0, variances)


def _costs(mini: float, full: float, error: float = 0.0, spread: float = 1.0) -> Costs:
    """Return costs of 32 and of the full batch in every unit, over seeds that differ."""

    def cost(value: float) -> Cost:
        values = (value / spread, value, value * spread)
        return Cost(0.1, 0.0, values, values)

    by_size = {
        (tolerance, size): cost(value)
        for tolerance in line_costs.TOLERANCES
        for size, value in ((1, 5.0), (32, mini), (200, full))
    }
    return Costs(by_size, {1: (1.0,), 32: (1.0,), 200: (1.0,)}, error)


def _learning(small: float, mini: float, full: float, spread: float = 1.0) -> learning.Learning:
    """Return the same costs in every unit."""
    costs = {
        (unit, size): (value / spread, value, value * spread)
        for unit in learning.UNITS
        for size, value in ((1, small), (32, mini), (1000, full))
    }
    rates = dict.fromkeys((1, 32, 1000), (0.1, 0.05, 0.2))
    return learning.Learning("digits", 1000, "val_accuracy >= 0.9", costs, rates, ("one_seed",))


LEARNED = [f"learns_quickly_by_{unit}" for unit in learning.UNITS]
FASTER = [f"faster_by_{unit}" for unit in learning.UNITS]
OPTIMUM = [f"optimum_by_{unit}" for unit in ("steps", "examples", "seconds")]
CASES: list[tuple[Any, Any, Sequence[str], str]] = [
    (counting.judge_epochs, EPOCHS, ["epoch"], HOLDS),
    (counting.judge_epochs, replace(EPOCHS, complete=[True, False]), ["epoch"], NOT),
    (counting.judge_epochs, replace(EPOCHS, checks=["ok", "missing"]), ["epoch"], NOT),
    (counting.judge_epochs, replace(EPOCHS, examples=19), ["epoch"], NOT),
    (counting.judge_updates, counting.Updates(20, 20, 20), ["step"], HOLDS),
    (counting.judge_updates, counting.Updates(20, 20, 19), ["step"], NOT),
    (counting.judge_updates, counting.Updates(20, 21, 20), ["step"], NOT),
    (counting.judge_hundred_times_five, SEEN, ["hundred_even", "hundred_uneven"], HOLDS),
    (
        counting.judge_hundred_times_five,
        counting.ExamplesOfSteps({1000: 400}, {101: 302}),
        ["hundred_even", "hundred_uneven"],
        NOT,
    ),
    (relation.judge_relation, TRAININGS, ["relation_even", "relation_rounded_up"], HOLDS),
    (relation.judge_relation, TRAININGS, ["relation_uneven"], NOT),
    (relation.judge_relation, [Training(60, 2, 20, 7)], ["relation_even"], NOT),
    (relation.judge_relation, [Training(60, 2, 20, 7)], ["relation_rounded_up"], NOT),
    (relation.judge_relation, [], ["relation_even", "relation_uneven"], UNKNOWN),
    (relation.judge_full_batch, RUN, ["full_batch"], HOLDS),
    (relation.judge_full_batch, replace(RUN, run=Training(9, 4, 9, 5)), ["full_batch"], NOT),
    (relation.judge_usage, USED, ["usage"], HOLDS),
    (relation.judge_usage, replace(USED, check="mismatch"), ["usage"], NOT),
    (descent.judge_derivatives, [1e-7, -1e-7], ["derivatives"], HOLDS),
    (descent.judge_derivatives, [1e-7, -0.5], ["derivatives"], NOT),
    (descent.judge_updates, 1e-7, ["updates"], HOLDS),
    (descent.judge_updates, 0.1, ["updates"], NOT),
    (descent.judge_minimum, MINIMUM, ["minimised", "limit_of_alpha"], HOLDS),
    (descent.judge_minimum, MINIMUM, ["minimised_at_any_alpha"], NOT),
    (
        descent.judge_minimum,
        replace(MINIMUM, left={0.05: 0.9}, second_half={0.05: 1.1}),
        ["minimised", "minimised_at_any_alpha", "limit_of_alpha"],
        NOT,
    ),
    (descent.judge_minimum, replace(MINIMUM, left={0.05: 0.0}), ["minimised_at_any_alpha"], HOLDS),
    (approach.judge_one_step, ONE, ["one_step"], HOLDS),
    (approach.judge_one_step, {"one_step": approach.OneStep(1, 0.0, 0.0, 30)}, ["one_step"], NOT),
    (
        approach.judge_one_step,
        {"one_step": approach.OneStep(99, 0.5, 0.4, 30)},
        ["one_step"],
        UNKNOWN,
    ),
    (
        approach.judge_approach,
        NEAR,
        ["data_per_update", "approach_constant", "approach_decreasing"],
        HOLDS,
    ),
    (
        approach.judge_approach,
        replace(
            NEAR,
            examples_per_step={1: 2.0, 200: 200.0},
            constant={1: [0.2], 200: [0.0]},
            decreasing={1: [0.2], 200: [0.0]},
        ),
        ["data_per_update", "approach_constant", "approach_decreasing"],
        NOT,
    ),
    (
        approach.judge_approach,
        replace(NEAR, constant={1: [0.001, 0.2]}, decreasing={1: [0.001, 0.2]}),
        ["approach_constant", "approach_decreasing"],
        UNKNOWN,
    ),
    (draws.judge_draws, DRAWN, ["drawn_with_replacement", "drawn_by_keras"], HOLDS),
    (
        draws.judge_draws,
        draws.Draws(1000, [1.0], 500, 1.0),
        ["drawn_with_replacement", "drawn_by_keras"],
        NOT,
    ),
    (vectors.judge_arithmetic, VECTORS, ["matrix", "vectorised"], HOLDS),
    (
        vectors.judge_arithmetic,
        replace(VECTORS, shape=(100, 64), gains=[0.9, 1.1]),
        ["matrix", "vectorised"],
        NOT,
    ),
    (vectors.judge_arithmetic, replace(VECTORS, gains=[0.9, 9.0]), ["vectorised"], UNKNOWN),
    (vectors.judge_arithmetic, replace(VECTORS, loop_error=0.5), ["vectorised"], UNKNOWN),
    (memory.judge_memory, MEMORY, ["memory"], HOLDS),
    (memory.judge_memory, replace(MEMORY, peaks={16: [900.0], 99: [910.0]}), ["memory"], NOT),
    (memory.judge_memory, replace(MEMORY, peaks={1: [9.0, 20.0], 2: [15.0]}), ["memory"], UNKNOWN),
    (memory.judge_memory, replace(MEMORY, peaks={1: [None], 2: [15.0]}), ["memory"], UNKNOWN),
    *(
        (speed.judge_speeds, speed.Speeds("digits", rounds, rounds), keys, verdict)
        for keys in (["vectorisation_lost_plain", "vectorisation_lost_fused"],)
        for rounds, verdict in ((FAST, HOLDS), (SLOW, NOT), (MIXED, UNKNOWN))
    ),
    (noise.judge_noise, _noise(32, 1, 0), ["noise_law", "noise_of_all", "noise_less"], HOLDS),
    (noise.judge_noise, _noise(64, 64, 9), ["noise_law", "noise_of_all", "noise_less"], NOT),
    (noise.judge_noise, _noise(32, 1, 0, error=0.3), ["noise_law", "noise_less"], UNKNOWN),
    (noise.judge_training, SCALES, ["noise_of_training"], HOLDS),
    (noise.judge_training, replace(SCALES, scales=[(0, 2, 1, 3)]), ["noise_of_training"], NOT),
    (noise.judge_training, replace(SCALES, scales=[(0, 9, 1, 99)]), ["noise_of_training"], UNKNOWN),
    (noise.judge_training, replace(SCALES, scales=[]), ["noise_of_training"], UNKNOWN),
    (line_costs.judge_costs, _costs(10, 100), OPTIMUM, HOLDS),
    (line_costs.judge_costs, _costs(100, 10), OPTIMUM, NOT),
    (line_costs.judge_costs, _costs(float("inf"), 10), OPTIMUM, NOT),
    (line_costs.judge_costs, _costs(10, 12, spread=2), OPTIMUM, UNKNOWN),
    (line_costs.judge_costs, _costs(10, 100, error=0.1), OPTIMUM, UNKNOWN),
    (learning.judge_learning, _learning(10, 10, 100), [*LEARNED, *FASTER], HOLDS),
    (learning.judge_learning, _learning(100, 100, 10), [*LEARNED, *FASTER], NOT),
    (learning.judge_learning, _learning(10, 10, 12, spread=2), [*LEARNED, *FASTER], UNKNOWN),
    (learning.judge_learning, _learning(NAN, NAN, 12), [*LEARNED, *FASTER], UNKNOWN),
]


@pytest.mark.parametrize(("judge", "measured", "keys", "verdict"), CASES)
def test_verdict(judge: Any, measured: Any, keys: Sequence[str], verdict: str) -> None:
    claims: dict[str, Claim] = {claim.key: claim for claim in judge(measured)}
    assert {key: claims[key].verdict for key in keys} == dict.fromkeys(keys, verdict)
    for claim in claims.values():
        for language in ("en", "ko"):
            row = claim_row(claim, language)  # type: ignore[arg-type]
            assert all(row[name] for name in ("statement", "measured", "verdict", "tolerance"))


def test_every_verdict_can_come_out_otherwise() -> None:
    """Each statement that can fail does so above, and what can be noise is called so."""
    seen: dict[str, set[str]] = {}
    for _, _, keys, verdict in CASES:
        for key in keys:
            seen.setdefault(key, set()).add(verdict)
    neither = {"power_of_two", "rate_and_size", "one_step_standardized"}
    never_right = {"relation_uneven"}  # b that does not divide n: never whole
    for key in set(load_texts("en")["claims"]) - neither:
        assert NOT in seen[key], key
        assert HOLDS in seen[key] or key in never_right, key


def test_a_question_is_answered_and_a_custom_is_named() -> None:
    """With the caveats of the comparison; where nothing was measured, there is no answer."""
    *_, answer = learning.judge_learning(_learning(10, 10, 100))
    assert (answer.key, answer.verdict, answer.caveats) == (
        "rate_and_size",
        "answered",
        ("one_seed",),
    )
    assert "one_seed" in claim_row(answer, "en")["caveats"]
    assert answer.numbers["first"] == 0
    assert answer.numbers["first_low"] < 0 < answer.numbers["first_high"]
    gap = _learning(10, 10, 100)
    lost = replace(gap, rates={**gap.rates, 32: (0.1, NAN, NAN)})
    assert learning.judge_learning(lost)[-1].verdict == UNKNOWN
    rounds = [{63: 1.0, 64: 1.1, 65: 1.0}, {63: 1.0, 64: 0.9, 65: 1.0}]
    (custom,) = speed.judge_powers(speed.Speeds("digits", rounds, rounds))
    assert (custom.key, custom.verdict) == ("power_of_two", "custom")
    assert custom.numbers["plain_low"] == pytest.approx(-0.1)
