"""Metrics of a standardized target, told in the target's own units."""

from typing import Any

import keras
import numpy as np

from kerasbatch.data.preprocessing import Standardization


@keras.saving.register_keras_serializable(package="kerasbatch")
class UnscaledMetric(keras.metrics.Metric):
    """Hands targets and outputs to a metric after they were brought back to their own units.

    Args:
        metric: the metric, or Keras' name of one.
        mean: the target's mean, one number for each output.
        deviation: its standard deviation.
        name: the name under which it is logged.
    """

    def __init__(
        self, metric: Any, mean: list[float], deviation: list[float], name: str | None = None
    ) -> None:
        metric = keras.metrics.get(metric)
        super().__init__(name=name or metric.name)
        self._inner = metric
        self._mean, self._deviation = mean, deviation

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Take a batch."""
        return self._inner.update_state(
            self._own(y_true), self._own(y_pred), sample_weight=sample_weight
        )

    def _own(self, values: Any) -> Any:
        wide = keras.ops.cast(values, "float32")
        # Of several outputs the last dimension holds them; of one, a batch may lack it.
        return wide * np.array(self._deviation, np.float32) + np.array(self._mean, np.float32)

    def result(self) -> Any:
        """Return the metric of all batches so far."""
        return self._inner.result()

    def reset_state(self) -> None:
        """Forget all batches."""
        self._inner.reset_state()

    def get_config(self) -> dict[str, Any]:
        """Return what makes the same metric again."""
        inner = keras.saving.serialize_keras_object(self._inner)
        return {
            "name": self.name,
            "metric": inner,
            "mean": self._mean,
            "deviation": self._deviation,
        }


def unscale_metric(metric: Any, units: Standardization) -> UnscaledMetric:
    """Return a metric that is told in the target's own units.

    Args:
        metric: a metric, or Keras' name of one.
        units: by what the target was standardized.
    """
    return UnscaledMetric(metric, list(units.mean), list(units.deviation))
