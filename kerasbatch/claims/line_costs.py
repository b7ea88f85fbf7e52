"""Claims about the cost of reaching the optimum of the line: statement 9.

Every batch size has its own best learning rate: the one of a grid with which J - J* stays below a
tolerance from the earliest step on, by the median over seeds. The grid is tried in NumPy; a run of
Keras at the best rate shows that the path is the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasbatch.claims.claim import Claim, Study, by_size
from kerasbatch.claims.claim_runner import ClaimRunner
from kerasbatch.claims.line import LINE, descend, examples_after, load_line, thetas
from kerasbatch.claims.verdict import above, ratios
from kerasbatch.types import Array

TOLERANCES = (1e-2, 1e-4)
"""J - J* below which the optimum is reached roughly, and well."""
GRID = np.array([(1.5 * 2.0 ** (-i / 2), decay) for i in range(20) for decay in (0.0, 0.01, 0.1)])
"""The learning rates alpha / (1 + decay * t): alpha and decay, shape (60, 2)."""
STEPS = 4000
CHECKED_STEPS = 400
"""The steps over which Keras is compared with NumPy."""
SAME_PATH = 1e-3
"""The largest distance of a path of Keras, in float32, from that in NumPy."""


@dataclass(frozen=True)
class Cost:
    """The cost of reaching the optimum with one batch size at its best learning rate.

    Args:
        alpha: the first learning rate.
        decay: step t has the rate alpha / (1 + decay * t).
        steps: the steps until J - J* stays below the tolerance, for every seed; infinite where it
            does not.
        examples: their examples, in the same order.
    """

    alpha: float
    decay: float
    steps: tuple[float, ...]
    examples: tuple[float, ...]


@dataclass(frozen=True)
class Costs:
    """The costs of the methods.

    Args:
        by_size: the cost by tolerance and batch size.
        steps_per_second: the batch size to the speeds of the fused engine, one for every round.
        error: the largest distance of a path of Keras from that in NumPy.
    """

    by_size: Mapping[tuple[float, int], Cost]
    steps_per_second: Mapping[int, tuple[float, ...]]
    error: float


def measure_costs(runner: ClaimRunner) -> Costs:
    """Find the best learning rate of every batch size, and train with it."""
    line = load_line(runner)
    sizes = (1, 32, len(line.y))
    costs, errors = dict[tuple[float, int], Cost](), list[float]()
    alphas, decays = GRID.T
    for size in sizes:
        paths = np.stack(
            [descend(line, size, alphas, decays, STEPS, seed=seed) for seed in range(3)]
        )
        excess = line.excess(paths)
        for tolerance in TOLERANCES:
            settled = steps_until_settled(excess, tolerance)
            best = int(np.argmin(np.median(settled, axis=0)))
            costs[tolerance, size] = _cost(len(line.y), size, best, settled[:, best])
        errors.append(_distance_from_keras(runner, size, GRID[best], paths[0, :, best]))
    rounds = runner.fused_speeds(LINE, sizes)
    speeds = {size: tuple(each[size] / size for each in rounds) for size in sizes}
    return Costs(costs, speeds, max(errors))


def steps_until_settled(excess: Array, tolerance: float) -> Array:
    """Return the steps after which J - J* stays below a tolerance to the end.

    Args:
        excess: J - J* before every step and at the end, shape (seeds, steps + 1, k).
        tolerance: the tolerance.

    Returns:
        Shape (seeds, k); infinite where J - J* is not below the tolerance at the end.
    """
    too_high = ~(excess < tolerance)
    last = excess.shape[1] - 1 - np.argmax(too_high[:, ::-1], axis=1)
    settled = np.where(too_high.any(axis=1), last + 1, 0).astype(float)
    settled[too_high[:, -1]] = np.inf
    return settled


def _cost(m: int, size: int, best: int, settled: Array) -> Cost:
    examples = [
        float(examples_after(m, size, int(steps))) if np.isfinite(steps) else np.inf
        for steps in settled
    ]
    alpha, decay = map(float, GRID[best])
    return Cost(alpha, decay, tuple(map(float, settled)), tuple(examples))


def _distance_from_keras(runner: ClaimRunner, size: int, rate: Array, path: Array) -> float:
    """Train in Keras with a learning rate; return the largest distance from the path in NumPy."""
    schedule = {
        "name": "InverseTimeDecay",
        "initial_learning_rate": float(rate[0]),
        "decay_steps": 1,
        "decay_rate": float(rate[1]),
    }
    keys: dict[str, Any] = {
        "optimizer": {"name": "sgd", "learning_rate": schedule},
        "steps": CHECKED_STEPS,
        "batch_size": size,
        "evaluate_every": {"steps": CHECKED_STEPS // 20},
    }
    spec = LINE | keys
    del spec["epochs"]
    result = runner.run(spec)
    steps = result.weights["step"].to_numpy()
    return float(np.abs(thetas(result) - path[steps]).max())


def judge_costs(measured: Costs) -> list[Claim]:
    """Statement 9: mini-batch finds the optimum faster than full batch, in three units."""
    return [_judge_unit(measured, unit) for unit in ("steps", "examples", "seconds")]


def _judge_unit(measured: Costs, unit: str) -> Claim:
    sizes = sorted({size for _, size in measured.by_size})
    spent = {
        (tolerance, size): _spent(measured, tolerance, size, unit)
        for tolerance, size in measured.by_size
    }
    rough, fine = TOLERANCES
    full = sizes[-1]
    gain = ratios(spent[fine, full], spent[fine, 32])
    same = measured.error <= SAME_PATH
    numbers = {
        "rough": _shown(spent, rough, sizes, unit),
        "fine": _shown(spent, fine, sizes, unit),
        "rough_tolerance": rough,
        "fine_tolerance": fine,
        "error": measured.error,
        "low": gain[0],
        "high": gain[1],
    }
    verdict = above(gain, 1.0) if same else "cannot be told here"
    return Claim(f"optimum_by_{unit}", verdict, numbers)


def _spent(measured: Costs, tolerance: float, size: int, unit: str) -> tuple[float, ...]:
    cost = measured.by_size[tolerance, size]
    if unit == "seconds":
        speeds = measured.steps_per_second[size]
        return tuple(steps / speed for steps in cost.steps for speed in speeds)
    return cost.steps if unit == "steps" else cost.examples


def _shown(
    spent: Mapping[tuple[float, int], tuple[float, ...]],
    tolerance: float,
    sizes: Sequence[int],
    unit: str,
) -> str:
    form = ".2g" if unit == "seconds" else ",.0f"
    medians = {size: float(np.median(spent[tolerance, size])) for size in sizes}
    return by_size(medians, form)


STUDIES = (Study("Statement 9: the optimum of the line", measure_costs, judge_costs),)
