"""Metrics of a standardized target in the target's own units."""

from typing import Any

import keras
import numpy as np

from kerasbatch.data.encoding.preprocessing import Standardization


@keras.saving.register_keras_serializable(package="kerasbatch")
class UnscaledMetric(keras.metrics.Metric):
    """A metric of targets and outputs in the target's own units.

    Args:
        metric: the metric, or its name in Keras.
        mean: the target's mean, one number for each output.
        deviation: its standard deviation.
        name: the name of the metric in the logs.
    """

    def __init__(
        self, metric: Any, mean: list[float], deviation: list[float], name: str | None = None
    ) -> None:
        metric = keras.metrics.get(metric)
        super().__init__(name=name or metric.name)
        self._inner = metric
        self._mean, self._deviation = mean, deviation

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Add a batch."""
        return self._inner.update_state(
            self._unscale(y_true), self._unscale(y_pred), sample_weight=sample_weight
        )

    def _unscale(self, values: Any) -> Any:
        float_values = keras.ops.cast(values, "float32")
        # Several outputs are the last dimension; with one output, a batch may lack that dimension.
        return float_values * np.array(self._deviation, np.float32) + np.array(
            self._mean, np.float32
        )

    def result(self) -> Any:
        """Return the metric of all batches so far."""
        return self._inner.result()

    def reset_state(self) -> None:
        """Reset the metric to no batches."""
        self._inner.reset_state()

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that create the same metric."""
        inner = keras.saving.serialize_keras_object(self._inner)
        return {
            "name": self.name,
            "metric": inner,
            "mean": self._mean,
            "deviation": self._deviation,
        }


def unscale_metric(metric: Any, units: Standardization) -> UnscaledMetric:
    """Return a metric in the target's own units.

    Args:
        metric: a metric, its name in Keras, or a function of labels and outputs.
        units: the standardization of the target.
    """
    if callable(metric) and not isinstance(metric, keras.Metric):
        metric = keras.metrics.MeanMetricWrapper(metric, name=metric.__name__)
    return UnscaledMetric(metric, list(units.mean), list(units.deviation))
