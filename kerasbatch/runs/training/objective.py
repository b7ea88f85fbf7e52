"""The exact objective of a run that is a linear regression, whose contours the notes draw."""

from typing import Any

import keras
import numpy as np

from kerasbatch.data.linear_objective import above_minimum, quadratic
from kerasbatch.data.run_data import RunData
from kerasbatch.spec.schema import Spec

FACTORS = {"half_mse": 1.0, "mse": 2.0, "mean_squared_error": 2.0, "MeanSquaredError": 2.0}
"""The factor by which X'X/m is multiplied to get the Hessian, for every squared loss."""


MINIMISED = 0.01
"""The part of J - J* at the start that may be left where J counts as minimised."""


class RunObjective:
    """The objective of a run that is a linear regression, and where its model stands on it.

    Args:
        model: the model of one dense layer, at its first weights.
        facts: the result of `quadratic`.

    Attributes:
        record: the part of record.json: `facts`, and the names of the weights in weights.csv,
            intercept first.
    """

    def __init__(self, model: keras.Model, facts: dict[str, Any]) -> None:
        self._model = model
        self._optimum, self._hessian = np.array(facts["optimum"]), np.array(facts["hessian"])
        slopes = range(len(self._optimum) - 1)
        names = ["dense/bias[0]", *(f"dense/kernel[{i},0]" for i in slopes)]
        self.record = {"weights": names} | facts
        self._start = self._excess()

    def _excess(self) -> float:
        """Return J - J* at the weights of the model."""
        kernel, bias = self._model.get_weights()
        away = np.concatenate([bias, kernel[:, 0]]).astype(np.float64) - self._optimum
        return float(above_minimum(away, self._hessian))

    def ending(self) -> str:
        """Return where J began and ended, and whether it was minimised, to follow a message."""
        end = self._excess()
        verdict = f": J was not minimised, which is {MINIMISED:.0%} of its start or less"
        is_minimised = end <= MINIMISED * self._start
        return f"; J - J* went from {self._start:.3g} to {end:.3g}{'' if is_minimised else verdict}"


def run_objective(spec: Spec, model: keras.Model, data: RunData) -> RunObjective | None:
    """Return the objective of a linear regression that records its weights; None for other runs.

    Args:
        spec: the spec of the run.
        model: its model, at its first weights.
        data: its data.
    """
    dense = [layer for layer in model.layers if layer.weights]
    if (
        "weights" not in spec.record
        or spec.loss.name not in FACTORS
        or len(dense) != 1
        or not _is_linear(dense[0])
        or not isinstance(data.x_train, np.ndarray)
        or not isinstance(data.y_train, np.ndarray)
        or data.x_train.ndim != 2
        or data.classes is not None
        or data.w_train is not None
    ):
        return None
    facts = quadratic(data.x_train, data.y_train, FACTORS[spec.loss.name])
    return RunObjective(model, facts)


def _is_linear(layer: keras.layers.Layer) -> bool:
    return (
        isinstance(layer, keras.layers.Dense)
        and layer.units == 1
        and layer.use_bias
        and layer.activation is keras.activations.linear
        and layer.kernel_regularizer is None
        and layer.bias_regularizer is None
    )
