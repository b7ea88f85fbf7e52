"""The exact objective of a linear regression, whose contours the notes draw.

J(theta) = J_min + 1/2 (theta - optimum)' H (theta - optimum), with H = X'X/m for the notes' J (half
the mean squared error) and twice that for Keras' `mse`; X has a first column of ones.
"""

from typing import Any

import keras
import numpy as np

from kerasbatch.data.run_data import RunData
from kerasbatch.spec.schema import Spec
from kerasbatch.types import Array

FACTORS = {"half_mse": 1.0, "mse": 2.0, "mean_squared_error": 2.0, "MeanSquaredError": 2.0}
"""The factor by which X'X/m is multiplied to get the Hessian, for every squared loss."""


def quadratic(x: Array, y: Array, factor: float) -> dict[str, Any]:
    """Return optimum, Hessian and minimum of the objective of a linear regression.

    Args:
        x: shape (m, features).
        y: shape (m,).
        factor: 1 for half the mean squared error, 2 for the whole.

    Returns:
        `optimum` (intercept first) and `hessian` as lists, and `minimum`.
    """
    wide = np.column_stack([np.ones(len(x)), x.astype(np.float64)])
    numbers = y.astype(np.float64)
    optimum, *_ = np.linalg.lstsq(wide, numbers, rcond=None)
    left = wide @ optimum - numbers
    return {
        "optimum": optimum.tolist(),
        "hessian": (factor * wide.T @ wide / len(wide)).tolist(),
        "minimum": float(factor / 2 * left @ left / len(wide)),
    }


def run_objective(spec: Spec, model: keras.Model, data: RunData) -> dict[str, Any] | None:
    """Return the objective of a linear regression that records its weights; None for other runs.

    Returns:
        The result of `quadratic`, and the names of the weights in weights.csv, intercept first.
    """
    dense = [layer for layer in model.layers if layer.weights]
    if (
        "weights" not in spec.record
        or spec.loss.name not in FACTORS
        or len(dense) != 1
        or not _is_linear(dense[0])
        or data.x_train.ndim != 2
        or data.classes is not None
    ):
        return None
    names = ["dense/bias[0]", *(f"dense/kernel[{i},0]" for i in range(data.x_train.shape[1]))]
    return {"weights": names} | quadratic(data.x_train, data.y_train, FACTORS[spec.loss.name])


def _is_linear(layer: keras.layers.Layer) -> bool:
    return (
        isinstance(layer, keras.layers.Dense)
        and layer.units == 1
        and layer.use_bias
        and layer.activation is keras.activations.linear
    )
