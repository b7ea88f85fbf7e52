"""The line of the notes: its spec, its objective, and gradient descent on it in NumPy.

The descent in NumPy takes the same examples in the same order as a run, so that many learning
rates can be tried in a second. `descent` checks it against Keras.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasbatch.claims.claim_runner import ClaimRunner
from kerasbatch.data.linear_objective import (
    above_minimum,
    condition_number,
    learning_rate_limit,
    quadratic,
    with_ones,
)
from kerasbatch.runs.result import Result
from kerasbatch.sampling import example_order
from kerasbatch.types import Array

EXAMPLES, ALPHA = 200, 0.05
MINIMISED = 1e-6
"""J counts as minimised where this part of J - J* is left."""
START = (4.0, -1.0)
"""Intercept and slope at which every path begins."""
LINE: dict[str, Any] = {
    "name": "claim",
    "data": {"name": "line", "examples": EXAMPLES, "standardize": False},
    "model": {
        "layers": [
            {
                "Dense": {
                    "units": 1,
                    "kernel_initializer": {"name": "Constant", "value": START[1]},
                    "bias_initializer": {"name": "Constant", "value": START[0]},
                }
            }
        ]
    },
    "optimizer": {"name": "sgd", "learning_rate": ALPHA},
    "loss": "half_mse",
    "validation": "none",
    "epochs": 100,
    "batch_size": 32,
    "record": ["weights"],
}


@dataclass(frozen=True)
class Line:
    """The data of a line and its objective J.

    Args:
        x: with a first column of ones, shape (m, 2).
        y: shape (m,).
        optimum: the argmin of J, shape (2,).
        hessian: of J, shape (2, 2).
    """

    x: Array
    y: Array
    optimum: Array
    hessian: Array

    @property
    def limit(self) -> float:
        """2 / lambda_max, the learning rate from which on full-batch descent diverges."""
        return learning_rate_limit(self.hessian)

    @property
    def condition(self) -> float:
        """lambda_max / lambda_min, the condition number of J."""
        return condition_number(self.hessian)

    def excess(self, thetas: Array) -> Array:
        """Return J less its minimum for thetas of shape (..., 2)."""
        return above_minimum(thetas - self.optimum, self.hessian)

    def best_single_step(self) -> float:
        """Return the learning rate with which one full-batch step from the start lowers J most."""
        gradient = self.hessian @ (np.array(START) - self.optimum)
        return float(gradient @ gradient / (gradient @ self.hessian @ gradient))


def load_line(runner: ClaimRunner, *, standardize: bool = False) -> Line:
    """Return the line of the notes, as it is or with standardized x."""
    _, data = runner.arrays(LINE | {"data": LINE["data"] | {"standardize": standardize}})
    x, y = np.asarray(data.x_train, np.float64), np.asarray(data.y_train, np.float64)
    objective = quadratic(x, y, 1.0)
    return Line(with_ones(x), y, np.array(objective["optimum"]), np.array(objective["hessian"]))


def thetas(result: Result) -> Array:
    """Return the weights of a run at every evaluation, intercept first, shape (evaluations, 2)."""
    path: Array = result.weights[result.record["objective"]["weights"]].to_numpy()
    return path


def full_batch_path(
    runner: ClaimRunner, alpha: float, steps: int, *, standardize: bool = False
) -> Array:
    """Return thetas at the start, after half of the steps of full batch, and at the end.

    A run that diverges has no evaluation after half of the steps.
    """
    keys: dict[str, Any] = {
        "data": LINE["data"] | {"standardize": standardize},
        "epochs": steps,
        "batch_size": "full",
        "evaluate_every": {"epochs": max(1, steps // 2)},
        "optimizer": {"name": "sgd", "learning_rate": alpha},
    }
    return thetas(runner.run(LINE | keys))


def descend(
    line: Line, size: int, alphas: Array, decays: Array, steps: int, *, seed: int = 0
) -> Array:
    """Descend by batches of one size with many learning rates at once.

    Args:
        line: the line.
        size: the batch size.
        alphas: the learning rates of the first step, shape (k,).
        decays: step t has the rate alpha / (1 + decay * t); shape (k,).
        steps: the number of steps.
        seed: the seed of the order of the examples.

    Returns:
        The thetas before every step and at the end, shape (steps + 1, k, 2).
    """
    path = np.empty((steps + 1, len(alphas), 2))
    path[0] = START
    with np.errstate(over="ignore", invalid="ignore"):
        for step, rows in enumerate(_batches(len(line.y), size, steps, seed)):
            x, y = line.x[rows], line.y[rows]
            gradients = (path[step] @ x.T - y) @ x / len(rows)
            path[step + 1] = path[step] - (alphas / (1 + decays * step))[:, None] * gradients
    return path


def examples_after(m: int, size: int, steps: int) -> int:
    """Return the examples that a number of steps use."""
    return sum(len(rows) for rows in _batches(m, size, steps, seed=0))


def _batches(m: int, size: int, steps: int, seed: int) -> list[Array]:
    batches: list[Array] = []
    epoch = 0
    while len(batches) < steps:
        epoch += 1
        order = example_order(m, seed=seed, epoch=epoch)
        batches += [order[start : start + size] for start in range(0, m, size)]
    return batches[:steps]
