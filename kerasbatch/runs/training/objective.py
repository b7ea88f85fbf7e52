"""The exact objective of a run that is a linear regression, whose contours the notes draw."""

from typing import Any

import keras

from kerasbatch.data.linear_objective import quadratic
from kerasbatch.data.run_data import RunData
from kerasbatch.spec.schema import Spec

FACTORS = {"half_mse": 1.0, "mse": 2.0, "mean_squared_error": 2.0, "MeanSquaredError": 2.0}
"""The factor by which X'X/m is multiplied to get the Hessian, for every squared loss."""


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
