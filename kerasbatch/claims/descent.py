"""Claims about gradient descent on the line: statement 6."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from kerasbatch.benchmark.timers import build_for_batch_size
from kerasbatch.claims.claim import Claim, Study
from kerasbatch.claims.claim_runner import ClaimRunner
from kerasbatch.claims.gradient_variance import Gradients
from kerasbatch.claims.line import (
    ALPHA,
    EXAMPLES,
    LINE,
    MINIMISED,
    full_batch_path,
    load_line,
    thetas,
)
from kerasbatch.claims.verdict import exactly, within
from kerasbatch.spec.trust import Access

FLOAT32 = 1e-5
"""The largest error of arithmetic in float32 on the line."""
STEPS = 300


def line_gradients(runner: ClaimRunner) -> tuple[keras.Model, Gradients]:
    """Return the model of the line and its gradients."""
    spec, data = runner.arrays(LINE)
    model = build_for_batch_size(spec, Access(runner.folder), data, 1)
    return model, Gradients(model, np.asarray(data.x_train), np.asarray(data.y_train))


def measure_derivatives(runner: ClaimRunner) -> list[float]:
    """Return the differences of Keras' gradient and the notes' derivatives at three thetas."""
    model, gradients = line_gradients(runner)
    x, y = gradients.x[:, 0].astype(np.float64), gradients.y.astype(np.float64)
    errors = []
    for theta in ((0.0, 0.0), (4.0, -1.0), (-2.0, 3.0)):
        model.set_weights([np.array([[theta[1]]]), np.array([theta[0]])])
        slope, intercept = gradients.of(np.arange(len(x)))
        residuals = theta[0] + theta[1] * x - y
        errors += [intercept - residuals.mean(), slope - (residuals * x).mean()]
    return [float(error) for error in errors]


def judge_derivatives(errors: Sequence[float]) -> list[Claim]:
    """Statement 6: the derivatives of J."""
    numbers = {"m": EXAMPLES, "error": max(map(abs, errors)), "tolerance": FLOAT32}
    return [Claim("derivatives", within(errors, FLOAT32), numbers)]


def measure_updates(runner: ClaimRunner) -> float:
    """Return the largest distance of 50 full-batch steps from their closed form."""
    line = load_line(runner)
    keys = {"epochs": 50, "batch_size": "full", "evaluate_every": {"steps": 1}}
    path = thetas(runner.run(LINE | keys))
    step = np.eye(2) - ALPHA * line.hessian
    offset = path[0] - line.optimum
    expected = [line.optimum + np.linalg.matrix_power(step, t) @ offset for t in range(len(path))]
    return float(np.abs(path - expected).max())


def judge_updates(error: float) -> list[Claim]:
    """Statement 6: both thetas are updated at once."""
    return [Claim("updates", within([error], FLOAT32), {"error": error, "tolerance": FLOAT32})]


@dataclass(frozen=True)
class Minimum:
    """J after full-batch descent with several learning rates.

    Args:
        limit: 2 / lambda_max.
        condition: lambda_max / lambda_min.
        steps: the steps of every run.
        left: alpha to the part of J - J* at the start that is left at the end.
        second_half: alpha to J - J* at the end over that after half of the steps.
    """

    limit: float
    condition: float
    steps: int
    left: Mapping[float, float]
    second_half: Mapping[float, float]


SHARES = (1e-6, 0.98, 0.999, 1.001, 1.02)
"""Learning rates as parts of the limit; that of the notes is tried, too."""


def measure_minimum(runner: ClaimRunner) -> Minimum:
    """Descend with learning rates below and above the limit."""
    line = load_line(runner)
    alphas = sorted([ALPHA, *(share * line.limit for share in SHARES)])
    paths = {alpha: full_batch_path(runner, alpha, STEPS) for alpha in alphas}
    excess = {alpha: line.excess(path) for alpha, path in paths.items()}
    return Minimum(
        limit=line.limit,
        condition=line.condition,
        steps=STEPS,
        left={alpha: float(values[-1] / values[0]) for alpha, values in excess.items()},
        # A run that diverged has no evaluation after half of the steps.
        second_half={
            alpha: float(values[-1] / values[-2 if len(values) > 2 else 0])
            for alpha, values in excess.items()
        },
    )


def judge_minimum(measured: Minimum) -> list[Claim]:
    """Statement 6: J is minimised; and from which alpha on it is not."""
    notes = measured.left[ALPHA]
    numbers = {
        "limit": measured.limit,
        "condition": measured.condition,
        "steps": measured.steps,
        "alpha": ALPHA,
        "left": _by_alpha(measured.left),
        "second_half": _by_alpha(measured.second_half),
        "tolerance": MINIMISED,
    }
    falls = all(
        (change < 1) == (alpha < measured.limit) for alpha, change in measured.second_half.items()
    )
    return [
        Claim("minimised", within([notes], MINIMISED), numbers | {"left": notes}),
        Claim("minimised_at_any_alpha", within(measured.left.values(), MINIMISED), numbers),
        Claim("limit_of_alpha", exactly(falls), numbers),
    ]


def _by_alpha(values: Mapping[float, float]) -> str:
    return ", ".join(f"alpha = {alpha:.4g}: {value:.2g}" for alpha, value in values.items())


STUDIES = (
    Study("Statement 6: the derivatives of J", measure_derivatives, judge_derivatives),
    Study("Statement 6: both thetas at once", measure_updates, judge_updates),
    Study("Statement 6: J is minimised", measure_minimum, judge_minimum),
)
