"""The objective of a linear regression, a quadratic function, and how gradient descent ends on it.

J(theta) = J_min + 1/2 (theta - optimum)' H (theta - optimum), with H = X'X/m for the notes' J (half
the mean squared error) and twice that for Keras' `mse`; X has a first column of ones. Full-batch
descent converges for learning rates below 2 / lambda_max, the largest eigenvalue of H, and the
slower the larger the condition number lambda_max / lambda_min is.
"""

from typing import Any

import numpy as np

from kerasbatch.data.builtin import LINE_SLOPE, LINE_START
from kerasbatch.types import Array


def quadratic(x: Array, y: Array, factor: float) -> dict[str, Any]:
    """Return optimum, Hessian and minimum of the objective of a linear regression.

    Args:
        x: shape (m, features).
        y: shape (m,).
        factor: 1 for half the mean squared error, 2 for the whole.

    Returns:
        `optimum` (intercept first) and `hessian` as lists, and `minimum`.
    """
    wide = with_ones(x)
    numbers = y.astype(np.float64)
    optimum, *_ = np.linalg.lstsq(wide, numbers, rcond=None)
    left = wide @ optimum - numbers
    return {
        "optimum": optimum.tolist(),
        "hessian": (factor * wide.T @ wide / len(wide)).tolist(),
        "minimum": float(factor / 2 * left @ left / len(wide)),
    }


def learning_rate_limit(hessian: Array) -> float:
    """Return 2 / lambda_max, from which on full-batch descent diverges."""
    return 2.0 / float(np.linalg.eigvalsh(hessian).max())


def condition_number(hessian: Array) -> float:
    """Return lambda_max / lambda_min; infinite where lambda_min is 0."""
    low, *_, high = np.linalg.eigvalsh(hessian)
    return float(high / low) if low > 0 else float("inf")


def line_notice(x: Array) -> str:
    """Return a notice about generated data: the line, and the objective of a linear model.

    Args:
        x: the training inputs as the model gets them, shape (m, 1).
    """
    wide = with_ones(x)
    hessian = wide.T @ wide / len(wide)
    return (
        f"line: y = {LINE_START:g} + {LINE_SLOPE:g} x + noise; x is standardized unless the data "
        "say standardize: false, so the weights are in standard units. J of a linear model has "
        f"the condition number {condition_number(hessian):.4g}; full-batch SGD converges for "
        f"learning rates below 2 / lambda_max = {learning_rate_limit(hessian):.4g} with half_mse, "
        f"{learning_rate_limit(2 * hessian):.4g} with mse"
    )


def above_minimum(away: Array, hessian: Array) -> Array:
    """Return J - J* at a distance from the optimum; infinite or NaN for a path that diverged.

    Args:
        away: theta - optimum, shape (..., k).
        hessian: shape (k, k).

    Returns:
        Shape (...).
    """
    with np.errstate(over="ignore", invalid="ignore"):
        squared: Array = np.einsum("...i,ij,...j->...", away, hessian, away)
    return squared / 2


def with_ones(x: Array) -> Array:
    """Return x in float64 with a first column of ones, for the intercept."""
    return np.column_stack([np.ones(len(x)), x.astype(np.float64)])
