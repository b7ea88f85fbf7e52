"""Claims about one step and many, and the approach to the optimum: statements 1 and 10."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasbatch.claims.claim import Claim, Study, by_size
from kerasbatch.claims.claim_runner import ClaimRunner
from kerasbatch.claims.line import ALPHA, LINE, MINIMISED, full_batch_path, load_line, thetas
from kerasbatch.claims.verdict import all_of, at_most, exactly


@dataclass(frozen=True)
class OneStep:
    """One full-batch step at its best learning rate, and many.

    Args:
        condition: lambda_max / lambda_min of the line.
        one: the part of J - J* that is left after one step.
        many: the same after many steps.
        steps: the number of many steps.
    """

    condition: float
    one: float
    many: float
    steps: int


def measure_one_step(runner: ClaimRunner) -> dict[str, OneStep]:
    """Take one step and thirty, on the notes' line and on one with standardized x."""
    measured = {}
    for name, standardize in (("one_step", False), ("one_step_standardized", True)):
        line = load_line(runner, standardize=standardize)
        alpha = line.best_single_step()
        one, many = (
            line.excess(full_batch_path(runner, alpha, steps, standardize=standardize))
            for steps in (1, 30)
        )
        measured[name] = OneStep(
            condition=line.condition,
            one=float(one[-1] / one[0]),
            many=float(many[-1] / many[0]),
            steps=30,
        )
    return measured


def judge_one_step(measured: Mapping[str, OneStep]) -> list[Claim]:
    """Statement 1: one computation over everything cannot optimise; many can."""
    claims = []
    for key, line in measured.items():
        one_does, many_do = line.one <= MINIMISED, line.many <= MINIMISED
        verdict = exactly(not one_does) if many_do else "cannot be told here"
        claims.append(Claim(key, verdict, vars(line) | {"tolerance": MINIMISED}))
    return claims


@dataclass(frozen=True)
class Approach:
    """The distance to the optimum over equal steps.

    Args:
        examples_per_step: the batch size to the mean examples of a step.
        m: the number of examples.
        steps: the steps of every run.
        constant: the batch size to the part of the first distance that is left over the last
            quarter of the steps, for every seed, at a constant learning rate.
        decreasing: the same with InverseTimeDecay.
    """

    examples_per_step: Mapping[int, float]
    m: int
    steps: int
    constant: Mapping[int, Sequence[float]]
    decreasing: Mapping[int, Sequence[float]]


APPROACH_STEPS = 2000
NEAR = 0.01
"""The part of the first distance that counts as near the optimum."""
DECAY: dict[str, Any] = {
    "name": "InverseTimeDecay",
    "initial_learning_rate": 4 * ALPHA,
    "decay_steps": 20,
    "decay_rate": 1.0,
}


def measure_approach(runner: ClaimRunner) -> Approach:
    """Train equal steps of batch size 1, 32 and full, at a constant and a decreasing rate."""
    seeds = [0] if runner.quick else [0, 1, 2]
    line = load_line(runner)
    parts: list[dict[int, list[float]]] = []
    examples: dict[int, float] = {}
    for rate in (ALPHA, DECAY):
        left: dict[int, list[float]] = {}
        for size, seed in itertools.product((1, 32, len(line.y)), seeds):
            result = runner.run(_equal_steps(size, rate) | {"seed": seed})
            distance = np.linalg.norm(thetas(result) - line.optimum, axis=1)
            last = distance[len(distance) * 3 // 4 :]
            left.setdefault(size, []).append(float(np.sqrt((last**2).mean()) / distance[0]))
            examples[size] = result.row["examples"] / result.row["observed_steps"]
        parts.append(left)
    return Approach(examples, len(line.y), APPROACH_STEPS, *parts)


def _equal_steps(size: int, rate: float | dict[str, Any]) -> dict[str, Any]:
    """Return the spec of a training of `APPROACH_STEPS` steps."""
    keys = {
        "steps": APPROACH_STEPS,
        "batch_size": size,
        "optimizer": {"name": "sgd", "learning_rate": rate},
        "evaluate_every": {"steps": APPROACH_STEPS // 40},
    }
    return {key: value for key, value in (LINE | keys).items() if key != "epochs"}


def judge_approach(measured: Approach) -> list[Claim]:
    """Statement 10: data per update, and the approach to the optimum."""
    per_step = measured.examples_per_step
    right = per_step[min(per_step)] == 1 and per_step[max(per_step)] == measured.m
    numbers: dict[str, Any] = {"shown": by_size(per_step, ".3g"), "m": measured.m}
    claims = [Claim("data_per_update", exactly(right), numbers)]
    for key, left in (
        ("approach_constant", measured.constant),
        ("approach_decreasing", measured.decreasing),
    ):
        shown = "; ".join(
            f"b = {size:,}: {min(parts):.2g}" + (f" - {max(parts):.2g}" if len(parts) > 1 else "")
            for size, parts in left.items()
        )
        numbers = {"steps": measured.steps, "shown": shown, "near": NEAR}
        verdict = all_of(at_most(parts, NEAR) for parts in left.values())
        claims.append(Claim(key, verdict, numbers))
    return claims


STUDIES = (
    Study("Statement 1: one computation", measure_one_step, judge_one_step),
    Study("Statement 10: the approach to the optimum", measure_approach, judge_approach),
)
