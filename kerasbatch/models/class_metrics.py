"""Metrics of classes, with labels and outputs in the form that each metric compares.

Keras' metrics compare arrays of one shape, and say nothing of what the numbers mean: class numbers
beside columns of probabilities are broadcast, and logits are compared with a threshold of 0.5.
"""

from collections.abc import Mapping
from typing import Any, Literal

import keras

from kerasbatch.spec.keras_registry import LabelKind

TAKES_NUMBERS = (
    "SparseCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
)
"""The metrics that compare class numbers with a column per class."""
TAKES_DECISIONS = ("MeanIoU", "IoU", "Accuracy")
"""The metrics that compare class numbers with class numbers."""
ONE_OF_EACH_CLASS = ("F1Score", "FBetaScore")
"""The metrics that return a number for each class, and take labels only as columns."""
OF_POSITIVE = (
    *("Precision", "Recall", "AUC", "F1Score", "FBetaScore", "BinaryIoU"),
    *("TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives"),
    *("SensitivityAtSpecificity", "SpecificityAtSensitivity"),
    *("PrecisionAtRecall", "RecallAtPrecision"),
)
"""The metrics that speak of one class: of two classes, of class 1."""
THRESHOLD = 0.5
"""The probability above which a single output means class 1."""
Form = Literal["columns", "numbers", "decisions", "positive"]


def accuracy(kind: str, outputs: int) -> keras.metrics.Metric:
    """Return the accuracy of classes.

    Args:
        kind: the kind of labels, as in `keras_registry.label_kind`.
        outputs: the number of outputs.
    """
    if outputs == 1:
        return keras.metrics.BinaryAccuracy("accuracy")
    if kind == "index":
        return keras.metrics.SparseCategoricalAccuracy("accuracy")
    return keras.metrics.CategoricalAccuracy("accuracy")


def form_of(metric: str) -> Form:
    """Return the form of labels that a metric compares, by the name of its class."""
    if metric in TAKES_NUMBERS:
        return "numbers"
    return "decisions" if metric in TAKES_DECISIONS else "columns"


def speaks_of_one_class(name: str, arguments: Mapping[str, Any]) -> bool:
    """Return whether a metric of two classes speaks of class 1, if its arguments say no other."""
    others = ("class_id", "average", "multi_label")
    return name in OF_POSITIVE and not any(arguments.get(key) for key in others)


@keras.saving.register_keras_serializable(package="kerasbatch")
class ClassMetric(keras.metrics.Metric):
    """A metric of Keras on labels and outputs that are converted for it.

    Args:
        metric: the metric.
        outputs: the number of outputs of the model; 1 for two classes.
        form: the form of labels that the metric compares.
        are_numbers: whether labels are class numbers, and not a column per class.
        are_logits: whether outputs are logits, to be turned into probabilities.
        name: the name of the metric in the logs.
    """

    def __init__(
        self,
        metric: Any,
        outputs: int,
        form: Form,
        are_numbers: bool,
        are_logits: bool,
        name: str | None = None,
    ) -> None:
        metric = keras.metrics.get(metric)
        super().__init__(name=name or metric.name)
        self._inner, self._outputs, self._form = metric, outputs, form
        self._are_numbers, self._are_logits = are_numbers, are_logits

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Add a batch."""
        labels, outputs = self._labels(y_true), self._converted_outputs(y_pred)
        return self._inner.update_state(labels, outputs, sample_weight=sample_weight)

    def _labels(self, y_true: Any) -> Any:
        if self._outputs == 1:
            return keras.ops.reshape(y_true, (-1, 1))
        if self._form == "positive":
            y_true = y_true if self._are_numbers else y_true[:, 1]
            return keras.ops.reshape(y_true, (-1, 1))
        if self._form == "columns" and self._are_numbers:
            numbers = keras.ops.reshape(keras.ops.cast(y_true, "int32"), (-1,))
            return keras.ops.one_hot(numbers, self._outputs)
        if self._form != "columns" and not self._are_numbers:
            return keras.ops.argmax(y_true, axis=-1)
        return y_true

    def _converted_outputs(self, y_pred: Any) -> Any:
        if self._outputs == 1:
            y_pred = keras.ops.reshape(y_pred, (-1, 1))
            if self._are_logits:
                y_pred = keras.ops.sigmoid(y_pred)
            is_decided = self._form == "decisions"
            return keras.ops.cast(y_pred > THRESHOLD, "int32") if is_decided else y_pred
        if self._form == "decisions":
            return keras.ops.argmax(y_pred, axis=-1)
        y_pred = keras.ops.softmax(y_pred) if self._are_logits else y_pred
        return y_pred[:, 1:2] if self._form == "positive" else y_pred

    def result(self) -> Any:
        """Return the metric of all batches so far; the mean of classes if there is one of each."""
        return keras.ops.mean(self._inner.result())

    def reset_state(self) -> None:
        """Reset the metric to no batches."""
        self._inner.reset_state()

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that create the same metric."""
        return {
            "metric": keras.saving.serialize_keras_object(self._inner),
            "outputs": self._outputs,
            "form": self._form,
            "are_numbers": self._are_numbers,
            "are_logits": self._are_logits,
            "name": self.name,
        }


def fitted_metric(
    metric: keras.metrics.Metric, kind: LabelKind, outputs: int, *, has_logits: bool
) -> keras.metrics.Metric:
    """Return a metric of classes that gets what it compares; a metric that already does unchanged.

    Args:
        metric: the metric.
        kind: the kind of labels; not numbers.
        outputs: the number of outputs of the model.
        has_logits: whether the outputs are logits.
    """
    name, form = type(metric).__name__, form_of(type(metric).__name__)
    if speaks_of_one_class(name, metric.get_config()) and outputs == 2 and kind != "binary":
        form = "positive"
    are_logits = has_logits and not metric.get_config().get("from_logits")
    native = {
        "index": form == "numbers",
        "one_hot": form == "columns",
        "binary": form == "columns",
    }
    if native[kind] and not are_logits and name not in ONE_OF_EACH_CLASS:
        return metric
    are_numbers = kind == "index" or outputs == 1
    return ClassMetric(metric, outputs, form, are_numbers=are_numbers, are_logits=are_logits)
