"""The metrics of the best constant prediction: a training that ends there has learned nothing.

The best constant is the largest class for an accuracy, the mean for squared errors (an R2 of 0) and
the median for absolute errors. An AUC of a constant is 0.5.
"""

from collections.abc import Iterator

import numpy as np

from kerasbatch.runs.training.job import TrainingJob
from kerasbatch.spec import keras_registry
from kerasbatch.types import Array

_ACCURACIES = {
    "Accuracy",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "SparseCategoricalAccuracy",
}


def chance_levels(job: TrainingJob) -> dict[str, float]:
    """Return the chance level of the metrics at fixed weights, by their column in history.csv.

    Metrics without a simple level are left out, such as a cross-entropy: the untrained model's
    value in the first row of the history takes its place.
    """
    labels = job.data.evaluated_labels
    if isinstance(labels, dict | tuple):
        return {}
    y = np.asarray(labels)
    return {f"{job.prefix}{name}": float(level) for name, level in _levels(job, y)}


def _levels(job: TrainingJob, y: Array) -> Iterator[tuple[str, float]]:
    kind = job.spec.label_kind
    if kind == "any":
        kind = "number" if job.data.classes is None or y.ndim > 1 else "index"
    units = job.data.target_units
    factor = None if units is None else np.asarray(units.deviation)
    if (
        job.spec.label_kind == "number"
        and (level := _error_level(_loss_class(job.spec.loss.name), y)) is not None
    ):
        yield "loss", level / 2 if job.spec.loss.name == "half_mse" else level
    for metric in job.spec.metrics:
        name = keras_registry.class_name("metrics", metric.name) or metric.name
        if name in _ACCURACIES or metric.name in keras_registry.CHOSEN_METRICS:
            if kind != "number":
                yield metric.column, _largest_share(y, kind)
        elif name == "AUC":
            yield metric.column, 0.5
        elif name == "R2Score":
            yield metric.column, 0.0
        elif kind == "number":
            level = _error_level(name, y if factor is None else y * factor)
            if level is not None:
                yield metric.column, level


def _loss_class(name: str) -> str:
    own = "MeanSquaredError" if name in keras_registry.OWN_LOSSES else name
    return keras_registry.class_name("losses", own) or own


def _largest_share(y: Array, kind: keras_registry.LabelKind) -> float:
    """Return the accuracy of always predicting the largest class; of each output, if binary."""
    if kind == "index":
        return float(np.unique(y, return_counts=True)[1].max() / len(y))
    ones = y.reshape(len(y), -1).mean(axis=0)
    if kind == "one_hot":
        return float(ones.max())
    return float(np.maximum(ones, 1 - ones).mean())


def _error_level(name: str, y: Array) -> float | None:
    """Return the error of the best constant, or None for another metric."""
    values = y.reshape(len(y), -1).astype(float)
    if name == "MeanSquaredError":
        return float(values.var(axis=0).mean())
    if name == "RootMeanSquaredError":
        return float(values.var(axis=0).mean() ** 0.5)
    if name == "MeanAbsoluteError":
        return float(np.abs(values - np.median(values, axis=0)).mean())
    return None
